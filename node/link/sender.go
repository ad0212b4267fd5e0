package link

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/wire"
)

// How many bytes one write takes. Larger ones gained nothing; on slow paths they would make urgent records wait,
// so a write that takes long makes the next ones smaller.
const (
	maxWrite  = 128 << 10
	minWrite  = 16 << 10
	longWrite = 20 * time.Millisecond
)

// maxEcho bounds the pings and answers that wait, in bytes: a neighbour may ask for as many as it likes.
const maxEcho = 4 << 10

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
	running bool // of a passive link: the writing goroutine is there
	key     ratchet
	tail    []byte // sealed bytes the socket did not take
	small   []byte // where one record of the link's own is built
	q       queues

	writers sync.WaitGroup // of Link.run: the goroutines beside the reading one

	batch atomic.Int64 // bytes of one write now, minWrite to maxWrite; the writing goroutine sets it

	try func(fd uintptr) bool // one attempt to write buf; made once, so that it costs no allocation
	buf []byte                // in and out of try
	n   int
	err error
}

// writeBufs are where spans are sealed or gathered; a link holds one only while it writes.
var writeBufs = sync.Pool{New: func() any { b := make([]byte, 0, maxWrite+wire.MaxRecord); return &b }}

func (s *sender) init(l *Link, key ratchet) {
	s.l, s.key = l, key
	s.wake.L = &s.mu
	s.q.init()
	s.batch.Store(maxWrite)
	s.try = func(fd uintptr) bool {
		for {
			s.n, s.err = direct.Write(fd, s.buf)
			if s.err != syscall.EINTR {
				return true
			}
		}
	}
}

// direct reports whether the caller may seal and write by itself.
func (s *sender) direct() bool { return !s.writing && s.raw != nil && s.q.empty() }

// Send sends a span of whole plaintext records: for each one LenLen bytes (written here), header, payload
// and TagLen bytes of room. It overwrites the span and does not keep it, and never blocks on
// the network. overflow is a route of the span that met a cap, 0 if none: what it had in the queues was dropped,
// and an announced route takes nothing more until it is withdrawn. A route that loses its queue to make room for others is told
// to the Receiver, if that is an [Evicter].
func (l *Link) Send(span []byte) (overflow wire.RouteID) {
	s := &l.out
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return 0
	}
	if s.direct() {
		s.sealSpan(span)
		s.writeSome(span)
		span = nil
	}
	return s.rest(span)
}

// SendKept is Send for a span that the caller keeps: it is only read, but for the length prefixes,
// and holds plaintext afterwards as before. It may be sent again, on this link or another.
func (l *Link) SendKept(span []byte) (overflow wire.RouteID) {
	s := &l.out
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return 0
	}
	if s.direct() {
		buf := writeBufs.Get().(*[]byte)
		for len(span) > 0 && !s.writing {
			whole := wholeRecords(span, maxWrite)
			*buf = s.sealTo((*buf)[:0], span[:whole])
			s.writeSome(*buf)
			span = span[whole:]
		}
		writeBufs.Put(buf)
	}
	return s.rest(span)
}

