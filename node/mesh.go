package node

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/apphost"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/session"
)

// Publishing of apps in the tracker.
const (
	publishEvery   = 30 * time.Second
	publishRetry   = 2 * time.Second
	publishTimeout = 10 * time.Second
	// withdrawTimeout bounds taking a record back, which a stopping node waits for.
	withdrawTimeout = 200 * time.Millisecond
)

// firstDatagrams is how many datagrams may wait for a session at a time.
const firstDatagrams = 64

// mesh is what apps can ask; it implements apphost.Mesh.
type mesh struct {
	n     *Node
	terms session.Terms // of the sessions that carry what the app sends
	asked route.Terms   // by the app; terms has what the node was told too
}

// mesh is the one for apps that ask for nothing.
func (n *Node) mesh() mesh { return mesh{n: n, terms: termsOf(n.cfg.Routes)} }

// Dial opens a stream to an app at another node.
func (m mesh) Dial(ctx context.Context, to identity.PubKey, port uint16, target string, first []byte) (apphost.Stream, error) {
	if to == m.n.cfg.Key.Public() {
		if err := m.within(); err != nil {
			return nil, err
		}
	}
	st, err := m.n.sessions.Dial(ctx, to, m.terms, port, target, first)
	if err != nil {
		return nil, refused(err, "the far node did not answer in time")
	}
	return st, nil
}

// Find asks the tracker.
func (m mesh) Find(ctx context.Context, name, kind string, node identity.PubKey) ([]app.App, error) {
	recs, err := m.n.manager.FindApps(ctx, control.AppQuery{Name: name, Type: kind, Key: node})
	if err != nil {
		return nil, refused(err, "the node manager did not answer: looking for apps")
	}
	apps := make([]app.App, len(recs))
	for i, r := range recs {
		apps[i] = app.App{Name: r.Name, Type: r.Type, Node: r.Node, Port: app.Port(r.Port)}
	}
	return apps, nil
}

// Resolve asks the manager for a node's key.
func (m mesh) Resolve(ctx context.Context, name string) (app.NodeInfo, error) {
	key, err := m.n.manager.ResolveName(ctx, name)
	if err != nil {
		return app.NodeInfo{}, refused(err, "the node manager did not answer: resolving a name")
	}
	return app.NodeInfo{Key: key, Name: name}, nil
}

// SendDatagram sends a datagram over the standing session. Where there is none, this one waits for a session, up to
// firstDatagrams of all apps at a time; more are dropped, as on any network without a route.
func (m mesh) SendDatagram(to identity.PubKey, port, from uint16, b []byte) error {
	n := m.n
	if to == n.cfg.Key.Public() {
		if err := m.within(); err != nil {
			return err
		}
		n.apps.Datagram(to, port, from, m.Terms(), b)
		return nil
	}
	if s, known := m.standing(to, port); s != nil {
		return s.SendDatagram(port, from, b)
	} else if known {
		return nil
	}
	if n.waiting.Add(1) > firstDatagrams {
		n.waiting.Add(-1)
		return nil
	}
	b = bytes.Clone(b)
	n.work.do(func(ctx context.Context) {
		defer n.waiting.Add(-1)
		if err := n.sessions.Datagram(ctx, to, m.terms, port, from, b); err != nil {
			n.log.Debug("a datagram found no way", "peer", to.Short(), "err", err)
		}
	})
	return nil
}

// standing is the session for a datagram to a port of another node, nil when there is none. Where the far app keeps its datagrams
// apart and this one asks for nothing, answers go the way that the question came; known is true with nil when that way is no
// more, and there is to be no other.
func (m mesh) standing(to identity.PubKey, port uint16) (s *session.Session, known bool) {
	if m.asked.None() {
		if s, kept := m.n.sessions.Answering(to, port); kept {
			return s, true
		}
	}
	return m.n.sessions.Standing(to, m.terms), false
}

// SendRoomy is SendDatagram of a datagram with room for the seals around it.
func (m mesh) SendRoomy(to identity.PubKey, port, from uint16, rec []byte) error {
	if s, _ := m.standing(to, port); s != nil {
		return s.SendRoomy(port, from, rec)
	}
	return m.SendDatagram(to, port, from, rec[session.DatagramHead:len(rec)-session.DatagramTail])
}

// DatagramRoom is the room that SendRoomy needs.
func (m mesh) DatagramRoom() (head, tail int) { return session.DatagramHead, session.DatagramTail }

// Self is this node.
func (m mesh) Self() app.NodeInfo {
	info := app.NodeInfo{Key: m.n.cfg.Key.Public(), Name: m.n.cfg.Name}
	if m.n.cfg.AppPort != 0 {
		info.Ports = append(info.Ports, m.n.cfg.AppPort)
	}
	if at, ok := m.n.links.Addr().(*net.TCPAddr); ok {
		info.Ports = append(info.Ports, app.Port(at.Port))
	}
	return info
}

// Publish keeps an app's record in the tracker.
func (m mesh) Publish(a app.App, failed func(error)) (withdraw func()) {
	gone := make(chan struct{})
	m.n.published()
	m.n.work.do(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		m.n.work.do(func(context.Context) {
			select {
			case <-gone:
				cancel()
			case <-ctx.Done():
			}
		})
		m.keepPublished(ctx, a, failed)
	})
	return func() {
		close(gone)
		m.n.published()
	}
}

// keepPublished renews the record until ctx ends, and then takes it back.
func (m mesh) keepPublished(ctx context.Context, a app.App, failed func(error)) {
	for ctx.Err() == nil {
		wait := publishEvery
		err := m.register(ctx, a)
		switch {
		case err == nil:
		case control.CodeOf(err) == control.CodeNameTaken:
			failed(refused(err, ""))
			return
		default:
			m.n.log.Debug("publishing an app", "app", a.Name, "err", err)
			wait = publishRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait + rand.N(wait/4)):
		}
	}
	if !m.n.manager.Status().Connected {
		return // the record expires by itself
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	if err := m.n.manager.UnregisterApp(ctx, a.Name); err != nil {
		m.n.log.Debug("withdrawing an app", "app", a.Name, "err", err)
	}
}

func (m mesh) register(ctx context.Context, a app.App) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return m.n.manager.RegisterApp(ctx, control.AppRecord{Name: a.Name, Type: a.Type, Node: a.Node, Port: uint16(a.Port)})
}

// Find asks the tracker for apps, all or of one name.
func (n *Node) Find(ctx context.Context, name string) ([]app.App, error) {
	return n.mesh().Find(ctx, name, "", identity.PubKey{})
}

// Resolve asks the manager for the key of a named node.
func (n *Node) Resolve(ctx context.Context, name string) (identity.PubKey, error) {
	info, err := n.mesh().Resolve(ctx, name)
	return info.Key, err
}
