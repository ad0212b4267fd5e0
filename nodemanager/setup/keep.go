package setup

import (
	"bytes"
	"context"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// linkOf is the one name of the link between two nodes.
func linkOf(a, b identity.PubKey) Link {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return Link{a, b}
}

// load counts a route on the links of its path, or on none of them when one, full, has no room.
func (t *Table) load(path []identity.PubKey) (full Link, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 1; i < len(path); i++ {
		if l := linkOf(path[i-1], path[i]); t.onLink[l] >= t.cfg.PerLink {
			return l, false
		}
	}
	t.loadLocked(path)
	return Link{}, true
}

func (t *Table) loadLocked(path []identity.PubKey) {
	for i := 1; i < len(path); i++ {
		t.onLink[linkOf(path[i-1], path[i])]++
	}
}

func (t *Table) unloadLocked(path []identity.PubKey) {
	for i := 1; i < len(path); i++ {
		l := linkOf(path[i-1], path[i])
		if t.onLink[l]--; t.onLink[l] <= 0 {
			delete(t.onLink, l)
		}
	}
}

// OnLink is how many routes a link carries or is about to.
func (t *Table) OnLink(a, b identity.PubKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.onLink[linkOf(a, b)]
}

// Through is how many routes pass a node, those that begin or end there included.
func (t *Table) Through(node identity.PubKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.passes[node])
}

// Keep notes that src uses routes, and returns those of them that are not in the table.
func (t *Table) Keep(src identity.PubKey, keys []control.RouteKey, now time.Time) (unknown []control.RouteKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		r, ok := t.routes[k]
		switch {
		case !ok:
			unknown = append(unknown, k)
		case r.Path[0] == src:
			r.Kept = now
			t.routes[k] = r
		}
	}
	return unknown
}

// Recall takes a route into the table that a manager of our key laid before, on the word of its source. A route that is
// there is only kept. Its links carry it whatever else they carry. Errors: CodeNotAnEnd, CodeBadSignature, CodeQuota.
func (t *Table) Recall(src identity.PubKey, r control.Route, now time.Time) error {
	if r.Path[0] != src {
		return &control.Error{Code: control.CodeNotAnEnd}
	}
	if r.Verify(t.cfg.Network, t.cfg.Key.Public()) != nil {
		return &control.Error{Code: control.CodeBadSignature}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.routes[r.Key]; ok {
		old.Kept = now
		t.routes[r.Key] = old
		return nil
	}
	if t.used[src] >= t.cfg.Quota {
		return control.Errorf(control.CodeQuota, "%d routes are open", t.cfg.Quota)
	}
	t.used[src]++
	t.loadLocked(r.Path)
	t.addLocked(Info{Key: r.Key, Path: r.Path, Open: r.Issued, Kept: now})
	return nil
}

// Expire forgets the routes that their source did not keep for control.RouteLife. Where the source is here, which then has
// no use for the route, all nodes are told; otherwise nobody: it may come back and recall the route.
func (t *Table) Expire(ctx context.Context, now time.Time, here func(identity.PubKey) bool) (n int) {
	var idle []Info
	t.mu.Lock()
	for _, r := range t.routes {
		if now.Sub(r.Kept) > control.RouteLife {
			idle = append(idle, r)
		}
	}
	for _, r := range idle {
		t.dropLocked(r)
	}
	t.mu.Unlock()
	for _, r := range idle {
		if here(r.Path[0]) {
			t.remove(ctx, r.Key, r.Path)
		}
	}
	return len(idle)
}
