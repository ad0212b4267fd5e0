package topology

import (
	"github.com/skycoin/viscript/node/identity"
)

// view is a graph under the conditions of a query: what must not be used, and what better were not.
type view struct {
	*graph
	plain   bool // no conditions
	blocked []bool
	shared  []bool            // inner nodes of the paths to keep apart from
	links   map[[2]int32]bool // their links, both ways round
	full    map[[2]int32]bool // links that must not be used, both ways round
}

// look makes the view of a query; src and dst are its ends.
func look(g *graph, q Query, src, dst int32) *view {
	v := &view{graph: g}
	for _, k := range q.Avoid {
		if n, ok := g.index[k]; ok {
			v.block(n)
		}
	}
	for _, l := range q.Without {
		v.without(l[0], l[1])
	}
	v.apart(q.Beside, src, dst)
	v.plain = v.blocked == nil && v.shared == nil && v.links == nil && v.full == nil
	return v
}

func (v *view) block(n int32) {
	if v.blocked == nil {
		v.blocked = make([]bool, len(v.keys))
	}
	v.blocked[n] = true
}

func (v *view) without(a, b identity.PubKey) {
	i, ok := v.index[a]
	j, ok2 := v.index[b]
	if !ok || !ok2 {
		return
	}
	v.full = both(v.full, i, j)
	v.plain = false
}

func both(m map[[2]int32]bool, i, j int32) map[[2]int32]bool {
	if m == nil {
		m = make(map[[2]int32]bool)
	}
	m[[2]int32{i, j}], m[[2]int32{j, i}] = true, true
	return m
}

// apart makes the nodes and links of a path dearer than any detour. Keys of nobody are passed over.
func (v *view) apart(path []identity.PubKey, src, dst int32) {
	before := int32(nobody)
	for _, k := range path {
		n, ok := v.index[k]
		if !ok {
			before = nobody
			continue
		}
		if before != nobody {
			v.links = both(v.links, before, n)
		}
		before = n
		if n == src || n == dst {
			continue
		}
		if v.shared == nil {
			v.shared = make([]bool, len(v.keys))
		}
		v.shared[n] = true
	}
	v.plain = v.plain && v.links == nil && v.shared == nil
}

// weigh is what a step along e from a node adds; far when it must not be taken. It is the same both ways.
func (v *view) weigh(from int32, e edge) int64 {
	if v.plain {
		return e.weight
	}
	return v.weighAll(from, e)
}

func (v *view) weighAll(from int32, e edge) int64 {
	if v.blocked != nil && (v.blocked[from] || v.blocked[e.to]) || v.full != nil && v.full[[2]int32{from, e.to}] {
		return far
	}
	w := e.weight
	if v.shared != nil {
		if v.shared[from] {
			w += sharedNode / 2
		}
		if v.shared[e.to] {
			w += sharedNode / 2
		}
	}
	if v.links != nil && v.links[[2]int32{from, e.to}] {
		w += sharedLink
	}
	return w
}
