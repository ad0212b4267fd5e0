package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Handler is the node's side of what the manager asks. Calls come one at a time, in the
// order the manager sent them, from one goroutine: they must not wait for the network.
type Handler interface {
	// Install puts a rule in place; the manager's signature is verified and h.Node is us.
	// An *Error refuses; CodeCollision makes the manager try other numbers.
	Install(ctx context.Context, h Hop) error
	// Remove forgets a route; unknown ones are no error.
	Remove(ctx context.Context, r RouteKey)
	// Neighbours replaces the list of nodes to link to. Only nodes with Connect are sent it.
	Neighbours(ctx context.Context, n []Neighbour)
	// Reroute is a hint that a route which begins here should move: ask for another one "instead". Routes that are not
	// known are no error.
	Reroute(ctx context.Context, r RouteKey)
}

// ClientConfig says who the node is and who manages it.
type ClientConfig struct {
	Manager secure.Addr
	Key     *identity.Key
	Network string
	Pins    *secure.Pins
	Self    func() NodeRecord   // Name, Addrs (any spelling) and Connect; the client signs it
	Links   func() []LinkReport // the first to each peer is reported, at most MaxLinks; nil: none
	Routes  func() []RouteKey   // the routes in place that begin here; nil: all that Route returned and CloseRoute did not end
	Handler Handler
	Net     Net          // nil: TCP
	Log     *slog.Logger // nil: nothing is logged
}

// Client is a node's connection to its manager. Requests wait, until their ctx ends, while
// there is none. Its methods are safe for concurrent use.
type Client struct {
	cfg      ClientConfig
	up       uplink
	instance Instance
	kick     chan struct{} // holds one

	mu  sync.Mutex // guards the following
	seq uint64     // of the last record signed
	// routes are ours as the manager signed them, at most MaxKept.
	routes map[RouteKey]Route
	// met: a manager has answered; ask: it wants to be asked about strangers.
	met, ask bool
	verdicts map[identity.PubKey]verdict // at most maxVerdicts
}

