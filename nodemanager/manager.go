package nodemanager

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/registry"
	"github.com/skycoin/viscript/nodemanager/setup"
	"github.com/skycoin/viscript/nodemanager/store/boltstore"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// Names of the manager's files in its folder.
const (
	StoreFile = "nodemanager.db"
	PinsFile  = "pins"
)

const (
	expireEvery = 5 * time.Second
	openTime    = time.Minute // to read the book
)

// Config says what a manager manages.
type Config struct {
	Domain  string      // nodes are NAME or NAME.DOMAIN; "": NAME only
	Listen  string      // HOST:PORT for nodes; port 0 picks one
	Tracker secure.Addr // zero: requests about apps are answered with CodeUnavailable
	Dir     string      // state folder, for this manager alone
	Network string
	Net     control.Net // where nodes and tracker are; nil: TCP
	Key     *identity.Key
	Join    Join
	Log     *slog.Logger // nil: nothing is logged
}

// Manager is the server. Make it with New; it ends with Run, or with Close without Run.
// Its methods are safe for concurrent use.
type Manager struct {
	cfg     Config
	ln      *control.Listener
	store   *boltstore.Store
	book    *registry.Registry
	links   *topology.Map
	routes  *setup.Table
	roster  *roster
	keys    control.Keys     // of nodes that were reported
	tracker *control.Tracker // nil: none
	cores   chan struct{}    // one element per path being computed
	seed    maphash.Seed     // of who is proposed to whom

	mu        sync.Mutex                           // guards the following
	members   map[identity.PubKey]*member          // registered and connected
	instances map[identity.PubKey]control.Instance // of the last process of every live node
	pool      pool                                 // members that may be named to others
	lonely    map[*member]struct{}                 // members with fewer neighbours than they may have
}

// New opens the store, the pins and the port, and starts nothing.
func New(cfg Config) (*Manager, error) {
	if cfg.Key == nil || cfg.Dir == "" {
		return nil, errors.New("nodemanager: Key and Dir are needed")
	}
	if cfg.Domain != "" {
		if err := control.CheckName(cfg.Domain); err != nil {
			return nil, fmt.Errorf("nodemanager: domain %q: %w", cfg.Domain, err)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "nodemanager")
	m := &Manager{
		cfg:       cfg,
		links:     topology.New(),
		cores:     make(chan struct{}, runtime.GOMAXPROCS(0)),
		seed:      maphash.MakeSeed(),
		members:   make(map[identity.PubKey]*member),
		pool:      newPool(),
		lonely:    make(map[*member]struct{}),
		instances: make(map[identity.PubKey]control.Instance),
	}
	m.routes = setup.New(setup.Config{Key: cfg.Key, Network: cfg.Network, Nodes: (*nodes)(m), Path: m.path, Log: cfg.Log})
	if err := m.open(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// open opens what lies outside the process.
func (m *Manager) open() (err error) {
	m.store, err = boltstore.Open(filepath.Join(m.cfg.Dir, StoreFile))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime) // New has none: it waits for the disk only
	defer cancel()
	m.book, err = registry.Open(ctx, m.store, m.cfg.Network, m.cfg.Domain, time.Now())
	if err != nil {
		return err
	}
	if m.roster, err = openRoster(ctx, m.store, m.cfg.Join); err != nil {
		return err
	}
	if m.cfg.Tracker.HostPort != "" {
		if m.tracker, err = m.openTracker(); err != nil {
			return err
		}
	}
	m.ln, err = control.Listen(control.ListenerConfig{
		Listen: m.cfg.Listen, Kind: secure.KindControl, Key: m.cfg.Key, Network: m.cfg.Network, Net: m.cfg.Net, Log: m.cfg.Log,
	})
	return err
}

func (m *Manager) openTracker() (*control.Tracker, error) {
	pins, err := secure.OpenPins(filepath.Join(m.cfg.Dir, PinsFile))
	if err != nil {
		return nil, err
	}
	return control.NewTracker(control.TrackerConfig{
		Tracker: m.cfg.Tracker, Key: m.cfg.Key, Network: m.cfg.Network, Pins: pins, Net: m.cfg.Net, Log: m.cfg.Log,
	})
}

// Addr is where it listens.
func (m *Manager) Addr() net.Addr { return m.ln.Addr() }

// Key is the manager's key, for KEY@HOST:PORT.
func (m *Manager) Key() identity.PubKey { return m.cfg.Key.Public() }

// Close frees port and store. Idempotent.
func (m *Manager) Close() (err error) {
	if m.ln != nil {
		err = m.ln.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if m.store != nil {
		err = errors.Join(err, m.store.Close())
	}
	return err
}

// Run serves until ctx ends, then closes the manager and returns nil.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { m.expire(ctx) })
	wg.Go(func() { m.watchRoutes(ctx) })
	if m.tracker != nil {
		wg.Go(func() { m.tracker.Run(ctx) })
	}
	err := m.ln.Run(ctx, m.attend)
	cancel()
	wg.Wait()
	m.routes.Wait()
	return errors.Join(err, m.Close())
}

// expire forgets nodes that are not heard of any more, and their routes.
func (m *Manager) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.expireOnce(ctx, time.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (m *Manager) expireOnce(ctx context.Context, now time.Time) {
	here := func(key identity.PubKey) bool { _, ok := m.member(key); return ok }
	if n := m.routes.Expire(ctx, now, here); n > 0 {
		m.cfg.Log.Debug("routes that nobody keeps were taken back", "routes", n)
	}
	gone, err := m.book.Expire(ctx, now)
	if err != nil {
		m.cfg.Log.Error("forgetting nodes in the store", "err", err)
	}
	for _, key := range gone {
		m.cfg.Log.Info("node vanished", "peer", key.Short())
		m.routes.Vanished(key)
		m.mu.Lock()
		delete(m.instances, key)
		member := m.members[key]
		m.mu.Unlock()
		if member != nil {
			member.peer.Close() // it is connected and does not report
		}
	}
}
