package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

// openTime is how long one messenger has to bring the other end's answer.
const openTime = time.Second

// guest is a connection to a messenger of somebody else.
type guest struct {
	ready chan struct{} // closed when hop or err is there
	hop   *hop
	err   error
}

// Name implements link.Carrier.
func (*Client) Name() string { return "relay" }

// Dial implements link.Carrier: key is a public key's text. The circuit goes over a messenger at which both are at home, else
// over one where the other is.
func (c *Client) Dial(ctx context.Context, key string) (net.Conn, error) {
	peer, err := identity.ParseHex(key)
	if err != nil {
		return nil, err
	}
	err = ErrNoMessenger
	for _, h := range c.hops() {
		var nc *conn
		if nc, err = h.open(peer, soon(ctx)); err == nil {
			return nc, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for _, a := range c.homesOf(ctx, peer) {
		h, e := c.visit(ctx, a)
		if e == nil {
			var nc *conn
			if nc, e = h.open(peer, soon(ctx)); e == nil {
				return nc, nil
			}
		}
		err = fmt.Errorf("at its messenger %s: %w", a.HostPort, e)
	}
	return nil, err
}

// soon is openTime from now, or when ctx ends.
func soon(ctx context.Context) time.Time {
	by := time.Now().Add(openTime)
	if t, ok := ctx.Deadline(); ok && t.Before(by) {
		return t
	}
	return by
}

// visit returns a connection to a messenger that is no home of ours, made if need be.
func (c *Client) visit(ctx context.Context, a secure.Addr) (*hop, error) {
	c.mu.Lock()
	g := c.guests[a.Key]
	mine := g == nil
	if mine {
		if len(c.guests) >= maxGuests {
			c.mu.Unlock()
			return nil, errors.New("relay: connected to too many messengers")
		}
		g = &guest{ready: make(chan struct{})}
		c.guests[a.Key] = g
	}
	c.mu.Unlock()
	if mine && !c.background(func(ctx context.Context) { c.stay(ctx, g, a) }) {
		g.err = ErrNoMessenger
		close(g.ready)
		c.leave(a.Key, g)
	}
	select {
	case <-g.ready:
		return g.hop, g.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stay is the life of a guest.
func (c *Client) stay(ctx context.Context, g *guest, a secure.Addr) {
	defer c.leave(a.Key, g)
	h, err := c.connect(ctx, a)
	if err != nil {
		g.err = err
		close(g.ready)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { h.l.Run(h) })
	defer wg.Wait()
	defer h.l.Close(link.ErrClosed)
	g.hop, g.err = h, h.greeted(ctx)
	close(g.ready)
	if g.err != nil {
		return
	}
	tick := time.NewTicker(guestIdle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.l.Done():
			return
		case <-tick.C:
		}
		if since, idle := h.idle(); idle && time.Since(since) > guestIdle {
			return
		}
	}
}

func (c *Client) leave(key identity.PubKey, g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.guests[key] == g {
		delete(c.guests, key)
	}
}

// listener hands out circuits that others opened.
type listener struct {
	c      *Client
	once   sync.Once
	closed chan struct{}
}

// Listen implements link.Carrier; there is one listener at a time, and the address is not looked at. Without one, circuits are
// refused.
func (c *Client) Listen(context.Context, string) (net.Listener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		return nil, errors.New("relay: somebody listens already")
	}
	c.listener = &listener{c: c, closed: make(chan struct{})}
	return c.listener, nil
}

// offer hands a circuit to the listener; false: there is none, or it is behind.
func (c *Client) offer(nc *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener == nil {
		return false
	}
	select {
	case c.offers <- nc:
		return true
	default:
		return false
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case nc := <-l.c.offers:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return Addr{Key: l.c.cfg.Key.Public()} }

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.c.mu.Lock()
		l.c.listener = nil
		l.c.mu.Unlock()
		close(l.closed)
	})
	return nil
}
