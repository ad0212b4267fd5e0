package vpn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
	"github.com/skycoin/viscript/node/wire"
)

// Times and limits of a server.
const (
	helloTimeout  = 10 * time.Second // of a client that says nothing
	keepAlive     = 10 * time.Second // between a client's pings
	clientSilence = 6 * keepAlive    // after which it is gone; longer than a mesh session heals
	writeTimeout  = 10 * time.Second
	maxGreeting   = 256 // clients that have not said HELLO yet
	maxOfKey      = 4   // of those, of one node
	maxRenews     = 60  // HELLOs of one client a minute
)

// Stream is a mesh stream: an app.Conn.
type Stream interface {
	net.Conn
	Reset(wire.Code)
}

// Incoming is a stream that a client opened.
type Incoming interface {
	Stream
	Peer() identity.PubKey
	Confirm() error
}

// Mover moves packets between our TUN and datagrams: an app.Tun, or a tunnel in this process.
type Mover interface {
	Port() uint16 // of our datagrams
	SetRules(packet.Rules) error
	SetPeer(tunnel.Peer) error
	Counts() (tunnel.Total, []tunnel.PeerCount, error)
	Done() <-chan struct{}
	Err() error
	Close() error
}

// ServerConfig tells a Server what it works with.
type ServerConfig struct {
	Self    func() identity.PubKey // our node's key; asked once a client is there
	Accept  func(ctx context.Context) (Incoming, error)
	Open    func(ctx context.Context) (Mover, error) // gives the TUN to the node; called again when that is gone
	Offload packet.Offload                           // of our TUN
	Limit   func(packet.Offload) error               // makes our TUN give what all clients take; nil: it gives single packets

	Subnet, Subnet6 netip.Prefix // of the clients; an invalid one: not carried
	MTU             int
	DNS             func() bool // whether a name server listens at our addresses in the tunnel; nil: none does
	Routes          []netip.Prefix
	Allow           []identity.PubKey // none: everybody
	Passcode        *Passcode
	Rate            uint64 // bytes a second and direction of a client; 0: no limit
	BetweenClients  bool   // clients may reach each other
	Leases          string // file; "": addresses are forgotten at the end
	// Admit opens the host's firewall to packets from an address, Dismiss closes it; nil: there is none.
	Admit   func(netip.Addr) error
	Dismiss func(netip.Addr)
	Log     *slog.Logger
}

// Server gives clients their addresses, and the node the rules for their packets.
type Server struct {
	cfg   ServerConfig
	log   *slog.Logger
	began time.Time

	proveMu sync.Mutex // guards the following; held while the passcode is stretched
	prover  *prover
	proved  bool

	mu   sync.Mutex // guards the following
	pool *pool
	// Those who have not said HELLO yet.
	greeting   int
	greetingOf map[identity.PubKey]int
	mover      Mover // nil: the node is away
	clients    map[identity.PubKey]*client
	limit      packet.Offload // what our TUN gives
	refused    uint64
	served     uint64
}

// client is one that has been welcomed.
type client struct {
	key    identity.PubKey
	id     tunnel.PeerID
	addrs  []netip.Prefix
	takes  packet.Offload
	since  time.Time
	stream Stream
	stop   context.CancelCauseFunc
}

// NewServer checks the configuration and reads the leases.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if !cfg.Subnet.IsValid() && !cfg.Subnet6.IsValid() {
		return nil, errors.New("vpn: a server needs a subnet")
	}
	if cfg.MTU < packet.MinMTU || cfg.MTU > 65535 {
		return nil, fmt.Errorf("vpn: MTU %d: want %d to 65535", cfg.MTU, packet.MinMTU)
	}
	if len(cfg.Routes) > maxRoutes {
		return nil, fmt.Errorf("vpn: more than %d routes", maxRoutes)
	}
	p, err := openPool(cfg.Subnet, cfg.Subnet6, cfg.Leases)
	if err != nil {
		return nil, err
	}
	return &Server{
		cfg: cfg, log: cfg.Log, began: time.Now(), pool: p, clients: map[identity.PubKey]*client{}, greetingOf: map[identity.PubKey]int{},
		limit: cfg.Offload,
	}, nil
}

// Gateways are our addresses in the tunnel, with the subnets.
func (s *Server) Gateways() []netip.Prefix { return s.pool.gateways() }

// Run serves until ctx ends, or Accept or Open fail for good; nil after ctx.
func (s *Server) Run(ctx context.Context) error {
	outside := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { stop(s.keepMover(ctx)) })
	for {
		in, err := s.cfg.Accept(ctx)
		if err != nil {
			stop(err)
			wg.Wait()
			s.saveLeases()
			if outside.Err() != nil {
				return nil
			}
			return context.Cause(ctx)
		}
		if !s.greets(in.Peer()) {
			in.Reset(wire.CodeBusy)
			continue
		}
		wg.Go(func() { s.serve(ctx, in) })
	}
}

// greets takes a place for somebody who has not said HELLO yet; false: there is none.
func (s *Server) greets(key identity.PubKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.greeting >= maxGreeting || s.greetingOf[key] >= maxOfKey {
		return false
	}
	s.greeting++
	s.greetingOf[key]++
	return true
}

func (s *Server) greeted(key identity.PubKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeting--
	if s.greetingOf[key]--; s.greetingOf[key] == 0 {
		delete(s.greetingOf, key)
	}
}

