package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Sending.
const (
	writeMost = 128 << 10 // bytes in one span
	// backlog is how much may wait on this end of the connection before a Write waits: what is queued here gets in the way of
	// the pings of the links inside.
	backlog     = 1 << 20
	backlogLook = time.Millisecond
)

// Addr is an end of a circuit.
type Addr struct {
	Key identity.PubKey
	Via string // HOST:PORT of the messenger
}

// Network implements net.Addr.
func (Addr) Network() string { return "relay" }

// String implements net.Addr: the key in short, and the messenger.
func (a Addr) String() string { return a.Key.Short() + " via " + a.Via }

// conn is one end of a circuit; it is a net.Conn.
type conn struct {
	hop   *hop
	peer  identity.PubKey
	num   Circuit      // as we send it
	route wire.RouteID // of our end of the connection

	writing sync.Mutex // keeps Writes apart

	mu                sync.Mutex // guards the following
	canRead, canWrite sync.Cond
	in                inbox
	win               window
	sent, credit      uint64
	opened            bool
	err               error // why it is over
	readBy, writeBy   time.Time
}

func newConn(h *hop, peer identity.PubKey, num Circuit, route wire.RouteID, limit uint64) *conn {
	c := &conn{hop: h, peer: peer, num: num, route: route, win: newWindow(limit)}
	c.canRead.L, c.canWrite.L = &c.mu, &c.mu
	return c
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	for c.in.empty() && c.err == nil {
		if err := c.waitLocked(&c.canRead, &c.readBy); err != nil {
			c.mu.Unlock()
			return 0, err
		}
	}
	if c.in.empty() {
		defer c.mu.Unlock()
		return 0, c.err
	}
	n := c.in.take(p)
	credit, send := c.win.consume(n, c.hop.share())
	c.mu.Unlock()
	if send {
		c.hop.word(c.route, c.peer, c.num, WordCredit, credit)
	}
	return n, nil
}

// waitLocked waits for a change; an error is that the deadline passed.
func (c *conn) waitLocked(cond *sync.Cond, by *time.Time) error {
	if !by.IsZero() {
		left := time.Until(*by)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		timer := time.AfterFunc(left, func() {
			c.mu.Lock()
			cond.Broadcast()
			c.mu.Unlock()
		})
		defer timer.Stop()
	}
	cond.Wait()
	return nil
}

// Write implements net.Conn. It waits for the other end's credit.
func (c *conn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n < len(b) {
		m, err := c.reserve(len(b) - n)
		if err != nil {
			return n, err
		}
		c.hop.data(c, b[n:n+m])
		n += m
	}
	return n, nil
}

// reserve waits until something may be sent, and books it.
func (c *conn) reserve(want int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.err != nil:
			return 0, c.writeErr()
		case !c.writeBy.IsZero() && time.Now().After(c.writeBy):
			return 0, os.ErrDeadlineExceeded
		case c.credit > c.sent && c.hop.l.Queued() > backlog:
			c.mu.Unlock()
			time.Sleep(backlogLook)
			c.mu.Lock()
		case c.credit > c.sent:
			n := int(min(uint64(want), c.credit-c.sent, writeMost))
			c.sent += uint64(n)
			return n, nil
		default:
			if err := c.waitLocked(&c.canWrite, &c.writeBy); err != nil {
				return 0, err
			}
		}
	}
}

func (c *conn) writeErr() error {
	if errors.Is(c.err, io.EOF) {
		return io.ErrClosedPipe
	}
	return c.err
}

// deliver takes what came; false when that is more than there was credit for.
func (c *conn) deliver(b []byte, marked bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return true
	}
	if !c.win.take(len(b), marked) {
		return false
	}
	c.in.put(b)
	c.canRead.Signal()
	return true
}

// allow raises the credit; an open circuit's end has accepted with it.
func (c *conn) allow(credit uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credit = max(c.credit, credit)
	c.opened = true
	c.canWrite.Broadcast()
	c.canRead.Broadcast()
}

// fail ends the circuit for a reason; the first stays. Only what a person closed drops what came.
func (c *conn) fail(err error) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, net.ErrClosed) {
		c.in.clear()
	}
	if first = c.err == nil; first {
		c.err = err
	}
	c.canRead.Broadcast()
	c.canWrite.Broadcast()
	return first
}

// await waits until the other end has accepted, or the time.
func (c *conn) await(by time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.opened && c.err == nil {
		if err := c.waitLocked(&c.canRead, &by); err != nil {
			return err
		}
	}
	return c.err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.fail(net.ErrClosed) {
		c.hop.word(c.route, c.peer, c.num, WordReset, uint64(ResetClosed))
	}
	c.hop.forget(c)
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return Addr{c.hop.self(), c.hop.addr.HostPort} }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return Addr{c.peer, c.hop.addr.HostPort} }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readBy, &c.canRead, t) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, &c.canWrite, t) }

func (c *conn) setDeadline(by *time.Time, cond *sync.Cond, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*by = t
	cond.Broadcast()
	return nil
}
