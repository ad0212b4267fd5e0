// Package messenger assembles the meeting point: the relay that passes bytes between keys, and the book by which keys are found.
//
//	m, err := messenger.New(messenger.Config{...})   // opens port and book
//	err = m.Run(ctx)                                  // serves until ctx ends
package messenger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/skycoin/viscript/messenger/discovery"
	"github.com/skycoin/viscript/messenger/relay"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	protocol "github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
)

// Names of the messenger's files in its folder.
const (
	BookFile = "presence.db"
	PinsFile = "pins"
)

// Config says who a messenger is.
type Config struct {
	Listen  string // HOST:PORT; port 0 picks one
	Public  string // HOST:PORT under which others reach us; "": where we listen, if that is one address
	Dir     string // state folder, for this messenger alone
	Network string
	Key     *identity.Key
	Peers   []secure.Addr // other messengers, with keys; records are exchanged with them
	Net     control.Net   // nil: TCP
	Quota   relay.Quota
	Max     int // records; 0: discovery.MaxRecords
	Log     *slog.Logger
}

// Messenger is the server. Make it with New; it ends with Run, or with Close without Run.
type Messenger struct {
	cfg  Config
	ln   *control.Listener
	book *discovery.Book
	srv  *relay.Server
	pins *secure.Pins

	mu  sync.Mutex // guards the following
	seq uint64
}

// New opens book and port, and starts nothing.
func New(cfg Config) (*Messenger, error) {
	if cfg.Key == nil || cfg.Dir == "" {
		return nil, errors.New("messenger: Key and Dir are needed")
	}
	for _, p := range cfg.Peers {
		if p.Key.IsZero() || p.HostPort == "" {
			return nil, fmt.Errorf("messenger: peer %s: want KEY@HOST:PORT", p)
		}
	}
	if cfg.Net == nil {
		cfg.Net = link.TCP{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "messenger")
	m := &Messenger{cfg: cfg}
	var err error
	if m.pins, err = secure.OpenPins(filepath.Join(cfg.Dir, PinsFile)); err != nil {
		return nil, err
	}
	if m.book, err = discovery.Open(discovery.Config{Path: filepath.Join(cfg.Dir, BookFile), Network: cfg.Network, Max: cfg.Max, Log: cfg.Log}); err != nil {
		return nil, err
	}
	m.ln, err = control.Listen(control.ListenerConfig{
		Listen: cfg.Listen, Kind: secure.KindMessenger, Key: cfg.Key, Network: cfg.Network, Net: cfg.Net, Log: cfg.Log,
	})
	if err != nil {
		return nil, errors.Join(err, m.book.Close())
	}
	m.srv = relay.New(relay.Config{Public: cfg.Public, Quota: cfg.Quota, Service: service{m}, Log: cfg.Log})
	return m, nil
}

// Addr is where it listens.
func (m *Messenger) Addr() net.Addr { return m.ln.Addr() }

// Key is the messenger's key, for KEY@HOST:PORT.
func (m *Messenger) Key() identity.PubKey { return m.cfg.Key.Public() }

// Close frees port and book. Idempotent.
func (m *Messenger) Close() error {
	err := m.ln.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, m.book.Close())
}

// Run serves until ctx ends, then closes the messenger and returns nil.
func (m *Messenger) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { m.book.Run(ctx) })
	wg.Go(func() { m.srv.Run(ctx) })
	wg.Go(func() { m.present(ctx) })
	for _, p := range m.cfg.Peers {
		wg.Go(func() { m.exchange(ctx, p) })
	}
	err := m.ln.Serve(ctx, m.srv.Attend)
	cancel()
	wg.Wait()
	return errors.Join(err, m.Close())
}

// present keeps our own record in the book, from where peers have it.
func (m *Messenger) present(ctx context.Context) {
	tick := time.NewTicker(protocol.Life / 3)
	defer tick.Stop()
	for {
		if err := m.book.Publish(m.record(time.Now()), time.Now()); err != nil {
			m.cfg.Log.Error("entering our own record", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// record is what we say of ourselves.
func (m *Messenger) record(now time.Time) protocol.Record {
	at := m.cfg.Public
	if at == "" {
		at = m.ln.Addr().String()
	}
	rec := protocol.Record{Issued: now, Expires: now.Add(protocol.Life), Services: []protocol.Service{{Type: protocol.TypeMessenger}}}
	if a, err := secure.ParseAddr(at); err == nil && !everywhere(a.HostPort) {
		rec.Addrs = []string{a.HostPort}
		rec.Homes = []secure.Addr{{Key: m.Key(), HostPort: a.HostPort}}
	}
	m.mu.Lock()
	m.seq = max(m.seq+1, uint64(now.UnixMilli()))
	rec.Seq = m.seq
	m.mu.Unlock()
	return rec.Sign(m.cfg.Key, m.cfg.Network)
}

// everywhere reports whether an address is that of all interfaces, which tells others nothing.
func everywhere(hostport string) bool {
	ap, err := netip.ParseAddrPort(hostport)
	return err == nil && ap.Addr().IsUnspecified()
}

// Clients lists who is connected.
func (m *Messenger) Clients() []relay.Info { return m.srv.Clients() }

// Records lists the live records, by key.
func (m *Messenger) Records() []protocol.Record { return m.book.List(time.Now()) }

// Traffic sums up what was relayed.
func (m *Messenger) Traffic() relay.Traffic { return m.srv.Traffic() }
