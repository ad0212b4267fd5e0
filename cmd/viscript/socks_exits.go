package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// anyServer is the --server that every socks-server of the tracker fits.
const anyServer = "any"

// How an exit that no longer answers is noticed, and for how long another is preferred.
const (
	exitFresh   = 30 * time.Second       // what the tracker said is used so long before it is asked again
	doubtAfter  = 700 * time.Millisecond // a dial that takes longer makes us ask the exit itself whether it is there
	probeWithin = 1200 * time.Millisecond
	doubtFirst  = 3 * time.Second // the same for an exit that was never heard: routes are made at first
	probeAtMost = 5 * time.Second
	exitAgain   = 15 * time.Second // a failed exit is the last choice for so long, doubling
	exitAtLast  = 5 * time.Minute
	refreshTime = 10 * time.Second // for the tracker to answer behind the back of dials
)

// errExitLost ends the dials to an exit that was given up.
var errExitLost = errors.New("the exit does not answer")

// exits are the socks-servers that an entry may use. One is in use until it fails; then the next takes its place, in the order
// of wanted and then of the tracker.
type exits struct {
	client *app.Client
	wanted []string // names, keys or anyServer; empty: any
	pins   *secure.Pins

	asking chan struct{} // a token for who asks the tracker

	mu    sync.Mutex // guards the following
	known []*exitServer
	use   *exitServer
	asked time.Time // when the tracker last answered
	tried time.Time // when it was last asked behind the back of dials
}

// exitServer is one of them; its fields are guarded by the mu of exits.
type exitServer struct {
	app.App
	heard    time.Time // when it last answered; zero: never
	failed   time.Time // zero: not since it was last heard
	failures int       // in a row
	why      string    // of the last failure
	doubted  bool      // it is being asked whether it is there

	gone   context.Context // ends when it is given up
	giveUp context.CancelFunc
}

func newExits(client *app.Client, wanted []string, pins *secure.Pins) *exits {
	return &exits{client: client, wanted: wanted, pins: pins, asking: make(chan struct{}, 1)}
}

