package vpn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// Times of a client.
const (
	dialTimeout  = 20 * time.Second // a route may have to be laid
	firstRetry   = 250 * time.Millisecond
	lastRetry    = 8 * time.Second
	probePause   = 200 * time.Millisecond // between probes until one comes back
	probeTimeout = 15 * time.Second       // after which the exit is asked anew
	pongTimeout  = 15 * time.Second       // of an answer to a ping; the mesh heals faster
	checkEvery   = 30 * time.Second       // between probes through the tunnel while it is up
)

// Exit is a VPN server that a client may use.
type Exit struct {
	Name string
	Key  identity.PubKey
	Port uint16 // of its control streams
}

// Settings are what a client gets from its exit, for the host's network.
type Settings struct {
	Exit     Exit
	Addrs    []netip.Prefix // ours, whole addresses
	Gateways []netip.Addr   // the exit's addresses in the tunnel, which answer probes
	DNS      []netip.Addr
	Routes   []netip.Prefix // reached through the exit; none: everything
	MTU      int
}

// ClientConfig tells a Client what it works with.
type ClientConfig struct {
	Self    func(ctx context.Context) (identity.PubKey, error)             // our node's key
	Find    func(ctx context.Context, avoid identity.PubKey) (Exit, error) // the exit to use; not avoid, where there is another
	Dial    func(ctx context.Context, e Exit) (Stream, error)
	Open    func(ctx context.Context) (Mover, error) // gives the TUN to the node
	Offload packet.Offload                           // of our TUN
	Limit   func(packet.Offload) error               // makes our TUN give what the exit takes; nil: it gives single packets
	// Apply sets the host's network; it is called again when Settings change. An error is shown, and it is tried again.
	Apply func(ctx context.Context, s Settings) error
	// Probe sends something through the tunnel to a gateway and waits for what comes back.
	Probe    func(ctx context.Context, from, to netip.Addr) (time.Duration, error)
	No4, No6 bool // families that are not wanted
	Passcode *Passcode
	Terms    string // what the routes to the exit meet, for people; Dial and Open see to it
	Log      *slog.Logger
}

// Client keeps a tunnel to an exit.
type Client struct {
	cfg   ClientConfig
	log   *slog.Logger
	wake  chan struct{} // the network changed: try now
	hurry chan struct{} // the same, for a client that is up

	mu     sync.Mutex // guards the following
	status Status
	mover  Mover
	rate   meter
}

// NewClient makes a client; Run starts it.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), status: Status{State: StateStarting, Since: time.Now()}}
}