// keepMover has the node move packets, and again when it has gone and come back, until ctx ends.
func (s *Server) keepMover(ctx context.Context) error {
	for ctx.Err() == nil {
		m, err := s.cfg.Open(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := s.install(m); err != nil {
			m.Close()
			return err
		}
		select {
		case <-m.Done():
			s.log.Warn("the node moves no packets any more", "err", m.Err())
		case <-ctx.Done():
		}
		s.mu.Lock()
		s.mover = nil
		s.mu.Unlock()
		m.Close()
	}
	return nil
}

// install gives a new mover the rules and the clients that are there.
func (s *Server) install(m Mover) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := m.SetRules(s.rules()); err != nil {
		return err
	}
	s.mover = m
	for _, c := range s.clients {
		if err := m.SetPeer(s.peer(c)); err != nil {
			c.stop(err)
		}
	}
	return nil
}

// rules let clients send anywhere but to each other; what else is not for them is the host's firewall's.
func (s *Server) rules() (r packet.Rules) {
	for _, g := range s.pool.gateways() {
		r.Accept = append(r.Accept, netip.PrefixFrom(g.Addr(), g.Addr().BitLen()), netip.PrefixFrom(g.Addr(), 0).Masked())
		if !s.cfg.BetweenClients {
			r.Refuse = append(r.Refuse, g.Masked())
		}
	}
	return r
}

func (s *Server) peer(c *client) tunnel.Peer {
	return tunnel.Peer{PeerID: c.id, Prefixes: c.addrs, Rate: s.cfg.Rate}
}

// enter gives the client addresses and the node its rules. A client of the same node makes place.
func (s *Server) enter(in Incoming, h hello, stop context.CancelCauseFunc) (*client, welcome, *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := in.Peer()
	if s.mover == nil {
		return nil, welcome{}, &Refusal{Code: CodeInternal, Text: "the node is away"}
	}
	if s.clients[key] == nil && len(s.clients) >= tunnel.MaxPeers {
		return nil, welcome{}, &Refusal{Code: CodeFull}
	}
	addrs, err := s.pool.take(key, h.Families&family4 != 0, h.Families&family6 != 0, time.Now())
	if err != nil {
		return nil, welcome{}, &Refusal{Code: CodeFull}
	}
	c := &client{key: key, id: tunnel.PeerID{Key: key, Port: h.Port}, addrs: addrs, takes: h.Offload, since: time.Now(), stream: in, stop: stop}
	if old := s.clients[key]; old != nil {
		old.stop(&Refusal{Code: CodeReplaced})
		s.removePeer(old)
	}
	if err := s.mover.SetPeer(s.peer(c)); err != nil {
		s.pool.release(key, time.Now())
		delete(s.clients, key)
		return nil, welcome{}, &Refusal{Code: CodeInternal}
	}
	if err := s.admitAddrs(addrs); err != nil {
		s.log.Error("opening the firewall to a client", "peer", key.Short(), "err", err)
		s.pool.release(key, time.Now())
		delete(s.clients, key)
		s.removePeer(c)
		return nil, welcome{}, &Refusal{Code: CodeInternal}
	}
	s.clients[key] = c
	s.served++
	s.limitLocked()
	return c, s.welcome(c, s.mover.Port()), nil
}

// limitLocked makes our TUN give nothing that some client does not take.
func (s *Server) limitLocked() {
	if s.cfg.Limit == nil {
		return
	}
	o := s.cfg.Offload
	for _, c := range s.clients {
		o &= c.takes
	}
	if o == s.limit {
		return
	}
	if err := s.cfg.Limit(o); err != nil {
		s.log.Error("limiting the TUN to what clients take", "err", err)
		return
	}
	s.limit = o
}

func (s *Server) admitAddrs(addrs []netip.Prefix) error {
	for _, a := range addrs {
		if s.cfg.Admit == nil {
			continue
		}
		if err := s.cfg.Admit(a.Addr()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) welcome(c *client, port uint16) welcome {
	w := welcome{
		Version: Version, Offload: s.cfg.Offload, Port: port, MTU: uint16(s.cfg.MTU), KeepAlive: keepAlive, Addrs: c.addrs, Routes: s.cfg.Routes,
	}
	for _, a := range c.addrs {
		for _, g := range s.pool.gateways() {
			if g.Contains(a.Addr()) {
				w.Gateways = append(w.Gateways, g.Addr())
			}
		}
	}
	if s.cfg.DNS != nil && s.cfg.DNS() {
		w.DNS = w.Gateways
	}
	return w
}

// removePeer takes a client's rules from the node. The caller holds mu.
func (s *Server) removePeer(c *client) {
	if s.mover != nil {
		if err := s.mover.SetPeer(tunnel.Peer{PeerID: c.id}); err != nil {
			s.log.Warn("taking a client's rules back", "peer", c.key.Short(), "err", err)
		}
	}
}

func (s *Server) leave(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[c.key] != c {
		return // replaced
	}
	delete(s.clients, c.key)
	s.pool.release(c.key, time.Now())
	s.removePeer(c)
	s.limitLocked()
	for _, a := range c.addrs {
		if s.cfg.Dismiss != nil {
			s.cfg.Dismiss(a.Addr())
		}
	}
	if err := s.pool.save(); err != nil {
		s.log.Warn("leases", "err", err)
	}
}

func (s *Server) saveLeases() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.pool.save(); err != nil {
		s.log.Warn("leases", "err", err)
	}
}
