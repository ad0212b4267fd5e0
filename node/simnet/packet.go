package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Limits of datagrams, in bytes.
const (
	maxDatagram = 65507 // of UDP over IPv4
	// maxUnread is what a PacketConn holds for its reader; more is dropped, newest first.
	maxUnread = 256 << 10
)

// PacketConn sends and takes datagrams at one address of a host, as a *net.UDPConn. Safe for concurrent use.
type PacketConn struct {
	h    *Host
	at   netip.AddrPort
	addr *net.UDPAddr

	mu         sync.Mutex // guards the following
	some       sync.Cond
	unread     []datagram
	bytes      int
	closed     bool
	readUntil  deadline
	writeUntil deadline
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

func newPacketConn(h *Host, at netip.AddrPort) *PacketConn {
	c := &PacketConn{h: h, at: at, addr: net.UDPAddrFromAddrPort(at)}
	c.some.L = &c.mu
	return c
}

func (c *PacketConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.addr, Err: err}
}

// ReadFrom implements net.PacketConn; what does not fit b is lost. The address is a *net.UDPAddr.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, nil, c.opError("read", net.ErrClosed)
		case c.readUntil.passed():
			return 0, nil, c.opError("read", os.ErrDeadlineExceeded)
		case len(c.unread) > 0:
			d := c.unread[0]
			c.unread[0] = datagram{}
			c.unread = c.unread[1:]
			c.bytes -= len(d.data)
			return copy(b, d.data), net.UDPAddrFromAddrPort(d.from), nil
		}
		c.some.Wait()
	}
}

// WriteTo implements net.PacketConn. It never blocks; a datagram that is dropped on the way is no error.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	closed, late := c.closed, c.writeUntil.passed()
	c.mu.Unlock()
	switch {
	case closed:
		return 0, c.opError("write", net.ErrClosed)
	case late:
		return 0, c.opError("write", os.ErrDeadlineExceeded)
	case len(b) > maxDatagram:
		return 0, c.opError("write", os.NewSyscallError("sendto", syscall.EMSGSIZE))
	}
	dst, err := parse(to.String())
	if err != nil {
		return 0, c.opError("write", fmt.Errorf("sending to %s: %w", to, err))
	}
	src := c.at
	if src.Addr().IsUnspecified() {
		ip, err := c.h.source(dst.Addr())
		if err != nil {
			return 0, c.opError("write", err)
		}
		src = netip.AddrPortFrom(ip, src.Port())
	}
	c.send(src, dst, append(make([]byte, 0, len(b)), b...))
	return len(b), nil
}

func (c *PacketConn) send(src, dst netip.AddrPort, b []byte) {
	to, seen, real, ok := c.h.n.route("udp", c.h, src, dst)
	if !ok {
		return
	}
	there, _ := c.h.n.path(c.h, to)
	there.datagram(time.Now(), len(b), func() {
		c.h.n.mu.Lock()
		far, ok := find(to.udp, real)
		c.h.n.mu.Unlock()
		if ok {
			far.take(datagram{seen, b})
		}
	})
}

func (c *PacketConn) take(d datagram) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.bytes+len(d.data) > maxUnread {
		return
	}
	c.unread = append(c.unread, d)
	c.bytes += len(d.data)
	c.some.Broadcast()
}

// Close implements net.PacketConn. Idempotent.
func (c *PacketConn) Close() error {
	c.h.n.mu.Lock()
	if c.h.udp[c.at] == c {
		delete(c.h.udp, c.at)
	}
	c.h.n.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.unread, c.bytes = true, nil, 0
	c.some.Broadcast()
	return nil
}

// LocalAddr implements net.PacketConn: a *net.UDPAddr.
func (c *PacketConn) LocalAddr() net.Addr { return c.addr }

// SetDeadline implements net.PacketConn.
func (c *PacketConn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readUntil, &c.writeUntil)
}

// SetReadDeadline implements net.PacketConn.
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.readUntil) }

// SetWriteDeadline implements net.PacketConn.
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeUntil) }

func (c *PacketConn) setDeadlines(t time.Time, ds ...*deadline) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	for _, d := range ds {
		d.setLocked(t, &c.some)
	}
	return nil
}
