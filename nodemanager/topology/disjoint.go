package topology

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/skycoin/viscript/node/identity"
)

// MaxDisjoint bounds how many paths one query may ask for.
const MaxDisjoint = 8

// disjoint finds up to k paths, no two of which share a link: as many as there are; of these sets one whose paths meet
// least often in inner nodes (not at all where the network allows it); of these the cheapest in sum. It is a minimum-cost
// flow by successive shortest paths (Suurballe and Tarjan 1984, Bhandari 1999).
//
// With MinHops or Via, or where a path of that set is longer than MaxHops, it is a choice made in turn instead: each path
// the best one beside those before it, without their links. Every path meets the query either way.
func disjoint(g *graph, q Query, k int) ([][]identity.PubKey, error) {
	if k < 1 || k > MaxDisjoint {
		return nil, fmt.Errorf("%w: %d paths, want 1 to %d", ErrQuery, k, MaxDisjoint)
	}
	src, dst, via, err := resolve(g, &q)
	if err != nil {
		return nil, err
	}
	v := look(g, q, src, dst)
	if k > 1 && len(via) == 0 && q.MinHops <= 1 {
		f := newFlow(v, src, dst)
		for range k {
			if !f.augment() {
				break
			}
		}
		paths := f.paths()
		if len(paths) > 0 && longest(paths) <= q.MaxHops {
			return v.ordered(paths), nil
		}
	}
	return inTurn(v, q, src, dst, via, k)
}

func longest(paths [][]int32) (links int) {
	for _, p := range paths {
		links = max(links, len(p)-1)
	}
	return links
}

// inTurn chooses one path after the other.
func inTurn(v *view, q Query, src, dst int32, via []int32, k int) ([][]identity.PubKey, error) {
	var paths [][]identity.PubKey
	for range k {
		p, err := findIn(v, q, src, dst, slices.Clip(via))
		if err != nil && len(paths) == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
		paths = append(paths, p)
		v.apart(p, src, dst)
		for i := 1; i < len(p); i++ {
			v.without(p[i-1], p[i])
		}
	}
	return paths, nil
}

// ordered names the nodes of paths and puts the cheapest path first.
func (v *view) ordered(paths [][]int32) [][]identity.PubKey {
	type named struct {
		weight int64
		keys   []identity.PubKey
	}
	list := make([]named, len(paths))
	for i, p := range paths {
		for j, n := range p {
			if j > 0 {
				list[i].weight += v.weigh(p[j-1], edge{n, v.edges[p[j-1]][at(v.edges[p[j-1]], n)].weight})
			}
			list[i].keys = append(list[i].keys, v.keys[n])
		}
	}
	slices.SortFunc(list, func(a, b named) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), slices.CompareFunc(a.keys, b.keys, func(x, y identity.PubKey) int { return bytes.Compare(x[:], y[:]) }))
	})
	out := make([][]identity.PubKey, len(list))
	for i, n := range list {
		out[i] = n.keys
	}
	return out
}
