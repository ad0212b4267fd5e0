package session

import (
	"github.com/skycoin/viscript/node/spare"
	"github.com/skycoin/viscript/node/wire"
)

// span is a buffer with whole Data records, back to back. Its bytes belong to who holds Session.sendMu, the rest is
// guarded by Session.mu.
type span struct {
	b    []byte
	next *span
	ends []int32 // where each record ends in b
	done int     // records acknowledged, from the front
	held bool    // somebody builds in it or sends from it: it stays in the list
}

// spans: those of a calm window are kept.
var spans = spare.New(calmWindow/spanLen, func() *span { return &span{b: make([]byte, 0, spanLen)} })

func newSpan() *span {
	sp := spans.Get()
	*sp = span{b: sp.b[:0], ends: sp.ends[:0]}
	return sp
}

// freeSpans gives back a list.
func freeSpans(sp *span) {
	for sp != nil {
		next := sp.next
		sp.next = nil
		spans.Put(sp)
		sp = next
	}
}

// start is where record i begins in b.
func (sp *span) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(sp.ends[i-1])
}

// bytes is how much of the window record i takes: its payload.
func (sp *span) bytes(i int) uint64 { return uint64(int(sp.ends[i])-sp.start(i)) - wire.Overhead }

// retained are the sealed Data records that the peer has not acknowledged, oldest first, and how far they have
// been sent on the path in use. Guarded by Session.mu; adding and sending happen under Session.sendMu as well.
//
//	acked ──────────── sent ─────────── sealed       (records, and bytes of their payloads)
//	  │   in flight     │    to be sent    │
type retained struct {
	head, last *span
	acked      mark
	sent       mark
	sealed     mark

	cursor *span // where the first record that is to be sent lies; nil: everything has been
	at     int   // which of its records that is
}

// mark is a place in the sequence of Data records.
type mark struct{ records, bytes uint64 }

func (k *retained) inFlight() uint64 { return k.sent.bytes - k.acked.bytes }

// room is a span with room for n more bytes, held: the last one, or a new one that is not yet in the list.
func (k *retained) room(n int) *span {
	if sp := k.last; sp != nil && cap(sp.b)-len(sp.b) >= n {
		sp.held = true
		return sp
	}
	sp := newSpan()
	sp.held = true
	return sp
}

// add counts the record that ends at end of sp, entering sp if it is new. It is yet to be sent.
func (k *retained) add(sp *span, end int) {
	if sp != k.last {
		if k.last == nil {
			k.head = sp
		} else {
			k.last.next = sp
		}
		k.last = sp
	}
	sp.ends = append(sp.ends, int32(end))
	i := len(sp.ends) - 1
	if k.cursor == nil {
		k.cursor, k.at = sp, i
	}
	k.sealed.records++
	k.sealed.bytes += sp.bytes(i)
}

// piece is some records of one span that are to be sent next.
type piece struct {
	sp       *span
	from, to int // records
}

// bytes of the piece in its span.
func (p piece) span() []byte { return p.sp.b[p.sp.start(p.from):p.sp.ends[p.to-1]] }

// take takes what is to be sent next, of one span, up to limit bytes in flight, but at least one record when nothing is.
// The span is held.
func (k *retained) take(limit uint64) (p piece, ok bool) {
	sp := k.cursor
	if sp == nil {
		return p, false
	}
	p = piece{sp: sp, from: k.at, to: k.at}
	for p.to < len(sp.ends) {
		n := sp.bytes(p.to)
		if in := k.inFlight(); in > 0 && in+n > limit {
			break
		}
		k.sent.records++
		k.sent.bytes += n
		p.to++
	}
	if p.to == p.from {
		return p, false
	}
	if k.at = p.to; k.at == len(sp.ends) {
		k.cursor, k.at = sp.next, 0
	}
	sp.held = true
	return p, true
}

// rewind makes everything that is not acknowledged to be sent again.
func (k *retained) rewind() {
	k.sent = k.acked
	k.cursor, k.at = k.head, 0
	if k.head == nil {
		return
	}
	if k.at = k.head.done; k.at == len(k.head.ends) { // it is only held
		k.cursor, k.at = k.head.next, 0
	}
}

// release drops the records before number upTo, which is at most sealed.records; it returns spans that are free now.
func (k *retained) release(upTo uint64) (free *span) {
	for sp := k.head; sp != nil && k.acked.records < upTo; sp = sp.next {
		for sp.done < len(sp.ends) && k.acked.records < upTo {
			k.acked.records++
			k.acked.bytes += sp.bytes(sp.done)
			sp.done++
		}
	}
	if k.sent.records < k.acked.records { // acknowledged before it was sent again
		k.sent = k.acked
		for k.cursor != nil && k.cursor.done == len(k.cursor.ends) {
			k.cursor = k.cursor.next
		}
		if k.at = 0; k.cursor != nil {
			k.at = k.cursor.done
		}
	}
	return k.trim()
}

// letGo ends the holding of a span and returns spans that are free now.
func (k *retained) letGo(sp *span) (free *span) {
	sp.held = false
	return k.trim()
}

// trim takes acknowledged spans off the front.
func (k *retained) trim() (free *span) {
	for sp := k.head; sp != nil && sp.done == len(sp.ends) && !sp.held; sp = k.head {
		if k.head = sp.next; k.head == nil {
			k.last = nil
		}
		sp.next = free
		free = sp
	}
	return free
}

// memory is how much the spans in the list hold; they are all of one size.
func (k *retained) memory() (n int) {
	for sp := k.head; sp != nil; sp = sp.next {
		n += spanLen
	}
	return n
}
