package topology

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

// allPaths is the oracle: every path of a small network that meets the hard conditions of a query, one by one.
func allPaths(g *graph, q Query) (paths [][]identity.PubKey) {
	var visit func(path []int32)
	visit = func(path []int32) {
		last := path[len(path)-1]
		if g.keys[last] == q.Dst {
			if meets(g, path, q) {
				named := make([]identity.PubKey, len(path))
				for i, n := range path {
					named[i] = g.keys[n]
				}
				paths = append(paths, named)
			}
			return
		}
		for _, e := range g.edges[last] {
			if !slices.Contains(path, e.to) {
				visit(append(slices.Clip(path), e.to))
			}
		}
	}
	visit([]int32{g.index[q.Src]})
	return paths
}

func meets(g *graph, path []int32, q Query) bool {
	var met []identity.PubKey
	for i, n := range path {
		k := g.keys[n]
		if slices.Contains(q.Avoid, k) || i > 0 && (holds(q.Without, g.keys[path[i-1]], k)) {
			return false
		}
		if slices.Contains(q.Via, k) {
			met = append(met, k)
		}
	}
	n := len(path) - 1
	return n >= q.MinHops && n <= q.MaxHops && slices.Equal(met, q.Via)
}

func holds(links [][2]identity.PubKey, a, b identity.PubKey) bool {
	return slices.Contains(links, [2]identity.PubKey{a, b}) || slices.Contains(links, [2]identity.PubKey{b, a})
}

func linksOf(path []identity.PubKey) (links [][2]identity.PubKey) {
	for i := 1; i < len(path); i++ {
		links = append(links, [2]identity.PubKey{path[i-1], path[i]})
	}
	return links
}

// rank is how a path is judged, least first: shared inner nodes, shared links, cost, links.
func rank(t testing.TB, g *graph, q Query, path []identity.PubKey) [4]int64 {
	t.Helper()
	var r [4]int64
	for i, k := range path {
		if slices.Contains(path[:i], k) {
			t.Fatalf("a node twice in %v", path)
		}
		if k != q.Src && k != q.Dst && slices.Contains(q.Beside, k) {
			r[0]++
		}
	}
	for _, l := range linksOf(path) {
		w, ok := g.weightOf(l[0], l[1])
		if !ok {
			t.Fatalf("no link %v of %v", l, path)
		}
		if holds(linksOf(q.Beside), l[0], l[1]) {
			r[1]++
		}
		r[2] += costOf(w).Microseconds()
		r[3]++
	}
	return r
}

// randomNetwork has links of 1 to 5 ms between up to 8 nodes, among them 1 and 2.
func randomNetwork(rnd *rand.Rand, least, spread int) (n int, links [][3]int) {
	n = least + rnd.IntN(spread)
	share := 35 + rnd.IntN(45)
	for a := range n {
		for b := range a {
			if rnd.IntN(100) < share {
				links = append(links, [3]int{a + 1, b + 1, 1 + rnd.IntN(5)})
			}
		}
	}
	return n, links
}

// sparseNetwork is a ring of up to 9 nodes with some links across.
func sparseNetwork(rnd *rand.Rand) (links [][3]int) {
	n := 6 + rnd.IntN(4)
	ring := rnd.Perm(n)
	have := map[[2]int]bool{}
	add := func(a, b int) {
		if a != b && !have[[2]int{a, b}] && !have[[2]int{b, a}] {
			have[[2]int{a, b}] = true
			links = append(links, [3]int{a + 1, b + 1, 1 + rnd.IntN(60)})
		}
	}
	for i := range ring {
		add(ring[i], ring[(i+1)%n])
	}
	for range 2 + rnd.IntN(6) {
		add(rnd.IntN(n), rnd.IntN(n))
	}
	return links
}

func randomQuery(rnd *rand.Rand, n int) Query {
	q := Query{Src: key(1), Dst: key(2), MinHops: rnd.IntN(4), MaxHops: 3 + rnd.IntN(4)}
	if rnd.IntN(3) == 0 {
		q.MinHops = 0
	}
	others := rnd.Perm(n - 2)
	take := func(most int) (list []identity.PubKey) {
		for range min(rnd.IntN(most+1), len(others)) {
			list = append(list, key(others[0]+3))
			others = others[1:]
		}
		return list
	}
	q.Via = take(2)
	q.Avoid = take(2)
	if rnd.IntN(2) == 0 {
		q.Beside = []identity.PubKey{key(1)}
		for _, i := range rnd.Perm(n - 2)[:rnd.IntN(n-1)] {
			q.Beside = append(q.Beside, key(i+3))
		}
		q.Beside = append(q.Beside, key(2))
	}
	for rnd.IntN(4) == 0 {
		q.Without = append(q.Without, [2]identity.PubKey{key(1 + rnd.IntN(n)), key(1 + rnd.IntN(n))})
	}
	return q
}

