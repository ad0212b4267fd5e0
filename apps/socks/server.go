package socks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	DefaultDialTimeout      = 10 * time.Second // resolver and all addresses of a name together
)

// ServerLimits bound what others can hold at an exit; zero fields mean the defaults.
type ServerLimits struct {
	MaxStreams       int           // dialing or established; beyond it streams are refused as Busy
	MaxStreamsPerKey int           // of one node
	MaxDials         int           // in flight, resolving included; beyond it streams wait their turn
	MaxDialsPerKey   int           // of one node
	DialTimeout      time.Duration // waiting, resolving and connecting together
	IdleTimeout      time.Duration // default DefaultIdleTimeout; negative: never
}

func (l *ServerLimits) setDefaults() {
	l.MaxStreams = orDefault(l.MaxStreams, DefaultMaxStreams)
	l.MaxStreamsPerKey = orDefault(l.MaxStreamsPerKey, DefaultMaxStreamsPerKey)
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
	// AllowKeys are the nodes that may use the exit; empty: all.
	AllowKeys []identity.PubKey
	Limits    ServerLimits
	Resolver  Resolver     // nil: the system's, in pure Go
	Log       *slog.Logger // nil: none
}

// Server is an exit. Methods are safe for concurrent use; Run is called once.
type Server struct {
	cfg     ServerConfig
	log     *slog.Logger
	table   *table
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
	cfg.AllowKeys = slices.Clone(cfg.AllowKeys)
	s := &Server{
		cfg: cfg, log: cfg.Log.With("part", "socks"),
		table: newTable(cfg.Limits.MaxStreams, cfg.Limits.MaxStreamsPerKey, cfg.Limits.MaxDialsPerKey),
		dials: make(chan struct{}, cfg.Limits.MaxDials),
	}
	s.connect = connector{policy: &s.cfg.Policy, resolver: cfg.Resolver, dial: dialTCP}
	return s, nil
}

// Stats returns the counters.
func (s *Server) Stats() Stats { return s.table.stats() }

// Connections returns the oldest 1,000 connections, oldest first.
func (s *Server) Connections() []Connection { return s.table.list() }

// Run serves until ctx ends (nil) or Accept fails. All streams are then reset and all
// goroutines have returned.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
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
	if len(s.cfg.AllowKeys) > 0 && !slices.Contains(s.cfg.AllowKeys, key) {
		s.reject(in, because(Denied, "key not on the list"))
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	e, sh, ok := s.table.open(key, key.String(), cancel)
	if !ok {
		cancel()
		in.Reject(Busy.Code())
		return
	}
	wg.Go(func() {
		defer cancel()
		defer s.table.close(e)
		s.serve(ctx, in, e, sh)
	})
}

// serve handles one stream to its end.
func (s *Server) serve(ctx context.Context, in Incoming, e *entry, sh *share) {
	conn, err := s.open(ctx, in, e, sh)
	if err != nil {
		s.reject(in, err)
		return
	}
	if err := in.Confirm(); err != nil {
		s.table.refuse(Gone)
		resetTCP(conn)
		in.Reset(Gone.Code())
		in.Close()
		return
	}
	s.table.establish(e)
	err = pipe(ctx, conn, in, &e.down, &e.up, &s.buffers)
	s.log.Debug("stream ended", "peer", e.key.Short(), "bytes", e.bytes(), "took", time.Since(e.since), "err", err)
}

// open parses the target, waits its turn and connects.
func (s *Server) open(ctx context.Context, in Incoming, e *entry, sh *share) (*net.TCPConn, error) {
	target, err := ParseTarget(in.Target())
	if err != nil {
		return nil, err
	}
	text := target.String()
	e.target.Store(&text)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.DialTimeout)
	defer cancel()
	for _, turn := range []chan struct{}{sh.dials, s.dials} { // the key's first, so that one key cannot fill both
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return nil, because(Busy, "too many dials in flight: %w", ctx.Err())
		}
	}
	return s.connect.connect(ctx, target)
}

// reject counts a refusal and tells the opener its reason; the words stay here.
func (s *Server) reject(in Incoming, err error) {
	reason := ReasonOf(err)
	s.table.refuse(reason)
	s.log.Debug("stream refused", "peer", in.Peer().Short(), "err", err)
	in.Reject(reason.Code())
}
