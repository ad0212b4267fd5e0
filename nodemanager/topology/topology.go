// Package topology is the manager's picture of the network: which nodes have a link, and
// what the best path between two of them is.
//
// A link counts when both ends report it, at the worse of what they say of each figure: one
// node alone can neither invent a link nor make one look better.
//
//	m := topology.New()
//	m.Report(a, []topology.Link{{Peer: b, RTT: time.Millisecond}})
//	m.Report(b, []topology.Link{{Peer: a, RTT: time.Millisecond}})
//	path, err := m.Path(topology.Query{Src: a, Dst: b})
//	apart, err := m.Disjoint(topology.Query{Src: a, Dst: b}, 3)
//
// What a link costs is in cost.go. Path and Disjoint are pure functions of the links and the query.
package topology

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Link is one end's word on a link.
type Link struct {
	Peer      identity.PubKey
	RTT       time.Duration // 0: not measured
	Jitter    time.Duration
	Loss      uint32 // per million
	Capacity  uint64 // bytes a second; 0: not known
	Up        time.Time
	SentBytes uint64
	RecvBytes uint64
	Carrier   string
}

// Edge is a link that both ends report; A is the smaller key.
type Edge struct {
	A, B identity.PubKey
	Metrics
	AtA     Link   // what A says
	AtB     Link   // what B says
	Carrier string // what A says
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
			m.graph.connect(from, peer, weight(worse(l, back).Cost()))
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

// Disjoint returns one to k paths of a query, the cheapest first; see there what disjoint means.
// k is 1 to MaxDisjoint. Errors as Path.
func (m *Map) Disjoint(q Query, k int) ([][]identity.PubKey, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return disjoint(&m.graph, q, k)
}

// Cost is what a path costs now; ok is false when a link of it does not count any more.
func (m *Map) Cost(path []identity.PubKey) (cost time.Duration, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := 1; i < len(path); i++ {
		w, there := m.graph.weightOf(path[i-1], path[i])
		if !there {
			return 0, false
		}
		cost += costOf(w)
	}
	return cost, len(path) > 1
}

// Missing returns the first link of a path that does not count now.
func (m *Map) Missing(path []identity.PubKey) (a, b identity.PubKey, missing bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := 1; i < len(path); i++ {
		if _, there := m.graph.weightOf(path[i-1], path[i]); !there {
			return path[i-1], path[i], true
		}
	}
	return a, b, false
}

// Metrics returns the figures of a link, if it counts.
func (m *Map) Metrics(a, b identity.PubKey) (Metrics, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l, one := m.reports[a][b]
	back, two := m.reports[b][a]
	return worse(l, back), one && two
}

// Peers returns whom a node says it has links to, in no order.
func (m *Map) Peers(node identity.PubKey) []identity.PubKey {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Collect(maps.Keys(m.reports[node]))
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
				list = append(list, Edge{A: a, B: b, Metrics: worse(l, back), AtA: l, AtB: back, Carrier: l.Carrier})
			}
		}
	}
	slices.SortFunc(list, func(x, y Edge) int {
		return cmp.Or(bytes.Compare(x.A[:], y.A[:]), bytes.Compare(x.B[:], y.B[:]))
	})
	return list
}
