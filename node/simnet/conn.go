package simnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// pair is a stream: both its ends, under one lock.
type pair struct {
	mu   sync.Mutex // guards everything of both ends
	ends [2]Conn
}

// Conn is one end of a stream, as a *net.TCPConn without the socket options. Safe for concurrent use.
type Conn struct {
	p             *pair
	far           *Conn
	local, remote *net.TCPAddr
	out           flight // to far

	// guarded by p.mu
	in         chunks
	eof        bool  // nothing follows what is in in
	err        error // of a stream that broke; comes after what is in in
	finished   bool  // CloseWrite
	closed     bool
	writing    bool // some Write is under way; the others wait
	readable   sync.Cond
	writable   sync.Cond
	readUntil  deadline
	writeUntil deadline
}

// newPair makes a stream. a sends over there and b over back; each has its local and remote address.
func newPair(n *Network, there, back *path, a, b [2]netip.AddrPort) (near, far *Conn) {
	limit := n.Buffer
	if limit <= 0 {
		limit = DefaultBuffer
	}
	p := &pair{}
	for i, at := range [][2]netip.AddrPort{a, b} {
		c := &p.ends[i]
		c.p, c.far = p, &p.ends[1-i]
		c.local, c.remote = net.TCPAddrFromAddrPort(at[0]), net.TCPAddrFromAddrPort(at[1])
		c.readable.L, c.writable.L = &p.mu, &p.mu
		c.out.limit = limit
	}
	p.ends[0].out.path, p.ends[1].out.path = there, back
	for _, way := range []*path{there, back} {
		way.mu.Lock()
		way.pairs[p] = struct{}{}
		way.mu.Unlock()
	}
	return &p.ends[0], &p.ends[1]
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case c.readUntil.passed():
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case c.in.n > 0:
			n := c.in.read(b)
			c.far.creditLocked(n, c.out.path.latency())
			return n, nil
		case c.err != nil:
			return 0, c.opError("read", c.err)
		case c.eof:
			return 0, io.EOF
		}
		c.readable.Wait()
	}
}

// Write implements net.Conn. It blocks while the stream holds as much as Network.Buffer allows.
func (c *Conn) Write(b []byte) (total int, err error) {
	segment := c.out.path.segment()
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if err := c.awaitLocked(func() bool { return !c.writing }); err != nil {
		return 0, err
	}
	c.writing = true
	defer func() {
		c.writing = false
		c.writable.Broadcast()
	}()
	for len(b) > 0 {
		if err := c.awaitLocked(c.roomLocked); err != nil {
			return total, err
		}
		n := min(len(b), segment, c.out.limit-c.out.held)
		c.out.held += n
		c.sendLocked(piece{data: append(make([]byte, 0, n), b[:n]...)})
		total += n
		b = b[n:]
	}
	return total, nil
}

// awaitLocked waits until ready says so, or writing is over.
func (c *Conn) awaitLocked(ready func() bool) error {
	for {
		switch {
		case c.closed:
			return c.opError("write", net.ErrClosed)
		case c.writeUntil.passed():
			return c.opError("write", os.ErrDeadlineExceeded)
		case c.err != nil:
			return c.opError("write", c.err)
		case c.finished:
			return c.opError("write", syscall.EPIPE)
		case ready():
			return nil
		}
		c.writable.Wait()
	}
}

// CloseWrite ends our direction: the far end reads what was written and then io.EOF.
func (c *Conn) CloseWrite() error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.finishLocked()
	return nil
}

func (c *Conn) finishLocked() {
	if !c.finished && c.err == nil {
		c.finished = true
		c.sendLocked(piece{fin: true})
	}
}

// Close implements net.Conn. What was written still arrives, unless something was left unread: then, as with TCP, the far
// end gets a reset. Idempotent.
func (c *Conn) Close() error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.in.n > 0 {
		c.resetFarLocked()
	}
	c.finishLocked()
	c.endLocked()
	return nil
}

// abort closes with a reset.
func (c *Conn) abort() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.resetFarLocked()
	c.endLocked()
}

func (c *Conn) endLocked() {
	c.closed = true
	c.in = chunks{}
	c.readUntil.setLocked(time.Time{}, &c.readable)
	c.writeUntil.setLocked(time.Time{}, &c.writable)
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.p.forgetLocked()
}

// resetFarLocked sends a reset, behind nothing: what waits to be sent is dropped.
func (c *Conn) resetFarLocked() {
	if c.closed || c.err != nil {
		return
	}
	c.out.dropLocked()
	c.finished = true
	c.sendLocked(piece{rst: true})
}

// breakLocked ends both directions at this end.
func (c *Conn) breakLocked(err error) {
	if c.err == nil && !c.closed {
		c.err = err
	}
	c.out.dropLocked()
	c.readable.Broadcast()
	c.writable.Broadcast()
}

// cut resets both ends.
func (p *pair) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.ends {
		p.ends[i].breakLocked(syscall.ECONNRESET)
	}
	p.unlist()
}

// forgetLocked takes a stream off its paths when nobody can notice a fault any more.
func (p *pair) forgetLocked() {
	for i := range p.ends {
		if c := &p.ends[i]; !c.closed || len(c.out.queue) > 0 {
			return
		}
	}
	p.unlist()
}

func (p *pair) unlist() {
	for i := range p.ends {
		way := p.ends[i].out.path
		way.mu.Lock()
		delete(way.pairs, p)
		way.mu.Unlock()
	}
}

// LocalAddr implements net.Conn: a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn: a *net.TCPAddr, that of a NAT for a host behind one.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readUntil, &c.readable, &c.writeUntil, &c.writable)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readUntil, &c.readable, nil, nil)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.writeUntil, &c.writable, nil, nil)
}

func (c *Conn) setDeadlines(t time.Time, d *deadline, woken *sync.Cond, d2 *deadline, woken2 *sync.Cond) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	d.setLocked(t, woken)
	if d2 != nil {
		d2.setLocked(t, woken2)
	}
	return nil
}

// deadline wakes a condition when it passes; guarded by the condition's lock.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) setLocked(at time.Time, c *sync.Cond) {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.timer = at, nil
	if !at.IsZero() {
		d.timer = time.AfterFunc(time.Until(at), func() {
			c.L.Lock()
			c.Broadcast()
			c.L.Unlock()
		})
	}
	c.Broadcast()
}
