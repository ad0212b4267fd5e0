package app

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Conn is a stream to an app at another node: a net.Conn with half close and reset. Safe for concurrent use, but
// for Relay.
type Conn struct {
	nc            net.Conn
	local, remote Addr
	w             *Writer

	beginning sync.Once
	beginErr  error // of BEGIN; written by beginning

	reading turn // guards the following
	r       *Reader
	left    []byte // unread rest of a DATA frame
	rerr    error  // what ended reading; stays

	closed atomic.Bool
	fin    atomic.Bool // FIN was sent, or is about to be

	deadlines sync.Mutex // guards the following, and held while BEGIN is written
	readBy    time.Time
	writeBy   time.Time
}

func newConn(nc net.Conn, r *Reader, local, remote Addr) *Conn {
	return &Conn{nc: nc, local: local, remote: remote, w: NewWriter(nc), reading: newTurn(), r: r}
}

// Peer is the key of the node at the other end, as proven by the session's handshake.
func (c *Conn) Peer() identity.PubKey { return c.remote.Key }

// Target is what the dialer asked for. It is foreign text of at most MaxTarget bytes.
func (c *Conn) Target() string { return c.remote.Target }

// Confirm tells the dialer that an accepted stream is served.
func (c *Conn) Confirm() error { return c.w.Frame(Confirm, nil) }

// Reject refuses an accepted stream; the dialer's Dial fails with the code.
func (c *Conn) Reject(code Code) { c.Reset(code) }

// data makes left non-empty or returns what ended the stream. The caller has the turn to read.
func (c *Conn) data() error {
	if c.late() {
		return os.ErrDeadlineExceeded // also for what has been buffered
	}
	for len(c.left) == 0 {
		if c.closed.Load() {
			return net.ErrClosed
		}
		if c.rerr == nil {
			c.rerr = c.begin()
		}
		if c.rerr != nil {
			return c.rerr
		}
		kind, body, err := c.r.Next()
		switch {
		case isTimeout(err) && c.closed.Load():
			return net.ErrClosed
		case isTimeout(err):
			return err // the frame is kept; the next Read goes on with it
		case err != nil:
			c.rerr = c.lost(err)
		case kind == Data:
			c.left = body
		case kind == Fin && len(body) == 0:
			c.rerr = io.EOF
		case kind == Reset:
			c.rerr = ParseErr(body)
		default:
			c.rerr = ErrFrame
		}
	}
	return nil
}

// late reports whether the time for reading is over.
func (c *Conn) late() bool {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	return !c.readBy.IsZero() && !time.Now().Before(c.readBy)
}

// begin tells the node, once, that we take what arrives. It comes before the first data of ours too: a BEGIN that
// waits behind data which nobody takes before we read would wait for ever.
func (c *Conn) begin() error {
	c.beginning.Do(func() {
		if err := c.writeBegin(); err != nil {
			c.beginErr = c.lost(err)
		}
	})
	return c.beginErr
}

// writeBegin writes BEGIN whatever the deadlines are: a Read needs it, and a Write may be late already.
func (c *Conn) writeBegin() error {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	c.nc.SetWriteDeadline(time.Now().Add(lastWord))
	defer func() { c.nc.SetWriteDeadline(c.writeBy) }()
	return c.w.Frame(Begin, nil)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// lost is the error of a connection to the node that ended without FIN or RESET.
func (c *Conn) lost(err error) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return &Refused{Code: wire.CodeGone, Text: "the connection to the node ended: " + err.Error()}
}

