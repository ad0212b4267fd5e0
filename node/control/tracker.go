package control

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// TrackerConfig says who asks which tracker.
type TrackerConfig struct {
	Tracker secure.Addr
	Key     *identity.Key
	Network string
	Pins    *secure.Pins
	Net     Net          // nil: TCP
	Log     *slog.Logger // nil: nothing is logged
}

// Tracker is a connection to the app tracker, as Client is to the manager: requests wait
// while there is none. Safe for concurrent use.
type Tracker struct {
	cfg TrackerConfig
	up  uplink

	mu     sync.Mutex           // guards the following
	passed map[string]AppRecord // live records that the tracker has taken from us, by folded name
}

// maxPassed bounds the records that are remembered for a tracker that starts anew.
const maxPassed = 10_000

// trackerCheck is how often an idle connection is tried.
const trackerCheck = ReportEvery

// NewTracker checks the configuration; Run starts it.
func NewTracker(cfg TrackerConfig) (*Tracker, error) {
	if cfg.Tracker.HostPort == "" || cfg.Key == nil || cfg.Pins == nil {
		return nil, errors.New("control: Tracker, Key and Pins are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tracker{cfg: cfg, passed: map[string]AppRecord{}}
	t.up = uplink{
		addr:  cfg.Tracker,
		cfg:   secureConfig(secure.KindTracker, cfg.Key, cfg.Network, cfg.Net),
		pins:  cfg.Pins,
		log:   cfg.Log.With("part", "tracker"),
		serve: func(identity.PubKey) Serve { return refuseAll },
		ready: t.repeat,
		hold:  holdTracker,
	}
	t.up.prepare()
	return t, nil
}

func refuseAll(_ context.Context, t Type, _ []byte) ([]byte, error) {
	return nil, Errorf(CodeBadRequest, "request %d", t)
}

// holdTracker asks for a name nobody has, so that a dead connection is noticed.
func holdTracker(ctx context.Context, p *Peer) error {
	tick := time.NewTicker(trackerCheck)
	defer tick.Stop()
	probe := AppQuery{Name: "0"}.Append(nil)
	for {
		select {
		case <-tick.C:
		case <-p.Done():
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
		if _, err := p.Call(ctx, TypeApps, probe); err != nil && CodeOf(err) == 0 {
			return err
		}
	}
}

// Run keeps the connection, as Client.Run, until ctx ends; returns nil.
func (t *Tracker) Run(ctx context.Context) error {
	t.up.run(ctx)
	return nil
}

// Status says whether there is a connection.
func (t *Tracker) Status() Status { return t.up.Status() }

// Register passes on a record that its node signed. Refusals as Client.RegisterApp.
func (t *Tracker) Register(ctx context.Context, r AppRecord) error {
	err := tell(ctx, &t.up, TypeApp, r.Append(nil))
	if err == nil {
		t.remember(r)
	}
	return err
}

// remember keeps a record until it expires.
func (t *Tracker) remember(r AppRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); len(t.passed) >= maxPassed {
		maps.DeleteFunc(t.passed, func(_ string, old AppRecord) bool { return now.After(old.Expires) })
	}
	if len(t.passed) < maxPassed {
		t.passed[FoldName(r.Name)] = r
	}
}

// forget drops what a node took back.
func (t *Tracker) forget(r AppRemoval) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if name := FoldName(r.Name); t.passed[name].Node == r.Node {
		delete(t.passed, name)
	}
}

// repeat tells a tracker that may have started anew what it had taken from us: records are signed by their nodes, so
// it does not matter who brings them, and apps are found again at once instead of at their nodes' next turn.
func (t *Tracker) repeat(ctx context.Context, p *Peer) error {
	t.mu.Lock()
	records := slices.Collect(maps.Values(t.passed))
	t.mu.Unlock()
	for _, r := range records {
		if time.Now().After(r.Expires) {
			continue
		}
		if _, err := p.Call(ctx, TypeApp, r.Append(nil)); err != nil && CodeOf(err) == 0 {
			return err
		}
	}
	return nil
}

// Unregister passes on a removal that its node signed.
func (t *Tracker) Unregister(ctx context.Context, r AppRemoval) error {
	err := tell(ctx, &t.up, TypeAppBye, r.Append(nil))
	if err == nil {
		t.forget(r)
	}
	return err
}

// Find returns live apps, as Client.FindApps.
func (t *Tracker) Find(ctx context.Context, q AppQuery) ([]AppRecord, error) {
	return findApps(ctx, &t.up, t.cfg.Network, q)
}
