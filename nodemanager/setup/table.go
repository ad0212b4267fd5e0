package setup

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// epochs notes how often the nodes of a path were forgotten.
func (t *Table) epochs(path []identity.PubKey) []uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epochsLocked(path)
}

func (t *Table) epochsLocked(path []identity.PubKey) []uint64 {
	list := make([]uint64, len(path))
	for i, node := range path {
		list[i] = t.epoch[node]
	}
	return list
}

// keep puts a route that is in place into the table, unless a node of it was forgotten
// since the epochs were noted: its part is gone then.
func (t *Table) keep(r control.Route, q control.RouteRequest, before []uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Equal(before, t.epochsLocked(r.Path)) {
		return false
	}
	now := time.Now()
	t.addLocked(Info{Key: r.Key, Path: r.Path, Open: now, Kept: now, Asked: q})
	return true
}

func (t *Table) addLocked(r Info) {
	t.routes[r.Key] = r
	for _, node := range r.Path {
		if t.passes[node] == nil {
			t.passes[node] = make(map[control.RouteKey]struct{})
		}
		t.passes[node][r.Key] = struct{}{}
	}
}

// Close forgets a route and tells its nodes, without waiting for them. who is one of its
// ends. Errors: CodeUnknownRoute, CodeNotAnEnd.
func (t *Table) Close(ctx context.Context, who identity.PubKey, key control.RouteKey) error {
	t.mu.Lock()
	r, ok := t.routes[key]
	isEnd := ok && (who == r.Path[0] || who == r.Path[len(r.Path)-1])
	if isEnd {
		t.dropLocked(r)
	}
	t.mu.Unlock()
	switch {
	case !ok:
		return &control.Error{Code: control.CodeUnknownRoute}
	case !isEnd:
		return &control.Error{Code: control.CodeNotAnEnd}
	}
	t.remove(ctx, key, r.Path)
	return nil
}

func (t *Table) dropLocked(r Info) {
	delete(t.routes, r.Key)
	for _, node := range r.Path {
		delete(t.passes[node], r.Key)
		if len(t.passes[node]) == 0 {
			delete(t.passes, node)
		}
	}
	t.releaseLocked(r.Path[0])
	t.unloadLocked(r.Path)
}

// Restarted forgets the routes through a node whose rules are gone, and tells the other
// nodes of these routes.
func (t *Table) Restarted(ctx context.Context, node identity.PubKey) {
	for _, r := range t.forget(node) {
		t.remove(ctx, r.Key, slices.DeleteFunc(slices.Clone(r.Path), func(k identity.PubKey) bool { return k == node }))
	}
}

// Vanished forgets the routes through a node that is not heard of any more. It tells
// nobody: the node may still forward, and what falls silent goes by itself.
func (t *Table) Vanished(node identity.PubKey) { t.forget(node) }

func (t *Table) forget(node identity.PubKey) []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.laying > 0 {
		t.epoch[node]++
	}
	list := make([]Info, 0, len(t.passes[node]))
	for key := range t.passes[node] {
		list = append(list, t.routes[key])
	}
	for _, r := range list {
		t.dropLocked(r)
	}
	return list
}

// Routes returns the table, oldest first.
func (t *Table) Routes() []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Info, 0, len(t.routes))
	for _, r := range t.routes {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(a.Open.Compare(b.Open), bytes.Compare(a.Key[:], b.Key[:]))
	})
	return list
}
