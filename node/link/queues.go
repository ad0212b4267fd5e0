package link

import (
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of the queues of one link, in bytes.
const (
	quantum = 32 << 10 // what a route may send before the next one's turn
	// MaxQueued is the cap of one route's Data. It is larger than the largest session
	// window, so only a cheat meets it; its route is torn down.
	MaxQueued = 8 << 20
	// maxFirst is the cap of one route's handshake and control records; it too is met by cheats alone.
	maxFirst = 256 << 10
	// maxDatagrams is the cap of one route's datagrams; what comes beyond it is dropped.
	maxDatagrams = 1 << 20
	// maxUrgent bounds the link's own records: two ends of every route.
	maxUrgent = 4 << 20
)

// The memory that all routes of a link together may hold, and those of one key: of streams, and of
// datagrams. Memory is counted in whole chunks.
var (
	linkBudget = [kinds]int{streams: 64 << 20, datagrams: 16 << 20}
	keyBudget  = [kinds]int{streams: 32 << 20, datagrams: 8 << 20}
)

// ceAfter is how long a Data record may wait before it is marked (wire.Congested).
const ceAfter = 5 * time.Millisecond

// Kinds of memory.
const (
	streams   = 0
	datagrams = 1
	kinds     = 2
)

// Lanes of a route's queue.
const (
	laneFirst    = 0 // Control, Handshake: small, and they have numbers of their own, so they pass Data
	laneData     = 1
	laneDatagram = 2
	lanes        = 3
)

var (
	laneCap  = [lanes]int{maxFirst, MaxQueued, maxDatagrams}
	laneKind = [lanes]int{streams, streams, datagrams}
)

func laneOf(t wire.Type) int {
	switch t {
	case wire.Data:
		return laneData
	case wire.Datagram:
		return laneDatagram
	}
	return laneFirst
}

// account is what the routes of one key hold together.
type account struct {
	src    identity.PubKey
	mem    [kinds]int
	routes int
}

// queue is one route's records.
type queue struct {
	route wire.RouteID
	flow  *Flow // nil: the route was not announced
	acct  *account
	lane  [lanes]lane
	mem   [kinds]int
	codel codel
	lead  int  // by how many bytes Data is ahead of the datagrams that wait beside it
	dead  bool // met a cap: takes nothing until the route is withdrawn

	deficit    int    // what the route may send in its turn; below zero it has sent ahead
	prev, next *queue // ring of queues that hold something
	express    bool   // in the list of queues whose first lane is served before the ring
	after      *queue // in that list
}

func (r *queue) empty() bool {
	return r.lane[laneFirst].bytes+r.lane[laneData].bytes+r.lane[laneDatagram].bytes == 0
}

// queues are the routes' queues of one link. The routes are served by deficit round robin (Shreedhar and
// Varghese, 1995). Before them go the link's own records; then each route's handshake and control
// records, for which a route may run up to one quantum ahead of its turns. Not for concurrent use.
type queues struct {
	byRoute  map[wire.RouteID]*queue
	accounts map[identity.PubKey]*account
	mem      [kinds]int
	turn     *queue // the queue before the one to be served; nil when all are empty
	first    *queue // list of queues with something in the first lane
	firstEnd *queue
	urgent   lane
	waited   uint64         // records that have gone through
	evicted  []wire.RouteID // routes that lost their queue to make room for another
}

func (q *queues) init() {
	*q = queues{byRoute: map[wire.RouteID]*queue{}, accounts: map[identity.PubKey]*account{}}
}

func (q *queues) empty() bool { return q.turn == nil && q.urgent.bytes == 0 }

// bytes is how many bytes of records wait.
func (q *queues) bytes() int {
	n := q.urgent.bytes
	for r := range q.waiting {
		for i := range r.lane {
			n += r.lane[i].bytes
		}
	}
	return n
}

// waiting yields the queues in the ring.
func (q *queues) waiting(yield func(*queue) bool) {
	if q.turn == nil {
		return
	}
	for r := q.turn.next; yield(r) && r != q.turn; r = r.next {
	}
}

// pushUrgent queues a record of the link itself; false at the cap.
func (q *queues) pushUrgent(rec []byte, limit int) bool {
	if q.urgent.bytes+len(rec) > limit {
		return false
	}
	q.urgent.push(rec, 0)
	return true
}

// of returns a route's queue.
func (q *queues) of(route wire.RouteID) *queue {
	r := q.byRoute[route]
	if r == nil {
		r = &queue{route: route, acct: q.account(identity.PubKey{})}
		q.byRoute[route] = r
	}
	return r
}

func (q *queues) account(src identity.PubKey) *account {
	a := q.accounts[src]
	if a == nil {
		a = &account{src: src}
		q.accounts[src] = a
	}
	a.routes++
	return a
}

// push copies rec to its route's queue. A datagram that finds no room is dropped. False: the route met a
// cap, lost all it had and is dead. Room for it may have been taken from others: see evicted.
func (q *queues) push(rec []byte, now time.Duration) bool {
	t, _, route, _ := wire.ParseHeader(rec[wire.LenLen:])
	r := q.of(route)
	i := laneOf(t)
	la, kind := &r.lane[i], laneKind[i]
	if r.dead {
		r.count(0, 1)
		return false
	}
	need := la.needs(len(rec))
	fits := la.bytes+len(rec) <= laneCap[i]
	if kind == datagrams {
		if !fits || q.over(r, kind, need) {
			r.count(0, 1)
			q.forget(r)
			return true
		}
	} else if !fits || !q.makeRoom(r, need) {
		q.kill(r)
		return false
	}
	la.push(rec, now)
	q.take(r, kind, need)
	q.waited++
	q.enter(r)
	if i == laneFirst && !r.express {
		q.hurry(r)
	}
	return true
}

// over reports whether need bytes more would break a budget.
func (q *queues) over(r *queue, kind, need int) bool {
	return need > 0 && (q.mem[kind]+need > linkBudget[kind] || r.acct.mem[kind]+need > keyBudget[kind])
}

// makeRoom evicts queues until need bytes fit r's key and the link; false if r itself is the one to go. The
// longest queue of the key that holds most goes.
func (q *queues) makeRoom(r *queue, need int) bool {
	for q.over(r, streams, need) {
		a := r.acct
		if a.mem[streams]+need <= keyBudget[streams] {
			a = q.heaviest()
		}
		v := q.longest(a)
		if v == nil || v == r {
			return false
		}
		q.kill(v)
		q.evicted = append(q.evicted, v.route)
	}
	return true
}

func (q *queues) heaviest() (most *account) {
	for _, a := range q.accounts {
		if most == nil || a.mem[streams] > most.mem[streams] {
			most = a
		}
	}
	return most
}

func (q *queues) longest(a *account) (most *queue) {
	for r := range q.waiting {
		if r.acct == a && (most == nil || r.mem[streams] > most.mem[streams]) {
			most = r
		}
	}
	return most
}

// take books n bytes of memory, which may be negative, to r.
func (q *queues) take(r *queue, kind, n int) {
	r.mem[kind] += n
	r.acct.mem[kind] += n
	q.mem[kind] += n
}

// kill drops what r holds, for good.
func (q *queues) kill(r *queue) {
	for i := range r.lane {
		n, freed := r.lane[i].clear()
		q.take(r, laneKind[i], -freed)
		r.count(0, n)
	}
	r.dead = r.flow != nil
	q.leave(r)
	q.forget(r)
}

// forget lets go of the empty queue of a route that was not announced.
func (q *queues) forget(r *queue) {
	if r.flow != nil || r.next != nil || q.byRoute[r.route] != r {
		return
	}
	delete(q.byRoute, r.route)
	q.release(r.acct)
}

func (q *queues) release(a *account) {
	if a.routes--; a.routes == 0 {
		delete(q.accounts, a.src)
	}
}

// announce ties a route to its flow and its key.
func (q *queues) announce(route wire.RouteID, src identity.PubKey, f *Flow) {
	q.withdraw(route)
	q.byRoute[route] = &queue{route: route, flow: f, acct: q.account(src)}
}

// withdraw forgets a route and what it holds.
func (q *queues) withdraw(route wire.RouteID) {
	r := q.byRoute[route]
	if r == nil {
		return
	}
	q.kill(r)
	if r.flow != nil {
		delete(q.byRoute, route)
		q.release(r.acct)
	}
}

// enter puts r at the end of the ring, if it is not in it.
func (q *queues) enter(r *queue) {
	switch {
	case r.next != nil:
		return
	case q.turn == nil:
		r.prev, r.next = r, r
	default:
		r.prev, r.next = q.turn, q.turn.next
		r.prev.next, r.next.prev = r, r
	}
	q.turn = r
}

// leave takes r out of the ring. What it sent ahead of its turn it still owes.
func (q *queues) leave(r *queue) {
	if r.next == nil {
		return
	}
	if r.next == r {
		q.turn = nil
	} else {
		r.prev.next, r.next.prev = r.next, r.prev
		if q.turn == r {
			q.turn = r.prev
		}
	}
	r.prev, r.next = nil, nil
	r.deficit, r.lead = min(r.deficit, 0), 0
}

// hurry lists r for its first lane.
func (q *queues) hurry(r *queue) {
	r.express, r.after = true, nil
	if q.first == nil {
		q.first = r
	} else {
		q.firstEnd.after = r
	}
	q.firstEnd = r
}

// clear lets everything go.
func (q *queues) clear() {
	for q.turn != nil {
		q.kill(q.turn)
	}
	q.urgent.clear()
	q.init()
}
