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

// Limits of what is given out and kept.
const (
	maxListed   = 1000             // rows of connections, and of owners
	maxShares   = 4096             // owners without connections that are remembered
	shareMemory = 10 * time.Minute // for so long at least, so that a rate outlives a connection
)

// kind is what a connection is for.
type kind uint8

// The kinds.
const (
	kindConnect kind = iota
	kindUDP
	kindBind
	kindHTTP
	numKinds int = iota
)

// String returns the kind as lists show it.
func (k kind) String() string { return [...]string{"connect", "udp", "bind", "http"}[k] }

// entry is one connection in the table.
type entry struct {
	key    identity.PubKey // zero at a client
	peer   string
	since  time.Time
	cancel context.CancelFunc // breaks it

	up, down  atomic.Uint64
	kind      atomic.Uint32
	target    atomic.Pointer[string]
	connected atomic.Bool
	share     atomic.Pointer[share] // of its owner; nil: none, or not yet known

	seen     uint64    // sum of bytes at the last sweep; guarded by the table's mu
	activeAt time.Time // when that sum last changed, or it was established; same
}

func (e *entry) bytes() uint64 { return e.up.Load() + e.down.Load() }

// is notes what the connection is for.
func (e *entry) is(k kind, target string) {
	e.kind.Store(uint32(k))
	e.target.Store(&target)
}

// halves returns the directions of a connection, with their rates.
func (e *entry) halves() (up, down half) {
	up.count, down.count = &e.up, &e.down
	if s := e.share.Load(); s != nil {
		up.limit, down.limit = s.pace.limits()
	}
	return up, down
}

// share is what one owner, a user of a client or a node at an exit, uses.
type share struct {
	owner string
	allow Allowance
	pace  *pace
	dials chan struct{} // a token per dial in flight

	conns   int           // guarded by the table's mu, as the following
	kinds   [numKinds]int // of them, those of a kind that has a limit of its own
	total   uint64
	refused uint64
	up      uint64 // bytes of connections that ended
	down    uint64
	leftAt  time.Time // when conns became 0
}

// table holds the connections and the counters. Safe for concurrent use.
type table struct {
	maxAll, maxDials int                          // of dials: of one owner
	allowed          func(owner string) Allowance // what an owner may use

	refused   [numReasons]atomic.Uint64
	datagrams datagramCounters

	mu        sync.Mutex // guards the following
	conns     map[*entry]struct{}
	kinds     [numKinds]int
	shares    map[string]*share
	total     uint64
	endedUp   uint64 // bytes of connections that ended
	endedDown uint64
}

func newTable(maxAll, maxDials int, allowed func(owner string) Allowance) *table {
	return &table{
		maxAll: maxAll, maxDials: maxDials, allowed: allowed,
		conns:  map[*entry]struct{}{},
		shares: map[string]*share{},
	}
}

// open enters a connection; ok is false when a limit is reached, which is counted. cancel is called at most by sweep.
func (t *table) open(key identity.PubKey, peer string, cancel context.CancelFunc) (e *entry, ok bool) {
	now := time.Now()
	e = &entry{key: key, peer: peer, since: now, activeAt: now, cancel: cancel}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.conns) >= t.maxAll {
		t.refuse(Busy)
		return nil, false
	}
	t.conns[e] = struct{}{}
	return e, true
}

// own gives a connection its owner, once; ok is false when the owner has as many as it may. The caller counts that.
func (t *table) own(e *entry, owner string) (s *share, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s = t.shares[owner]; s == nil {
		s = &share{owner: owner, allow: t.allowed(owner), dials: make(chan struct{}, t.maxDials)}
		s.pace = newPace(s.allow.Rate)
		t.shares[owner] = s
	}
	if s.allow.Conns > 0 && s.conns >= s.allow.Conns {
		s.refused++
		return nil, false
	}
	s.conns++
	e.share.Store(s)
	return s, true
}

// claim counts one more of a kind that has limits of its own: most for all, mostEach for one owner; 0: none. release gives it back.
func (t *table) claim(e *entry, k kind, most, mostEach int) (release func(), ok bool) {
	s := e.share.Load()
	t.mu.Lock()
	defer t.mu.Unlock()
	if most > 0 && t.kinds[k] >= most || s != nil && mostEach > 0 && s.kinds[k] >= mostEach {
		return nil, false
	}
	t.kinds[k]++
	if s != nil {
		s.kinds[k]++
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.kinds[k]--
		if s != nil {
			s.kinds[k]--
		}
	}, true
}

// establish counts a connection whose two sides are joined from now on.
func (t *table) establish(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.connected.Store(true)
	e.activeAt = time.Now()
	t.total++
	if s := e.share.Load(); s != nil {
		s.total++
	}
}

// close takes a connection out and keeps its bytes in the sums.
func (t *table) close(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, e)
	up, down := e.up.Load(), e.down.Load()
	t.endedUp += up
	t.endedDown += down
	s := e.share.Load()
	if s == nil {
		return
	}
	s.up += up
	s.down += down
	if s.conns--; s.conns == 0 {
		s.leftAt = time.Now()
		if len(t.shares) > maxShares {
			delete(t.shares, s.owner)
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

// sweep breaks the established connections that moved no byte for longer than idle, unless that is not positive, and forgets
// owners that left long ago. One goroutine calls it.
func (t *table) sweep(now time.Time, idle time.Duration) {
	var stale []*entry
	t.mu.Lock()
	for e := range t.conns {
		if sum := e.bytes(); sum != e.seen {
			e.seen, e.activeAt = sum, now
		}
		if idle > 0 && e.connected.Load() && now.Sub(e.activeAt) > idle {
			stale = append(stale, e)
		}
	}
	for owner, s := range t.shares {
		if s.conns == 0 && now.Sub(s.leftAt) > shareMemory {
			delete(t.shares, owner)
		}
	}
	t.mu.Unlock()
	for _, e := range stale {
		e.cancel()
	}
}

// keepSweeping sweeps every quarter of idle until ctx ends; idle below 0 breaks nothing.
func (t *table) keepSweeping(ctx context.Context, idle time.Duration) {
	every := max(idle/4, time.Millisecond)
	if idle <= 0 {
		every = shareMemory
	}
	tick := time.NewTicker(every)
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
		rows = append(rows, e.row(now))
	}
	return rows
}