// rest queues a span, which may be empty, unlocks, and tells of what had to go.
func (s *sender) rest(span []byte) (overflow wire.RouteID) {
	if len(span) > 0 {
		overflow = s.enqueue(span)
		s.rouse()
	}
	evicted, recv := s.q.evicted, s.l.recv
	s.q.evicted = nil
	s.mu.Unlock()
	s.l.stir()
	if e, ok := recv.(Evicter); ok {
		for _, route := range evicted {
			e.Evicted(route)
		}
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
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.out.control(t, route, payload)
}

// control is SendControl for who holds mu.
func (s *sender) control(t wire.Type, route wire.RouteID, payload []byte) {
	if s.stopped {
		return
	}
	rec := append(s.small[:0], make([]byte, wire.Overhead+len(payload))...)
	s.small = rec
	copy(rec[wire.LenLen+wire.HeaderLen:], payload)
	wire.PutHeader(rec[wire.LenLen:], t, 0, route)
	PutRecordLen(rec)
	if s.direct() {
		s.sealSpan(rec)
		s.writeSome(rec)
		return
	}
	limit := maxUrgent
	if route == 0 {
		limit = maxEcho
	}
	if s.q.pushUrgent(rec, limit) {
		s.rouse()
	}
}

// PutRecordLen writes the length prefix of a whole record, from its length.
func PutRecordLen(rec []byte) { wire.PutLen(rec, len(rec)-wire.LenLen) }

// enqueue copies the records of a span to their routes' queues.
func (s *sender) enqueue(span []byte) (overflow wire.RouteID) {
	now := s.l.now()
	for len(span) > 0 {
		n, _ := wire.Len(span)
		rec := span[:wire.LenLen+n]
		span = span[len(rec):]
		if s.q.push(rec, now) {
			continue
		}
		_, _, route, _ := wire.ParseHeader(rec[wire.LenLen:])
		if overflow != 0 && overflow != route {
			s.q.evicted = append(s.q.evicted, route)
		} else {
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

// sealTo appends the records of a span to dst, sealed; the span stays as it is.
func (s *sender) sealTo(dst, span []byte) []byte {
	for len(span) > 0 {
		n, _ := wire.Len(span)
		rec := span[:wire.LenLen+n]
		dst = append(dst, rec[:wire.LenLen]...)
		dst = s.key.sealTo(dst, rec[wire.LenLen:len(rec)-wire.TagLen], rec[:wire.LenLen])
		span = span[len(rec):]
	}
	return dst
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
		s.rouse()
	}
}

// rouse makes the writing goroutine look at the queues; a passive link has one only while there is something to write. The
// caller holds mu and has seen that the sender is not stopped.
func (s *sender) rouse() {
	if s.l.passive && !s.running {
		s.running = true
		s.writers.Go(s.run)
		return
	}
	s.wake.Signal()
}

// run is the writing goroutine.
func (s *sender) run() {
	for {
		buf, ok := s.next()
		if !ok {
			return
		}
		began := s.l.now()
		err := s.writeAll(*buf)
		s.adapt(len(*buf), s.l.now()-began)
		writeBufs.Put(buf)
		if err != nil {
			s.l.close(err)
			return
		}
	}
}

// adapt chooses the size of the next writes by what this one took.
func (s *sender) adapt(n int, took time.Duration) {
	batch := int(s.batch.Load())
	switch {
	case took > longWrite && batch > minWrite:
		s.batch.Store(int64(batch / 2))
	case took < longWrite/4 && batch < maxWrite && n >= batch:
		s.batch.Store(int64(batch * 2))
	}
}

// next waits for something to write, takes it and seals it. It leaves writing set.
func (s *sender) next() (*[]byte, bool) {
	s.mu.Lock()
	for {
		s.writing = len(s.tail) > 0
		for len(s.tail) == 0 && s.q.empty() && !s.stopped {
			s.tail = nil // an idle link holds no memory
			if s.l.passive {
				s.running = false
				s.mu.Unlock()
				return nil, false
			}
			s.wake.Wait()
		}
		if s.stopped {
			s.mu.Unlock()
			return nil, false
		}
		s.writing = true
		buf := writeBufs.Get().(*[]byte)
		b := append((*buf)[:0], s.tail...)
		s.tail = s.tail[:0]
		start := len(b)
		b = s.q.pop(b, int(s.batch.Load()), s.l.now())
		*buf = b
		if len(b) > 0 {
			s.mu.Unlock()
			s.sealSpan(b[start:])
			return buf, true
		}
		writeBufs.Put(buf)
	}
}

// writeAll writes b, however long the socket takes, as long as it moves at all.
func (s *sender) writeAll(b []byte) error {
	for len(b) > 0 {
		s.l.nc.SetWriteDeadline(time.Now().Add(writeStall))
		n, err := s.l.nc.Write(b)
		s.l.sentBytes.Add(uint64(n))
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return fmt.Errorf("link: writing: %w", err)
		}
		b = b[n:]
	}
	return s.l.nc.SetWriteDeadline(time.Time{}) // a deadline that passes would fail the attempts of writeSome
}

// stop wakes the writing goroutine for the last time and lets the queues go.
func (s *sender) stop() {
	s.mu.Lock()
	s.stopped = true
	s.q.clear()
	s.wake.Broadcast()
	s.mu.Unlock()
}
