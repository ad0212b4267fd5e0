package app

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Conn is a stream to an app at another node: a net.Conn with half close and reset. One reader and one
// writer at a time; Close, Reset and deadlines from anywhere.
type Conn struct {
	nc     net.Conn
	peer   identity.PubKey
	target string
	w      *Writer

	beginning sync.Once
	beginErr  error // of BEGIN; written by beginning

	r    *Reader
	left []byte // unread rest of a DATA frame
	rerr error  // what ended reading; stays

	mu     sync.Mutex // guards the following
	fin    bool       // FIN was sent
	closed bool
}

func newConn(nc net.Conn, r *Reader, peer identity.PubKey, target string) *Conn {
	return &Conn{nc: nc, peer: peer, target: target, w: NewWriter(nc), r: r}
}

// Peer is the key of the node at the other end, as proven by the session's handshake.
func (c *Conn) Peer() identity.PubKey { return c.peer }

// Target is what the dialer asked for. It is foreign text of at most MaxTarget bytes.
func (c *Conn) Target() string { return c.target }

// Confirm tells the dialer that an accepted stream is served.
func (c *Conn) Confirm() error { return c.w.Frame(Confirm, nil) }

// Reject refuses an accepted stream; the dialer's Dial fails with the code.
func (c *Conn) Reject(code Code) { c.Reset(code) }

// data makes left non-empty or returns what ended the stream.
func (c *Conn) data() error {
	for len(c.left) == 0 {
		if c.rerr == nil {
			c.rerr = c.begin()
		}
		if c.rerr != nil {
			return c.rerr
		}
		kind, body, err := c.r.Next()
		switch {
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

// begin tells the node, once, that we take what arrives. It comes before the first data of ours too: a BEGIN that
// waits behind data which nobody takes before we read would wait for ever.
func (c *Conn) begin() error {
	c.beginning.Do(func() {
		if err := c.w.Frame(Begin, nil); err != nil {
			c.beginErr = c.lost(err)
		}
	})
	return c.beginErr
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// lost is the error of a connection to the node that ended without FIN or RESET.
func (c *Conn) lost(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return &Refused{Code: wire.CodeGone, Text: "the connection to the node ended: " + err.Error()}
}

// Read implements net.Conn. io.EOF only after the far app's half close; a reset is a *Refused.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.data(); err != nil {
		return 0, err
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: no copy between the node's socket and w.
func (c *Conn) WriteTo(w io.Writer) (total int64, err error) {
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

// Write implements net.Conn. It blocks while the far app does not read.
func (c *Conn) Write(p []byte) (int, error) {
	if c.ended() {
		return 0, net.ErrClosed
	}
	if err := c.begin(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
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
			if _, err := c.nc.Write(b[:HeaderLen+n]); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (c *Conn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fin || c.closed
}

// CloseWrite tells the far app that no more comes: it reads io.EOF after what was written.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	first := !c.fin && !c.closed
	c.fin = true
	c.mu.Unlock()
	if !first {
		return nil
	}
	return c.w.Frame(Fin, nil)
}

// lastWord bounds the writing of FIN or RESET in Close and Reset, to a node that reads no more.
const lastWord = 2 * time.Second

// Close ends the stream; what was written still arrives.
func (c *Conn) Close() error {
	c.nc.SetWriteDeadline(time.Now().Add(lastWord))
	err := c.CloseWrite()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return errors.Join(err, c.nc.Close())
}

// Reset ends the stream both ways at once; the far app's Read and Write fail with the code.
func (c *Conn) Reset(code Code) {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if !first {
		return
	}
	c.nc.SetWriteDeadline(time.Now().Add(lastWord))
	c.w.Frame(Reset, binary.BigEndian.AppendUint16(nil, uint16(code)))
	c.nc.Close()
}

// Addr is an app's address: a key and a name for people.
type Addr struct {
	Key    identity.PubKey
	Target string
}

// Network implements net.Addr.
func (Addr) Network() string { return "skymesh" }

func (a Addr) String() string {
	if a.Target == "" {
		return a.Key.String()
	}
	return a.Key.String() + "/" + a.Target
}

// LocalAddr implements net.Conn; the local end has no address of its own.
func (c *Conn) LocalAddr() net.Addr { return Addr{} }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return Addr{Key: c.peer, Target: c.target} }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }
