package nodemanager

import (
	"context"
	"errors"
	"slices"
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
		return nil, m.register(ctx, who, body)
	}
	if !who.registered.Load() {
		return nil, control.Errorf(control.CodeBadRequest, "not registered")
	}
	switch t {
	case control.TypeReport:
		return nil, m.report(ctx, who, body)
	case control.TypeRoute:
		return m.route(ctx, who, body)
	case control.TypeCloseRoute:
		k, err := control.ParseRouteKey(body)
		if err != nil {
			return nil, err
		}
		return nil, m.routes.Close(ctx, who.key, k)
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

func (m *Manager) register(ctx context.Context, who *member, body []byte) error {
	msg, err := control.ParseRegister(body)
	if err != nil {
		return err
	}
	if msg.Node.Key != who.key || !who.began.CompareAndSwap(false, true) {
		return control.Errorf(control.CodeBadRequest, "a record of another key, or registered twice")
	}
	if err := m.book.Put(ctx, msg.Node, time.Now()); err != nil {
		return err
	}
	m.join(ctx, who, msg.Instance)
	return nil
}

func (m *Manager) report(ctx context.Context, who *member, body []byte) error {
	msg, err := control.ParseReport(body)
	if err != nil {
		return err
	}
	if msg.Node.Key != who.key {
		return control.Errorf(control.CodeBadRequest, "a record of another key")
	}
	if err := m.book.Put(ctx, msg.Node, time.Now()); err != nil {
		return err
	}
	links := make([]topology.Link, len(msg.Links))
	for i, l := range msg.Links {
		links[i] = topology.Link(l)
	}
	if !m.current(who, func() { m.links.Report(who.key, links) }) {
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
	choosy := q.MinHops > 1 || q.MaxHops > 0 || len(q.Via) > 0
	if choosy && !who.limit.AllowN(time.Now(), choosyCost) {
		return nil, &control.Error{Code: control.CodeBusy}
	}
	r, err := m.routes.Open(ctx, who.key, q)
	if err != nil {
		return nil, err
	}
	return r.Append(nil), nil
}

// path finds a path for setup, a bounded number of them at a time.
func (m *Manager) path(ctx context.Context, src identity.PubKey, q control.RouteRequest) ([]identity.PubKey, error) {
	select {
	case m.cores <- struct{}{}:
		defer func() { <-m.cores }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return m.shortest(src, q)
}

// shortest is path without the wait.
func (m *Manager) shortest(src identity.PubKey, q control.RouteRequest) ([]identity.PubKey, error) {
	path, err := m.links.Path(topology.Query{
		Src: src, Dst: q.Dst, MinHops: int(q.MinHops), MaxHops: int(q.MaxHops), Via: q.Via,
	})
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, topology.ErrQuery):
		return nil, control.Errorf(control.CodeBadRequest, "%v", err)
	case errors.Is(err, topology.ErrUnknown) && !m.knows(append(slices.Clone(q.Via), q.Dst)):
		return nil, control.Errorf(control.CodeUnknownKey, "%v", err)
	default:
		return nil, control.Errorf(control.CodeNoRoute, "%v", err)
	}
}

func (m *Manager) knows(keys []identity.PubKey) bool {
	for _, k := range keys {
		if _, live := m.book.Get(k); !live {
			return false
		}
	}
	return true
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
