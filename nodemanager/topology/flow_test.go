package topology

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

// arc is one direction of a link, or the step through a node; back is its counterpart in what is left.
type arc struct {
	from, to, room int
	cost           int64
}

// plainFlow is the least cost of k units, and how many of them there are, by Bellman and Ford over a list of arcs: slow, and
// without the heights and places of flow. bestSet, which tries everything, is the oracle for both where networks are small.
func plainFlow(g *graph, q Query, k int) (count int, cost [3]int64) {
	const meeting = int64(1) << 40
	var arcs []arc
	add := func(from, to, room int, cost int64) {
		arcs = append(arcs, arc{from, to, room, cost}, arc{to, from, 0, -cost})
	}
	for n := range g.keys {
		add(2*n, 2*n+1, 1, 0)
		add(2*n, 2*n+1, k, meeting)
		for _, e := range g.edges[n] {
			add(2*n+1, 2*int(e.to), 1, costOf(e.weight).Microseconds())
		}
	}
	src, dst := 2*int(g.index[q.Src])+1, 2*int(g.index[q.Dst])
	var total int64
	for ; count < k; count++ {
		dist, by := make([]int64, 2*len(g.keys)), make([]int, 2*len(g.keys))
		for i := range dist {
			dist[i] = far
		}
		dist[src] = 0
		for changed := true; changed; {
			changed = false
			for i, a := range arcs {
				if a.room > 0 && dist[a.from] < far && dist[a.from]+a.cost < dist[a.to] {
					dist[a.to], by[a.to], changed = dist[a.from]+a.cost, i, true
				}
			}
		}
		if dist[dst] >= far {
			break
		}
		for at := dst; at != src; at = arcs[by[at]].from {
			arcs[by[at]].room--
			arcs[by[at]^1].room++
		}
		total += dist[dst]
	}
	return count, [3]int64{total / meeting, 0, total % meeting}
}

// woven is a network in which units are in each other's way: two ends of many links, and a narrow middle.
func woven(rnd *rand.Rand) [][3]int {
	n := 8 + rnd.IntN(10)
	var links [][3]int
	have := map[[2]int]bool{}
	add := func(a, b int) {
		if a != b && !have[[2]int{min(a, b), max(a, b)}] && (min(a, b) > 2 || max(a, b) > 2) {
			have[[2]int{min(a, b), max(a, b)}] = true
			links = append(links, [3]int{a, b, 1 + rnd.IntN(60)})
		}
	}
	middle := func() int { return 3 + rnd.IntN(n-2) }
	for range 4 + rnd.IntN(3) {
		add(1, middle())
		add(2, middle())
	}
	for range n + rnd.IntN(n) {
		add(middle(), middle())
	}
	return links
}

func TestFlowAgainstPlainFlow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	counts := map[int]int{}
	for round := range 5000 {
		links := woven(rnd)
		q := Query{Src: key(1), Dst: key(2)}
		m := netOf(links, q)
		k := 2 + rnd.IntN(4)
		f := newFlow(look(&m.graph, q, m.graph.index[q.Src], m.graph.index[q.Dst]), m.graph.index[q.Src], m.graph.index[q.Dst])
		for range k {
			if !f.augment() {
				break
			}
		}
		var paths [][]identity.PubKey
		if list := f.paths(); len(list) > 0 {
			paths = f.v.ordered(list)
		}
		count, want := plainFlow(&m.graph, q, k)
		counts[count]++
		if got := worth(t, &m.graph, q, paths); len(paths) != count || got != want {
			t.Fatalf("round %d: %d paths worth %v, want %d worth %v, of %d in %v", round, len(paths), got, count, want, k, links)
		}
		passed := map[int32]int8{}
		for _, p := range paths {
			for _, n := range p[1 : len(p)-1] {
				passed[m.graph.index[n]]++
			}
		}
		for n, units := range f.units {
			if passed[int32(n)] != units {
				t.Fatalf("round %d: %d units through a node that %d paths pass", round, units, passed[int32(n)])
			}
		}
		if round < 300 && len(links) < 18 {
			if best, n := bestSet(t, &m.graph, q, allPaths(&m.graph, Query{Src: q.Src, Dst: q.Dst, MaxHops: 99}), min(k, 3)); k <= 3 && (n != count || !slices.Equal(best[:], want[:])) {
				t.Fatalf("round %d: the two oracles differ: %v of %d and %v of %d", round, best, n, want, count)
			}
		}
	}
	if counts[3] < 300 || counts[4] < 100 {
		t.Errorf("too few rounds with many paths: %v", counts)
	}
}
