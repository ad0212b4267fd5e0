package mailbox

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// What one network may send.
const (
	linkBurst  = 128 << 20 // bytes at once
	linkRate   = 2 << 20   // bytes per second
	takeCost   = 64 << 10
	maxLinks   = 10_000
	fetchWait  = 5 * time.Second // less than a request may take
	silence    = time.Minute     // a connection without a request ends
	sweepEvery = time.Hour
)

// ServerConfig says who the server is.
type ServerConfig struct {
	Listen  string // HOST:PORT; port 0 picks one
	Dir     string // for the store
	Key     *identity.Key
	Network string
	Net     control.Net // nil: TCP
	Log     *slog.Logger
}

// Server keeps mailboxes. Make it with NewServer; it ends with Run, or with Close without Run.
type Server struct {
	cfg   ServerConfig
	store *store
	ln    *control.Listener

	mu    sync.Mutex // guards the following
	links map[netip.Prefix]*rate.Limiter
}

// NewServer opens store and port, and starts nothing.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Key == nil || cfg.Dir == "" {
		return nil, errors.New("mailbox: Key and Dir are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "mailbox")
	st, err := openStore(cfg.Dir)
	if err != nil {
		return nil, err
	}
	ln, err := control.Listen(control.ListenerConfig{
		Listen: cfg.Listen, Kind: secure.KindMailbox, Key: cfg.Key, Network: cfg.Network, Net: cfg.Net, Log: cfg.Log,
	})
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	return &Server{cfg: cfg, store: st, ln: ln, links: map[netip.Prefix]*rate.Limiter{}}, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Key is the server's key.
func (s *Server) Key() identity.PubKey { return s.cfg.Key.Public() }

// Close frees port and store. Idempotent.
func (s *Server) Close() error {
	err := s.ln.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.store.close())
}

// Run serves until ctx ends, then closes the server and returns nil.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.sweep(ctx) })
	err := s.ln.Run(ctx, s.attend)
	cancel()
	wg.Wait()
	return errors.Join(err, s.Close())
}

func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		more := true
		for more && ctx.Err() == nil {
			var err error
			if more, err = s.store.sweep(time.Now()); err != nil {
				s.cfg.Log.Error("deleting what has expired", "err", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) attend(ctx context.Context, c *secure.Conn) {
	p := control.NewPeer(control.PeerConfig{
		Conn: c, Silence: silence, Log: s.cfg.Log,
		Serve: func(ctx context.Context, t control.Type, body []byte) ([]byte, error) {
			b, err := s.serve(ctx, c, t, body)
			return b, refusal(err)
		},
	})
	if err := p.Run(ctx); err != nil {
		s.cfg.Log.Debug("a connection ended", "peer", c.RemoteAddr().String(), "err", err)
	}
}

// refusal is what the client gets to know of an error.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrNobody):
		return control.Errorf(control.CodeUnknownKey, "nobody has this mailbox")
	case errors.Is(err, ErrFull):
		return control.Errorf(control.CodeQuota, "full")
	case errors.Is(err, ErrGone):
		return control.Errorf(control.CodeStale, "the device was removed")
	case errors.Is(err, errBundle):
		return control.Errorf(control.CodeBadRequest, "not a card with prekeys")
	}
	return err
}

func (s *Server) serve(ctx context.Context, c *secure.Conn, t control.Type, body []byte) ([]byte, error) {
	switch t {
	case typePut:
		q, err := parsePut(body)
		if err != nil {
			return nil, err
		}
		if !s.allow(c.RemoteAddr(), len(body)) {
			return nil, ErrFull
		}
		return nil, s.store.put(q.to, q.envelopes, time.Now())
	case typeFetch:
		device, err := parseDevice(body)
		if err != nil {
			return nil, err
		}
		return s.fetch(ctx, Address{c.Remote(), device})
	case typeAck:
		q, err := parseAck(body)
		if err != nil {
			return nil, err
		}
		return nil, s.store.ack(Address{c.Remote(), q.device}, q.ids)
	case typePublish:
		q, err := parseBundle(body)
		if err != nil {
			return nil, err
		}
		if !s.allow(c.RemoteAddr(), len(body)) {
			return nil, ErrFull
		}
		left, err := s.store.publish(c.Remote(), q, time.Now())
		return binary.BigEndian.AppendUint16(nil, uint16(left)), err
	}
	return s.serveOthers(c, t, body)
}

// serveOthers answers what is asked about other people.
func (s *Server) serveOthers(c *secure.Conn, t control.Type, body []byte) ([]byte, error) {
	switch t {
	case typeCards:
		r := wire.NewReader(body)
		owner := r.Key()
		if err := r.Done(); err != nil {
			return nil, err
		}
		list, err := s.store.cards(owner)
		return appendList(nil, list), err
	case typeTake:
		a, err := parseAddress(body)
		if err != nil {
			return nil, err
		}
		if !s.allow(c.RemoteAddr(), takeCost) {
			return nil, ErrFull
		}
		return s.store.take(a)
	}
	return nil, control.Errorf(control.CodeBadRequest, "request %d", t)
}

// fetch waits for something in a mailbox, for a while.
func (s *Server) fetch(ctx context.Context, a Address) ([]byte, error) {
	timer := time.NewTimer(fetchWait)
	defer timer.Stop()
	for {
		list, wait, err := s.store.fetch(a)
		if err != nil || len(list) > 0 {
			return appendList(nil, list), err
		}
		select {
		case <-wait:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		return appendList(nil, nil), nil
	}
}

// allow takes n from what the network of addr may send.
func (s *Server) allow(addr net.Addr, n int) bool {
	p := prefixOf(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[p]
	if l == nil {
		if len(s.links) >= maxLinks {
			for k, old := range s.links {
				if old.Tokens() >= linkBurst {
					delete(s.links, k)
				}
			}
		}
		if len(s.links) >= maxLinks {
			return false
		}
		l = rate.NewLimiter(linkRate, linkBurst)
		s.links[p] = l
	}
	return l.AllowN(time.Now(), n)
}

// prefixOf is the part of the network that one customer usually holds.
func prefixOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 56
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
