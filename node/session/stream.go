package session

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

var errTooMany = &wire.Refused{Code: wire.CodeBusy, Text: "too many streams to that node"}

// closeLinger is how long a stream that we closed waits for the peer's FIN.
const closeLinger = 30 * time.Second

// Stream is one ordered byte stream between two apps, with half close and reset. Safe for concurrent use
// by one reader and one writer.
type Stream struct {
	s      *Session
	id     uint32
	port   uint16
	target string

	moved atomic.Uint64 // by ReadFrom

	mu       sync.Mutex // guards the following; never held while calling the session
	readable sync.Cond
	writable sync.Cond
	err      error // reset, refused or lost
	// receiving
	in       buffer
	received uint64 // bytes ever arrived
	consumed uint64 // bytes read
	limit    uint64 // what the peer may send, counted from the start
	window   int    // credit beyond what was read
	granted  time.Time
	finIn    bool
	closed   bool // Close was called
	// sending
	sent      uint64
	credit    uint64
	finOut    bool
	confirmed bool
	givenUp   error // by the one who waits in Open
	readBy    deadline
	writeBy   deadline
}

func newStream(s *Session, port uint16, target string) *Stream {
	st := &Stream{s: s, port: port, target: target, granted: time.Now()}
	st.readable.L, st.writable.L = &st.mu, &st.mu
	return st
}

// enterLocked gives a stream its number and its credit; false when no credit is left for it. The caller holds s.mu.
func (s *Session) enterLocked(st *Stream, id uint32) bool {
	window := min(s.firstCredit(), max(MaxFirst, budgetShare/(len(s.streams)+1)))
	if s.granted+window > budget {
		return false
	}
	st.id, st.window, st.limit = id, window, uint64(window)
	s.granted += window
	s.host.credit.Add(int64(window))
	if len(s.streams) == 0 {
		s.host.busy.Add(1)
		s.kickSteward()
	}
	s.streams[id] = st
	s.count.Opened++
	s.lastUse = time.Now()
	return true
}

// firstCredit is a new stream's credit, when there are few. Where a round trip takes next to nothing it is small: so the
// first bytes reach the app before the rest keeps all processors on the way busy.
func (s *Session) firstCredit() int {
	if base := s.base.Load(); base > 0 && base < int64(nearPath) {
		return nearCredit
	}
	return firstCredit
}

// Open opens a stream to a port of the remote node, with a target for the app there (at most 512
// bytes) and first data (at most MaxFirst), and waits until the app confirmed it.
// Errors: *wire.Refused, or ctx's.
func (s *Session) Open(ctx context.Context, port uint16, target string, first []byte) (*Stream, error) {
	if len(target) > maxTarget || len(first) > MaxFirst {
		return nil, &wire.Refused{Code: wire.CodeBadRequest, Text: "target or first data too long"}
	}
	st := newStream(s, port, target)
	st.credit, st.sent = MaxFirst, uint64(len(first))
	stop := context.AfterFunc(ctx, func() {
		st.mu.Lock()
		st.givenUp = ctx.Err()
		st.readable.Broadcast()
		st.mu.Unlock()
		s.poke(st)
	})
	defer stop()
	reserved := len(target) + len(first) + 2*sealedOver
	if err := s.takeWindow(st, reserved); err != nil {
		return nil, err
	}
	if err := s.sendOpen(st, first, reserved); err != nil {
		s.giveWindow(reserved)
		return nil, err
	}
	if err := st.wait(); err != nil {
		st.Reset(wire.CodeCancelled)
		return nil, err
	}
	return st, nil
}

// sendOpen enters a stream and sends its OPEN; numbers leave in their order.
func (s *Session) sendOpen(st *Stream, first []byte, reserved int) error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	if err := s.err; err != nil {
		s.mu.Unlock()
		return &wire.Refused{Code: wire.CodeGone, Text: err.Error()}
	}
	if len(s.streams)-s.theirs >= maxStreams || s.nextID > math.MaxUint32-2 || !s.enterLocked(st, s.nextID) {
		s.mu.Unlock()
		return errTooMany
	}
	s.nextID += 2
	s.mu.Unlock()
	f := frame{kind: frameOpen, sid: st.id, port: st.port, credit: uint32(st.window), data: []byte(st.target)}
	s.frameLocked(f, first, reserved)
	return nil
}

// wait blocks until OPENED, or until the opener's patience ends.
func (st *Stream) wait() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	for !st.confirmed && st.err == nil && st.givenUp == nil {
		st.readable.Wait()
	}
	switch {
	case st.err != nil:
		return st.err
	case !st.confirmed:
		return st.givenUp
	}
	return nil
}

// mayWait tells whether a writer may go on waiting for the window, and until when.
func (st *Stream) mayWait() (until time.Time, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.err != nil:
		err = st.err
	case st.finOut || st.closed:
		err = os.ErrClosed
	case st.givenUp != nil && !st.confirmed:
		err = st.givenUp
	case st.writeBy.passed():
		err = os.ErrDeadlineExceeded
	}
	return st.writeBy.at, err
}