// Kick tells the client that the network changed or the host woke up: it tries and probes now.
func (c *Client) Kick() {
	for _, ch := range []chan struct{}{c.wake, c.hurry} {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Run keeps the tunnel until ctx ends; nil then. It fails for good when the node refuses the TUN.
func (c *Client) Run(ctx context.Context) error {
	defer c.closeMover()
	pause := firstRetry
	var avoid identity.PubKey
	for ctx.Err() == nil {
		began := time.Now()
		exit, err := c.once(ctx, avoid)
		if ctx.Err() != nil {
			break
		}
		if errors.As(err, new(*fatal)) {
			return err
		}
		up := c.lost(err)
		if avoid = (identity.PubKey{}); !up { // another one may be better
			avoid = exit.Key
		}
		if up || time.Since(began) > time.Minute {
			pause = firstRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-c.wake:
			pause = firstRetry
		}
		pause = min(2*pause, lastRetry)
	}
	c.say(func(s *Status) { *s = Status{State: StateStopped, Since: time.Now()} })
	return nil
}

// fatal is an error after which trying again does not help.
type fatal struct{ error }

func (f *fatal) Unwrap() error { return f.error }

// Fatal marks an error of Open or Apply as one after which trying again does not help.
func Fatal(err error) error { return &fatal{err} }

// once has one tunnel, from finding the exit to losing it.
func (c *Client) once(ctx context.Context, avoid identity.PubKey) (exit Exit, err error) {
	m, err := c.ensureMover(ctx)
	if err != nil {
		return exit, fmt.Errorf("giving the TUN to the node: %w", err)
	}
	c.say(func(s *Status) { s.State = StateFinding })
	if exit, err = c.cfg.Find(ctx, avoid); err != nil {
		return exit, fmt.Errorf("finding an exit: %w", err)
	}
	c.say(func(s *Status) { s.State, s.Exit, s.ExitKey = StateConnecting, exit.Name, exit.Key.String() })
	stream, w, err := c.connect(ctx, m, exit)
	if err != nil {
		return exit, err
	}
	defer stream.Close()
	// What ends the tunnel wakes its reader.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stream.SetReadDeadline(time.Unix(1, 0)) })()
	settings, err := c.use(ctx, m, exit, w)
	if err != nil {
		return exit, err
	}
	return exit, c.hold(ctx, stop, m, stream, settings, w)
}

// connect opens the control stream and says HELLO.
func (c *Client) connect(ctx context.Context, m Mover, exit Exit) (Stream, welcome, error) {
	self, err := c.cfg.Self(ctx)
	if err != nil {
		return nil, welcome{}, fmt.Errorf("asking our node: %w", err)
	}
	proofs, err := c.cfg.Passcode.prover(exit.Key)
	if err != nil {
		return nil, welcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	stream, err := c.cfg.Dial(ctx, exit)
	if err != nil {
		return nil, welcome{}, fmt.Errorf("reaching exit %s: %w", exit, err)
	}
	h := hello{Version: Version, Offload: c.cfg.Offload, Families: family4 | family6, Port: m.Port(), Proof: proofs.proof(self)}
	if c.cfg.No4 {
		h.Families &^= family4
	}
	if c.cfg.No6 {
		h.Families &^= family6
	}
	w, err := greet(stream, h)
	if err != nil {
		stream.Close()
		return nil, welcome{}, fmt.Errorf("exit %s: %w", exit, err)
	}
	return stream, w, nil
}

// greet says HELLO and reads the answer.
func greet(stream Stream, h hello) (w welcome, err error) {
	if err := say(stream, kindHello, h.append(nil)); err != nil {
		return w, err
	}
	stream.SetReadDeadline(time.Now().Add(dialTimeout))
	k, body, err := readMessage(stream, make([]byte, maxMessage))
	switch {
	case err != nil:
		return w, err
	case k == kindRefusal || k == kindBye:
		return w, refusalOf(body)
	case k != kindWelcome:
		return w, errMessage
	}
	return parseWelcome(body)
}

func refusalOf(body []byte) error {
	r, err := parseRefusal(body)
	if err != nil {
		return err
	}
	return r
}

// String is the exit for people.
func (e Exit) String() string {
	if e.Name != "" {
		return fmt.Sprintf("%s (%s)", e.Name, e.Key.Short())
	}
	return e.Key.Short()
}

// use gives the node its rules and the host its network.
func (c *Client) use(ctx context.Context, m Mover, exit Exit, w welcome) (Settings, error) {
	s := Settings{Exit: exit, Addrs: w.Addrs, Gateways: w.Gateways, DNS: w.DNS, Routes: w.Routes, MTU: int(w.MTU)}
	if err := m.SetRules(packet.Rules{Accept: w.Addrs}); err != nil {
		return s, fmt.Errorf("telling the node: %w", err)
	}
	id := tunnel.PeerID{Key: exit.Key, Port: w.Port}
	if err := c.dropOthers(m, id); err != nil {
		return s, fmt.Errorf("telling the node: %w", err)
	}
	// What goes to the exit is decided by the host's routes. What comes from it may come from anywhere behind it.
	if err := m.SetPeer(tunnel.Peer{PeerID: id, Prefixes: []netip.Prefix{all4(), all6()}}); err != nil {
		return s, fmt.Errorf("telling the node: %w", err)
	}
	if c.cfg.Limit != nil {
		if err := c.cfg.Limit(w.Offload); err != nil {
			return s, err
		}
	}
	if err := c.cfg.Apply(ctx, s); err != nil {
		return s, fmt.Errorf("setting the host's network: %w", err)
	}
	c.say(func(st *Status) {
		st.State, st.Addrs, st.MTU, st.DNS = StateProbing, addrTexts(w.Addrs), s.MTU, texts(w.DNS)
	})
	return s, nil
}

func all4() netip.Prefix { return netip.PrefixFrom(netip.IPv4Unspecified(), 0) }

func all6() netip.Prefix { return netip.PrefixFrom(netip.IPv6Unspecified(), 0) }

// dropOthers removes the exits that were used before.
func (c *Client) dropOthers(m Mover, id tunnel.PeerID) error {
	_, peers, err := m.Counts()
	for _, p := range peers {
		if p.PeerID != id && err == nil {
			err = m.SetPeer(tunnel.Peer{PeerID: p.PeerID})
		}
	}
	return err
}

// ensureMover returns what moves packets, made anew when the node has gone.
func (c *Client) ensureMover(ctx context.Context) (Mover, error) {
	c.mu.Lock()
	m := c.mover
	c.mu.Unlock()
	if m != nil && m.Err() == nil {
		return m, nil
	}
	c.closeMover()
	m, err := c.cfg.Open(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.mover = m
	c.mu.Unlock()
	return m, nil
}

func (c *Client) closeMover() {
	c.mu.Lock()
	m := c.mover
	c.mover = nil
	c.mu.Unlock()
	if m != nil {
		m.Close()
	}
}
