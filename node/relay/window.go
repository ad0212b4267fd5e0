package relay

// Windows of circuits, in bytes.
const (
	firstWindow = 256 << 10
	leastWindow = 16 << 10 // what a circuit always gets
	smallWindow = 64 << 10 // marks shrink it no further
	maxWindow   = 4 << 20
	// budget is what all circuits of one connection may have coming: less than a messenger queues for one client.
	budget = 24 << 20
)

// window is how much one end of a circuit lets come. It doubles while nothing waits on the way, and shrinks by a
// quarter where bytes came marked. The zero value is not ready. Not for concurrent use.
type window struct {
	size     uint64
	granted  uint64 // offset up to which the other end may send
	received uint64
	consumed uint64 // by who reads
	resized  uint64 // consumed when size was decided on last
	marked   bool   // something came marked since
}

func newWindow(limit uint64) window {
	w := window{size: min(firstWindow, limit)}
	w.granted = w.size
	return w
}

// take notes that n bytes came; false when they are more than were granted.
func (w *window) take(n int, marked bool) bool {
	if w.received+uint64(n) > w.granted {
		return false
	}
	w.received += uint64(n)
	w.marked = w.marked || marked
	return true
}

// consume notes that n bytes were read, and tells the credit to send, if it is time. limit is the largest window now.
func (w *window) consume(n int, limit uint64) (credit uint64, send bool) {
	w.consumed += uint64(n)
	if w.consumed-w.resized >= w.size {
		w.resize(limit)
	}
	w.size = max(min(w.size, limit), leastWindow)
	next := w.consumed + w.size
	if next < w.granted+w.size/4 {
		return 0, false
	}
	w.granted = next
	return next, true
}

func (w *window) resize(limit uint64) {
	if w.marked {
		w.size = max(w.size*3/4, smallWindow)
	} else {
		w.size *= 2
	}
	w.size = max(min(w.size, limit, maxWindow), leastWindow)
	w.resized, w.marked = w.consumed, false
}

// share is the largest window of each of n circuits.
func share(n int) uint64 { return max(min(budget/uint64(max(n, 1)), maxWindow), leastWindow) }
