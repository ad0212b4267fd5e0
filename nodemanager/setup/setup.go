// Package setup lays routes: it finds a path, draws numbers, has every node of the path
// install its part at the same time, and takes all of them back when one does not.
//
//	Open: path → numbers → install at all nodes → in the table
//	                     ↘ one refused: remove at all; other numbers if that was a collision
//
// A route is laid for its source and closed by either end. The source keeps it: what it does
// not mention for control.RouteLife is taken back. The table is in memory: a manager that
// starts again learns the routes laid before from their sources, which hold them signed.
//
// A link carries at most PerLink routes, so that the windows that sessions never go below fit
// into what a node queues for it; a path is looked for around the links that are full.
package setup

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Defaults.
const (
	DefaultQuota = 256 // routes per source
	// DefaultPerLink routes of 64 KiB, the least window of a session, are the 64 MiB that a node queues for one link.
	DefaultPerLink = 1024
	maxFull        = 8 // full links that one request may meet
	maxTries       = 3 // with other numbers after a collision
	openTimeout    = 5 * time.Second
	undoTimeout    = 5 * time.Second
)

// Nodes is how setup reaches nodes; its calls end with their context.
type Nodes interface {
	// Install has a node put its part in place; a refusal is a *control.Error.
	Install(ctx context.Context, h control.Hop) error
	// Remove has a node forget a route.
	Remove(ctx context.Context, node identity.PubKey, r control.RouteKey) error
}

// Config says what a Table works with.
type Config struct {
	Key     *identity.Key
	Network string
	Idle    time.Duration // of the rules; 0: control.DefaultIdle
	Quota   int           // routes per source; 0: DefaultQuota
	PerLink int           // routes per link; 0: DefaultPerLink
	Nodes   Nodes
	// Path returns a path from src without the links of full, both ends included, or a *control.Error.
	Path func(ctx context.Context, src identity.PubKey, q control.RouteRequest, full []Link) ([]identity.PubKey, error)
	Log  *slog.Logger // nil: nothing is logged
}

// Link is two nodes, in any order.
type Link = [2]identity.PubKey

// Info is one route of the table.
type Info struct {
	Key  control.RouteKey
	Path []identity.PubKey
	Open time.Time
	Kept time.Time // when its source last said that it uses it
	// Asked is what the source asked for; Dst is zero in one that was recalled.
	Asked control.RouteRequest
}

// Table is the routes that are in place. Safe for concurrent use.
type Table struct {
	cfg Config
	wg  sync.WaitGroup // removals on their way

	mu     sync.Mutex // guards the following
	routes map[control.RouteKey]Info
	used   map[identity.PubKey]int                           // routes per source, in place or being laid
	passes map[identity.PubKey]map[control.RouteKey]struct{} // routes through a node
	onLink map[Link]int                                      // routes over a link, in place or being laid; the smaller key first
	epoch  map[identity.PubKey]uint64                        // of a node: how often it was forgotten; only while some route is being laid
	laying int
}

// New makes an empty table.
func New(cfg Config) *Table {
	if cfg.Idle == 0 {
		cfg.Idle = control.DefaultIdle
	}
	if cfg.Quota == 0 {
		cfg.Quota = DefaultQuota
	}
	if cfg.PerLink == 0 {
		cfg.PerLink = DefaultPerLink
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Table{
		cfg:    cfg,
		routes: make(map[control.RouteKey]Info),
		used:   make(map[identity.PubKey]int),
		passes: make(map[identity.PubKey]map[control.RouteKey]struct{}),
		onLink: make(map[Link]int),
		epoch:  make(map[identity.PubKey]uint64),
	}
}

// Wait returns when no removal is on its way any more; nobody may call the other methods then.
func (t *Table) Wait() { t.wg.Wait() }

// Open lays a route from src within five seconds. When it returns nil every node of the
// path has its part. Errors are of control's codes, those of Path included.
func (t *Table) Open(ctx context.Context, src identity.PubKey, q control.RouteRequest) (control.Route, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := t.begin(src); err != nil {
		return control.Route{}, err
	}
	defer t.end()
	r, err := t.lay(ctx, src, q)
	if err != nil {
		t.release(src)
		return control.Route{}, err
	}
	t.cfg.Log.Debug("route laid", "route", r.Key.String(), "hops", len(r.Path)-1)
	return r, nil
}

// begin takes one of the source's places.
func (t *Table) begin(src identity.PubKey) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used[src] >= t.cfg.Quota {
		return control.Errorf(control.CodeQuota, "%d routes are open", t.cfg.Quota)
	}
	t.used[src]++
	t.laying++
	return nil
}

// end forgets what mattered only to routes being laid.
func (t *Table) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.laying--; t.laying == 0 {
		clear(t.epoch)
	}
}

func (t *Table) release(src identity.PubKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.releaseLocked(src)
}

func (t *Table) releaseLocked(src identity.PubKey) {
	if t.used[src]--; t.used[src] <= 0 {
		delete(t.used, src)
	}
}

func (t *Table) lay(ctx context.Context, src identity.PubKey, q control.RouteRequest) (control.Route, error) {
	path, err := t.roomy(ctx, src, q)
	if err != nil {
		return control.Route{}, err
	}
	r, err := t.layAlong(ctx, path, q)
	if err != nil {
		t.mu.Lock()
		t.unloadLocked(path)
		t.mu.Unlock()
	}
	return r, err
}

