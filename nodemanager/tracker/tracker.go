// Package tracker is the app tracker: it knows which apps listen where on the mesh, by
// name, type and key, for as long as their nodes say so. Records are signed by the node;
// who delivers them does not matter. A name belongs to the key that first asked for it.
//
//	t, err := tracker.New(tracker.Config{Listen: "127.0.0.1:20000", Dir: dir, Key: key})
//	err = t.Run(ctx)
package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/store/boltstore"
)

// StoreFile is the name of the tracker's file in its folder.
const StoreFile = "tracker.db"

// Times.
const (
	silence     = 90 * time.Second // a connection without a request for so long is closed
	expireEvery = 5 * time.Second
	openTime    = time.Minute // to read the names
)

// Config says where the tracker listens and keeps its names.
type Config struct {
	Listen  string // HOST:PORT; port 0 picks one
	Dir     string // state folder, for this tracker alone
	Network string
	Net     control.Net // where it listens; nil: TCP
	Key     *identity.Key
	Log     *slog.Logger // nil: nothing is logged
}

// Tracker is the server. Make it with New; it ends with Run, or with Close without Run.
type Tracker struct {
	cfg   Config
	apps  *Book
	ln    *control.Listener
	store *boltstore.Store
}

// New opens the store and the port, and starts nothing.
func New(cfg Config) (*Tracker, error) {
	if cfg.Key == nil || cfg.Dir == "" {
		return nil, errors.New("tracker: Key and Dir are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "tracker")
	s, err := boltstore.Open(filepath.Join(cfg.Dir, StoreFile))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime) // New has none: it waits for the disk only
	defer cancel()
	book, err := OpenBook(ctx, s, cfg.Network)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	ln, err := control.Listen(control.ListenerConfig{
		Listen: cfg.Listen, Kind: secure.KindTracker, Key: cfg.Key, Network: cfg.Network, Net: cfg.Net, Log: cfg.Log,
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Tracker{cfg: cfg, apps: book, ln: ln, store: s}, nil
}

// Addr is where it listens.
func (t *Tracker) Addr() net.Addr { return t.ln.Addr() }

// Key is the tracker's key, for KEY@HOST:PORT.
func (t *Tracker) Key() identity.PubKey { return t.cfg.Key.Public() }

// Apps returns the live records by name.
func (t *Tracker) Apps() []control.AppRecord { return t.apps.All(time.Now()) }

// ForgetName takes a name from its key, so that another may claim it.
func (t *Tracker) ForgetName(ctx context.Context, name string) error {
	return t.apps.ForgetName(ctx, name)
}

// Close frees port and store. Idempotent.
func (t *Tracker) Close() error { return errors.Join(t.ln.Close(), t.store.Close()) }

// Run serves until ctx ends, then closes the tracker and returns nil.
func (t *Tracker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { t.expire(ctx) })
	err := t.ln.Run(ctx, t.attend)
	cancel()
	wg.Wait()
	if cerr := t.store.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("closing the tracker's store: %w", cerr))
	}
	return err
}

func (t *Tracker) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.apps.Expire(time.Now())
		case <-ctx.Done():
			return
		}
	}
}

func (t *Tracker) attend(ctx context.Context, c *secure.Conn) {
	log := t.cfg.Log.With("peer", c.Remote().Short())
	log.Debug("connected")
	limit := newLimit()
	p := control.NewPeer(control.PeerConfig{Conn: c, Silence: silence, Log: log, Serve: func(ctx context.Context, typ control.Type, body []byte) ([]byte, error) {
		if !limit.Allow() {
			return nil, &control.Error{Code: control.CodeBusy}
		}
		return t.serve(ctx, typ, body)
	}})
	log.Debug("disconnected", "err", p.Run(ctx))
}

func (t *Tracker) serve(ctx context.Context, typ control.Type, body []byte) ([]byte, error) {
	now := time.Now()
	switch typ {
	case control.TypeApp:
		r, err := control.ParseApp(body)
		if err != nil {
			return nil, err
		}
		return nil, t.apps.Put(ctx, r, now)
	case control.TypeAppBye:
		r, err := control.ParseAppRemoval(body)
		if err != nil {
			return nil, err
		}
		return nil, t.apps.Remove(r, now)
	case control.TypeApps:
		q, err := control.ParseAppQuery(body)
		if err != nil {
			return nil, err
		}
		return control.AppendApps(nil, t.apps.Find(q, now)), nil
	default:
		return nil, control.Errorf(control.CodeBadRequest, "request %d", typ)
	}
}
