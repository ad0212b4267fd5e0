package nodemanager

import (
	"context"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
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
}

// LinkInfo is a link that both ends report.
type LinkInfo struct {
	A, B         identity.PubKey
	AName, BName string
	RTT          time.Duration // the worse of both ends' words; 0: not measured yet
	Up           time.Time     // the later of both
	AToB, BToA   uint64        // bytes, the smaller of what one end sent and the other received
	Carrier      string
}

// RouteInfo is a route that this manager laid since it started.
type RouteInfo struct {
	Key  control.RouteKey
	Path []identity.PubKey
	Open time.Time
}

// Nodes returns the live nodes, by name.
func (m *Manager) Nodes() []NodeInfo {
	var list []NodeInfo
	for _, n := range m.book.Nodes() {
		info := NodeInfo{
			Key: n.Record.Key, Name: n.Name, Addrs: n.Record.Addrs, Connect: n.Record.Connect,
			Expires: n.Expires, Links: m.links.Degree(n.Record.Key),
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
			RTT: e.RTT, Up: later(e.AtA.Up, e.AtB.Up), Carrier: e.AtA.Carrier,
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

// Routes returns the routes that this manager laid, oldest first.
func (m *Manager) Routes() []RouteInfo {
	var list []RouteInfo
	for _, r := range m.routes.Routes() {
		list = append(list, RouteInfo(r))
	}
	return list
}

// Path returns the nodes of the best path between two nodes, given by name or key in hex,
// both included. Errors are *control.Error.
func (m *Manager) Path(a, b string) ([]NodeInfo, error) {
	src, err := m.find(a)
	if err != nil {
		return nil, err
	}
	dst, err := m.find(b)
	if err != nil {
		return nil, err
	}
	keys, err := m.shortest(src, control.RouteRequest{Dst: dst})
	if err != nil {
		return nil, err
	}
	all := make(map[identity.PubKey]NodeInfo)
	for _, n := range m.Nodes() {
		all[n.Key] = n
	}
	list := make([]NodeInfo, len(keys))
	for i, k := range keys {
		list[i] = all[k]
		list[i].Key = k
	}
	return list, nil
}

// find reads a name or a key in hex.
func (m *Manager) find(s string) (identity.PubKey, error) {
	if key, err := identity.ParseHex(s); err == nil {
		return key, nil
	}
	return m.book.ByName(s)
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
