package topology

import (
	"bytes"
	"slices"

	"github.com/skycoin/viscript/node/identity"
)

// Bounds of one search, so that no query is dear: paths with conditions that pass no node
// twice are a hard problem. Within them the answer is exact; beyond, a path that is found
// still meets the conditions but may not be the cheapest.
const (
	maxSteps  = 30_000 // partial paths taken up
	maxLabels = 32     // partial paths kept per node, length and stage
)

// label is a partial path from the source: its last node and the label before.
type label struct {
	v      *view
	prior  *label
	node   int32
	hops   int32
	stage  int32 // targets passed
	weight int64 // so far
	total  int64 // weight plus the least that remains
}

// place is where labels compete.
type place struct{ node, hops, stage int32 }

// target is a node to pass, the last one being the far end.
type target struct {
	node  int32
	dist  []int64 // from every node to this target
	least []int32 // the same in links, whatever they cost
	after int64   // from this target through the later ones
	links int32   // the same in links
}

type finder struct {
	v       *view
	q       Query
	targets []target
	open    heap[*label]
	kept    map[place][]*label
	dropped bool // a partial path for want of room
}

// search is A* over partial paths with dominance: of two that end at the same node after
// as many links and targets, one falls away if it costs no less and passed everything that
// the other passed. What remains is estimated as the way through the targets to come,
// were nodes allowed twice. Returns nil when there is no path through all targets in
// their order under the query's conditions; gaveUp: or when a bound was met before all was seen.
func search(v *view, q Query, src int32, through []int32) (path []identity.PubKey, gaveUp bool) {
	f := &finder{v: v, q: q, targets: targets(v, through), kept: make(map[place][]*label)}
	f.push(&label{v: v, node: src})
	for steps := 0; f.open.len() > 0 && steps < maxSteps; steps++ {
		l := f.open.pop()
		if int(l.stage) == len(through) {
			return l.path(), false
		}
		if f.keep(l) {
			f.extend(l)
		}
	}
	return nil, f.open.len() > 0 || f.dropped
}

func targets(v *view, through []int32) []target {
	list := make([]target, len(through))
	for i := len(list) - 1; i >= 0; i-- {
		t := target{node: through[i], dist: distances(v, through[i], nobody), least: fewest(v, through[i])}
		if i+1 < len(list) {
			next := list[i+1]
			t.after = min(next.dist[t.node]+next.after, far)
			t.links = min(next.least[t.node]+next.links, tooMany)
		}
		list[i] = t
	}
	return list
}

// push takes l up unless it cannot meet the query any more.
func (f *finder) push(l *label) {
	l.total = l.weight
	links := l.hops
	if int(l.stage) < len(f.targets) {
		t := f.targets[l.stage]
		l.total += t.dist[l.node] + t.after
		links += t.least[l.node] + t.links
	}
	if l.total < far && int(links) <= f.q.MaxHops {
		f.open.push(l)
	}
}

// before is a total order of partial paths that depends on nothing but the network.
func (l *label) before(o *label) bool {
	if l.total != o.total {
		return l.total < o.total
	}
	if l.hops != o.hops {
		return l.hops < o.hops
	}
	return slices.CompareFunc(l.path(), o.path(), func(x, y identity.PubKey) int { return bytes.Compare(x[:], y[:]) }) < 0
}

// keep reports whether l is worth going on with.
func (f *finder) keep(l *label) bool {
	p := place{l.node, l.hops, l.stage}
	rivals := f.kept[p]
	if len(rivals) >= maxLabels {
		f.dropped = true
		return false
	}
	for _, r := range rivals { // popped earlier, so none costs more
		if subset(r, l) {
			return false
		}
	}
	f.kept[p] = append(rivals, l)
	return true
}

// subset reports whether every node of a is on b.
func subset(a, b *label) bool {
	for ; a != nil; a = a.prior {
		if !passes(b, a.node) {
			return false
		}
	}
	return true
}

func passes(l *label, node int32) bool {
	for ; l != nil; l = l.prior {
		if l.node == node {
			return true
		}
	}
	return false
}

// extend takes every step from the end of l that can still meet the query.
func (f *finder) extend(l *label) {
	for _, e := range f.v.edges[l.node] {
		if passes(l, e.to) {
			continue
		}
		next := &label{v: f.v, prior: l, node: e.to, hops: l.hops + 1, stage: l.stage, weight: l.weight + f.v.weigh(l.node, e)}
		switch i := f.targetOf(e.to); {
		case i < 0:
		case i != int(l.stage):
			continue // out of its order
		default:
			next.stage++
		}
		if int(next.stage) < len(f.targets) || int(next.hops) >= f.q.MinHops {
			f.push(next)
		}
	}
}

func (f *finder) targetOf(node int32) int {
	return slices.IndexFunc(f.targets, func(t target) bool { return t.node == node })
}

func (l *label) path() []identity.PubKey {
	path := make([]identity.PubKey, l.hops+1)
	for ; l != nil; l = l.prior {
		path[l.hops] = l.v.keys[l.node]
	}
	return path
}
