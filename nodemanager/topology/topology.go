// Package topology is the manager's picture of the network: which nodes have a link, and
// what the best path between two of them is.
//
// A link counts when both ends report it, at the worse of the two round trips: one node
// alone can neither invent a link nor make one look better.
//
//	m := topology.New()
//	m.Report(a, []topology.Link{{Peer: b, RTT: time.Millisecond}})
//	m.Report(b, []topology.Link{{Peer: a, RTT: time.Millisecond}})
//	path, err := m.Path(topology.Query{Src: a, Dst: b})
package topology

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Costs. A path's cost is the sum over its links of round trip and perHop.
const (
	perHop     = 500 * time.Microsecond // what a relay costs beyond the wire; prefers fewer hops where links are fast
	unmeasured = 100 * time.Millisecond // taken for a link whose round trip neither end knows
	maxRTT     = 10 * time.Second       // more is taken for this
)

// Link is one end's word on a link.
type Link struct {
	Peer      identity.PubKey
	RTT       time.Duration // 0: not measured
	Up        time.Time
	SentBytes uint64
	RecvBytes uint64
	Carrier   string
}

// Edge is a link that both ends report; A is the smaller key.
type Edge struct {
	A, B    identity.PubKey
	RTT     time.Duration // the worse one; 0: not measured
	AtA     Link          // what A says
	AtB     Link          // what B says
	Carrier string        // what A says
}

// Map is the network as reported. Safe for concurrent use.
type Map struct {
	mu      sync.RWMutex // guards the following
	reports map[identity.PubKey]map[identity.PubKey]Link
	graph   graph
}

// New makes an empty map.
func New() *Map {
	return &Map{
		reports: make(map[identity.PubKey]map[identity.PubKey]Link),
		graph:   graph{index: make(map[identity.PubKey]int32)},
	}
}

// Report replaces all that a node said before about its links. Links to itself and
// repeats after the first are ignored. The caller bounds the number of links.
func (m *Map) Report(from identity.PubKey, links []Link) {
	said := make(map[identity.PubKey]Link, len(links))
	for _, l := range links {
		if _, twice := said[l.Peer]; !twice && l.Peer != from && !l.Peer.IsZero() {
			said[l.Peer] = l
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.reports[from]
	m.reports[from] = said
	m.graph.add(from)
	for peer := range before {
		if _, still := said[peer]; !still {
			m.graph.disconnect(from, peer)
		}
	}
	for peer, l := range said {
		if back, both := m.reports[peer][from]; both {
			m.graph.connect(from, peer, weight(worse(l.RTT, back.RTT)))
		}
	}
}

// Remove forgets a node and its links.
func (m *Map) Remove(node identity.PubKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reports, node)
	m.graph.remove(node)
}

// Has reports whether the node reports its links.
func (m *Map) Has(node identity.PubKey) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.reports[node]
	return ok
}

// Path returns the best path of a query. Errors: ErrNoPath, ErrUnknown, ErrQuery.
func (m *Map) Path(q Query) ([]identity.PubKey, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return find(&m.graph, q)
}

// Degree returns how many links of a node count.
func (m *Map) Degree(node identity.PubKey) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if i, ok := m.graph.index[node]; ok {
		return len(m.graph.edges[i])
	}
	return 0
}

// Edges returns the links that count, by A and then B.
func (m *Map) Edges() []Edge {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []Edge
	for a, said := range m.reports {
		for b, l := range said {
			back, both := m.reports[b][a]
			if both && bytes.Compare(a[:], b[:]) < 0 {
				list = append(list, Edge{A: a, B: b, RTT: worse(l.RTT, back.RTT), AtA: l, AtB: back, Carrier: l.Carrier})
			}
		}
	}
	slices.SortFunc(list, func(x, y Edge) int {
		return cmp.Or(bytes.Compare(x.A[:], y.A[:]), bytes.Compare(x.B[:], y.B[:]))
	})
	return list
}

// worse is the longer of two round trips, 0 when one end has not measured yet.
func worse(a, b time.Duration) time.Duration {
	if a <= 0 || b <= 0 {
		return 0
	}
	return max(a, b)
}

// weight is what a link adds to a path: its cost in microseconds, 500 to 10,000,500, above
// hopBits bits that count links. Sums of weights so compare by cost and then by links; a
// path of a million links of the dearest kind still fits.
func weight(rtt time.Duration) int64 {
	if rtt <= 0 {
		rtt = unmeasured
	}
	return (min(rtt, maxRTT)+perHop).Microseconds()<<hopBits | 1
}

const hopBits = 20

// hops is the number of links in a sum of weights.
func hops(w int64) int { return int(w & (1<<hopBits - 1)) }
