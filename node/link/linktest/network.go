// Package linktest is the least network that links can run over in tests: pipes in memory with a bandwidth,
// which can be cut in silence. It works in bubbles of testing/synctest, in virtual time.
//
//	w := linktest.New(10 << 20)                   // 10 MiB/s in each direction of each connection
//	a, _ := link.Listen(ctx, link.Config{Carrier: w.Host("10.0.0.1"), Listen: "10.0.0.1:1", ...})
package linktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// piece is what a connection delivers at once, in bytes: the grain of its bandwidth.
const piece = 16 << 10

// Network connects hosts. Safe for concurrent use.
type Network struct {
	rate int // bytes a second and direction; 0: no limit

	mu    sync.Mutex // guards the following
	ports map[string]*listener
	rates map[string]int
	conns map[*conn]struct{}
	port  uint16
	cut   bool
}

// New makes a network whose connections carry rate bytes a second in each direction; 0: no limit.
func New(rate int) *Network {
	return &Network{rate: rate, ports: map[string]*listener{}, rates: map[string]int{}, conns: map[*conn]struct{}{}, port: 40000}
}

// Slow gives connections to hostport, made from now on, another bandwidth.
func (w *Network) Slow(hostport string, rate int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rates[hostport] = rate
}

// Cut makes the network swallow whatever is written and refuse nobody and answer nobody, until it is healed. Connections
// from before stay dead.
func (w *Network) Cut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			c.dead.Do(func() { close(c.lost) })
		}
	}
}

// Host is the carrier of the host with that IP address.
func (w *Network) Host(ip string) *Host { return &Host{net: w, ip: netip.MustParseAddr(ip)} }

// Host implements link.Carrier and link.Watcher.
type Host struct {
	net *Network
	ip  netip.Addr

	mu    sync.Mutex // guards the following
	moved func([]netip.Addr)
}

// Name implements link.Carrier.
func (*Host) Name() string { return "memory" }

// Move gives the host another address and tells its watcher.
func (h *Host) Move(ip string) {
	h.mu.Lock()
	h.ip = netip.MustParseAddr(ip)
	moved, here := h.moved, []netip.Addr{h.ip}
	h.mu.Unlock()
	if moved != nil {
		moved(here)
	}
}

// Watch implements link.Watcher.
func (h *Host) Watch(ctx context.Context, moved func([]netip.Addr)) error {
	h.mu.Lock()
	h.moved = moved
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	h.moved = nil
	h.mu.Unlock()
	return nil
}

// Dial implements link.Carrier.
func (h *Host) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	h.mu.Lock()
	ip := h.ip
	h.mu.Unlock()
	w := h.net
	w.mu.Lock()
	ln, cut, rate := w.ports[hostport], w.cut, w.rate
	if r, ok := w.rates[hostport]; ok {
		rate = r
	}
	w.port++
	from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, w.port))
	w.mu.Unlock()
	if cut {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if ln == nil {
		return nil, fmt.Errorf("linktest: nobody listens on %s", hostport)
	}
	near, far := net.Pipe()
	a, b := w.conn(near, from, ln.addr, rate), w.conn(far, ln.addr, from, rate)
	select {
	case ln.queue <- b:
		return a, nil
	case <-ln.closed:
	case <-ctx.Done():
	}
	near.Close()
	return nil, errors.New("linktest: the listener is closed or busy")
}

// Listen implements link.Carrier; the port is not 0.
func (h *Host) Listen(_ context.Context, hostport string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return nil, err
	}
	w := h.net
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ports[hostport] != nil {
		return nil, fmt.Errorf("linktest: %s is in use", hostport)
	}
	ln := &listener{net: w, addr: net.TCPAddrFromAddrPort(at), queue: make(chan net.Conn), closed: make(chan struct{})}
	w.ports[hostport] = ln
	return ln, nil
}

type listener struct {
	net    *Network
	addr   net.Addr
	queue  chan net.Conn // never closed
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.ports, l.addr.String())
	})
	return nil
}

// conn is one end of a connection.
type conn struct {
	net.Conn
	net           *Network
	rate          int
	local, remote net.Addr
	dead          sync.Once
	lost          chan struct{} // closed: what is written vanishes
}

func (w *Network) conn(nc net.Conn, local, remote net.Addr, rate int) *conn {
	c := &conn{Conn: nc, net: w, rate: rate, local: local, remote: remote, lost: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = struct{}{}
	return c
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Write takes the time that the bandwidth asks for.
func (c *conn) Write(b []byte) (n int, err error) {
	for n < len(b) {
		p := b[n:min(len(b), n+piece)]
		if c.rate > 0 {
			time.Sleep(time.Duration(len(p)) * time.Second / time.Duration(c.rate))
		}
		select {
		case <-c.lost:
			return len(b), nil
		default:
		}
		m, err := c.Conn.Write(p)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close closes this end; on a network that is cut the other one does not hear of it.
func (c *conn) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	select {
	case <-c.lost:
		// the pipe would tell the other end: only wake who blocks here
		c.Conn.SetDeadline(time.Unix(1, 0))
		return nil
	default:
		return c.Conn.Close()
	}
}
