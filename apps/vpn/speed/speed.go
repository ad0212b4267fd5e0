// Package speed measures what a VPN's tunnel carries: TCP between a client and its exit, which listens on its address in
// the tunnel. It is no part of the VPN itself.
//
//	client: direction u8 ('d' or 'u'), seconds u8 (1 to 10)
//	'd': the server sends zeros for so long, and closes
//	'u': the client sends for so long and closes its half; the server answers how many bytes came, u64
package speed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Port is where exits listen.
const Port = 7007

// Limits.
const (
	MaxSeconds  = 10
	maxTests    = 4                // at once
	maxOfClient = 2                // one may not have noticed its end yet
	grace       = 10 * time.Second // beside the test's own time
	bufLen      = 128 << 10

	download, upload = 'd', 'u'
)

// Result is what was measured.
type Result struct {
	Down  float64       `json:"down_bytes_per_second"`
	Up    float64       `json:"up_bytes_per_second"`
	Setup time.Duration `json:"connect_ns"` // a TCP connection through the tunnel: one round trip; the better of two
}

// Server serves measurements on listeners.
type Server struct {
	mu      sync.Mutex // guards the following
	clients map[netip.Addr]int
	total   int
}

// Serve accepts on ln until ctx ends, and closes it. It may be called for several listeners at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var work sync.WaitGroup
	defer work.Wait()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	defer ln.Close()
	for {
		c, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary net.Error
			if errors.As(err, &temporary) && temporary.Timeout() {
				continue
			}
			return err
		}
		from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
		if !s.take(from.Addr()) {
			c.Close()
			continue
		}
		work.Go(func() {
			defer s.release(from.Addr())
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			defer c.Close()
			serve(c)
		})
	}
}

func (s *Server) take(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[a] >= maxOfClient || s.total >= maxTests {
		return false
	}
	if s.clients == nil {
		s.clients = map[netip.Addr]int{}
	}
	s.clients[a]++
	s.total++
	return true
}

func (s *Server) release(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.clients[a]--; s.clients[a] == 0 {
		delete(s.clients, a)
	}
}

// serve does what the client asks; what goes wrong ends the connection.
func serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(grace))
	var ask [2]byte
	if _, err := io.ReadFull(c, ask[:]); err != nil {
		return
	}
	d := time.Duration(ask[1]) * time.Second
	if ask[1] == 0 || ask[1] > MaxSeconds {
		return
	}
	_ = c.SetDeadline(time.Now().Add(d + grace))
	switch ask[0] {
	case download:
		_, _ = send(c, d)
	case upload:
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, bufLen))
		_, _ = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
}

// send writes zeros for a time, and some at least: none would look like a refusal.
func send(c net.Conn, d time.Duration) (n int64, err error) {
	buf := make([]byte, bufLen)
	for began := time.Now(); ; {
		k, err := c.Write(buf)
		n += int64(k)
		if err != nil || time.Since(began) >= d {
			return n, err
		}
	}
}

// Measure asks the exit at addr, both ways for d each (whole seconds, 10 at most).
func Measure(ctx context.Context, addr netip.AddrPort, d time.Duration) (r Result, err error) {
	seconds := min(max(int(d/time.Second), 1), MaxSeconds)
	ctx, cancel := context.WithTimeout(ctx, 2*(time.Duration(seconds)*time.Second+grace))
	defer cancel()
	if r.Down, err = r.measure(ctx, addr, download, seconds); err != nil {
		return r, fmt.Errorf("measuring download: %w", err)
	}
	if r.Up, err = r.measure(ctx, addr, upload, seconds); err != nil {
		return r, fmt.Errorf("measuring upload: %w", err)
	}
	return r, nil
}

// measure is one direction, in bytes a second.
func (r *Result) measure(ctx context.Context, addr netip.AddrPort, direction byte, seconds int) (float64, error) {
	c, err := r.dial(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	began := time.Now() // before the exit begins
	if _, err := c.Write([]byte{direction, byte(seconds)}); err != nil {
		return 0, err
	}
	if direction == download {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, bufLen))
		if err == nil && n == 0 {
			err = errors.New("the exit refuses: another test is under way, or it offers none")
		}
		return float64(n) / time.Since(began).Seconds(), err
	}
	if _, err := send(c, time.Duration(seconds)*time.Second); err != nil {
		return 0, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return 0, err
	}
	var got [8]byte
	if _, err := io.ReadFull(c, got[:]); err != nil {
		return 0, err
	}
	return float64(binary.BigEndian.Uint64(got[:])) / time.Since(began).Seconds(), nil
}

// dial connects, and notes how long that took.
func (r *Result) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	began := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	if took := time.Since(began); err == nil && (r.Setup == 0 || took < r.Setup) {
		r.Setup = took
	}
	return c, err
}
