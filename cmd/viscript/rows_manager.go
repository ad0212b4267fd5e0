package main

import (
	"encoding/hex"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager"
	"github.com/skycoin/viscript/nodemanager/topology"
)

type nodeRow struct {
	Name           string          `json:"name"`
	Node           string          `json:"node"` // short form of key
	Addrs          []string        `json:"addrs"`
	Links          int             `json:"links"`
	Routes         int             `json:"routes"` // that begin, end or pass there
	Connect        bool            `json:"connect"`
	Connected      bool            `json:"connected"`
	ExpiresSeconds float64         `json:"expires_seconds"`
	Key            identity.PubKey `json:"key"`
}

func nodeRows(list []nodemanager.NodeInfo) []nodeRow {
	rows := []nodeRow{}
	for _, n := range list {
		rows = append(rows, nodeRow{
			Name: n.Name, Node: n.Key.Short(), Addrs: n.Addrs, Links: n.Links, Routes: n.Routes, Connect: n.Connect, Connected: n.Connected,
			ExpiresSeconds: -age(n.Expires), Key: n.Key,
		})
	}
	return rows
}

// figures are how good a link is, by the worse of its two ends.
type figures struct {
	RTTms       float64 `json:"rtt_ms"`
	JitterMs    float64 `json:"jitter_ms"`
	LossPercent float64 `json:"loss_percent"`
	Capacity    uint64  `json:"capacity_bytes_per_second"` // 0: not known
	CostMs      float64 `json:"cost_ms"`                   // what it adds to a path
}

func figuresOf(m topology.Metrics) figures {
	return figures{RTTms: ms(m.RTT), JitterMs: ms(m.Jitter), LossPercent: float64(m.Loss) / 10_000, Capacity: m.Capacity, CostMs: ms(m.Cost())}
}

type meshLinkRow struct {
	A       string `json:"a"` // names, or short keys of nodes without one
	B       string `json:"b"`
	Carrier string `json:"carrier"`
	figures
	Routes     int     `json:"routes"` // laid over it
	AgeSeconds float64 `json:"age_seconds"`
	ABBytes    uint64  `json:"a_to_b_bytes"`
	BABytes    uint64  `json:"b_to_a_bytes"`
}

func meshLinkRows(m *nodemanager.Manager) []meshLinkRow {
	rows := []meshLinkRow{}
	for _, l := range m.Links() {
		rows = append(rows, meshLinkRow{
			A: nameOr(l.AName, l.A), B: nameOr(l.BName, l.B), Carrier: l.Carrier, figures: figuresOf(l.Metrics), Routes: l.Routes,
			AgeSeconds: age(l.Up), ABBytes: l.AToB, BABytes: l.BToA,
		})
	}
	return rows
}

type topologyRow struct {
	Part  int      `json:"part"` // nodes of one part can reach each other
	Name  string   `json:"name"`
	Node  string   `json:"node"` // short form of key
	Links []string `json:"links"`
}

func topologyRows(m *nodemanager.Manager) []topologyRow {
	rows := []topologyRow{}
	for _, p := range m.Picture() {
		row := topologyRow{Part: p.Part, Name: p.Name, Node: p.Key.Short(), Links: []string{}}
		for _, n := range p.Near {
			rtt := "?"
			if n.RTT > 0 {
				rtt = n.RTT.Round(10 * time.Microsecond).String()
			}
			row.Links = append(row.Links, nameOr(n.Name, n.Key)+" "+rtt)
		}
		rows = append(rows, row)
	}
	return rows
}

type meshRouteRow struct {
	Route       string   `json:"route"` // the first 8 hex digits of its name
	Path        []string `json:"path"`  // names, or short keys of nodes without one
	CostMs      float64  `json:"cost_ms"`
	State       string   `json:"state"` // up, or broken when a link of it does not count now
	AgeSeconds  float64  `json:"age_seconds"`
	KeptSeconds float64  `json:"kept_seconds"` // since its source said that it uses it
}

func meshRouteRows(m *nodemanager.Manager) []meshRouteRow {
	names := map[identity.PubKey]string{}
	for _, n := range m.Nodes() {
		names[n.Key] = n.Name
	}
	rows := []meshRouteRow{}
	for _, r := range m.Routes() {
		row := meshRouteRow{Route: hex.EncodeToString(r.Key[:4]), CostMs: ms(r.Cost), State: "up", AgeSeconds: age(r.Open), KeptSeconds: age(r.Kept)}
		if r.Cost == 0 {
			row.State = "broken"
		}
		for _, k := range r.Path {
			row.Path = append(row.Path, nameOr(names[k], k))
		}
		rows = append(rows, row)
	}
	return rows
}

// pathRow is one link of a path.
type pathRow struct {
	Path int    `json:"path"` // 1 is the cheapest
	Link int    `json:"link"`
	From string `json:"from"` // names, or short keys of nodes without one
	To   string `json:"to"`
	figures
	TotalMs float64         `json:"total_ms"` // cost from the beginning of the path
	Key     identity.PubKey `json:"key"`      // of To
}

func pathRows(paths []nodemanager.PathInfo) []pathRow {
	rows := []pathRow{}
	for i, p := range paths {
		var total time.Duration
		for j, l := range p.Links {
			from, to := p.Nodes[j], p.Nodes[j+1]
			total += l.Cost()
			rows = append(rows, pathRow{
				Path: i + 1, Link: j + 1, From: nameOr(from.Name, from.Key), To: nameOr(to.Name, to.Key), figures: figuresOf(l), TotalMs: ms(total), Key: to.Key,
			})
		}
	}
	return rows
}

type policyRow struct {
	Key  string `json:"key"`  // or everybody else
	Name string `json:"name"` // of the node, while it is here
	May  bool   `json:"may_join"`
}

func policyRows(m *nodemanager.Manager) []policyRow {
	names := map[identity.PubKey]string{}
	for _, n := range m.Nodes() {
		names[n.Key] = n.Name
	}
	p := m.Policy()
	rows := []policyRow{}
	for _, k := range p.Allowed {
		rows = append(rows, policyRow{k.String(), names[k], true})
	}
	for _, k := range p.Denied {
		rows = append(rows, policyRow{k.String(), names[k], false})
	}
	return append(rows, policyRow{"everybody else", "", !p.Closed})
}