// creditGiven is the credit that the peer was given.
func (st *Stream) creditGiven() uint64 {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.limit
}

// Remote is the node at the other end.
func (st *Stream) Remote() identity.PubKey { return st.s.remote }

// Port is the port the stream was opened to.
func (st *Stream) Port() uint16 { return st.port }

// Target is what the opener asked the app for. It is foreign text.
func (st *Stream) Target() string { return st.target }

// Confirm accepts a stream that the peer opened.
func (st *Stream) Confirm() {
	st.mu.Lock()
	if st.confirmed || st.err != nil {
		st.mu.Unlock()
		return
	}
	st.confirmed = true
	credit := st.limit
	st.mu.Unlock()
	st.s.sendFrame(frame{kind: frameOpened, sid: st.id, credit: uint32(credit)}, nil, 0)
}

// Reset ends the stream both ways; the peer's app gets the code. Data not yet read there is lost.
func (st *Stream) Reset(c wire.Code) {
	if st.lost(&wire.Refused{Code: wire.CodeCancelled, Text: "reset by us"}) {
		st.s.reset(st.id, c)
	}
}

// lost ends the stream; false if it had ended before.
func (st *Stream) lost(err error) bool {
	st.mu.Lock()
	if st.err != nil || st.finishedLocked() {
		st.mu.Unlock()
		return false
	}
	st.err = err
	st.in.clear()
	st.readable.Broadcast()
	st.writable.Broadcast()
	st.mu.Unlock()
	st.s.forget(st)
	return true
}

// finishedLocked reports whether both directions came to their end.
func (st *Stream) finishedLocked() bool {
	return st.finOut && st.finIn && (st.in.n == 0 || st.closed)
}

// forget takes a stream that is over out of the session.
func (s *Session) forget(st *Stream) {
	st.mu.Lock()
	window := st.window
	st.window = 0
	st.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[st.id] == st {
		delete(s.streams, st.id)
		if !s.ours(st.id) {
			s.theirs--
		}
		if len(s.streams) == 0 {
			s.host.busy.Add(-1)
		}
	}
	s.granted -= window
	s.host.credit.Add(-int64(window))
	s.lastUse = time.Now()
	for w := s.waiting.head; w != nil; w = w.next {
		if w.st == st {
			w.poke()
		}
	}
}

// forgetIfFinished is called after a step that may have been the last.
func (st *Stream) forgetIfFinished() {
	st.mu.Lock()
	finished := st.err == nil && st.finishedLocked()
	st.mu.Unlock()
	if finished {
		st.s.forget(st)
	}
}

func (st *Stream) onOpened(credit uint32) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.s.ours(st.id) {
		return errProtocol // they opened it
	}
	st.confirmed = true
	st.credit = max(st.credit, uint64(credit))
	st.readable.Broadcast()
	st.writable.Broadcast()
	return nil
}

func (st *Stream) onCredit(offset uint64) {
	st.mu.Lock()
	st.credit = max(st.credit, offset)
	st.writable.Broadcast()
	st.mu.Unlock()
}

func (st *Stream) onData(b []byte) error {
	st.mu.Lock()
	st.received += uint64(len(b))
	if st.received > st.limit || st.finIn {
		st.mu.Unlock()
		return errProtocol
	}
	if st.closed {
		st.mu.Unlock()
		st.Reset(wire.CodeCancelled)
		return nil
	}
	if st.err == nil {
		st.in.write(b)
		st.readable.Signal()
	}
	st.mu.Unlock()
	return nil
}

func (st *Stream) onFin() error {
	st.mu.Lock()
	if st.finIn {
		st.mu.Unlock()
		return errProtocol
	}
	st.finIn = true
	st.readable.Broadcast()
	st.mu.Unlock()
	st.forgetIfFinished()
	return nil
}

// Read implements io.Reader. io.EOF comes only after the peer's FIN; a lost or reset stream gives *wire.Refused.
func (st *Stream) Read(p []byte) (int, error) {
	if err := st.awaitData(); err != nil {
		return 0, err
	}
	n := st.in.read(p)
	st.took(n)
	return n, nil
}

// WriteTo implements io.WriterTo: what arrives goes to w without another copy, until FIN.
func (st *Stream) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if err := st.awaitData(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		c := st.in.take()
		st.mu.Unlock()
		n, err := w.Write(c.bytes())
		release(c)
		total += int64(n)
		st.mu.Lock()
		st.took(n)
		if err != nil {
			return total, err
		}
	}
}

// awaitData returns with st.mu held when there is data, and without it on an error.
func (st *Stream) awaitData() error {
	st.mu.Lock()
	for {
		var err error
		switch {
		case st.closed:
			err = os.ErrClosed
		case st.err != nil:
			err = st.err
		case st.in.n > 0:
			return nil
		case st.finIn:
			err = io.EOF
		case st.readBy.passed():
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			st.mu.Unlock()
			return err
		}
		st.readable.Wait()
	}
}