// netOf is the network with the ends of a query in it even where they have no link.
func netOf(links [][3]int, q Query) *Map {
	m := network(links...)
	for _, k := range append(keys(1, 2), q.Via...) {
		m.graph.add(k)
	}
	return m
}

func TestPathAgainstOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	found := 0
	for round := range 6000 {
		n, links := randomNetwork(rnd, 3, 5)
		q := randomQuery(rnd, n)
		m := netOf(links, q)
		path, err := m.Path(q)
		all := allPaths(&m.graph, q)
		if len(all) == 0 {
			if !errors.Is(err, ErrNoPath) || strings.Contains(err.Error(), "gave up") || !strings.Contains(err.Error(), ": ") {
				t.Fatalf("round %d: %v, %v for %+v in %v; want no path, with the reason", round, path, err, q, links)
			}
			continue
		}
		if err != nil {
			t.Fatalf("round %d: %v for %+v in %v", round, err, q, links)
		}
		found++
		best := rank(t, &m.graph, q, all[0])
		for _, p := range all[1:] {
			if r := rank(t, &m.graph, q, p); slices.Compare(r[:], best[:]) < 0 {
				best = r
			}
		}
		if got := rank(t, &m.graph, q, path); got != best || !slices.ContainsFunc(all, func(p []identity.PubKey) bool { return slices.Equal(p, path) }) {
			t.Fatalf("round %d: %v ranks %v, want %v, for %+v in %v", round, path, got, best, q, links)
		}
		rnd.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
		if p, err := netOf(links, q).Path(q); err != nil || !slices.Equal(p, path) {
			t.Fatalf("round %d: %v once, %v in another order of reports (%v)", round, path, p, err)
		}
	}
	if found < 2000 {
		t.Errorf("only %d rounds had a path", found)
	}
}

// TestDisjointAgainstOracle compares with every set of paths without a common link.
func TestDisjointAgainstOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 2))
	counts := map[int]int{}
	for round := range 6000 {
		n, links := randomNetwork(rnd, 4, 3)
		q := randomQuery(rnd, n)
		q.Via, q.MinHops, q.MaxHops = nil, 0, 0
		k := 1 + rnd.IntN(3)
		if round%2 == 0 { // sparse, of very different links: what one path takes another has to give back
			links = sparseNetwork(rnd)
			q, k = Query{Src: key(1), Dst: key(2)}, 2+rnd.IntN(2)
		}
		m := netOf(links, q)
		paths, err := m.Disjoint(q, k)
		hard := q
		hard.MaxHops = MaxHops
		want, count := bestSet(t, &m.graph, q, allPaths(&m.graph, hard), k)
		if count != len(paths) || (err == nil) != (count > 0) {
			t.Fatalf("round %d: %d paths (%v), want %d of %d, for %+v in %v", round, len(paths), err, count, k, q, links)
		}
		counts[count]++
		if count == 0 {
			continue
		}
		if got := worth(t, &m.graph, q, paths); got != want {
			t.Fatalf("round %d: %v are worth %v, want %v, for %+v in %v", round, paths, got, want, q, links)
		}
		if k == 1 {
			if p, err := m.Path(q); err != nil || !slices.Equal(p, paths[0]) {
				t.Fatalf("round %d: %v, but alone %v, %v", round, paths[0], p, err)
			}
		}
	}
	if counts[2] < 300 || counts[3] < 200 {
		t.Errorf("too few rounds with several paths: %v", counts)
	}
}

// worth is how a set of paths is judged: meetings in inner nodes, among each other and with those of Beside, then links
// shared with it, then cost. It fails when two paths share a link or one breaks the query.
func worth(t testing.TB, g *graph, q Query, paths [][]identity.PubKey) (w [3]int64) {
	t.Helper()
	uses := map[identity.PubKey]int64{}
	var taken [][2]identity.PubKey
	for _, p := range paths {
		r := rank(t, g, q, p)
		w[0], w[1], w[2] = w[0]+r[0], w[1]+r[1], w[2]+r[2]
		for _, k := range p[1 : len(p)-1] {
			if uses[k]++; uses[k] > 1 {
				w[0]++
			}
		}
		for _, l := range linksOf(p) {
			if holds(taken, l[0], l[1]) {
				t.Fatalf("link %v twice in %v", l, paths)
			}
			taken = append(taken, l)
		}
	}
	return w
}

