package simnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A dial that is not answered is tried again after firstRetry, doubling, dialTries times, as Linux does: 127 s in all.
const (
	firstRetry = time.Second
	dialTries  = 7
)

// Dial implements link.Carrier: it connects to ADDRESS:PORT. Refused where nobody listens; where there is no way, it ends
// with ctx, or after two minutes.
func (h *Host) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	c, err := h.dial(ctx, hostport)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: textAddr(hostport), Err: err}
	}
	return c, nil
}

// textAddr is an address as it was given.
type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

func (h *Host) dial(ctx context.Context, hostport string) (*Conn, error) {
	dst, err := parse(hostport)
	if err != nil {
		return nil, err
	}
	if dst.Addr().IsUnspecified() {
		dst = netip.AddrPortFrom(h.addrs[0], dst.Port())
	}
	ip, err := h.source(dst.Addr())
	if err != nil {
		return nil, err
	}
	h.n.mu.Lock()
	src, err := h.bindLocked(netip.AddrPortFrom(ip, 0), func(a netip.AddrPort) bool { return h.tcp[a] != nil })
	h.n.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return h.connect(ctx, src, dst)
}

// connect knocks until somebody answers.
func (h *Host) connect(ctx context.Context, src, dst netip.AddrPort) (*Conn, error) {
	retry := firstRetry
	for range dialTries {
		began := time.Now()
		c, answered, err := h.knock(ctx, src, dst)
		if err != nil || answered {
			return c, err
		}
		if err := sleep(ctx, retry-time.Since(began)); err != nil {
			return nil, err
		}
		retry *= 2
	}
	return nil, os.NewSyscallError("connect", syscall.ETIMEDOUT)
}

// knock is one attempt; answered says that there was an answer.
func (h *Host) knock(ctx context.Context, src, dst netip.AddrPort) (c *Conn, answered bool, err error) {
	to, seen, real, ok := h.n.route("tcp", h, src, dst)
	if !ok {
		return nil, false, nil
	}
	there, back := h.n.path(h, to)
	wait, ok := there.knock()
	if !ok {
		return nil, false, nil
	}
	if err := sleep(ctx, wait); err != nil {
		return nil, false, err
	}
	h.n.mu.Lock()
	l, listening := find(to.tcp, real)
	h.n.mu.Unlock()
	var far *Conn
	if listening {
		c, far = newPair(h.n, there, back, [2]netip.AddrPort{src, dst}, [2]netip.AddrPort{real, seen})
		if !l.offer(far) {
			c.abort()
			return nil, false, nil
		}
	}
	// The answer comes again until it arrives.
	for retry := firstRetry; ; retry *= 2 {
		wait, ok := back.knock()
		if !ok {
			wait = retry
		}
		if err := sleep(ctx, wait); err != nil || retry > firstRetry<<dialTries {
			if c != nil {
				c.abort()
			}
			return nil, false, err
		}
		if ok && listening {
			return c, true, nil
		}
		if ok {
			return nil, true, os.NewSyscallError("connect", syscall.ECONNREFUSED)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
