package nodemanager

import (
	"context"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// NodeInfo is a live node as people see it.
type NodeInfo struct {
	Key       identity.PubKey
	Name      string // without domain; may be ""
	Addrs     []string
	Connect   bool
	Connected bool      // to this manager, now
	Since     time.Time // of that connection; zero without one
	Expires   time.Time
	Links     int // that both ends report
	Routes    int // that begin, end or pass here
}

// LinkInfo is a link that both ends report.
type LinkInfo struct {
	A, B             identity.PubKey
	AName, BName     string
	topology.Metrics               // the worse of both ends' words
	Cost             time.Duration // what it adds to a path
	Routes           int           // laid over it
	Up               time.Time     // the later of both
	AToB, BToA       uint64        // bytes, the smaller of what one end sent and the other received
	Carrier          string
}

// RouteInfo is a route in place.
type RouteInfo struct {
	Key  control.RouteKey
	Path []identity.PubKey
	Open time.Time
	Kept time.Time     // when its source last said that it uses it
	Cost time.Duration // 0: a link of it does not count now
}

// Nodes returns the live nodes, by name.
func (m *Manager) Nodes() []NodeInfo {
	var list []NodeInfo
	for _, n := range m.book.Nodes() {
		info := NodeInfo{
			Key: n.Record.Key, Name: n.Name, Addrs: n.Record.Addrs, Connect: n.Record.Connect,
			Expires: n.Expires, Links: m.links.Degree(n.Record.Key), Routes: m.routes.Through(n.Record.Key),
		}
		if who, ok := m.member(n.Record.Key); ok {
			info.Connected, info.Since = true, who.since
		}
		list = append(list, info)
	}
	return list
}

// names returns the names of the live nodes by key.
func (m *Manager) names() map[identity.PubKey]string {
	names := make(map[identity.PubKey]string)
	for _, n := range m.book.Nodes() {
		names[n.Record.Key] = n.Name
	}
	return names
}

// Links returns the links that both ends report, by keys.
func (m *Manager) Links() []LinkInfo {
	names := m.names()
	var list []LinkInfo
	for _, e := range m.links.Edges() {
		list = append(list, LinkInfo{
			A: e.A, B: e.B, AName: names[e.A], BName: names[e.B],
			Metrics: e.Metrics, Cost: e.Cost(), Routes: m.routes.OnLink(e.A, e.B), Up: later(e.AtA.Up, e.AtB.Up), Carrier: e.AtA.Carrier,
			AToB: min(e.AtA.SentBytes, e.AtB.RecvBytes), BToA: min(e.AtB.SentBytes, e.AtA.RecvBytes),
		})
	}
	return list
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Routes returns the routes in place, as far as their sources keep them, oldest first.
func (m *Manager) Routes() []RouteInfo {
	var list []RouteInfo
	for _, r := range m.routes.Routes() {
		cost, _ := m.links.Cost(r.Path)
		list = append(list, RouteInfo{Key: r.Key, Path: r.Path, Open: r.Open, Kept: r.Kept, Cost: cost})
	}
	return list
}

// Apps asks the tracker for all apps, at most control.MaxApps.
func (m *Manager) Apps(ctx context.Context) ([]control.AppRecord, error) {
	return m.findApps(ctx, control.AppQuery{})
}

func (m *Manager) findApps(ctx context.Context, q control.AppQuery) ([]control.AppRecord, error) {
	if m.tracker == nil {
		return nil, control.Errorf(control.CodeUnavailable, "this manager has no tracker")
	}
	return m.tracker.Find(ctx, q)
}

// ForgetName takes a name from its key, so that another node may claim it.
func (m *Manager) ForgetName(ctx context.Context, name string) error {
	return m.book.ForgetName(ctx, name)
}

// Tracker says whether the tracker is connected.
func (m *Manager) Tracker() control.Status {
	if m.tracker == nil {
		return control.Status{}
	}
	return m.tracker.Status()
}