func bestSet(t testing.TB, g *graph, q Query, all [][]identity.PubKey, k int) (best [3]int64, count int) {
	var grow func(from int, set [][]identity.PubKey)
	grow = func(from int, set [][]identity.PubKey) {
		if len(set) > 0 && len(set) >= count {
			w := worth(t, g, q, set)
			if len(set) > count || slices.Compare(w[:], best[:]) < 0 {
				best, count = w, len(set)
			}
		}
		if len(set) == k {
			return
		}
		for i := from; i < len(all); i++ {
			if !meetInLink(set, all[i]) {
				grow(i+1, append(slices.Clip(set), all[i]))
			}
		}
	}
	grow(0, nil)
	return best, count
}

func meetInLink(set [][]identity.PubKey, p []identity.PubKey) bool {
	for _, o := range set {
		links := linksOf(o)
		if slices.ContainsFunc(linksOf(p), func(l [2]identity.PubKey) bool { return holds(links, l[0], l[1]) }) {
			return true
		}
	}
	return false
}

// TestDisjointInTurn: under conditions every path meets them, the first is the best, and there is one if there is any.
func TestDisjointInTurn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	for round := range 2000 {
		n, links := randomNetwork(rnd, 3, 5)
		q := randomQuery(rnd, n)
		m := netOf(links, q)
		paths, err := m.Disjoint(q, 3)
		all := allPaths(&m.graph, q)
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("round %d: %v, %v for %+v in %v", round, paths, err, q, links)
		}
		if err != nil {
			continue
		}
		worth(t, &m.graph, q, paths)
		for _, p := range paths {
			if !slices.ContainsFunc(all, func(o []identity.PubKey) bool { return slices.Equal(o, p) }) {
				t.Fatalf("round %d: %v breaks %+v", round, p, q)
			}
		}
	}
}

// TestReasons: the refusal names the condition that the network cannot meet.
func TestReasons(t *testing.T) {
	// 1-2-3-4 in a line, 5 beside 2 and 3; 8-9 apart; 6 without links.
	m := network([3]int{1, 2, 1}, [3]int{2, 3, 1}, [3]int{3, 4, 1}, [3]int{2, 5, 1}, [3]int{5, 3, 1}, [3]int{8, 9, 1})
	m.graph.add(key(6))
	short := func(i int) string { return key(i).Short() }
	for _, tt := range []struct {
		q    Query
		want string
		err  error
	}{
		{Query{Dst: key(4), Avoid: keys(3)}, fmt.Sprintf("no path from %s to %s avoids %s", short(1), short(4), short(3)), ErrNoPath},
		{Query{Dst: key(4), MaxHops: 2}, "the shortest path has 3 links, at most 2 are allowed", ErrNoPath},
		{Query{Dst: key(4), MaxHops: 3, Via: keys(5)}, fmt.Sprintf("the shortest path via %s has 4 links, at most 3 are allowed", short(5)), ErrNoPath},
		{Query{Dst: key(4), MinHops: 5}, "no path has 5 to 16 links and passes no node twice", ErrNoPath},
		{Query{Dst: key(8)}, fmt.Sprintf("%s and %s are not connected", short(8), short(1)), ErrNoPath},
		{Query{Dst: key(6)}, short(6) + " has no link that both ends report", ErrNoPath},
		{Query{Dst: key(4), Via: keys(9)}, fmt.Sprintf("via node %s is not connected", short(9)), ErrNoPath},
		{Query{Dst: key(4), Via: keys(3, 2)}, "via " + short(3) + ", " + short(2), ErrNoPath},
		{Query{Dst: key(4), Without: [][2]identity.PubKey{{key(1), key(2)}}}, "needs a link that carries all the routes it may", ErrNoPath},
		{Query{Dst: key(1)}, "a path from a node to itself", ErrQuery},
		{Query{Dst: key(4), Avoid: keys(1)}, "is an end and cannot be avoided", ErrQuery},
		{Query{Dst: key(4), MinHops: 3, MaxHops: 2}, "at least 3 and at most 2 links", ErrQuery},
		{Query{Dst: key(77)}, "is not here", ErrUnknown},
	} {
		tt.q.Src = key(1)
		if p, err := m.Path(tt.q); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, %v; want %q", tt.q, p, err, tt.want)
		}
		if _, err := m.Disjoint(tt.q, 2); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("disjoint %+v: %v; want %q", tt.q, err, tt.want)
		}
	}
	for _, k := range []int{0, -1, MaxDisjoint + 1} {
		if _, err := m.Disjoint(Query{Src: key(1), Dst: key(4)}, k); !errors.Is(err, ErrQuery) {
			t.Errorf("%d paths: %v", k, err)
		}
	}
}
