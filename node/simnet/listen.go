package simnet

import (
	"net"
	"net/netip"
	"sync"
)

// backlog is how many connections wait for Accept; a dial beyond it is not answered, and tried again.
const backlog = 128

// Listener takes the streams that others dial to one address of a host.
type Listener struct {
	h    *Host
	at   netip.AddrPort
	addr *net.TCPAddr

	mu      sync.Mutex // guards the following
	some    sync.Cond  // waiting, or closed
	waiting []*Conn
	closed  bool
}

func newListener(h *Host, at netip.AddrPort) *Listener {
	l := &Listener{h: h, at: at, addr: net.TCPAddrFromAddrPort(at)}
	l.some.L = &l.mu
	return l
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.closed {
		l.some.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	return c, nil
}

// offer puts a connection in the queue; false when there is no room.
func (l *Listener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting) >= backlog {
		return false
	}
	l.waiting = append(l.waiting, c)
	l.some.Signal()
	return true
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// Close implements net.Listener; connections that nobody accepted are reset. Idempotent.
func (l *Listener) Close() error {
	l.h.n.mu.Lock()
	if l.h.tcp[l.at] == l {
		delete(l.h.tcp, l.at)
	}
	l.h.n.mu.Unlock()
	l.mu.Lock()
	l.closed = true
	waiting := l.waiting
	l.waiting = nil
	l.some.Broadcast()
	l.mu.Unlock()
	for _, c := range waiting {
		c.abort()
	}
	return nil
}
