package topology

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/skycoin/viscript/node/identity"
)

// MaxHops bounds the links of a path.
const MaxHops = 16

// Errors of Path.
var (
	ErrNoPath  = errors.New("topology: no path")
	ErrUnknown = errors.New("topology: unknown node")
	ErrQuery   = errors.New("topology: impossible query")
)

// Query asks for the cheapest path that passes no node twice, has MinHops to MaxHops links, passes the nodes of Via in
// their order and none of Avoid, and uses no link of Without. Of the paths that do, one that shares the fewest inner nodes
// with Beside is taken, of these one that shares the fewest links with it (a direct link can only be shared as such), and
// of these the cheapest.
type Query struct {
	Src, Dst identity.PubKey
	MinHops  int // 0: any
	MaxHops  int // 0: any, up to the constant MaxHops
	Via      []identity.PubKey
	Avoid    []identity.PubKey // keys of nobody are no error
	Beside   []identity.PubKey // a path, ends included; nil: none. Keys of nobody are no error
	Without  [][2]identity.PubKey
}

// far is the weight of the way to what cannot be reached; three of them add up without overflow.
const far = math.MaxInt64 / 4

// find is the path of a query in g, a pure function of both. Of paths of one cost the one
// with fewer links wins, then the smaller keys, so that it does not depend on the order in
// which the network was reported.
//
// Dijkstra from the far end gives the distance of every node on the way. When the path that
// this names meets the query's conditions it is the answer; otherwise search (see there)
// looks for the best one that does.
func find(g *graph, q Query) ([]identity.PubKey, error) {
	src, dst, via, err := resolve(g, &q)
	if err != nil {
		return nil, err
	}
	return findIn(look(g, q, src, dst), q, src, dst, via)
}

func findIn(v *view, q Query, src, dst int32, via []int32) ([]identity.PubKey, error) {
	d := distances(v, dst, src)
	if d[src] >= far {
		return nil, explain(v, q, src, dst, via, false)
	}
	if n := hops(d[src]); len(via) == 0 && n >= q.MinHops && n <= q.MaxHops {
		return walk(v, d, src, dst), nil
	}
	path, gaveUp := search(v, q, src, append(via, dst))
	if path == nil {
		return nil, explain(v, q, src, dst, via, gaveUp)
	}
	return path, nil
}

// resolve turns keys into numbers and fills in the limits.
func resolve(g *graph, q *Query) (src, dst int32, via []int32, err error) {
	if q.MaxHops == 0 {
		q.MaxHops = MaxHops
	}
	if err := q.check(); err != nil {
		return 0, 0, nil, err
	}
	numbers := make([]int32, 0, 2+len(q.Via))
	for _, k := range append([]identity.PubKey{q.Src, q.Dst}, q.Via...) {
		n, ok := g.index[k]
		if !ok {
			return 0, 0, nil, fmt.Errorf("%w: %s is not here, or reports no links", ErrUnknown, k.Short())
		}
		numbers = append(numbers, n)
	}
	return numbers[0], numbers[1], numbers[2:], nil
}

// check finds what no network could meet.
func (q *Query) check() error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrQuery, fmt.Sprintf(format, args...))
	}
	switch {
	case q.Src == q.Dst:
		return no("a path from a node to itself")
	case q.MinHops < 0 || q.MaxHops < 0 || q.MaxHops > MaxHops:
		return no("%d to %d links, want at most %d", q.MinHops, q.MaxHops, MaxHops)
	case q.MinHops > q.MaxHops:
		return no("at least %d and at most %d links", q.MinHops, q.MaxHops)
	case len(q.Via) >= q.MaxHops:
		return no("the links allowed, %d, are too few for the nodes to pass, %d", q.MaxHops, len(q.Via))
	}
	for i, k := range q.Via {
		if k == q.Src || k == q.Dst || slices.Contains(q.Via[:i], k) {
			return no("%s twice", k.Short())
		}
	}
	for _, k := range q.Avoid {
		switch {
		case k == q.Src || k == q.Dst:
			return no("%s is an end and cannot be avoided", k.Short())
		case slices.Contains(q.Via, k):
			return no("%s to be passed and avoided", k.Short())
		}
	}
	return nil
}

// nobody is no node's number.
const nobody = -1

// distances returns the least sum of weights between a node and every other. It may end
// when that of until is known; the ones greater than it are then not final.
func distances(v *view, from, until int32) []int64 {
	d := make([]int64, len(v.keys))
	for i := range d {
		d[i] = far
	}
	d[from] = 0
	h := heap[near]{}
	h.push(near{0, from})
	for h.len() > 0 {
		n := h.pop()
		if n.node == until {
			break
		}
		if n.weight > d[n.node] {
			continue
		}
		for _, e := range v.edges[n.node] {
			if w := n.weight + v.weigh(n.node, e); w < d[e.to] {
				d[e.to] = w
				h.push(near{w, e.to})
			}
		}
	}
	return d
}

type near struct {
	weight int64
	node   int32
}

func (a near) before(b near) bool { return a.weight < b.weight }

// walk follows the distances from src to where they end, by the smallest key where several
// ways are equal.
func walk(v *view, d []int64, src, dst int32) []identity.PubKey {
	path := []identity.PubKey{v.keys[src]}
	for at := src; at != dst; {
		next := int32(nobody)
		for _, e := range v.edges[at] {
			if d[at] == v.weigh(at, e)+d[e.to] && (next == nobody || bytes.Compare(v.keys[e.to][:], v.keys[next][:]) < 0) {
				next = e.to
			}
		}
		at = next
		path = append(path, v.keys[at])
	}
	return path
}

// tooMany links are none at all; three of them add up without overflow.
const tooMany = math.MaxInt32 / 4

// fewest is the breadth-first number of links to a node from everywhere.
func fewest(v *view, from int32) []int32 {
	least := make([]int32, len(v.keys))
	for i := range least {
		least[i] = tooMany
	}
	least[from] = 0
	for queue := []int32{from}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		for _, e := range v.edges[n] {
			if least[e.to] > least[n]+1 && v.weigh(n, e) < far {
				least[e.to] = least[n] + 1
				queue = append(queue, e.to)
			}
		}
	}
	return least
}
