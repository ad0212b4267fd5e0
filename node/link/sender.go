package link

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// Limits of one link's sending side, in bytes.
const (
	maxWrite = 128 << 10 // one write; larger ones gained nothing
	quantum  = 32 << 10  // what a route may send before the next one's turn (deficit round robin)
	// MaxQueued is the cap of one route's queue. It is larger than the largest session
	// window, so only a cheat meets it; its route is torn down.
	MaxQueued = 8 << 20
	// maxLinkQueued bounds all queues of a link together.
	maxLinkQueued = 64 << 20
)

// sender is the sending side of a link.
//
// A span of records goes out by the caller itself, without a copy and without waiting,
// while nothing is queued: sealed in place and written as far as the socket takes it.
// What does not fit is queued by route, and the link's writing goroutine serves the
// queues in turn. So transit costs no goroutine change until the link is the bottleneck.
type sender struct {
	l   *Link
	raw syscall.RawConn // nil when the connection is no descriptor: everything is queued

	mu      sync.Mutex // guards the following, and the ratchet while !writing
	wake    sync.Cond  // something to write, or stopped
	writing bool       // the writing goroutine owns the ratchet and the socket
	stopped bool
	key     ratchet
	tail    []byte // sealed bytes the socket did not take
	kept    []byte // where spans of SendKept are sealed
	q       queues

	try func(fd uintptr) bool // one attempt to write tryBuf; made once, so that it costs no allocation
	buf []byte                // tryBuf: in and out of try
	n   int
	err error
}

func (s *sender) init(l *Link, key ratchet) {
	s.l, s.key = l, key
	s.wake.L = &s.mu
	s.q.init()
	s.try = func(fd uintptr) bool {
		for {
			s.n, s.err = writeTo(fd, s.buf)
			if s.err != syscall.EINTR {
				return true
			}
		}
	}
}

// Send sends a span of whole plaintext records: for each one LenLen bytes (written here), header, payload
// and TagLen bytes of room. It overwrites the span and does not keep it, and never blocks on
// the network. overflow is a route whose queue is at its cap, 0 if none: its records were dropped.
func (l *Link) Send(span []byte) (overflow wire.RouteID) {
	s := &l.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0
	}
	if s.writing || s.raw == nil || !s.q.empty() {
		overflow = s.enqueue(span)
		s.wake.Signal()
		return overflow
	}
	s.sealSpan(span)
	s.writeSome(span)
	return 0
}

// SendKept is Send for a span that the caller keeps: it is only read, but for the length prefixes,
// and holds plaintext afterwards as before. It may be sent again, on this link or another.
func (l *Link) SendKept(span []byte) (overflow wire.RouteID) {
	s := &l.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0
	}
	if s.writing || s.raw == nil || !s.q.empty() {
		overflow = s.enqueue(span)
		s.wake.Signal()
		return overflow
	}
	for len(span) > 0 && !s.writing {
		whole := wholeRecords(span, maxWrite)
		s.kept = append(s.kept[:0], span[:whole]...)
		s.sealSpan(s.kept)
		s.writeSome(s.kept)
		span = span[whole:]
	}
	if len(span) > 0 {
		overflow = s.enqueue(span)
	}
	return overflow
}

// wholeRecords is the length of the records at the front of span that fit limit, at least one.
func wholeRecords(span []byte, limit int) (n int) {
	for n < len(span) {
		body, _ := wire.Len(span[n:])
		if n > 0 && n+wire.LenLen+body > limit {
			break
		}
		n += wire.LenLen + body
	}
	return n
}

// SendControl sends one small record ahead of all queues of data.
func (l *Link) SendControl(t wire.Type, route wire.RouteID, payload []byte) {
	rec := make([]byte, wire.Overhead+len(payload))
	copy(rec[wire.LenLen+wire.HeaderLen:], payload)
	wire.PutHeader(rec[wire.LenLen:], t, 0, route)
	PutRecordLen(rec)
	s := &l.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.q.urgentBytes > maxWrite {
		return
	}
	s.q.pushUrgent(rec)
	s.wake.Signal()
}

// PutRecordLen writes the length prefix of a whole record, from its length.
func PutRecordLen(rec []byte) { wire.PutLen(rec, len(rec)-wire.LenLen) }

// enqueue copies the records of a span to their routes' queues.
func (s *sender) enqueue(span []byte) (overflow wire.RouteID) {
	for len(span) > 0 {
		n, _ := wire.Len(span)
		rec := span[:wire.LenLen+n]
		span = span[len(rec):]
		_, _, route, _ := wire.ParseHeader(rec[wire.LenLen:])
		if !s.q.push(route, rec) {
			overflow = route
		}
	}
	return overflow
}

// sealSpan seals every record of a span in place.
func (s *sender) sealSpan(span []byte) {
	for len(span) > 0 {
		n, _ := wire.Len(span)
		rec := span[:wire.LenLen+n]
		s.key.seal(rec[wire.LenLen:len(rec)-wire.TagLen], rec[:wire.LenLen])
		span = span[len(rec):]
	}
}

// writeSome writes what the socket takes at once and leaves the rest to the writing goroutine.
func (s *sender) writeSome(sealed []byte) {
	s.buf, s.n, s.err = sealed, 0, nil
	if err := s.raw.Write(s.try); err != nil {
		s.n = 0 // closed: the reader finds out and says why
	}
	s.buf = nil
	if s.err != nil && s.err != syscall.EAGAIN {
		s.n = 0
	}
	n := max(s.n, 0)
	s.l.sentBytes.Add(uint64(n))
	if n < len(sealed) {
		s.tail = append(s.tail[:0], sealed[n:]...)
		s.writing = true
		s.wake.Signal()
	}
}

// run is the writing goroutine.
func (s *sender) run() {
	buf := make([]byte, 0, maxWrite+wire.MaxRecord)
	for {
		var ok bool
		if buf, ok = s.next(buf[:0]); !ok {
			return
		}
		if err := s.writeAll(buf); err != nil {
			s.l.close(err)
			return
		}
	}
}

// next waits for something to write, takes it and seals it. It leaves writing set.
func (s *sender) next(buf []byte) ([]byte, bool) {
	s.mu.Lock()
	s.writing = len(s.tail) > 0
	for len(s.tail) == 0 && s.q.empty() && !s.stopped {
		s.wake.Wait()
	}
	if s.stopped {
		s.mu.Unlock()
		return nil, false
	}
	s.writing = true
	buf = append(buf, s.tail...)
	s.tail = s.tail[:0]
	start := len(buf)
	buf = s.q.pop(buf, maxWrite)
	s.mu.Unlock()
	s.sealSpan(buf[start:])
	return buf, true
}

// writeAll writes b, however long the socket takes, as long as it moves at all.
func (s *sender) writeAll(b []byte) error {
	for len(b) > 0 {
		s.l.nc.SetWriteDeadline(time.Now().Add(writeStall))
		n, err := s.l.nc.Write(b)
		s.l.sentBytes.Add(uint64(n))
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
		b = b[n:]
	}
	return s.l.nc.SetWriteDeadline(time.Time{}) // a deadline that passes would fail the attempts of writeSome
}

// stop wakes the writing goroutine for the last time and lets the queues go.
func (s *sender) stop() {
	s.mu.Lock()
	s.stopped = true
	s.q.init()
	s.wake.Broadcast()
	s.mu.Unlock()
}
