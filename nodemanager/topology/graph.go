package topology

import (
	"slices"

	"github.com/skycoin/viscript/node/identity"
)

// graph is the links that count, as lists of neighbours under small numbers. Numbers of
// removed nodes are used again.
type graph struct {
	index map[identity.PubKey]int32
	keys  []identity.PubKey // by number; zero: free
	edges [][]edge          // by number
	free  []int32
}

type edge struct {
	to     int32
	weight int64
}

// add gives a node its number.
func (g *graph) add(key identity.PubKey) int32 {
	if i, ok := g.index[key]; ok {
		return i
	}
	var i int32
	if n := len(g.free); n > 0 {
		i, g.free = g.free[n-1], g.free[:n-1]
		g.keys[i] = key
	} else {
		i = int32(len(g.keys))
		g.keys = append(g.keys, key)
		g.edges = append(g.edges, nil)
	}
	g.index[key] = i
	return i
}

// connect makes a link in both directions, or changes its weight.
func (g *graph) connect(a, b identity.PubKey, weight int64) {
	i, j := g.add(a), g.add(b)
	g.edges[i] = set(g.edges[i], j, weight)
	g.edges[j] = set(g.edges[j], i, weight)
}

func set(list []edge, to int32, weight int64) []edge {
	if i := at(list, to); i >= 0 {
		list[i].weight = weight
		return list
	}
	return append(list, edge{to, weight})
}

func at(list []edge, to int32) int {
	return slices.IndexFunc(list, func(e edge) bool { return e.to == to })
}

// weightOf returns what a link weighs, if it is there.
func (g *graph) weightOf(a, b identity.PubKey) (int64, bool) {
	i, ok := g.index[a]
	j, ok2 := g.index[b]
	if !ok || !ok2 {
		return 0, false
	}
	n := at(g.edges[i], j)
	if n < 0 {
		return 0, false
	}
	return g.edges[i][n].weight, true
}

// disconnect removes a link if there is one.
func (g *graph) disconnect(a, b identity.PubKey) {
	i, ok := g.index[a]
	j, ok2 := g.index[b]
	if ok && ok2 {
		g.edges[i] = unset(g.edges[i], j)
		g.edges[j] = unset(g.edges[j], i)
	}
}

func unset(list []edge, to int32) []edge {
	i := at(list, to)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	return list[:last]
}

// remove forgets a node and its links.
func (g *graph) remove(key identity.PubKey) {
	i, ok := g.index[key]
	if !ok {
		return
	}
	for _, e := range g.edges[i] {
		g.edges[e.to] = unset(g.edges[e.to], i)
	}
	g.edges[i] = nil
	g.keys[i] = identity.PubKey{}
	delete(g.index, key)
	g.free = append(g.free, i)
}