// NewClient checks the configuration; Run starts it.
func NewClient(cfg ClientConfig) (*Client, error) {
	switch {
	case cfg.Manager.HostPort == "":
		return nil, errors.New("control: no manager address")
	case cfg.Key == nil || cfg.Pins == nil || cfg.Self == nil || cfg.Handler == nil:
		return nil, errors.New("control: Key, Pins, Self and Handler are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "control")
	c := &Client{cfg: cfg, kick: make(chan struct{}, 1), routes: make(map[RouteKey]Route)}
	if _, err := rand.Read(c.instance[:]); err != nil {
		return nil, fmt.Errorf("control: naming this process: %w", err)
	}
	c.up = uplink{
		addr:  cfg.Manager,
		cfg:   secureConfig(secure.KindControl, cfg.Key, cfg.Network, cfg.Net),
		pins:  cfg.Pins,
		log:   cfg.Log,
		serve: c.serveManager,
		ready: c.register,
		hold:  c.report,
	}
	c.up.prepare()
	return c, nil
}

// Run connects, registers, reports, and connects again whenever the connection ends: after
// 100 ms doubling to 5 s, with jitter; after 30 s where a person must act, which is logged
// at Error. It returns nil when ctx ends.
func (c *Client) Run(ctx context.Context) error {
	c.up.run(ctx)
	return nil
}

// Status says whether the node is registered now.
func (c *Client) Status() Status { return c.up.Status() }

// Reconnect gives up the connection, if there is one, and makes a new one: our address has changed.
func (c *Client) Reconnect() { c.up.reset() }

// Kick makes the client report its links now. It does not wait; kicks that come together
// make one report.
func (c *Client) Kick() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// self is the node's record of this moment, signed, with a higher Seq than the last.
func (c *Client) self() (NodeRecord, error) {
	r := c.cfg.Self()
	addrs := make([]string, 0, len(r.Addrs))
	for _, a := range r.Addrs {
		a, err := CanonicalAddr(a)
		if err != nil {
			return r, err
		}
		addrs = append(addrs, a)
	}
	now := time.Now()
	c.mu.Lock()
	c.seq = max(c.seq+1, millis(now))
	r.Seq = c.seq
	c.mu.Unlock()
	r.Addrs, r.Issued, r.Expires = addrs, now, time.Time{}
	r = SignNode(c.cfg.Key, c.cfg.Network, r)
	return r, r.check()
}

func (c *Client) register(ctx context.Context, p *Peer) error {
	r, err := c.self()
	if err != nil {
		return Errorf(CodeBadRequest, "our own record: %v", err)
	}
	b, err := p.Call(ctx, TypeRegister, Register{Instance: c.instance, Node: r}.Append(nil))
	if err != nil {
		return fmt.Errorf("registering at %s: %w", c.cfg.Manager.HostPort, err)
	}
	return c.answered(b)
}

// kickPause gathers kicks that follow each other closely.
const kickPause = 20 * time.Millisecond

// report sends the node's links at once, when kicked, and every ReportEvery; then its routes too.
func (c *Client) report(ctx context.Context, p *Peer) error {
	tick := time.NewTicker(ReportEvery)
	defer tick.Stop()
	for keep := true; ; {
		if err := c.reportOnce(ctx, p); err != nil {
			return err
		}
		if keep {
			if err := c.keep(ctx, p); err != nil {
				return err
			}
		}
		keep = false
		select {
		case <-tick.C:
			keep = true
		case <-c.kick:
			sleep(ctx, kickPause)
		case <-p.Done():
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Client) reportOnce(ctx context.Context, p *Peer) error {
	r, err := c.self()
	if err != nil {
		return err
	}
	m := Report{Node: r}
	if c.cfg.Links != nil {
		m.Links = c.onePerPeer(c.cfg.Links())
	}
	b, err := p.Call(ctx, TypeReport, m.Append(nil))
	if CodeOf(err) == CodeBusy {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reporting to %s: %w", c.cfg.Manager.HostPort, err)
	}
	return c.answered(b)
}

// answered reads what register and report are answered with.
func (c *Client) answered(b []byte) error {
	ask, err := parseAsk(b)
	if err == nil {
		c.learn(ask)
	}
	return err
}

// onePerPeer keeps the first link to each peer, MaxLinks of them.
func (c *Client) onePerPeer(links []LinkReport) []LinkReport {
	seen := map[identity.PubKey]bool{c.cfg.Key.Public(): true}
	links = slices.DeleteFunc(slices.Clone(links), func(l LinkReport) bool {
		again := seen[l.Peer]
		seen[l.Peer] = true
		return again
	})
	return links[:min(len(links), MaxLinks)]
}

// serveManager carries out the requests of the manager with that key.
func (c *Client) serveManager(manager identity.PubKey) Serve {
	return func(ctx context.Context, t Type, body []byte) ([]byte, error) {
		switch t {
		case TypeInstall:
			return nil, c.install(ctx, manager, body)
		case TypeRemove:
			k, err := ParseRouteKey(body)
			if err == nil {
				c.cfg.Handler.Remove(ctx, k)
			}
			return nil, err
		case TypeNeighbours:
			list, err := ParseNeighbours(body)
			if err == nil && c.cfg.Self().Connect {
				c.cfg.Handler.Neighbours(ctx, list)
			}
			return nil, err
		case TypeReroute:
			m, err := ParseReroute(body)
			if err == nil {
				c.cfg.Log.Debug("the manager proposes another path", "route", m.Route.String(), "reason", m.Reason.String())
				c.cfg.Handler.Reroute(ctx, m.Route)
			}
			return nil, err
		default:
			return nil, Errorf(CodeBadRequest, "request %d", t)
		}
	}
}

func (c *Client) install(ctx context.Context, manager identity.PubKey, body []byte) error {
	h, err := ParseHop(body)
	if err != nil {
		return err
	}
	if h.Node != c.cfg.Key.Public() {
		return Errorf(CodeBadRequest, "a hop for another node")
	}
	if err := CheckClock(h.Issued, time.Now()); err != nil {
		return err
	}
	if h.Verify(c.cfg.Network, manager) != nil {
		return &Error{Code: CodeBadSignature}
	}
	return c.cfg.Handler.Install(ctx, h)
}
