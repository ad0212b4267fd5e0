package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// packetHeader is the key and the port in front of a datagram on the app socket.
const packetHeader = identity.PubKeyLen + 2

// MaxDatagram is the longest datagram, in bytes.
const MaxDatagram = MaxBody - packetHeader

// ErrTooLong is the error of a datagram beyond MaxDatagram.
var ErrTooLong = fmt.Errorf("app: a datagram of more than %d bytes", MaxDatagram)

// Packet is the body of PACKET: a datagram, and whom it is for or from.
type Packet struct {
	Key  identity.PubKey
	Port Port
	Data []byte // at most MaxDatagram bytes; may be empty
}

// AppendPacket appends p as ParsePacket reads it.
func AppendPacket(b []byte, p Packet) []byte {
	b = append(b, p.Key[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Port))
	return append(b, p.Data...)
}

// ParsePacket reads the body of PACKET; Data aliases it. Errors: ErrFrame.
func ParsePacket(body []byte) (p Packet, err error) {
	r := wire.NewReader(body)
	p.Key, p.Port, p.Data = r.Key(), Port(r.U16()), r.Rest()
	if r.Done() != nil || len(p.Data) > MaxDatagram {
		return p, ErrFrame
	}
	return p, nil
}

// PacketConn sends datagrams to apps at other nodes and takes theirs: a net.PacketConn whose addresses are Addr
// values. Datagrams may be lost, never altered; the sender's key is proven by its session, its port is its word.
// Safe for concurrent use.
type PacketConn struct {
	nc   *answered
	w    *Writer
	addr Addr

	reading turn // of who reads
	closed  atomic.Bool

	mu     sync.Mutex // guards the following
	readBy time.Time
}

var _ net.PacketConn = (*PacketConn)(nil)

// ListenPacket takes a port of the node for datagrams until the PacketConn is closed; 0: the node picks one. Ports of
// datagrams and of streams are apart.
func (c *Client) ListenPacket(ctx context.Context, port Port) (*PacketConn, error) {
	nc, body, err := c.ask(ctx, Request{Kind: ListenPacket, Port: port, Routes: c.routes})
	if err != nil {
		return nil, err
	}
	self, err := ParsePacket(body)
	if err != nil || len(self.Data) > 0 {
		nc.Close()
		return nil, ErrFrame
	}
	return &PacketConn{nc: nc, w: NewWriter(nc), addr: Addr{Key: self.Key, Port: self.Port}, reading: newTurn()}, nil
}

// ReadFrom implements net.PacketConn. It returns an Addr; what does not fit b is lost. What comes while nobody reads waits, up to a
// limit of the node's, beyond which it is dropped.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.reading.take()
	defer c.reading.release()
	if c.late() {
		return 0, nil, c.opError("read", os.ErrDeadlineExceeded)
	}
	kind, body, err := c.nc.r.Next()
	if err != nil {
		return 0, nil, c.opError("read", err)
	}
	if kind == Err {
		return 0, nil, c.opError("read", ParseErr(body))
	}
	p, err := ParsePacket(body)
	if kind != Datagram || err != nil {
		return 0, nil, c.opError("read", ErrFrame)
	}
	return copy(b, p.Data), Addr{Key: p.Key, Port: p.Port}, nil
}

func (c *PacketConn) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.readBy.IsZero() && !time.Now().Before(c.readBy)
}

func (c *PacketConn) opError(op string, err error) error {
	if c.closed.Load() {
		err = net.ErrClosed
	} else if isTimeout(err) {
		err = os.ErrDeadlineExceeded
	}
	return &net.OpError{Op: op, Net: c.addr.Network(), Source: c.addr, Err: err}
}

// WriteTo implements net.PacketConn; to is an Addr with key and port. A datagram that cannot be delivered is no error.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(Addr)
	if !ok || a.Key.IsZero() || a.Port == 0 {
		return 0, c.opError("write", errors.New("app: want an app.Addr with key and port"))
	}
	if len(b) > MaxDatagram {
		return 0, c.opError("write", ErrTooLong)
	}
	frame := make([]byte, HeaderLen, HeaderLen+packetHeader+len(b))
	frame = AppendPacket(frame, Packet{Key: a.Key, Port: a.Port, Data: b})
	PutHeader(frame, Datagram, len(frame)-HeaderLen)
	taken, err := c.w.whole(frame)
	if err != nil && !taken {
		return 0, c.opError("write", err)
	}
	return len(b), nil
}

// Close gives the port back. Idempotent.
func (c *PacketConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	err := c.w.last(0, nil, lastWord)
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, c.nc.Close())
}

// LocalAddr implements net.PacketConn: an Addr with our node's key and the port.
func (c *PacketConn) LocalAddr() net.Addr { return c.addr }

// SetDeadline implements net.PacketConn.
func (c *PacketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.PacketConn.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	return c.nc.SetReadDeadline(t)
}

// SetWriteDeadline implements net.PacketConn.
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }
