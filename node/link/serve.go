package link

import (
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// pop moves whole records to dst, in the order of their turn, until dst holds at least limit bytes or
// nothing is left. dst never grows beyond limit plus one record. Datagrams may be dropped on the way, so it may give nothing.
func (q *queues) pop(dst []byte, limit int, now time.Duration) []byte {
	for q.urgent.bytes > 0 && len(dst) < limit {
		rec, _ := q.urgent.take()
		dst = append(dst, rec...)
		q.urgent.drop()
	}
	dst = q.popFirst(dst, limit, now)
	for q.turn != nil && len(dst) < limit {
		dst = q.popTurn(dst, limit, now, q.turn.next)
	}
	return dst
}

// popFirst serves first lanes, each route's until it is a quantum ahead of its turns.
func (q *queues) popFirst(dst []byte, limit int, now time.Duration) []byte {
	for q.first != nil {
		r := q.first
		for r.lane[laneFirst].bytes > 0 && r.deficit > -quantum {
			if len(dst) >= limit {
				return dst
			}
			dst = q.give(dst, r, laneFirst, now)
		}
		q.first, r.express, r.after = r.after, false, nil
		if r.empty() {
			q.leave(r)
			q.forget(r)
		}
	}
	q.firstEnd = nil
	return dst
}

// popTurn serves r, whose turn it is.
func (q *queues) popTurn(dst []byte, limit int, now time.Duration, r *queue) []byte {
	r.deficit += quantum
	for r.deficit > 0 && len(dst) < limit && !r.empty() {
		dst = q.give(dst, r, r.pick(), now)
	}
	switch {
	case r.empty():
		q.leave(r)
		q.forget(r)
	case r.deficit > 0: // dst is full: the turn goes on next time
		r.deficit -= quantum
	default:
		q.turn = r
	}
	return dst
}

// pick chooses the lane that r serves next: data and datagrams share by bytes.
func (r *queue) pick() int {
	data, dgram := r.lane[laneData].bytes > 0, r.lane[laneDatagram].bytes > 0
	if !data || !dgram {
		r.lead = 0
	}
	switch {
	case r.lane[laneFirst].bytes > 0:
		return laneFirst
	case data && r.lead <= 0:
		return laneData
	}
	return laneDatagram
}

// give takes the oldest record of a lane: it goes to dst, marked if it waited too long, or is dropped.
func (q *queues) give(dst []byte, r *queue, i int, now time.Duration) []byte {
	la := &r.lane[i]
	rec, came := la.take()
	start := len(dst)
	switch {
	case i == laneDatagram && r.codel.drop(now, now-came, la.bytes):
		r.count(0, 1)
	default:
		dst = append(dst, rec...)
		r.deficit -= len(rec)
	}
	switch i {
	case laneData:
		r.lead += len(rec)
		if now-came > ceAfter {
			dst[start+wire.LenLen] |= wire.Congested
			r.count(1, 0)
		}
	case laneDatagram:
		r.lead -= len(rec)
	}
	q.take(r, laneKind[i], -la.drop())
	return dst
}