// roomy finds a path whose links may carry one route more, and counts it there.
func (t *Table) roomy(ctx context.Context, src identity.PubKey, q control.RouteRequest) ([]identity.PubKey, error) {
	var full []Link
	for range maxFull {
		path, err := t.cfg.Path(ctx, src, q, full)
		if err != nil {
			return nil, err
		}
		l, ok := t.load(path)
		if ok {
			return path, nil
		}
		full = append(full, l)
	}
	return nil, control.Errorf(control.CodeQuota, "%d links on the way carry %d routes each, and may not carry more", maxFull, t.cfg.PerLink)
}

func (t *Table) layAlong(ctx context.Context, path []identity.PubKey, q control.RouteRequest) (control.Route, error) {
	for try := 1; ; try++ {
		r, err := t.try(ctx, path, q)
		if control.CodeOf(err) != control.CodeCollision || try == maxTries {
			return r, err
		}
		t.cfg.Log.Debug("route numbers in use", "route", r.Key.String(), "attempt", try)
	}
}

// try lays a route along path under a new key and new numbers.
func (t *Table) try(ctx context.Context, path []identity.PubKey, q control.RouteRequest) (control.Route, error) {
	r, hops, err := t.draw(path)
	if err != nil {
		return r, err
	}
	before := t.epochs(path)
	if err := t.install(ctx, hops); err != nil {
		t.remove(ctx, r.Key, path)
		return r, err
	}
	if err := ctx.Err(); err != nil { // nobody waits for it any more
		t.remove(ctx, r.Key, path)
		return r, err
	}
	if !t.keep(r, q, before) {
		t.remove(ctx, r.Key, path)
		return r, control.Errorf(control.CodeUnavailable, "a node on the path started again")
	}
	return r, nil
}

// draw makes the parts of a route, with random key and numbers, signed.
func (t *Table) draw(path []identity.PubKey) (control.Route, []control.Hop, error) {
	r := control.Route{Path: path}
	numbers := make([]byte, 8*(len(path)-1))
	if _, err := rand.Read(r.Key[:]); err != nil {
		return r, nil, fmt.Errorf("drawing a route key: %w", err)
	}
	if _, err := rand.Read(numbers); err != nil {
		return r, nil, fmt.Errorf("drawing route numbers: %w", err)
	}
	hops := make([]control.Hop, len(path))
	for i, node := range path {
		hops[i] = control.Hop{Route: r.Key, Node: node, Src: path[0], Dst: path[len(path)-1], Idle: t.cfg.Idle, Issued: time.Now()}
	}
	for i := range len(path) - 1 {
		link(&hops[i], &hops[i+1], numbers[8*i:])
	}
	for i := range hops {
		hops[i] = control.SignHop(t.cfg.Key, t.cfg.Network, hops[i])
	}
	return control.SignRoute(t.cfg.Key, t.cfg.Network, r), hops, nil
}

// link joins two parts by the numbers that their records will carry on the link between
// them; the one that happens to be 0 becomes 1.
func link(a, b *control.Hop, numbers []byte) {
	forth := wire.RouteID(max(1, binary.BigEndian.Uint32(numbers)))
	back := wire.RouteID(max(1, binary.BigEndian.Uint32(numbers[4:])))
	a.Next, a.NextOut, a.NextIn = b.Node, forth, back
	b.Prev, b.PrevIn, b.PrevOut = a.Node, forth, back
}

// install asks all nodes at once and waits for all of them. Any other failure outweighs a
// collision, which alone is worth another try.
func (t *Table) install(ctx context.Context, hops []control.Hop) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(hops))
	var wg sync.WaitGroup
	for i, h := range hops {
		wg.Go(func() {
			if errs[i] = t.cfg.Nodes.Install(ctx, h); errs[i] != nil {
				cancel() // the others need not finish
			}
		})
	}
	wg.Wait()
	return verdict(hops, errs)
}

// verdict is the failure that caused the others, which were cancelled for it.
func verdict(hops []control.Hop, errs []error) error {
	var worst error
	for i, err := range errs {
		switch {
		case err == nil:
		case worst == nil, errors.Is(worst, context.Canceled), control.CodeOf(worst) == control.CodeCollision && !errors.Is(err, context.Canceled):
			worst = explain(hops[i].Node, err)
		}
	}
	return worst
}

// explain says at which node a part failed. Of the codes a node may give only those that
// change what happens next reach the asker.
func explain(node identity.PubKey, err error) error {
	var e *control.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case !errors.As(err, &e):
		return control.Errorf(control.CodeUnavailable, "node %s: %v", node.Short(), err)
	case e.Code == control.CodeCollision, e.Code == control.CodeUnavailable:
		return control.Errorf(e.Code, "node %s: %s", node.Short(), e.Text)
	default:
		return control.Errorf(control.CodeRefused, "node %s: %s", node.Short(), e.Error())
	}
}

// remove has all nodes forget a route; it does not wait.
func (t *Table) remove(ctx context.Context, r control.RouteKey, path []identity.PubKey) {
	ctx = context.WithoutCancel(ctx)
	for _, node := range path {
		t.wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, undoTimeout)
			defer cancel()
			if err := t.cfg.Nodes.Remove(ctx, node, r); err != nil {
				t.cfg.Log.Debug("route not removed", "route", r.String(), "peer", node.Short(), "err", err)
			}
		})
	}
}
