package socks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Defaults of a server.
const (
	DefaultMaxStreams       = 4096
	DefaultMaxStreamsPerKey = 1024
	DefaultMaxDials         = 256
	DefaultMaxDialsPerKey   = 128
	DefaultMaxUDPPerKey     = 64
	DefaultMaxBinds         = 64
	DefaultMaxBindsPerKey   = 8
	DefaultDialTimeout      = 10 * time.Second // resolver and all addresses of a name together
)

// ServerLimits bound what others can hold at an exit; zero fields mean the defaults.
type ServerLimits struct {
	MaxStreams       int           // dialing or established; beyond it streams are refused as Busy
	MaxStreamsPerKey int           // of one node
	Rate             int64         // of one node, bytes per second each way; 0: none
	MaxUDP           int           // UDP associations; DefaultMaxUDP
	MaxUDPPerKey     int           // of one node
	MaxBinds         int           // listening ports of BIND
	MaxBindsPerKey   int           // of one node
	MaxDials         int           // in flight, resolving included; beyond it streams wait their turn
	MaxDialsPerKey   int           // of one node
	DialTimeout      time.Duration // waiting, resolving and connecting together
	IdleTimeout      time.Duration // default DefaultIdleTimeout; negative: never
}

func (l *ServerLimits) setDefaults() {
	l.MaxStreams = orDefault(l.MaxStreams, DefaultMaxStreams)
	l.MaxStreamsPerKey = orDefault(l.MaxStreamsPerKey, DefaultMaxStreamsPerKey)
	l.MaxUDP = orDefault(l.MaxUDP, DefaultMaxUDP)
	l.MaxUDPPerKey = orDefault(l.MaxUDPPerKey, DefaultMaxUDPPerKey)
	l.MaxBinds = orDefault(l.MaxBinds, DefaultMaxBinds)
	l.MaxBindsPerKey = orDefault(l.MaxBindsPerKey, DefaultMaxBindsPerKey)
	l.MaxDials = orDefault(l.MaxDials, DefaultMaxDials)
	l.MaxDialsPerKey = orDefault(l.MaxDialsPerKey, DefaultMaxDialsPerKey)
	l.DialTimeout = orDefault(l.DialTimeout, DefaultDialTimeout)
	l.IdleTimeout = orDefault(l.IdleTimeout, DefaultIdleTimeout)
}

// Resolver finds the addresses of a name; *net.Resolver is one. network is "ip".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// ServerConfig says where streams come from and where they may go.
type ServerConfig struct {
	// Accept waits for the next stream; required. It returns soon after ctx ends. Its error
	// ends Run, so whatever can be repaired it repairs itself.
	Accept func(ctx context.Context) (Incoming, error)
	Policy Policy
	// Keys are the nodes that may use the exit, with limits of their own; empty: all.
	Keys map[identity.PubKey]Allowance
	// DenyKeys are nodes that may not, whatever Keys says.
	DenyKeys []identity.PubKey
	// Packets opens our way for datagrams; called again after it broke. nil: UDP associations are refused.
	Packets func(ctx context.Context) (Packets, error)
	// BindPorts are the ports where BIND may listen; empty: BIND is refused. BindAddr is what is told of where we listen, behind a
	// NAT that forwards these ports; invalid: the address that we have towards the peer.
	BindPorts PortRange
	BindAddr  netip.Addr
	Limits    ServerLimits
	Resolver  Resolver     // nil: the system's, in pure Go
	Log       *slog.Logger // nil: none
}

// Server is an exit. Methods are safe for concurrent use; Run is called once.
type Server struct {
	cfg     ServerConfig
	log     *slog.Logger
	table   *table
	hub     *hub          // nil: no datagrams
	dials   chan struct{} // a token per dial in flight
	buffers buffers
	connect connector
}

