package nodemanager

import (
	"cmp"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// PathQuery asks for paths between two nodes. Nodes are names or keys in hex.
type PathQuery struct {
	A, B             string
	MinHops, MaxHops int // 0: any
	Via, Avoid       []string
	Disjoint         int // that many paths apart from each other; 0: 1
}

// PathInfo is one path.
type PathInfo struct {
	Nodes []NodeInfo         // both ends included
	Links []topology.Metrics // Links[i] lies between Nodes[i] and Nodes[i+1]
	Cost  time.Duration
}

// Paths returns the best paths of a query, the cheapest first, as a route would take them now. Errors are *control.Error.
func (m *Manager) Paths(q PathQuery) ([]PathInfo, error) {
	ends, err := m.findAll([]string{q.A, q.B})
	if err != nil {
		return nil, err
	}
	via, err := m.findAll(q.Via)
	if err != nil {
		return nil, err
	}
	avoid, err := m.findAll(q.Avoid)
	if err != nil {
		return nil, err
	}
	tq := topology.Query{Src: ends[0], Dst: ends[1], MinHops: q.MinHops, MaxHops: q.MaxHops, Via: via, Avoid: avoid}
	paths, err := m.links.Disjoint(tq, max(q.Disjoint, 1))
	if err != nil {
		return nil, m.reason(control.RouteRequest{Dst: tq.Dst, Via: via}, err)
	}
	all := make(map[identity.PubKey]NodeInfo)
	for _, n := range m.Nodes() {
		all[n.Key] = n
	}
	list := make([]PathInfo, len(paths))
	for i, keys := range paths {
		list[i] = m.pathInfo(keys, all)
	}
	return list, nil
}

func (m *Manager) pathInfo(keys []identity.PubKey, all map[identity.PubKey]NodeInfo) (p PathInfo) {
	p.Cost, _ = m.links.Cost(keys)
	for i, k := range keys {
		n := all[k]
		n.Key = k
		p.Nodes = append(p.Nodes, n)
		if i > 0 {
			l, _ := m.links.Metrics(keys[i-1], k)
			p.Links = append(p.Links, l)
		}
	}
	return p
}

// findAll reads names or keys in hex.
func (m *Manager) findAll(list []string) ([]identity.PubKey, error) {
	keys := make([]identity.PubKey, len(list))
	for i, s := range list {
		k, err := m.find(s)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return keys, nil
}

// find reads a name or a key in hex.
func (m *Manager) find(s string) (identity.PubKey, error) {
	if key, err := identity.ParseHex(s); err == nil {
		return key, nil
	}
	return m.book.ByName(s)
}

// Place is a node in the picture of the network.
type Place struct {
	NodeInfo
	Part  int // nodes of one part can reach each other; 1 is the largest part
	Near  []Near
	Alone bool // no link that counts
}

// Near is a neighbour over a link that both ends report.
type Near struct {
	Key  identity.PubKey
	Name string
	topology.Metrics
}

// Picture returns the network as a whole, by part and then name.
func (m *Manager) Picture() []Place {
	names := m.names()
	near := make(map[identity.PubKey][]Near)
	for _, e := range m.links.Edges() {
		near[e.A] = append(near[e.A], Near{e.B, names[e.B], e.Metrics})
		near[e.B] = append(near[e.B], Near{e.A, names[e.A], e.Metrics})
	}
	nodes := m.Nodes()
	part := parts(nodes, near)
	list := make([]Place, len(nodes))
	for i, n := range nodes {
		list[i] = Place{NodeInfo: n, Part: part[n.Key], Near: near[n.Key], Alone: len(near[n.Key]) == 0}
	}
	slices.SortStableFunc(list, func(a, b Place) int { return cmp.Compare(a.Part, b.Part) })
	return list
}

// parts numbers the connected parts of the network, the largest first.
func parts(nodes []NodeInfo, near map[identity.PubKey][]Near) map[identity.PubKey]int {
	var groups [][]identity.PubKey
	seen := make(map[identity.PubKey]bool)
	for _, n := range nodes {
		if seen[n.Key] {
			continue
		}
		seen[n.Key] = true
		group := []identity.PubKey{n.Key}
		for i := 0; i < len(group); i++ {
			for _, o := range near[group[i]] {
				if !seen[o.Key] {
					seen[o.Key] = true
					group = append(group, o.Key)
				}
			}
		}
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(a, b []identity.PubKey) int { return cmp.Compare(len(b), len(a)) })
	number := make(map[identity.PubKey]int)
	for i, g := range groups {
		for _, k := range g {
			number[k] = i + 1
		}
	}
	return number
}