// Read implements net.Conn. io.EOF only after the far app's half close; a reset is a *Refused.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.reading.take()
	defer c.reading.release()
	if err := c.data(); err != nil {
		return 0, err
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: no copy between the node's socket and w.
func (c *Conn) WriteTo(w io.Writer) (total int64, err error) {
	c.reading.take()
	defer c.reading.release()
	for {
		if err := c.data(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		n, err := w.Write(c.left)
		total += int64(n)
		c.left = c.left[n:]
		if err != nil {
			return total, err
		}
	}
}

// Write implements net.Conn. It blocks while the far app does not read. After a deadline what was taken of a frame counts as
// written; the last of it leaves with the next Write, CloseWrite or Close. So a Write that was late may return len(p) with
// its error.
func (c *Conn) Write(p []byte) (int, error) {
	if c.ended() {
		return 0, net.ErrClosed
	}
	if err := c.begin(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	return n, c.writeError(err)
}

// writeError is err unless we closed meanwhile.
func (c *Conn) writeError(err error) error {
	if err != nil && c.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// copyBuffers are read into with room for a frame's header in front.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, HeaderLen+32<<10); return &b }}

// ReadFrom implements io.ReaderFrom: what r gives leaves in frames without another copy.
func (c *Conn) ReadFrom(r io.Reader) (total int64, err error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	b := *buf
	for {
		n, err := r.Read(b[HeaderLen:])
		if n > 0 {
			if c.ended() {
				return total, net.ErrClosed
			}
			PutHeader(b, Data, n)
			taken, err := c.w.whole(b[:HeaderLen+n])
			if taken {
				total += int64(n)
			}
			if err != nil {
				return total, c.writeError(err)
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (c *Conn) ended() bool { return c.fin.Load() || c.closed.Load() }

// CloseWrite tells the far app that no more comes: it reads io.EOF after what was written.
func (c *Conn) CloseWrite() error {
	if c.closed.Load() || c.fin.Swap(true) {
		return nil
	}
	return c.writeError(c.w.Frame(Fin, nil))
}

// lastWord bounds the writing of FIN or RESET in Close and Reset, to a node that reads no more.
const lastWord = 2 * time.Second

// Close ends the stream; what was written still arrives. Who reads or writes meanwhile gets net.ErrClosed. It waits two seconds at
// most, for a node that takes nothing because the far app does not. Idempotent.
func (c *Conn) Close() error {
	var k Kind
	if !c.fin.Swap(true) {
		k = Fin
	}
	return c.end(k, nil)
}

// Reset ends the stream both ways at once; the far app's Read and Write fail with the code.
func (c *Conn) Reset(code Code) {
	c.end(Reset, binary.BigEndian.AppendUint16(nil, uint16(code)))
}

// end says a last word, closes the connection and wakes who waits.
func (c *Conn) end(k Kind, body []byte) error {
	c.deadlines.Lock() // after this nobody sets one
	first := !c.closed.Swap(true)
	c.deadlines.Unlock()
	if !first {
		return nil
	}
	c.nc.SetReadDeadline(time.Unix(1, 0))
	return errors.Join(c.w.last(k, body, lastWord), c.nc.Close())
}

// Addr is an app's address: its node's key and its port there.
type Addr struct {
	Key    identity.PubKey // zero where it is not known
	Port   Port            // 0 where it is not known
	Target string          // what the dialer asked for, if anything
}

// Network implements net.Addr.
func (Addr) Network() string { return "skymesh" }

// String returns KEY:PORT/TARGET without the parts that are not known.
func (a Addr) String() string {
	s := ""
	if !a.Key.IsZero() {
		s = a.Key.String()
	}
	if a.Port != 0 {
		s += ":" + strconv.Itoa(int(a.Port))
	}
	if a.Target != "" {
		s += "/" + a.Target
	}
	return s
}

// LocalAddr implements net.Conn: the port of an accepted stream, nothing of a dialed one.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn: key, target and, of a dialed stream, port.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) (err error) {
	c.deadlines.Lock()
	defer c.deadlines.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	if read {
		c.readBy = t
		err = c.nc.SetReadDeadline(t)
	}
	if write {
		c.writeBy = t
		err = errors.Join(err, c.nc.SetWriteDeadline(t))
	}
	return err
}
