package app

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/wire"
)

// Writer writes frames; each call is one write to the connection. A frame that a deadline cuts in two is finished
// before the next one. Safe for concurrent use.
type Writer struct {
	lock turn // guards the following, and keeps frames whole
	nc   net.Conn
	raw  syscall.RawConn // nil: no descriptor
	rest []byte          // of a frame that was cut
	head [HeaderLen + smallBody]byte
	vec  [2][]byte
	bufs net.Buffers
}

// smallBody is up to what length a body is copied behind its header.
const smallBody = 252

// turn is a lock that may be held across I/O. It is no mutex so that who waits for it counts as blocked in a test with
// virtual time.
type turn chan struct{}

func newTurn() turn     { return make(turn, 1) }
func (t turn) take()    { t <- struct{}{} }
func (t turn) release() { <-t }

// NewWriter writes frames to nc.
func NewWriter(nc net.Conn) *Writer { return &Writer{lock: newTurn(), nc: nc, raw: direct.Of(nc)} }

func (w *Writer) put(b []byte) (int, error) {
	if w.raw == nil {
		return w.nc.Write(b)
	}
	return direct.WriteAll(w.raw, b)
}

// Frame writes one frame. After a deadline it may have been taken all the same; what is left of it goes first next time.
func (w *Writer) Frame(k Kind, body []byte) error {
	_, err := w.frame(k, body)
	return err
}

// frame is Frame that tells whether the frame was taken: written, or begun.
func (w *Writer) frame(k Kind, body []byte) (taken bool, err error) {
	w.lock.take()
	defer w.lock.release()
	return w.frameLocked(k, body)
}

func (w *Writer) frameLocked(k Kind, body []byte) (taken bool, err error) {
	if err := w.flushLocked(); err != nil {
		return false, err
	}
	PutHeader(w.head[:], k, len(body))
	if len(body) <= smallBody {
		small := w.head[:HeaderLen+copy(w.head[HeaderLen:], body)]
		n, err := w.put(small)
		return w.keepLocked(n, err, small, nil), err
	}
	head := w.head[:HeaderLen]
	w.vec = [2][]byte{head, body}
	w.bufs = w.vec[:]
	n, err := w.bufs.WriteTo(w.nc)
	return w.keepLocked(int(n), err, head, body), err
}

// whole writes a frame that is in one piece, header included.
func (w *Writer) whole(frame []byte) (taken bool, err error) {
	w.lock.take()
	defer w.lock.release()
	if err := w.flushLocked(); err != nil {
		return false, err
	}
	n, err := w.put(frame)
	return w.keepLocked(n, err, frame, nil), err
}

// Frames writes frames that lie one behind the other.
func (w *Writer) Frames(b []byte) error {
	_, err := w.whole(b)
	return err
}

// keepLocked keeps what n written bytes leave of a frame that consists of a and b.
func (w *Writer) keepLocked(n int, err error, a, b []byte) (taken bool) {
	if err == nil || n == 0 {
		return err == nil
	}
	if n < len(a) {
		w.rest = append(w.rest[:0], a[n:]...)
		n = len(a)
	}
	w.rest = append(w.rest, b[n-len(a):]...)
	return true
}

func (w *Writer) flushLocked() error {
	for len(w.rest) > 0 {
		n, err := w.put(w.rest)
		w.rest = w.rest[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

// last ends who is writing and writes one frame more, if k is not 0, within limit.
func (w *Writer) last(k Kind, body []byte, limit time.Duration) error {
	w.nc.SetWriteDeadline(time.Unix(1, 0))
	w.lock.take()
	defer w.lock.release()
	w.nc.SetWriteDeadline(time.Now().Add(limit))
	if k == 0 {
		return w.flushLocked()
	}
	_, err := w.frameLocked(k, body)
	return err
}

// Write writes p as DATA frames; it implements io.Writer. An error may come with n = len(p), when all of p was
// taken and a deadline passed.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		k := min(len(p), MaxBody)
		taken, err := w.frame(Data, p[:k])
		if taken {
			n += k
		}
		if err != nil {
			return n, err
		}
		p = p[k:]
	}
	return n, nil
}

// Fail writes ERR.
func (w *Writer) Fail(err error) error {
	code, text := wire.CodeInternal, err.Error()
	if r := new(Refused); errors.As(err, &r) {
		code, text = r.Code, r.Text
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(code))
	return w.Frame(Err, wire.AppendString(b, text[:min(len(text), MaxText)]))
}
