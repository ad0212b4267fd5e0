package control

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
	"github.com/skycoin/viscript/node/secure"
)

// Limits of a listener.
const (
	DefaultMaxConns = 16384
	prefixShare     = 8 // one IPv4 /24 or IPv6 /56 holds at most 1/8 of them, this machine all
	acceptPause     = 50 * time.Millisecond
)

// ListenerConfig says where a service listens and as whom.
type ListenerConfig struct {
	Listen   string // HOST:PORT; port 0 picks one
	Kind     secure.Kind
	Key      *identity.Key
	Network  string
	Net      Net // nil: TCP
	MaxConns int // finished handshakes and unfinished; more are closed at once; 0: DefaultMaxConns
	Log      *slog.Logger
}

// Listener accepts connections of one kind for a service, and answers WHO.
type Listener struct {
	cfg   ListenerConfig
	ln    net.Listener
	guard *secure.Guard

	mu       sync.Mutex // guards the following
	open     int
	byPrefix map[netip.Prefix]int
}

// Net is the network that services and their clients meet on; nil stands for TCP.
type Net interface {
	// Dial connects to HOST:PORT.
	Dial(ctx context.Context, hostport string) (net.Conn, error)
	// Listen accepts connections at HOST:PORT.
	Listen(ctx context.Context, hostport string) (net.Listener, error)
}

func listen(n Net, hostport string) (net.Listener, error) {
	if n == nil {
		return net.Listen("tcp", hostport)
	}
	return n.Listen(context.Background(), hostport) // opening a port does not wait
}

// secureConfig is what a client greets a service with.
func secureConfig(kind secure.Kind, key *identity.Key, network string, n Net) secure.Config {
	cfg := secure.Config{Local: key, Kind: kind, Network: network}
	if n != nil {
		cfg.Dial = n.Dial
	}
	return cfg
}

// Listen opens the port. The Listener is closed by the end of Run, or by Close without Run.
func Listen(cfg ListenerConfig) (*Listener, error) {
	if cfg.MaxConns == 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := listen(cfg.Net, cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", cfg.Listen, err)
	}
	return &Listener{
		cfg:      cfg,
		ln:       ln,
		guard:    secure.NewGuard(secure.GuardConfig{}),
		byPrefix: make(map[netip.Prefix]int),
	}, nil
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close frees the port. Idempotent.
func (l *Listener) Close() error { return l.ln.Close() }

// Run calls attend for each connection whose handshake succeeded, in a goroutine of its
// own, and closes the connection when attend returns. It ends when ctx does and all calls
// have returned; then it returns nil. Its error is that of a port that was lost.
func (l *Listener) Run(ctx context.Context, attend func(ctx context.Context, c *secure.Conn)) error {
	return l.Serve(ctx, func(ctx context.Context, nc net.Conn, r secure.Result) { attend(ctx, secure.NewConn(nc, r)) })
}

// Serve is Run for who makes something else of a connection than a pipe of messages.
func (l *Listener) Serve(ctx context.Context, attend func(ctx context.Context, nc net.Conn, r secure.Result)) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.ln.Close() })()
	defer l.ln.Close()
	for {
		nc, err := l.ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accepting on %s: %w", l.cfg.Listen, err)
		}
		if err != nil { // out of descriptors, or a connection that ended in the queue
			l.cfg.Log.Warn("accepting", "err", err)
			sleep(ctx, acceptPause)
			continue
		}
		leave, ok := l.enter(nc.RemoteAddr())
		if !ok {
			nc.Close()
			continue
		}
		wg.Go(func() {
			r, err := l.handshake(ctx, nc)
			if err != nil {
				nc.Close()
				leave()
				return
			}
			wg.Go(func() { // on a new stack: a handshake needs a large one, and what comes then may last for days
				defer leave()
				defer nc.Close()
				attend(ctx, nc, r)
			})
		})
	}
}

func (l *Listener) handshake(ctx context.Context, nc net.Conn) (secure.Result, error) {
	cfg := secure.Config{Local: l.cfg.Key, Kind: l.cfg.Kind, Network: l.cfg.Network}
	r, err := secure.AcceptService(ctx, nc, cfg, l.guard)
	if err != nil {
		l.cfg.Log.Debug("no handshake", "peer", nc.RemoteAddr().String(), "err", err)
	}
	return r, err
}

// enter counts a connection, until leave is called.
func (l *Listener) enter(addr net.Addr) (leave func(), ok bool) {
	p := prefixOf(addr)
	share := max(1, l.cfg.MaxConns/prefixShare)
	if p.Addr().IsLoopback() {
		share = l.cfg.MaxConns
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.cfg.MaxConns || l.byPrefix[p] >= share {
		return nil, false
	}
	l.open++
	l.byPrefix[p]++
	return func() { l.leave(p) }, true
}

func (l *Listener) leave(p netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byPrefix[p]--; l.byPrefix[p] <= 0 {
		delete(l.byPrefix, p)
	}
}

// prefixOf is the part of the network that one customer usually holds.
func prefixOf(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 56
	switch {
	case ip.IsLoopback():
		bits = ip.BitLen()
	case ip.Is4():
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
