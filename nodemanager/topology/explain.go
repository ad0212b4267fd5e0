package topology

import (
	"fmt"
	"strings"

	"github.com/skycoin/viscript/node/identity"
)

// explain says which condition of a query the network cannot meet; the error wraps ErrNoPath.
func explain(v *view, q Query, src, dst int32, via []int32, gaveUp bool) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNoPath, fmt.Sprintf(format, args...))
	}
	for _, end := range []int32{src, dst} {
		if len(v.edges[end]) == 0 {
			return no("%s has no link that both ends report", v.keys[end].Short())
		}
	}
	least := fewest(v, dst)
	if least[src] >= tooMany {
		return no("%s", unreached(v, q, "%s and %s are not connected", q.Dst, q.Src, src))
	}
	for _, n := range via {
		if least[n] >= tooMany {
			return no("%s", unreached(v, q, "via node %[2]s is not connected", q.Dst, v.keys[n], n))
		}
	}
	if n := int(least[src]); n > q.MaxHops {
		return no("the shortest path has %d links%s, at most %d are allowed", n, conditions(q), q.MaxHops)
	}
	if n := fewestThrough(v, src, append(via, dst)); n > q.MaxHops {
		return no("the shortest path via %s has %d links, at most %d are allowed", list(q.Via), n, q.MaxHops)
	}
	if gaveUp {
		return no("gave up looking for a path of %s%s", span(q), conditions(q))
	}
	return no("no path has %s%s and passes no node twice", span(q), conditions(q))
}

func span(q Query) string {
	if q.MaxHops == 1 {
		return "1 link"
	}
	if q.MinHops == q.MaxHops {
		return fmt.Sprintf("exactly %d links", q.MinHops)
	}
	return fmt.Sprintf("%d to %d links", q.MinHops, q.MaxHops)
}

// unreached words why to and node are in different parts, or would not be without a condition.
func unreached(v *view, q Query, plainly string, to, node identity.PubKey, n int32) string {
	if len(q.Avoid) > 0 || len(v.full) > 0 {
		bare := look(v.graph, Query{}, n, n)
		if fewest(bare, v.index[to])[n] < tooMany {
			if len(q.Avoid) > 0 {
				return fmt.Sprintf("no path from %s to %s avoids %s", node.Short(), to.Short(), list(q.Avoid))
			}
			return fmt.Sprintf("every path from %s to %s needs a link that carries all the routes it may", node.Short(), to.Short())
		}
	}
	return fmt.Sprintf(plainly, to.Short(), node.Short())
}

// fewestThrough counts the links through targets in their order, were nodes allowed twice.
func fewestThrough(v *view, src int32, through []int32) (n int) {
	from := src
	for _, to := range through {
		n += int(fewest(v, to)[from])
		from = to
	}
	return n
}

// conditions words what narrows a query beside its number of links.
func conditions(q Query) string {
	s := ""
	if len(q.Via) > 0 {
		s += " via " + list(q.Via)
	}
	if len(q.Avoid) > 0 {
		s += " without " + list(q.Avoid)
	}
	return s
}

func list(keys []identity.PubKey) string {
	short := make([]string, len(keys))
	for i, k := range keys {
		short[i] = k.Short()
	}
	return strings.Join(short, ", ")
}
