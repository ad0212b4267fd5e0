package secure

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Sizes in bytes.
const (
	// MaxMsg is the longest message of a Conn.
	MaxMsg = 64 << 10

	keepBuf = 8 << 10 // a buffer beyond this is given back after its message
	readBuf = 4 << 10
)

// ErrTooLong: a message is longer than MaxMsg. After a WriteMsg with this error the Conn
// is as before.
var ErrTooLong = errors.New("secure: message longer than 64 KiB")

// Conn is a pipe of sealed messages over a stream, for protocols that exchange small
// messages (control, tracker). One goroutine reads; any may write. The first error of a
// direction is final, deadlines included: the stream may have stopped inside a message.
type Conn struct {
	nc     net.Conn
	remote identity.PubKey

	// of the reader
	in      *bufio.Reader
	open    *Opener
	head    [wire.LenLen]byte
	buf     []byte
	readErr error

	wmu      sync.Mutex // guards the following, and keeps messages in the order of their numbers while they are written
	seal     *Sealer
	out      []byte
	writeErr error
}

// NewConn makes the pipe of a finished handshake. It owns nc.
func NewConn(nc net.Conn, r Result) *Conn {
	return &Conn{
		nc:     nc,
		remote: r.Remote,
		in:     bufio.NewReaderSize(nc, readBuf),
		open:   NewOpener(r.Recv),
		seal:   NewSealer(r.Send),
	}
}

// ReadMsg returns the next message, which is valid until the next call and may be empty.
// io.EOF: the stream ended between messages; that is not authenticated, so a protocol that
// must know says goodbye itself. Other errors: ErrOpen, ErrTooLong, io.ErrUnexpectedEOF,
// those of the stream.
func (c *Conn) ReadMsg() ([]byte, error) {
	if c.readErr != nil {
		return nil, c.readErr
	}
	msg, err := c.readMsg()
	c.readErr = err
	return msg, err
}

func (c *Conn) readMsg() ([]byte, error) {
	if _, err := io.ReadFull(c.in, c.head[:]); err != nil {
		return nil, err
	}
	n := int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
	if n < Overhead {
		return nil, ErrOpen
	}
	if n > MaxMsg+Overhead {
		return nil, ErrTooLong
	}
	c.buf = sized(c.buf, n)
	if _, err := io.ReadFull(c.in, c.buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return c.open.Open(c.buf[:0], c.buf, c.head[:])
}

// sized returns n bytes, in buf where it is neither too small nor much too large.
func sized(buf []byte, n int) []byte {
	if n > cap(buf) || cap(buf) > keepBuf && n <= keepBuf {
		return make([]byte, n)
	}
	return buf[:n]
}

// WriteMsg seals and sends one message; it keeps no reference. It blocks while the stream
// does, other writers wait behind it. Safe for concurrent use.
func (c *Conn) WriteMsg(msg []byte) error {
	if len(msg) > MaxMsg {
		return fmt.Errorf("%w: %d bytes", ErrTooLong, len(msg))
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.writeErr != nil {
		return c.writeErr
	}
	n := len(msg) + Overhead
	c.out = sized(c.out, wire.LenLen+n)
	wire.PutLen(c.out, n)
	c.seal.Seal(c.out[wire.LenLen:wire.LenLen], msg, c.out[:wire.LenLen])
	_, c.writeErr = c.nc.Write(c.out)
	return c.writeErr
}

// Remote returns the key that the peer proved to hold.
func (c *Conn) Remote() identity.PubKey { return c.remote }

// RemoteAddr returns the peer's address on the carrier.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetReadDeadline ends a ReadMsg, now or later, at t; the zero time: never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline ends a WriteMsg, now or later, at t; the zero time: never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }

// Close closes the stream; blocked calls return. It may be called more than once and from
// any goroutine.
func (c *Conn) Close() error { return c.nc.Close() }
