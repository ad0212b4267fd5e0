package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Other is a further carrier of a Several.
type Other struct {
	Carrier
	Scheme string // addresses that begin so are dialed with it
	Listen string // where it listens; "": it does not, and is asked only to dial
	// Try: a port that is not to be had is no error; another one is taken.
	Try bool
}

// Several is a Carrier made of some: addresses with a scheme (quic:HOST:PORT, wss://HOST:PORT/PATH) go to the carrier of that
// scheme, others to the first one. It listens on all of them; its address is that of the first.
type Several struct {
	First  Carrier // its addresses are HOST:PORT
	Others []Other
}

// Name implements Carrier. Connections that know better say so by themselves (Carried).
func (s *Several) Name() string { return s.First.Name() }

// Carried is a connection that knows the name of its carrier.
type Carried interface {
	Carrier() string
}

// carrierOf is the name of a connection's carrier.
func carrierOf(nc net.Conn, c Carrier) string {
	if k, ok := nc.(Carried); ok {
		return k.Carrier()
	}
	return c.Name()
}

// Dial implements Carrier.
func (s *Several) Dial(ctx context.Context, addr string) (net.Conn, error) {
	for _, o := range s.Others {
		if strings.HasPrefix(addr, o.Scheme) {
			return o.Dial(ctx, addr)
		}
	}
	return s.First.Dial(ctx, addr)
}

// Watch implements Watcher, if the first carrier does.
func (s *Several) Watch(ctx context.Context, moved func(here []netip.Addr)) error {
	if w, ok := s.First.(Watcher); ok {
		return w.Watch(ctx, moved)
	}
	return nil
}

// Listen implements Carrier: on hostport for the first, on their own addresses for the others.
func (s *Several) Listen(ctx context.Context, hostport string) (net.Listener, error) {
	first, err := s.First.Listen(ctx, hostport)
	if err != nil {
		return nil, err
	}
	j := &joined{Listener: first, all: []net.Listener{first}, conns: make(chan net.Conn), closed: make(chan struct{})}
	for _, o := range s.Others {
		if o.Listen == "" {
			continue
		}
		ln, err := o.listen(ctx)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listening for %s: %w", o.Name(), err), j.Close())
		}
		j.all = append(j.all, ln)
	}
	for _, ln := range j.all {
		j.wg.Go(func() { j.take(ln) })
	}
	return j, nil
}

func (o Other) listen(ctx context.Context) (net.Listener, error) {
	ln, err := o.Carrier.Listen(ctx, o.Listen)
	if err == nil || !o.Try {
		return ln, err
	}
	host, _, splitErr := net.SplitHostPort(o.Listen)
	if splitErr != nil {
		return nil, err
	}
	return o.Carrier.Listen(ctx, net.JoinHostPort(host, "0"))
}

// joined is one listener made of some.
type joined struct {
	net.Listener // the first
	all          []net.Listener
	conns        chan net.Conn // never closed
	once         sync.Once
	closed       chan struct{}
	wg           sync.WaitGroup
}

// take accepts from one of them.
func (j *joined) take(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			select {
			case j.conns <- nc:
			case <-j.closed:
				nc.Close()
			}
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, most likely
			select {
			case <-j.closed:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// Accept implements net.Listener.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case nc := <-j.conns:
		return nc, nil
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (j *joined) Close() (err error) {
	j.once.Do(func() {
		close(j.closed)
		for _, ln := range j.all {
			err = errors.Join(err, ln.Close())
		}
		j.wg.Wait()
	})
	return err
}