// took accounts for n bytes read and grants credit when half of it is used. The caller holds
// st.mu, which is released.
func (st *Stream) took(n int) {
	st.consumed += uint64(n)
	var grant uint64
	if next := st.consumed + uint64(st.window); st.err == nil && !st.finIn && next >= st.limit+uint64(st.window/2) {
		st.widenLocked()
		st.limit = st.consumed + uint64(st.window)
		grant = st.limit
	}
	st.mu.Unlock()
	if grant != 0 {
		st.s.sendControl(nil, frame{kind: frameCredit, sid: st.id, a: grant})
	}
	st.forgetIfFinished()
}

// widenLocked doubles the window of a stream that used half of it within two round trips of the path without load: then credit,
// not the path, holds it back.
func (st *Stream) widenLocked() {
	now := time.Now()
	fast := now.Sub(st.granted) < 2*time.Duration(st.s.base.Load())+readerPause
	st.granted = now
	if !fast || 2*st.window > maxCredit {
		return
	}
	if st.s.widen(st.window) {
		st.window *= 2
	}
}

// widen takes n bytes of the session's budget for credit. Most of it is left to streams that are yet to come.
func (s *Session) widen(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.granted+n > wideBudget || s.host.credit.Load()+int64(n) > hostBudget {
		return false
	}
	s.granted += n
	s.host.credit.Add(int64(n))
	return true
}

// Write implements io.Writer. It blocks for credit and window.
func (st *Stream) Write(p []byte) (total int, err error) {
	for len(p) > 0 {
		n, err := st.takeCredit(min(len(p), st.piece()))
		if err != nil {
			return total, err
		}
		if err := st.s.takeWindow(st, sealedLen(n)); err != nil {
			st.returnCredit(n)
			return total, err
		}
		st.s.sendData(st.id, p[:n], sealedLen(n))
		total += n
		p = p[n:]
	}
	return total, nil
}

// piece is how much of the stream leaves at once. The first time it is little: a record is of use only when all of it is there, and after
// a rest TCP lets ten segments leave, then twice that, and so on, on every link anew.
func (st *Stream) piece() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.sent == 0 {
		return firstPiece
	}
	return spanData
}

// takeCredit waits for credit and takes up to n bytes of it.
func (st *Stream) takeCredit(n int) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for {
		switch {
		case st.err != nil:
			return 0, st.err
		case st.finOut || st.closed:
			return 0, os.ErrClosed
		case st.sent < st.credit:
			n = int(min(uint64(n), st.credit-st.sent))
			st.sent += uint64(n)
			return n, nil
		case st.writeBy.passed():
			return 0, os.ErrDeadlineExceeded
		}
		st.writable.Wait()
	}
}

// CloseWrite sends FIN: the peer reads EOF after what was written.
func (st *Stream) CloseWrite() error {
	st.mu.Lock()
	if st.err != nil {
		st.mu.Unlock()
		return st.err
	}
	if st.finOut {
		st.mu.Unlock()
		return nil
	}
	st.finOut = true
	st.mu.Unlock()
	st.s.sendFrame(frame{kind: frameFin, sid: st.id}, nil, 0)
	st.forgetIfFinished()
	return nil
}

// Close sends FIN if need be and gives up reading; data that the peer still sends resets the
// stream. It does not wait.
func (st *Stream) Close() error {
	err := st.CloseWrite()
	st.mu.Lock()
	unread := st.in.n > 0
	if !st.closed && st.err == nil {
		st.closed = true
		st.in.clear()
		st.readable.Broadcast()
		st.writable.Broadcast()
	}
	waiting := st.err == nil && !st.finIn
	st.mu.Unlock()
	st.s.poke(st)
	switch {
	case waiting && unread:
		st.Reset(wire.CodeCancelled)
	case waiting:
		time.AfterFunc(closeLinger, func() { st.Reset(wire.CodeCancelled) })
	}
	st.forgetIfFinished()
	if errors.As(err, new(*wire.Refused)) {
		return nil
	}
	return err
}

// SetReadDeadline bounds Read and WriteTo; zero: no bound.
func (st *Stream) SetReadDeadline(t time.Time) error {
	st.readBy.set(t, &st.mu, &st.readable)
	return nil
}

// SetWriteDeadline bounds the waiting for credit and window in Write; zero: no bound.
func (st *Stream) SetWriteDeadline(t time.Time) error {
	st.writeBy.set(t, &st.mu, &st.writable)
	st.s.poke(st)
	return nil
}

// deadline wakes a condition when it passes. Guarded by the condition's lock.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) set(at time.Time, mu *sync.Mutex, c *sync.Cond) {
	mu.Lock()
	defer mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.timer = at, nil
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), func() {
			mu.Lock()
			c.Broadcast()
			mu.Unlock()
		})
	}
	c.Broadcast()
}
