package nodemanager

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// neighbourPause lies between two thoughts about one node's neighbours.
const neighbourPause = 200 * time.Millisecond

// wake makes the member's goroutine think about its neighbours again.
func (w *member) wake() {
	select {
	case w.named <- struct{}{}:
	default:
	}
}

// wakeMost bounds how many members one newcomer wakes; the others think again at their next report.
const wakeMost = 64

// wakeFew wakes members that could do with another neighbour: all of a small network, few of a large one.
func (m *Manager) wakeFew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for w := range m.lonely { // begins anywhere
		w.wake()
		if n++; n == wakeMost {
			return
		}
	}
}

// lonelyLocked notes whether a member has fewer neighbours than it may have.
func (m *Manager) lonelyLocked(w *member, is bool) {
	if is && m.members[w.key] == w {
		m.lonely[w] = struct{}{}
	} else {
		delete(m.lonely, w)
	}
}

// nameNeighbours tells a node its neighbours whenever they changed, until ctx ends.
func (m *Manager) nameNeighbours(ctx context.Context, who *member) {
	var told []control.Neighbour
	var c choice
	for {
		select {
		case <-who.named:
		case <-ctx.Done():
			return
		}
		list, ok := m.neighboursOf(who, &c)
		if ok && !slices.EqualFunc(list, told, sameNeighbour) {
			if _, err := who.peer.Call(ctx, control.TypeNeighbours, control.AppendNeighbours(nil, list)); err == nil {
				told = list
			}
		}
		select {
		case <-time.After(neighbourPause):
		case <-ctx.Done():
			return
		}
	}
}

func sameNeighbour(a, b control.Neighbour) bool {
	return a.Key == b.Key && slices.Equal(a.Addrs, b.Addrs)
}

// neighboursOf picks whom a node should link to; see pool.pick. ok is false for a node without Connect, which is told nothing.
func (m *Manager) neighboursOf(who *member, c *choice) (list []control.Neighbour, ok bool) {
	self, live := m.book.Get(who.key)
	if !live || !self.Connect || !m.links.Has(who.key) { // it is about to say what links it has
		return nil, false
	}
	linked := m.links.Peers(who.key)
	m.mu.Lock()
	m.pool.pick(c, who.key, linked, m.seed, time.Now())
	m.lonelyLocked(who, len(c.list) < control.MaxNeighbours)
	m.mu.Unlock()
	for _, k := range c.list {
		if rec, live := m.book.Get(k); live {
			list = append(list, control.Neighbour{Key: k, Addrs: rec.Addrs})
		}
	}
	slices.SortFunc(list, func(a, b control.Neighbour) int { return compareKeys(a.Key, b.Key) })
	return list, true
}

// canLink reports whether a node may be named to others.
func (m *Manager) canLink(key identity.PubKey) bool {
	rec, live := m.book.Get(key)
	return live && rec.Connect && len(rec.Addrs) > 0
}

func compareKeys(a, b identity.PubKey) int { return bytes.Compare(a[:], b[:]) }
