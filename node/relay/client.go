package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

// Limits of a client.
const (
	// MaxMessengers is how many home messengers a client has.
	MaxMessengers = MaxHomes
	maxGuests     = 32 // messengers of others that it is connected to
	guestIdle     = time.Minute
	maxOffered    = 64 // circuits that wait to be accepted
)

// ErrNoMessenger: there is no connection to any messenger.
var ErrNoMessenger = errors.New("relay: not connected to a messenger")

// Config says who a client is and where its messengers are.
type Config struct {
	Key        *identity.Key
	Network    string
	Messengers []secure.Addr // at home there; MaxMessengers at most
	Pins       *secure.Pins
	// Self is what the client says of itself: Addrs, Services and Attrs of its record; nil: nothing of that.
	Self func() Record
	// Record is the signed record to publish, instead of one made of Self; nil: not.
	Record func() Record
	// Follow is called for all records that the messengers know and each change of them; verified. The messengers must have
	// this client as a peer. It must not block. nil: not.
	Follow func(Record)
	// Changed is called for each record of a watched key that is newer than the last one; verified. It must not block. nil: not.
	Changed func(Record)
	// Dial connects to a messenger; nil: TCP.
	Dial func(ctx context.Context, hostport string) (net.Conn, error)
	Log  *slog.Logger // nil: nothing is logged
}

// Client is one key's connections to messengers. It is a link.Carrier whose addresses are keys. Its methods are safe for
// concurrent use.
type Client struct {
	cfg    Config
	secure secure.Config
	homes  []*home
	offers chan *conn    // to who accepts; never closed
	kick   chan struct{} // holds one: publish again

	mu       sync.Mutex      // guards the following
	ctx      context.Context // of Run; nil before
	wg       *sync.WaitGroup
	guests   map[identity.PubKey]*guest
	listener *listener
	watched  []identity.PubKey
	known    map[identity.PubKey]Record // newest of those that are watched
	seq      uint64
}

// NewClient checks the configuration; Run starts it.
func NewClient(cfg Config) (*Client, error) {
	switch {
	case cfg.Key == nil || cfg.Pins == nil:
		return nil, errors.New("relay: Key and Pins are needed")
	case len(cfg.Messengers) == 0 || len(cfg.Messengers) > MaxMessengers:
		return nil, errors.New("relay: one to four messengers are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "relay")
	if cfg.Dial == nil {
		cfg.Dial = link.TCP{}.Dial
	}
	c := &Client{
		cfg: cfg, offers: make(chan *conn, maxOffered), kick: make(chan struct{}, 1),
		secure: secure.Config{Local: cfg.Key, Kind: secure.KindMessenger, Network: cfg.Network, Dial: cfg.Dial},
		guests: map[identity.PubKey]*guest{}, known: map[identity.PubKey]Record{},
	}
	for _, a := range cfg.Messengers {
		c.homes = append(c.homes, &home{c: c, addr: a, key: a.Key, wake: make(chan struct{}, 1), since: time.Now()})
	}
	return c, nil
}

// Run keeps the connections until ctx ends, and returns nil when all is quiet.
func (c *Client) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // the connections outlive ctx by our last word
	defer stop()
	c.mu.Lock()
	c.ctx, c.wg = running, &wg
	c.mu.Unlock()
	for _, h := range c.homes {
		wg.Go(func() { h.run(running) })
	}
	wg.Go(func() { c.publish(running) })
	<-ctx.Done()
	c.farewell()
	c.mu.Lock()
	stop() // under the lock of who starts goroutines
	c.mu.Unlock()
	wg.Wait()
	for {
		select {
		case nc := <-c.offers:
			nc.Close()
			continue
		default:
		}
		return nil
	}
}

// hops are the connections to home messengers that are up.
func (c *Client) hops() []*hop {
	var list []*hop
	for _, h := range c.homes {
		if up := h.up(); up != nil {
			list = append(list, up)
		}
	}
	return list
}

// Moved tells the client that this host's addresses changed; here nil: unknown.
func (c *Client) Moved(here []netip.Addr) {
	for _, h := range c.hops() {
		h.l.Moved(here)
	}
	for _, h := range c.homes {
		h.again()
	}
}

// Kick makes the client publish its record again: what it says of itself has changed.
func (c *Client) Kick() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Status lists the home messengers.
func (c *Client) Status() []Home {
	list := make([]Home, len(c.homes))
	for i, h := range c.homes {
		list[i] = h.status()
	}
	return list
}

// Observed lists the addresses from which messengers see this client, without repeats.
func (c *Client) Observed() []string {
	var list []string
	for _, h := range c.hops() {
		if o := h.welcome.Observed; o != "" && !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list
}

// run runs f until Run ends; false when it is too late or too early for that.
func (c *Client) background(f func(ctx context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.ctx.Err() != nil {
		return false
	}
	ctx := c.ctx
	c.wg.Go(func() { f(ctx) })
	return true
}
