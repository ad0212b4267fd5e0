package control

import (
	"context"
	"errors"
	"log/slog"
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
	Log     *slog.Logger // nil: nothing is logged
}

// Tracker is a connection to the app tracker, as Client is to the manager: requests wait
// while there is none. Safe for concurrent use.
type Tracker struct {
	cfg TrackerConfig
	up  uplink
}

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
	t := &Tracker{cfg: cfg}
	t.up = uplink{
		addr:  cfg.Tracker,
		cfg:   secure.Config{Local: cfg.Key, Kind: secure.KindTracker, Network: cfg.Network},
		pins:  cfg.Pins,
		log:   cfg.Log.With("part", "tracker"),
		serve: func(identity.PubKey) Serve { return refuseAll },
		ready: func(context.Context, *Peer) error { return nil },
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
	return tell(ctx, &t.up, TypeApp, r.Append(nil))
}

// Unregister passes on a removal that its node signed.
func (t *Tracker) Unregister(ctx context.Context, r AppRemoval) error {
	return tell(ctx, &t.up, TypeAppBye, r.Append(nil))
}

// Find returns live apps, as Client.FindApps.
func (t *Tracker) Find(ctx context.Context, q AppQuery) ([]AppRecord, error) {
	return findApps(ctx, &t.up, t.cfg.Network, q)
}