// pick returns the exit to use. The tracker is waited for only where no exit is known that may work.
func (x *exits) pick(ctx context.Context) (*exitServer, error) {
	now := time.Now()
	x.mu.Lock()
	s := x.chooseLocked(now)
	works := s != nil && !s.out(now)
	refresh := works && now.Sub(x.asked) > exitFresh && now.Sub(x.tried) > refreshTime
	if refresh {
		x.tried = now
	}
	x.mu.Unlock()
	if refresh {
		go x.refresh(context.WithoutCancel(ctx))
	}
	if works {
		return s, nil
	}
	err := x.refresh(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	if s = x.chooseLocked(time.Now()); s == nil && err == nil {
		err = x.noneLocked()
	}
	if s == nil || errors.As(err, new(*secure.PinChanged)) {
		return nil, err
	}
	return s, nil
}

// noneLocked is the error when the tracker knows nothing that fits.
func (x *exits) noneLocked() error {
	what := "the app tracker knows no socks-server"
	for i, w := range x.wanted {
		if i > 0 {
			what += " or"
		}
		what += fmt.Sprintf(" %q", w)
	}
	return &app.Refused{Code: wire.CodeNoName, Text: what}
}

// out reports whether the exit failed lately. The caller holds mu.
func (s *exitServer) out(now time.Time) bool {
	return !s.failed.IsZero() && now.Sub(s.failed) < min(exitAgain<<min(s.failures-1, 10), exitAtLast)
}

// chooseLocked keeps to the exit in use, or takes the first that did not fail lately, or else the one whose failure is the
// longest ago.
func (x *exits) chooseLocked(now time.Time) *exitServer {
	if x.use != nil && !x.use.out(now) {
		return x.use
	}
	var best *exitServer
	for _, s := range x.known {
		if best == nil || best.out(now) && (!s.out(now) || s.failed.Before(best.failed)) {
			best = s
		}
	}
	if best != nil {
		x.use = best
	}
	return x.use
}

// refresh asks the tracker. Of several callers at a time one asks.
func (x *exits) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	began := time.Now()
	select {
	case x.asking <- struct{}{}:
		defer func() { <-x.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	x.mu.Lock()
	done := x.asked.After(began)
	x.mu.Unlock()
	if done {
		return nil
	}
	found, err := x.ask(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err == nil || len(found) > 0 {
		x.takeLocked(found)
		x.asked = time.Now()
		err = nil
	}
	return err
}

// ask looks for everything that is wanted, and keeps to the key that a name had when we saw it first.
func (x *exits) ask(ctx context.Context) (found []app.App, first error) {
	wanted := x.wanted
	if len(wanted) == 0 {
		wanted = []string{anyServer}
	}
	for _, w := range wanted {
		q, named := app.Query{Type: socksType}, false
		if key, err := identity.ParseHex(w); err == nil {
			q.Node = key
		} else if w != anyServer {
			q.Name, named = w, true
		}
		apps, err := x.client.Find(ctx, q)
		if err == nil && named && len(apps) > 0 {
			apps, err = apps[:1], x.pins.Pin("app:"+apps[0].Name, apps[0].Node)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		for _, a := range apps {
			if !slices.ContainsFunc(found, func(b app.App) bool { return b.Node == a.Node && b.Port == a.Port }) {
				found = append(found, a)
			}
		}
	}
	return found, first
}

// takeLocked replaces what is known by what the tracker says. The exit in use stays while it works, whatever the tracker says:
// records expire while their nodes cannot reach the tracker. But one that moved is the new place.
func (x *exits) takeLocked(found []app.App) {
	var next []*exitServer
	for _, a := range found {
		i := slices.IndexFunc(x.known, func(s *exitServer) bool { return s.App == a })
		if i >= 0 {
			next = append(next, x.known[i])
			continue
		}
		s := &exitServer{App: a}
		s.gone, s.giveUp = context.WithCancel(context.Background())
		next = append(next, s)
		if x.use != nil && x.use.Name == a.Name && x.use.Node == a.Node {
			x.use = s
		}
	}
	if x.use != nil && !slices.Contains(next, x.use) && (len(next) == 0 || !x.use.out(time.Now())) {
		next = append(next, x.use)
	}
	x.known = next
	if x.use != nil && !slices.Contains(next, x.use) {
		x.use = nil
	}
}

// heard notes that an exit answered.
func (x *exits) heard(s *exitServer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s.heard, s.failed, s.failures = time.Now(), time.Time{}, 0
}

// fail notes that an exit cannot be used, and reports whether there is another that may work.
func (x *exits) fail(s *exitServer, err error) (another bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	if s.failed.IsZero() || now.Sub(s.failed) > time.Second { // the same failure fails many dials at a time
		s.failures++
	}
	s.failed, s.why = now, err.Error()
	x.asked = time.Time{}
	return x.otherLocked(s, now)
}

// otherLocked reports whether another exit than s may work.
func (x *exits) otherLocked(s *exitServer, now time.Time) bool {
	return slices.ContainsFunc(x.known, func(o *exitServer) bool { return o != s && !o.out(now) })
}

// through dials at an exit. While the answer is awaited for long and there is another exit, the exit is asked whether it is
// there; if it is not, all dials to it end with errExitLost.
func (x *exits) through(ctx context.Context, s *exitServer, open func(context.Context) error) error {
	x.mu.Lock()
	gone, doubt := s.gone, doubtAfter
	if s.heard.IsZero() {
		doubt = doubtFirst
	}
	x.mu.Unlock()
	dial, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(gone, func() { cancel(errExitLost) })
	defer stop()
	timer := time.AfterFunc(doubt, func() { x.doubt(context.WithoutCancel(ctx), s) })
	defer timer.Stop()
	err := open(dial)
	if err != nil && ctx.Err() == nil && context.Cause(dial) == errExitLost {
		err = errExitLost
	}
	if answered(err) {
		x.heard(s)
	}
	return err
}

// doubt asks an exit whether it is there, and gives it up if it is not.
func (x *exits) doubt(ctx context.Context, s *exitServer) {
	x.mu.Lock()
	within := probeWithin
	if s.heard.IsZero() {
		within = probeAtMost
	}
	skip := s.doubted || time.Since(s.heard) < doubtAfter || !x.otherLocked(s, time.Now())
	s.doubted = s.doubted || !skip
	x.mu.Unlock()
	if skip {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := x.knock(ctx, s)
	x.mu.Lock()
	s.doubted = false
	giveUp := s.giveUp
	if err != nil {
		s.gone, s.giveUp = context.WithCancel(context.Background()) // for the dials of later
	}
	x.mu.Unlock()
	if err != nil {
		x.fail(s, err)
		giveUp()
	}
}

// knock makes sure that an exit is there: a request without a target is refused by the exit itself.
func (x *exits) knock(ctx context.Context, s *exitServer) error {
	conn, err := x.client.Dial(ctx, s.Node, s.Port, app.DialOptions{})
	if err == nil {
		conn.Reset(wire.CodeCancelled)
	}
	refused := (*app.Refused)(nil)
	if err == nil || errors.As(err, &refused) && (refused.Code == wire.CodeBadRequest || refused.Code == wire.CodeDenied) {
		x.heard(s)
		return nil
	}
	return err
}

// exitRow is one exit as `tell` shows it.
type exitRow struct {
	Name         string          `json:"name"`
	Node         string          `json:"node"`  // short form of key
	State        string          `json:"state"` // in use, ready, unknown, failed
	HeardSeconds float64         `json:"heard_seconds,omitempty"`
	Failures     int             `json:"failures,omitempty"`
	Why          string          `json:"why,omitempty"`
	Port         app.Port        `json:"port"`
	Key          identity.PubKey `json:"key"`
}

// rows lists the exits that are known.
func (x *exits) rows() []exitRow {
	x.mu.Lock()
	defer x.mu.Unlock()
	rows := []exitRow{}
	for _, s := range x.known {
		row := exitRow{Name: s.Name, Node: s.Node.Short(), State: "unknown", Failures: s.failures, Port: s.Port, Key: s.Node}
		switch {
		case s.out(time.Now()):
			row.State, row.Why = "failed", s.why
		case s == x.use:
			row.State = "in use"
		case !s.heard.IsZero():
			row.State = "ready"
		}
		if !s.heard.IsZero() {
			row.HeardSeconds = age(s.heard)
		}
		rows = append(rows, row)
	}
	return rows
}

// name is what to call the exit.
func (x *exits) name() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.use != nil:
		return x.use.Name
	case len(x.wanted) > 0:
		return x.wanted[0]
	}
	return "an exit"
}
