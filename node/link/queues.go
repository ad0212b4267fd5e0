package link

import (
	"sync"

	"github.com/skycoin/viscript/node/wire"
)

// chunkLen is the memory unit of a queue: a whole largest record fits.
const chunkLen = wire.MaxRecord

// chunk holds records back to back in b[at:], in a list.
type chunk struct {
	next *chunk
	at   int // what has been taken
	b    []byte
}

var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, chunkLen)} }}

// queue is one route's records, oldest first. A queue is in the ring while it holds any.
type queue struct {
	route      wire.RouteID
	head, last *chunk
	bytes      int
	deficit    int
	next       *queue // ring of non-empty queues; next free one in the free list
}

// queues are the routes' queues of one link, served by deficit round robin (Shreedhar and
// Varghese, 1995), behind one short queue of urgent records. Not for concurrent use.
type queues struct {
	byRoute     map[wire.RouteID]*queue
	turn        *queue // the queue before the one to be served; nil when all are empty
	free        *queue
	bytes       int
	urgent      []byte
	urgentBytes int
}

func (q *queues) init() { *q = queues{byRoute: map[wire.RouteID]*queue{}} }

func (q *queues) empty() bool { return q.turn == nil && q.urgentBytes == 0 }

func (q *queues) pushUrgent(rec []byte) {
	q.urgent = append(q.urgent, rec...)
	q.urgentBytes = len(q.urgent)
}

// push copies rec to the end of its route's queue; false, and nothing kept, at a cap.
func (q *queues) push(route wire.RouteID, rec []byte) bool {
	r := q.byRoute[route]
	if q.bytes+len(rec) > maxLinkQueued || r != nil && r.bytes+len(rec) > MaxQueued {
		return false
	}
	if r == nil {
		r = q.enter(route)
	}
	if r.last == nil || len(r.last.b)+len(rec) > cap(r.last.b) {
		r.grow()
	}
	r.last.b = append(r.last.b, rec...)
	r.bytes += len(rec)
	q.bytes += len(rec)
	return true
}

// enter puts an empty queue for route at the end of the ring.
func (q *queues) enter(route wire.RouteID) *queue {
	r := q.free
	if r == nil {
		r = new(queue)
	} else {
		q.free = r.next
	}
	*r = queue{route: route}
	q.byRoute[route] = r
	if q.turn == nil {
		r.next = r
	} else {
		r.next = q.turn.next
		q.turn.next = r
	}
	q.turn = r
	return r
}

func (r *queue) grow() {
	c := chunks.Get().(*chunk)
	c.next, c.at, c.b = nil, 0, c.b[:0]
	if r.last == nil {
		r.head = c
	} else {
		r.last.next = c
	}
	r.last = c
}

// pop moves whole records to dst, the urgent ones and then the routes in turn, until dst
// holds at least limit bytes or nothing is left. dst never grows by more than limit plus one record.
func (q *queues) pop(dst []byte, limit int) []byte {
	dst = append(dst, q.urgent...)
	q.urgent, q.urgentBytes = q.urgent[:0], 0
	for q.turn != nil && len(dst) < limit {
		r := q.turn.next
		r.deficit += quantum
		for r.bytes > 0 && r.deficit > 0 && len(dst) < limit {
			rec := r.take()
			r.deficit -= len(rec)
			q.bytes -= len(rec)
			dst = append(dst, rec...)
			r.drop()
		}
		if r.bytes == 0 {
			q.leave(r)
		} else {
			q.turn = r
		}
	}
	return dst
}

// take returns the oldest record; drop lets go of it.
func (r *queue) take() []byte {
	n, _ := wire.Len(r.head.b[r.head.at:])
	rec := r.head.b[r.head.at : r.head.at+wire.LenLen+n]
	r.head.at += len(rec)
	r.bytes -= len(rec)
	return rec
}

func (r *queue) drop() {
	if c := r.head; c.at == len(c.b) {
		r.head = c.next
		if r.head == nil {
			r.last = nil
		}
		chunks.Put(c)
	}
}

// leave takes r, the one after turn, out of the ring.
func (q *queues) leave(r *queue) {
	delete(q.byRoute, r.route)
	if q.turn.next = r.next; r == q.turn {
		q.turn = nil
	}
	r.next = q.free
	q.free = r
}