// NewServer checks the configuration. It takes nothing that would have to be given back.
func NewServer(cfg ServerConfig) (*Server, error) {
	cfg.Limits.setDefaults()
	if cfg.Accept == nil {
		return nil, errors.New("socks: a server needs a source of streams")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolver == nil {
		cfg.Resolver = &net.Resolver{PreferGo: true}
	}
	cfg.Keys, cfg.DenyKeys = maps.Clone(cfg.Keys), slices.Clone(cfg.DenyKeys)
	s := &Server{
		cfg: cfg, log: cfg.Log.With("part", "socks"),
		dials: make(chan struct{}, cfg.Limits.MaxDials),
	}
	own := map[string]Allowance{}
	for key, a := range cfg.Keys {
		own[key.String()] = a
	}
	each := Allowance{Rate: cfg.Limits.Rate, Conns: cfg.Limits.MaxStreamsPerKey}
	s.table = newTable(cfg.Limits.MaxStreams, cfg.Limits.MaxDialsPerKey, func(key string) Allowance { return own[key].or(each) })
	if cfg.Packets != nil {
		s.hub = newHub(cfg.Packets)
	}
	s.connect = connector{policy: &s.cfg.Policy, resolver: cfg.Resolver, dial: dialTCP}
	return s, nil
}

// Stats returns the counters.
func (s *Server) Stats() Stats { return s.table.stats() }

// Connections returns the oldest 1,000 connections, oldest first.
func (s *Server) Connections() []Connection { return s.table.list() }

// Keys returns what each node uses, those with most bytes first, at most 1,000.
func (s *Server) Keys() []Owner { return s.table.owners() }

// Run serves until ctx ends (nil) or Accept fails. All streams are then reset and all
// goroutines have returned.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if s.hub != nil {
		defer s.hub.close()
	}
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.table.keepSweeping(ctx, s.cfg.Limits.IdleTimeout) })
	for {
		in, err := s.cfg.Accept(ctx)
		if ctx.Err() != nil {
			if err == nil {
				in.Reject(Gone.Code())
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("socks: accepting streams: %w", err)
		}
		s.admit(ctx, in, &wg)
	}
}

// admit checks key and limits, before a goroutine is spent.
func (s *Server) admit(ctx context.Context, in Incoming, wg *sync.WaitGroup) {
	key := in.Peer()
	if _, ok := s.cfg.Keys[key]; len(s.cfg.Keys) > 0 && !ok || slices.Contains(s.cfg.DenyKeys, key) {
		s.reject(in, because(Denied, "key not on the list"))
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	e, ok := s.table.open(key, key.String(), cancel)
	if !ok {
		cancel()
		in.Reject(Busy.Code())
		return
	}
	if _, ok := s.table.own(e, key.String()); !ok {
		s.table.close(e)
		cancel()
		s.reject(in, because(Busy, "the node has too many streams"))
		return
	}
	wg.Go(func() {
		defer cancel()
		defer s.table.close(e)
		s.serve(ctx, in, e)
	})
}

// serve handles one stream to its end.
func (s *Server) serve(ctx context.Context, in Incoming, e *entry) {
	what, err := parseErrand(in.Target())
	switch {
	case err != nil:
	case what.kind == kindUDP:
		err = s.associate(ctx, in, what.port, e)
	case what.kind == kindBind:
		err = s.bind(ctx, in, what.target, e)
	default:
		err = s.forward(ctx, in, what.target, e)
	}
	if err != nil && !e.connected.Load() {
		s.reject(in, err)
		return
	}
	s.log.Debug("stream ended", "peer", e.key.Short(), "bytes", e.bytes(), "took", time.Since(e.since), "err", err)
}

// forward connects and pipes. Errors before Confirm are the caller's to tell.
func (s *Server) forward(ctx context.Context, in Incoming, t Target, e *entry) error {
	e.is(kindConnect, t.String())
	conn, err := s.open(ctx, t, e)
	if err != nil {
		return err
	}
	if done, err := s.carry(ctx, in, conn, e); done {
		return err
	}
	if err := in.Confirm(); err != nil {
		s.table.refuse(Gone)
		resetTCP(conn)
		in.Reset(Gone.Code())
		in.Close()
		return nil
	}
	s.table.establish(e)
	up, down := e.halves()
	return pipe(ctx, conn, in, down, up, &s.buffers)
}

// open waits its turn and connects.
func (s *Server) open(ctx context.Context, t Target, e *entry) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.DialTimeout)
	defer cancel()
	done, err := s.turn(ctx, e.share.Load())
	if err != nil {
		return nil, err
	}
	defer done()
	return s.connect.connect(ctx, t)
}

// turn waits until a dial or lookup may begin; done ends it. A turn that is free is taken even if the time is up: it is not for want
// of one that the dial then fails.
func (s *Server) turn(ctx context.Context, sh *share) (done func(), err error) {
	turns := []chan struct{}{sh.dials, s.dials} // the key's first, so that one key cannot fill both
	for i, turn := range turns {
		select {
		case turn <- struct{}{}:
			continue
		default:
		}
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			for _, taken := range turns[:i] {
				<-taken
			}
			return nil, because(Busy, "too many dials in flight: %w", ctx.Err())
		}
	}
	return func() { <-s.dials; <-sh.dials }, nil
}

// reject counts a refusal and tells the opener its reason; the words stay here.
func (s *Server) reject(in Incoming, err error) {
	reason := ReasonOf(err)
	s.table.refuse(reason)
	s.log.Debug("stream refused", "peer", in.Peer().Short(), "err", err)
	in.Reject(reason.Code())
}
