package nodemanager

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
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

// wakeFew wakes the members that could do with another neighbour: all of a small network,
// few of a large one.
func (m *Manager) wakeFew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.members {
		if w.neighbours.Load() < control.MaxNeighbours {
			w.wake()
		}
	}
}

// nameNeighbours tells a node its neighbours whenever they changed, until ctx ends.
func (m *Manager) nameNeighbours(ctx context.Context, who *member) {
	var told []control.Neighbour
	for {
		select {
		case <-who.named:
		case <-ctx.Done():
			return
		}
		list, ok := m.neighboursOf(who.key)
		if ok && !slices.EqualFunc(list, told, sameNeighbour) {
			if _, err := who.peer.Call(ctx, control.TypeNeighbours, control.AppendNeighbours(nil, list)); err == nil {
				told = list
				who.neighbours.Store(int32(len(list)))
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

// neighboursOf picks whom a node should link to: of the connected nodes with Connect and an
// address the eight that a secret hash of both keys puts first. So each picks at random, which
// keeps the network in one piece, and keeps its choice while others come and go. ok is false
// for a node without Connect, which is told nothing.
func (m *Manager) neighboursOf(key identity.PubKey) (list []control.Neighbour, ok bool) {
	self, live := m.book.Get(key)
	if !live || !self.Connect {
		return nil, false
	}
	type choice struct {
		rank uint64
		rec  control.NodeRecord
	}
	var choices []choice
	for _, k := range m.connected() {
		if rec, live := m.book.Get(k); live && k != key && rec.Connect && len(rec.Addrs) > 0 {
			choices = append(choices, choice{m.rank(key, k), rec})
		}
	}
	slices.SortFunc(choices, func(a, b choice) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), compareKeys(a.rec.Key, b.rec.Key))
	})
	for _, c := range choices[:min(len(choices), control.MaxNeighbours)] {
		list = append(list, control.Neighbour{Key: c.rec.Key, Addrs: c.rec.Addrs})
	}
	return list, true
}

func (m *Manager) rank(from, to identity.PubKey) uint64 {
	return maphash.Comparable(m.seed, [2]identity.PubKey{from, to})
}

func compareKeys(a, b identity.PubKey) int { return bytes.Compare(a[:], b[:]) }
