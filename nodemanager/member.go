package nodemanager

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Limits of one node's connection.
const (
	silence      = 90 * time.Second // without a message, then it is closed
	registerTime = 10 * time.Second // for the first message
	requestRate  = 50               // a second
	requestBurst = 400
	routeCost    = 5       // a route request counts as so many
	choosyCost   = 20      // and so many more if it has conditions: up to 0.1 s of a core in a large network
	costlyBytes  = 2 << 10 // and so does a message per so many bytes: parsing a key takes 16 us
)

// member is one connection of a node.
type member struct {
	peer  *control.Peer
	key   identity.PubKey
	since time.Time
	limit *rate.Limiter
	log   *slog.Logger
	named chan struct{} // holds one: think about its neighbours again

	began      atomic.Bool // it asked to register
	registered atomic.Bool
}

// attend serves one connection until it ends.
func (m *Manager) attend(ctx context.Context, c *secure.Conn) {
	who := &member{
		key:   c.Remote(),
		since: time.Now(),
		limit: rate.NewLimiter(requestRate, requestBurst),
		log:   m.cfg.Log.With("peer", c.Remote().Short()),
		named: make(chan struct{}, 1),
	}
	who.peer = control.NewPeer(control.PeerConfig{
		Conn: c, Silence: silence, Log: who.log,
		Serve: func(ctx context.Context, t control.Type, body []byte) ([]byte, error) {
			return m.serve(ctx, who, t, body)
		},
	})
	defer time.AfterFunc(registerTime, func() {
		if !who.registered.Load() {
			who.peer.Close()
		}
	}).Stop()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { m.nameNeighbours(ctx, who) })
	err := who.peer.Run(ctx)
	m.leave(who)
	cancel()
	wg.Wait()
	who.log.Debug("disconnected", "err", err)
}

// join makes a connection the one of its node. The connection before it is closed; after
// another process of the node its routes are gone.
func (m *Manager) join(ctx context.Context, who *member, instance control.Instance) {
	able := m.canLink(who.key)
	m.mu.Lock()
	old := m.members[who.key]
	before, known := m.instances[who.key]
	m.members[who.key] = who
	m.instances[who.key] = instance
	m.pool.set(who.key, able)
	m.lonelyLocked(who, true)
	if old != nil {
		m.lonelyLocked(old, false)
	}
	m.mu.Unlock()
	if old != nil {
		old.peer.Close()
	}
	m.links.Remove(who.key) // until it reports
	if known && before != instance {
		m.routes.Restarted(ctx, who.key)
	}
	who.registered.Store(true)
	who.log.Info("node registered")
	m.wakeFew()
}

// leave ends what depends on the connection. The record stays until it expires.
func (m *Manager) leave(who *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.members[who.key] != who {
		return
	}
	delete(m.members, who.key)
	delete(m.lonely, who)
	m.pool.set(who.key, false)
	m.links.Remove(who.key)
	who.log.Info("node disconnected")
}

// member returns the connection of a node.
func (m *Manager) member(key identity.PubKey) (*member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	who, ok := m.members[key]
	return who, ok
}

// current runs f unless another connection of the node took over; f must be quick.
func (m *Manager) current(who *member, f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.members[who.key] != who {
		return false
	}
	f()
	return true
}

// connected returns the keys of all members, sorted.
func (m *Manager) connected() []identity.PubKey {
	m.mu.Lock()
	keys := make([]identity.PubKey, 0, len(m.members))
	for k := range m.members {
		keys = append(keys, k)
	}
	m.mu.Unlock()
	slices.SortFunc(keys, compareKeys)
	return keys
}
