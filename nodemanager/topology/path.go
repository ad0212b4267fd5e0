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

// Query asks for the cheapest path that passes no node twice, has MinHops to MaxHops links
// and passes the nodes of Via in their order.
type Query struct {
	Src, Dst identity.PubKey
	MinHops  int // 0: any
	MaxHops  int // 0: any, up to the constant MaxHops
	Via      []identity.PubKey
}

// far is the weight of the way to what cannot be reached; two of them add up without overflow.
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
	d := distances(g, dst, src)
	if d[src] == far {
		return nil, fmt.Errorf("%w from %s to %s", ErrNoPath, q.Src.Short(), q.Dst.Short())
	}
	if n := hops(d[src]); len(via) == 0 && n >= q.MinHops && n <= q.MaxHops {
		return walk(g, d, src, dst), nil
	}
	path := search(g, q, src, append(via, dst))
	if path == nil {
		return nil, fmt.Errorf("%w from %s to %s under these conditions", ErrNoPath, q.Src.Short(), q.Dst.Short())
	}
	return path, nil
}

// resolve turns keys into numbers and fills in the limits.
func resolve(g *graph, q *Query) (src, dst int32, via []int32, err error) {
	if q.MaxHops == 0 {
		q.MaxHops = MaxHops
	}
	if q.Src == q.Dst || q.MinHops > q.MaxHops || q.MinHops < 0 || q.MaxHops > MaxHops || len(q.Via) >= q.MaxHops {
		return 0, 0, nil, ErrQuery
	}
	seen := []identity.PubKey{q.Src, q.Dst}
	numbers := make([]int32, 0, 2+len(q.Via))
	for i, k := range append(slices.Clone(seen), q.Via...) {
		if i >= 2 {
			if slices.Contains(seen, k) {
				return 0, 0, nil, fmt.Errorf("%w: %s twice", ErrQuery, k.Short())
			}
			seen = append(seen, k)
		}
		n, ok := g.index[k]
		if !ok {
			return 0, 0, nil, fmt.Errorf("%w: %s", ErrUnknown, k.Short())
		}
		numbers = append(numbers, n)
	}
	return numbers[0], numbers[1], numbers[2:], nil
}

// nobody is no node's number.
const nobody = -1

// distances returns the least sum of weights between a node and every other. It may end
// when that of until is known; the ones greater than it are then not final.
func distances(g *graph, from, until int32) []int64 {
	d := make([]int64, len(g.keys))
	for i := range d {
		d[i] = far
	}
	d[from] = 0
	h := heap[near]{}
	h.push(near{0, from})
	for h.len() > 0 {
		v := h.pop()
		if v.node == until {
			break
		}
		if v.weight > d[v.node] {
			continue
		}
		for _, e := range g.edges[v.node] {
			if w := v.weight + e.weight; w < d[e.to] {
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
func walk(g *graph, d []int64, src, dst int32) []identity.PubKey {
	path := []identity.PubKey{g.keys[src]}
	for v := src; v != dst; {
		next := int32(nobody)
		for _, e := range g.edges[v] {
			if d[v] == e.weight+d[e.to] && (next == nobody || bytes.Compare(g.keys[e.to][:], g.keys[next][:]) < 0) {
				next = e.to
			}
		}
		v = next
		path = append(path, g.keys[v])
	}
	return path
}

// tooMany links are none at all; three of them add up without overflow.
const tooMany = math.MaxInt32 / 4

// fewest is the breadth-first number of links to a node from everywhere.
func fewest(g *graph, from int32) []int32 {
	least := make([]int32, len(g.keys))
	for i := range least {
		least[i] = tooMany
	}
	least[from] = 0
	for queue := []int32{from}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		for _, e := range g.edges[v] {
			if least[e.to] > least[v]+1 {
				least[e.to] = least[v] + 1
				queue = append(queue, e.to)
			}
		}
	}
	return least
}
