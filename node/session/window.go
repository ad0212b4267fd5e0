package session

import (
	"sync"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// Sizes of the window: sealed bytes in flight.
const (
	minWindow   = 64 << 10
	firstWindow = 256 << 10
	minPiece    = minWindow / 4 // bytes of a stream that room is reserved for before they are there, at least
	maxWindow   = 4 << 20       // under link.MaxQueued, so that no relay overflows
	// calmWindow is enough for any path whose round trip is short: 1 GB/s over a millisecond.
	calmWindow  = 1 << 20
	usefulTrips = 4
	// rateTime is the least time in which a rate is measured; rateFade the share of the largest one that a lower one takes off.
	rateTime = 5 * time.Millisecond
	rateFade = 1.0 / 16
	// windowStep is what the window gains in a round trip without a mark.
	windowStep = maxData
	// markGain is the weight of one window's share of marked bytes in alpha.
	markGain = 1.0 / 16
)

// window follows the marks of congested queues as DCTCP does (RFC 8257): it doubles every round trip until the first mark,
// then grows by a step a round trip, and shrinks by half the smoothed share of marked bytes. Guarded by Session.mu.
type window struct {
	size  uint64
	slow  bool    // no mark so far on this path: slow start
	alpha float64 // smoothed share of marked bytes, 0 to 1
	end   uint64  // the observation ends when so many bytes are acknowledged
	seen  uint64  // acknowledged in this observation
	mark  uint64  // of these, marked
	ce    uint64  // marked bytes in the newest ACK

	rate      float64       // bytes acknowledged in a second, the largest of late
	rateSince time.Duration // when the measurement of it began; 0: no one is under way
	rateFrom  uint64        // acknowledged then
}

// start begins anew with a size.
func (w *window) start(size uint64) {
	*w = window{size: size, slow: true, alpha: 1, ce: w.ce}
}

// useful is the largest window that can make this path faster: calmWindow, and what it delivers in usefulTrips of its
// round trips without load, which leaves room for what links repair. More would only wait in queues. base 0: not known yet.
func (w *window) useful(base time.Duration) uint64 {
	if base == 0 {
		return maxWindow
	}
	return min(maxWindow, calmWindow+uint64(usefulTrips*w.rate*base.Seconds()))
}

// onAck takes n newly acknowledged bytes, all bytes acknowledged so far, the peer's count of marked bytes, the bytes that
// were in flight before, and those sent so far.
func (w *window) onAck(n, acked, ce, inFlight, sent, limit uint64) {
	marked := min(ce-w.ce, n)
	w.ce = ce
	w.seen += n
	w.mark += marked
	if marked > 0 {
		if w.slow {
			w.slow, w.alpha = false, 1
			w.shrink()
			w.observe(sent)
			return
		}
	} else if w.slow && 2*inFlight >= w.size { // a window that is not used does not grow
		w.size += n
	}
	if acked >= w.end {
		w.turn(inFlight)
		w.observe(sent)
	}
	w.size = max(minWindow, min(w.size, limit))
}

// turn ends an observation.
func (w *window) turn(inFlight uint64) {
	if w.seen == 0 {
		return
	}
	w.alpha += markGain * (float64(w.mark)/float64(w.seen) - w.alpha)
	switch {
	case w.mark > 0:
		w.shrink()
	case !w.slow && 2*inFlight >= w.size:
		w.size += windowStep
	}
}

func (w *window) shrink() {
	w.size = max(minWindow, uint64(float64(w.size)*(1-w.alpha/2)))
}

// measure counts what is delivered: acked bytes in all now. Acknowledgements come in bursts, so it takes a round trip without load,
// and rateTime at least, before they tell a rate.
func (w *window) measure(acked uint64, now, base time.Duration) {
	took := now - w.rateSince
	if w.rateSince != 0 && took < max(base, rateTime) {
		return
	}
	if w.rateSince != 0 {
		w.rate = max(float64(acked-w.rateFrom)/took.Seconds(), w.rate*(1-rateFade))
	}
	w.rateSince, w.rateFrom = now, acked
}

func (w *window) observe(until uint64) { w.end, w.seen, w.mark = until, 0, 0 }

// waiter is somebody who waits for n bytes of the window.
type waiter struct {
	next *waiter
	st   *Stream
	n    uint64
	took bool          // got them
	wake chan struct{} // holds one: look again
}

var waiters = sync.Pool{New: func() any { return &waiter{wake: make(chan struct{}, 1)} }}

// queue is first come, first served, one span each: so streams have their turns. Guarded by Session.mu.
type queue struct{ head, last *waiter }

func (q *queue) push(w *waiter) {
	if w.next = nil; q.last == nil {
		q.head = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// remove takes w out; false if it is not in.
func (q *queue) remove(w *waiter) bool {
	var before *waiter
	for x := q.head; x != nil; before, x = x, x.next {
		if x != w {
			continue
		}
		if before == nil {
			q.head = w.next
		} else {
			before.next = w.next
		}
		if q.last == w {
			q.last = before
		}
		w.next = nil
		return true
	}
	return false
}

func (w *waiter) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// fitsLocked reports whether n more bytes may be sealed: not while there is no path, nor while old records are on
// their way again.
func (s *Session) fitsLocked(n uint64) bool {
	if s.active == nil || s.kept.cursor != nil {
		return false
	}
	inFlight := s.kept.inFlight() + s.reserved
	return inFlight == 0 || inFlight+n <= s.win.size
}

// grantLocked serves those who wait, in their order.
func (s *Session) grantLocked() {
	for w := s.waiting.head; w != nil && s.fitsLocked(w.n); w = s.waiting.head {
		s.waiting.remove(w)
		s.reserved += w.n
		w.took = true
		w.poke()
	}
}

// tryWindow reserves room for up to n bytes of a stream, a quarter of the window at most, if that needs no waiting.
func (s *Session) tryWindow(n int) (piece int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	piece = min(n, max(int(s.win.size/4), minPiece))
	reserved := uint64(sealedLen(piece))
	if s.err != nil || s.waiting.head != nil || !s.fitsLocked(reserved) {
		return piece, false
	}
	s.reserved += reserved
	return piece, true
}

// takeWindow waits until n sealed bytes fit the window and reserves them; they must be sealed, or given back by
// giveWindow. It fails when the session or the stream is over or closed for writing, or the stream's write deadline passes.
func (s *Session) takeWindow(st *Stream, n int) error {
	s.mu.Lock()
	if s.err == nil && s.waiting.head == nil && s.fitsLocked(uint64(n)) {
		s.reserved += uint64(n)
		s.mu.Unlock()
		return nil
	}
	if err := s.err; err != nil {
		s.mu.Unlock()
		return &wire.Refused{Code: wire.CodeGone, Text: err.Error()}
	}
	w := waiters.Get().(*waiter)
	w.st, w.n, w.took = st, uint64(n), false
	s.waiting.push(w)
	if s.active == nil {
		s.kickSteward() // somebody wants a path
	}
	s.mu.Unlock()
	err := s.awaitWindow(w)
	w.st = nil
	waiters.Put(w)
	return err
}

// awaitWindow waits for w's turn.
func (s *Session) awaitWindow(w *waiter) error {
	for {
		until, err := w.st.mayWait()
		if err == nil {
			w.sleep(s.done, until)
		}
		s.mu.Lock()
		if w.took {
			if err != nil || s.err != nil {
				s.reserved -= w.n
				s.grantLocked()
			}
		} else if err == nil && s.err == nil {
			s.mu.Unlock()
			continue // poked: something about the stream has changed
		} else {
			s.waiting.remove(w)
		}
		if s.err != nil {
			err = &wire.Refused{Code: wire.CodeGone, Text: s.err.Error()}
		}
		s.mu.Unlock()
		select {
		case <-w.wake: // a late poke is not for the next user
		default:
		}
		return err
	}
}

// sleep waits for a poke, the end of the session, or a time to look again.
func (w *waiter) sleep(done <-chan struct{}, until time.Time) {
	var late <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		late = t.C
	}
	select {
	case <-w.wake:
	case <-done:
	case <-late:
	}
}

// giveWindow gives back what was reserved and not used.
func (s *Session) giveWindow(n int) {
	s.mu.Lock()
	s.reserved -= uint64(n)
	s.grantLocked()
	s.mu.Unlock()
}

// poke makes those who wait for the window with st look at it again.
func (s *Session) poke(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.waiting.head; w != nil; w = w.next {
		if w.st == st {
			w.poke()
		}
	}
}
