package signal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Limits of a frame.
const (
	// MaxFrame is the longest message in bytes, without its length prefix.
	MaxFrame = 1 << 20
	// MaxGreeting is the longest hello, register and request of an operator: what a server
	// takes, by SetLimit, from a connection that has not registered.
	MaxGreeting = 64 << 10

	headerLen    = 4
	firstAlloc   = 4 << 10          // what a length alone makes us hold; more is allocated as bytes arrive
	frameTimeout = 30 * time.Second // from the first byte of a frame to its last
	writeTimeout = 10 * time.Second // for one frame, unless SetWriteTimeout said otherwise
)

// Errors of Frames.
var (
	ErrFrameSize = errors.New("signal: frame length out of range")
	ErrClosed    = errors.New("signal: connection closed")
)

// Frames carries messages over conn: a 4-byte big-endian length, then that many bytes of
// JSON. One goroutine receives; any number send. It has the methods of jrpc2's
// channel.Channel.
type Frames struct {
	conn   net.Conn
	header [headerLen]byte // of the receiver only

	readMu    sync.Mutex // guards the following and the calls that set conn's read deadline
	limit     int
	deadline  time.Time // of SetReadDeadline
	frameLate time.Time // when the frame under way must be complete; zero between frames
	frameTime time.Duration

	writeMu sync.Mutex // held for the write of one frame; guards timeout
	timeout time.Duration
}

// NewFrames returns the frames of conn, with MaxFrame as limit, no read deadline between
// frames, and ten seconds for the write of one. Closing it closes conn.
func NewFrames(conn net.Conn) *Frames {
	return &Frames{conn: conn, limit: MaxFrame, frameTime: frameTimeout, timeout: writeTimeout}
}

// SetLimit bounds the frames received from now on to n bytes, at most MaxFrame.
func (f *Frames) SetLimit(n int) {
	f.readMu.Lock()
	defer f.readMu.Unlock()
	f.limit = min(n, MaxFrame)
}

// SetReadDeadline makes Recv fail at t, also one that is under way; the zero time removes
// the deadline. A frame that has begun has 30 seconds to arrive in any case.
func (f *Frames) SetReadDeadline(t time.Time) error {
	f.readMu.Lock()
	defer f.readMu.Unlock()
	f.deadline = t
	return f.applyLocked()
}

// SetWriteTimeout gives each Send from now on d to complete; zero is no limit, for a
// stream whose reader may be a pager that waits for a key.
func (f *Frames) SetWriteTimeout(d time.Duration) {
	f.writeMu.Lock()
	defer f.writeMu.Unlock()
	f.timeout = d
}

// Conn returns the connection, for its addresses and credentials.
func (f *Frames) Conn() net.Conn { return f.conn }

// Recv returns the next message. The slice is the caller's. io.EOF between frames is a
// clean end; a length of zero or above the limit is ErrFrameSize. After an error the
// connection is of no more use.
func (f *Frames) Recv() ([]byte, error) {
	// The first byte may take for ever, the rest of the frame may not.
	if _, err := io.ReadFull(f.conn, f.header[:1]); err != nil {
		return nil, err
	}
	f.frameBegins()
	if _, err := io.ReadFull(f.conn, f.header[1:]); err != nil {
		return nil, truncated(err)
	}
	n := binary.BigEndian.Uint32(f.header[:])
	if limit := f.currentLimit(); n == 0 || uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrFrameSize, n, limit)
	}
	msg, err := readGrowing(f.conn, int(n))
	if err != nil {
		return nil, truncated(err)
	}
	f.frameEnds()
	return msg, nil
}

// Send writes one message. A failed or late write closes the connection, because the peer
// has then seen part of a frame. Safe for concurrent use.
func (f *Frames) Send(msg []byte) error {
	if len(msg) == 0 || len(msg) > MaxFrame {
		return fmt.Errorf("%w: %d bytes to send, limit %d", ErrFrameSize, len(msg), MaxFrame)
	}
	header := appendLength(make([]byte, 0, headerLen), msg)
	f.writeMu.Lock()
	defer f.writeMu.Unlock()
	var late time.Time
	if f.timeout > 0 {
		late = time.Now().Add(f.timeout)
	}
	err := f.conn.SetWriteDeadline(late)
	if err == nil {
		_, err = (&net.Buffers{header, msg}).WriteTo(f.conn)
	}
	if err != nil {
		f.conn.Close()
	} else if f.timeout > 0 {
		_ = f.conn.SetWriteDeadline(time.Time{}) // or its timer wakes an idle process
	}
	return err
}

// AppendFrame appends msg as Send writes it, for what has to be written with something beside.
func AppendFrame(b, msg []byte) []byte { return append(appendLength(b, msg), msg...) }

func appendLength(b, msg []byte) []byte { return binary.BigEndian.AppendUint32(b, uint32(len(msg))) }

// Close closes the connection; a Recv and a Send under way fail. Idempotent.
func (f *Frames) Close() error {
	if err := f.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (f *Frames) currentLimit() int {
	f.readMu.Lock()
	defer f.readMu.Unlock()
	return f.limit
}

// frameBegins and frameEnds leave it to the next read to say that the connection is closed.
func (f *Frames) frameBegins() {
	f.readMu.Lock()
	defer f.readMu.Unlock()
	f.frameLate = time.Now().Add(f.frameTime)
	f.applyLocked()
}

func (f *Frames) frameEnds() {
	f.readMu.Lock()
	defer f.readMu.Unlock()
	f.frameLate = time.Time{}
	f.applyLocked()
}

// applyLocked sets the earlier of the two deadlines.
func (f *Frames) applyLocked() error {
	t := f.frameLate
	if t.IsZero() || !f.deadline.IsZero() && f.deadline.Before(t) {
		t = f.deadline
	}
	return f.conn.SetReadDeadline(t)
}

// readGrowing reads n bytes and allocates no more than twice what has arrived.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	msg := make([]byte, 0, min(n, firstAlloc))
	for {
		have := len(msg)
		if _, err := io.ReadFull(r, msg[have:cap(msg)]); err != nil {
			return nil, err
		}
		msg = msg[:cap(msg)]
		if len(msg) == n {
			return msg, nil
		}
		grown := make([]byte, len(msg), min(n, 2*len(msg)))
		copy(grown, msg)
		msg = grown
	}
}

// truncated tells an end inside a frame from one between frames.
func truncated(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
