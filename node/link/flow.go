package link

import (
	"sync/atomic"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Flow is one announced route on its way out of a link, and what the link's queues did to its records.
// Safe for concurrent use.
type Flow struct {
	l       *Link
	route   wire.RouteID
	marked  atomic.Uint64
	dropped atomic.Uint64
}

// Marked is how many Data records left with the congestion mark (wire.Congested) put on here.
func (f *Flow) Marked() uint64 { return f.marked.Load() }

// Dropped is how many records were dropped: datagrams that waited too long or found no room, and what a
// route held when it met a cap.
func (f *Flow) Dropped() uint64 { return f.dropped.Load() }

func (r *queue) count(marked, dropped int) {
	if r.flow == nil {
		return
	}
	if marked > 0 {
		r.flow.marked.Add(uint64(marked))
	}
	if dropped > 0 {
		r.flow.dropped.Add(uint64(dropped))
	}
}

// Announce tells the link of a route that will be sent over it: its number as in the records, and
// the key at whose wish it was laid. All routes of one key share that key's part of the link's memory. A route may be
// sent unannounced; such routes count as one key's. A route announced again starts anew.
func (l *Link) Announce(route wire.RouteID, src identity.PubKey) *Flow {
	f := &Flow{l: l, route: route}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if !l.out.stopped {
		l.out.q.announce(route, src, f)
	}
	return f
}

// Withdraw ends what Announce began; what the route still holds is dropped.
func (f *Flow) Withdraw() {
	f.l.out.mu.Lock()
	defer f.l.out.mu.Unlock()
	if q := &f.l.out.q; q.carries(f) {
		q.withdraw(f.route)
	}
}

// Finish is Withdraw with a last record of type t, which goes ahead of all data. Of what the route still
// holds, handshake and control records go before it.
func (f *Flow) Finish(t wire.Type, payload []byte) {
	f.l.out.mu.Lock()
	defer f.l.out.mu.Unlock()
	if q := &f.l.out.q; q.carries(f) {
		q.promote(f.route)
		q.withdraw(f.route)
	}
	f.l.out.control(t, f.route, payload)
}

// carries reports whether f is the flow that its route has now.
func (q *queues) carries(f *Flow) bool {
	r := q.byRoute[f.route]
	return r != nil && r.flow == f
}

// promote moves a route's first lane to the link's own records.
func (q *queues) promote(route wire.RouteID) {
	r := q.byRoute[route]
	la := &r.lane[laneFirst]
	for la.bytes > 0 {
		rec, _ := la.take()
		q.pushUrgent(rec, maxUrgent)
		q.take(r, streams, -la.drop())
	}
}
