package socks

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// maxListed bounds the list of connections that is given out.
const maxListed = 1000

// Stats are the counters of a client or server since it began. Up is from program to
// target, down the other way.
type Stats struct {
	Active    int               `json:"active"`
	Total     uint64            `json:"total"` // established, active ones included
	Refused   map[string]uint64 `json:"refused,omitempty"`
	BytesUp   uint64            `json:"bytes_up"`
	BytesDown uint64            `json:"bytes_down"`
}

// Connection is one row of the list of connections.
type Connection struct {
	Peer       string  `json:"peer,omitempty"` // key of the node, or address of the program
	Target     string  `json:"target,omitempty"`
	AgeSeconds float64 `json:"age_seconds"`
	BytesUp    uint64  `json:"bytes_up"`
	BytesDown  uint64  `json:"bytes_down"`
	Connected  bool    `json:"connected"` // false while it negotiates or dials
}

// entry is one connection in the table.
type entry struct {
	key    identity.PubKey // zero at a client
	peer   string
	since  time.Time
	cancel context.CancelFunc // breaks it

	up, down  atomic.Uint64
	target    atomic.Pointer[string]
	connected atomic.Bool

	seen     uint64    // sum of bytes at the last sweep; guarded by the table's mu
	activeAt time.Time // when that sum last changed, or it was established; same
}

func (e *entry) bytes() uint64 { return e.up.Load() + e.down.Load() }

// share is what one key uses of an exit.
type share struct {
	streams int
	dials   chan struct{} // a token per dial in flight
}

// table holds the connections and the counters. Safe for concurrent use.
type table struct {
	maxAll, maxPerKey, maxDials int // of keys: 0 at a client, where there are none

	refused [numReasons]atomic.Uint64

	mu        sync.Mutex // guards the following
	conns     map[*entry]struct{}
	shares    map[identity.PubKey]*share
	total     uint64
	endedUp   uint64 // bytes of connections that ended
	endedDown uint64
}

func newTable(maxAll, maxPerKey, maxDials int) *table {
	return &table{
		maxAll: maxAll, maxPerKey: maxPerKey, maxDials: maxDials,
		conns:  map[*entry]struct{}{},
		shares: map[identity.PubKey]*share{},
	}
}

// open enters a connection; ok is false when a limit is reached, which is counted. share is
// nil where keys have no limits. cancel is called at most by sweep.
func (t *table) open(key identity.PubKey, peer string, cancel context.CancelFunc) (e *entry, s *share, ok bool) {
	now := time.Now()
	e = &entry{key: key, peer: peer, since: now, activeAt: now, cancel: cancel}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.conns) >= t.maxAll {
		t.refuse(Busy)
		return nil, nil, false
	}
	if t.maxPerKey > 0 {
		if s = t.shares[key]; s == nil {
			s = &share{dials: make(chan struct{}, t.maxDials)}
			t.shares[key] = s
		}
		if s.streams >= t.maxPerKey {
			t.refuse(Busy)
			return nil, nil, false
		}
		s.streams++
	}
	t.conns[e] = struct{}{}
	return e, s, true
}

// establish counts a connection whose two sides are joined from now on.
func (t *table) establish(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.connected.Store(true)
	e.activeAt = time.Now()
	t.total++
}

// close takes a connection out and keeps its bytes in the sums.
func (t *table) close(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, e)
	t.endedUp += e.up.Load()
	t.endedDown += e.down.Load()
	if s := t.shares[e.key]; s != nil {
		if s.streams--; s.streams == 0 {
			delete(t.shares, e.key)
		}
	}
}

// refuse counts one refusal.
func (t *table) refuse(r Reason) {
	if int(r) >= numReasons {
		r = Internal
	}
	t.refused[r].Add(1)
}

// stats sums up.
func (t *table) stats() Stats {
	t.mu.Lock()
	s := Stats{Active: len(t.conns), Total: t.total, BytesUp: t.endedUp, BytesDown: t.endedDown}
	for e := range t.conns {
		s.BytesUp += e.up.Load()
		s.BytesDown += e.down.Load()
	}
	t.mu.Unlock()
	for r := range t.refused {
		if n := t.refused[r].Load(); n > 0 {
			if s.Refused == nil {
				s.Refused = map[string]uint64{}
			}
			s.Refused[Reason(r).String()] = n
		}
	}
	return s
}

// list returns the oldest connections, at most maxListed, oldest first.
func (t *table) list() []Connection {
	t.mu.Lock()
	all := make([]*entry, 0, len(t.conns))
	for e := range t.conns {
		all = append(all, e)
	}
	t.mu.Unlock()
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.peer, b.peer)) })
	now := time.Now()
	rows := make([]Connection, 0, min(len(all), maxListed))
	for _, e := range all[:min(len(all), maxListed)] {
		row := Connection{
			Peer: e.peer, AgeSeconds: now.Sub(e.since).Seconds(),
			BytesUp: e.up.Load(), BytesDown: e.down.Load(), Connected: e.connected.Load(),
		}
		if target := e.target.Load(); target != nil {
			row.Target = *target
		}
		rows = append(rows, row)
	}
	return rows
}

// sweep breaks the established connections that moved no byte for longer than idle. One
// goroutine calls it.
func (t *table) sweep(now time.Time, idle time.Duration) {
	var stale []*entry
	t.mu.Lock()
	for e := range t.conns {
		if sum := e.bytes(); sum != e.seen {
			e.seen, e.activeAt = sum, now
		}
		if e.connected.Load() && now.Sub(e.activeAt) > idle {
			stale = append(stale, e)
		}
	}
	t.mu.Unlock()
	for _, e := range stale {
		e.cancel()
	}
}

// keepSweeping sweeps every quarter of idle until ctx ends; idle 0 means never.
func (t *table) keepSweeping(ctx context.Context, idle time.Duration) {
	if idle <= 0 {
		return
	}
	tick := time.NewTicker(max(idle/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.sweep(now, idle)
		}
	}
}
