package nodemanager

import (
	"context"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// trackerTime is how long a node waits for the tracker to come back.
const trackerTime = 5 * time.Second

// serve carries out one request of a node.
func (m *Manager) serve(ctx context.Context, who *member, t control.Type, body []byte) ([]byte, error) {
	if !who.limit.AllowN(time.Now(), costOf(t, body)) {
		return nil, &control.Error{Code: control.CodeBusy}
	}
	if t == control.TypeRegister {
		return control.AppendAsk(nil, m.roster.ask()), m.register(ctx, who, body)
	}
	if !who.registered.Load() {
		return nil, control.Errorf(control.CodeBadRequest, "not registered")
	}
	switch t {
	case control.TypeReport:
		return control.AppendAsk(nil, m.roster.ask()), m.report(ctx, who, body)
	case control.TypeRoute:
		return m.route(ctx, who, body)
	case control.TypeCloseRoute:
		k, err := control.ParseRouteKey(body)
		if err != nil {
			return nil, err
		}
		return nil, m.routes.Close(ctx, who.key, k)
	case control.TypeMember:
		return nil, m.isMember(body)
	case control.TypeKeep:
		return m.keep(who, body)
	case control.TypeRecall:
		return nil, m.recall(who, body)
	case control.TypeNodeName:
		return m.nodeName(body)
	case control.TypeName:
		return answerKey(body, control.ParseName, m.book.ByName)
	case control.TypeAddress:
		return answerKey(body, control.ParseAddress, m.book.KeyAt)
	default:
		return m.passOn(ctx, who, t, body)
	}
}

// costOf is what a request counts against its sender's rate; requestBurst allows the largest.
func costOf(t control.Type, body []byte) int {
	n := 1 + len(body)/costlyBytes
	if t == control.TypeRoute {
		n += routeCost
	}
	return n
}

func answerKey(body []byte, parse func([]byte) (string, error), find func(string) (identity.PubKey, error)) ([]byte, error) {
	s, err := parse(body)
	if err != nil {
		return nil, err
	}
	key, err := find(s)
	if err != nil {
		return nil, err
	}
	return key[:], nil
}

// nodeName says what a live node is called.
func (m *Manager) nodeName(body []byte) ([]byte, error) {
	key, err := control.ParseKey(body)
	if err != nil {
		return nil, err
	}
	r, live := m.book.Get(key)
	if !live {
		return nil, control.Errorf(control.CodeUnknownKey, "%s", key.Short())
	}
	return control.AppendText(nil, r.Name), nil
}

func (m *Manager) register(ctx context.Context, who *member, body []byte) error {
	msg, err := control.ParseRegister(body)
	if err != nil {
		return err
	}
	if msg.Node.Key != who.key || !who.began.CompareAndSwap(false, true) {
		return control.Errorf(control.CodeBadRequest, "a record of another key, or registered twice")
	}
	if err := m.roster.check(who.key); err != nil {
		return err
	}
	if err := m.book.Put(ctx, msg.Node, time.Now()); err != nil {
		return err
	}
	m.join(ctx, who, msg.Instance)
	return nil
}

func (m *Manager) report(ctx context.Context, who *member, body []byte) error {
	msg, err := m.keys.ParseReport(body)
	if err != nil {
		return err
	}
	if msg.Node.Key != who.key {
		return control.Errorf(control.CodeBadRequest, "a record of another key")
	}
	now := time.Now() // the connection is the key's own, so a record that says nothing new need not prove it again
	if !m.book.Refresh(msg.Node, now) {
		if err := m.book.Put(ctx, msg.Node, now); err != nil {
			return err
		}
	}
	links := make([]topology.Link, len(msg.Links))
	for i, l := range msg.Links {
		links[i] = topology.Link(l)
	}
	able := m.canLink(who.key)
	if !m.current(who, func() { m.links.Report(who.key, links); m.pool.set(who.key, able) }) {
		return control.Errorf(control.CodeStale, "another connection of this key took over")
	}
	who.wake()
	return nil
}

func (m *Manager) route(ctx context.Context, who *member, body []byte) ([]byte, error) {
	q, err := control.ParseRouteRequest(body)
	if err != nil {
		return nil, err
	}
	choosy := q.MinHops > 1 || q.MaxHops > 0 || len(q.Via) > 0 || len(q.Beside) > 0
	if choosy && !who.limit.AllowN(time.Now(), choosyCost) {
		return nil, &control.Error{Code: control.CodeBusy}
	}
	r, err := m.routes.Open(ctx, who.key, q)
	if err != nil {
		return nil, err
	}
	return r.Append(nil), nil
}

func (m *Manager) keep(who *member, body []byte) ([]byte, error) {
	keys, err := control.ParseRoutes(body)
	if err != nil {
		return nil, err
	}
	return control.AppendRoutes(nil, m.routes.Keep(who.key, keys, time.Now())), nil
}

func (m *Manager) recall(who *member, body []byte) error {
	r, err := control.ParseRoute(body)
	if err != nil {
		return err
	}
	return m.routes.Recall(who.key, r, time.Now())
}

func (m *Manager) isMember(body []byte) error {
	key, err := control.ParseKey(body)
	if err != nil {
		return err
	}
	return m.roster.check(key)
}

// passOn has the tracker carry out a request about apps.
func (m *Manager) passOn(ctx context.Context, who *member, t control.Type, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, trackerTime)
	defer cancel()
	switch t {
	case control.TypeApp:
		r, err := control.ParseApp(body)
		if err := m.ownWord(who, r.Node, err); err != nil {
			return nil, err
		}
		return nil, m.tracker.Register(ctx, r)
	case control.TypeAppBye:
		r, err := control.ParseAppRemoval(body)
		if err := m.ownWord(who, r.Node, err); err != nil {
			return nil, err
		}
		return nil, m.tracker.Unregister(ctx, r)
	case control.TypeApps:
		q, err := control.ParseAppQuery(body)
		if err != nil {
			return nil, err
		}
		apps, err := m.findApps(ctx, q)
		return control.AppendApps(nil, apps), err
	default:
		return nil, control.Errorf(control.CodeBadRequest, "request %d", t)
	}
}

// ownWord checks that a node speaks of its own apps, and that there is a tracker to tell.
func (m *Manager) ownWord(who *member, node identity.PubKey, err error) error {
	switch {
	case err != nil:
		return err
	case node != who.key:
		return control.Errorf(control.CodeBadRequest, "an app of another node")
	case m.tracker == nil:
		return control.Errorf(control.CodeUnavailable, "this manager has no tracker")
	}
	return nil
}

// nodes is the manager as setup sees it.
type nodes Manager

// Install implements setup.Nodes.
func (n *nodes) Install(ctx context.Context, h control.Hop) error {
	who, ok := (*Manager)(n).member(h.Node)
	if !ok {
		return control.Errorf(control.CodeUnavailable, "not connected")
	}
	_, err := who.peer.Call(ctx, control.TypeInstall, h.Append(nil))
	return err
}

// Remove implements setup.Nodes.
func (n *nodes) Remove(ctx context.Context, node identity.PubKey, r control.RouteKey) error {
	who, ok := (*Manager)(n).member(node)
	if !ok {
		return control.Errorf(control.CodeUnavailable, "not connected")
	}
	_, err := who.peer.Call(ctx, control.TypeRemove, r[:])
	return err
}
