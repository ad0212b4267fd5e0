package socks

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	maxAddrs       = 8               // addresses of one name that are tried
	minAddrTimeout = 2 * time.Second // an address gets at least this of what is left
)

// connector makes the exit's connections: resolve, judge, dial what was judged.
type connector struct {
	policy   *Policy
	resolver Resolver
	dial     func(context.Context, netip.AddrPort) (*net.TCPConn, error)
}

// dialTCP connects to exactly this address.
func dialTCP(ctx context.Context, at netip.AddrPort) (*net.TCPConn, error) {
	var d net.Dialer // not DialTCP, which binds to an address first
	conn, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// connect connects to a target within ctx's deadline. Of several addresses the allowed ones
// are tried in the resolver's order. The first failure is the one that is told, but one of
// an address family that this exit has no network for yields to another.
func (c *connector) connect(ctx context.Context, t Target) (*net.TCPConn, error) {
	allowed, err := c.allowed(ctx, t)
	if err != nil {
		return nil, err
	}
	var firstErr error
	for i, at := range allowed {
		conn, err := c.try(ctx, at, len(allowed)-i)
		if err == nil {
			return conn, nil
		}
		if firstErr == nil || ReasonOf(firstErr) == NetUnreachable {
			firstErr = fmt.Errorf("dialing %s: %w", at, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, firstErr
}

// try dials one address with its share of the time that is left, left addresses counted in.
func (c *connector) try(ctx context.Context, at netip.AddrPort, left int) (*net.TCPConn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		part := max(time.Until(deadline)/time.Duration(left), minAddrTimeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, part)
		defer cancel()
	}
	return c.dial(ctx, at)
}

// allowed returns the addresses of a target that the policy admits, at least one.
func (c *connector) allowed(ctx context.Context, t Target) ([]netip.AddrPort, error) {
	addrs := []netip.Addr{t.Addr}
	if t.Name != "" {
		var err error
		if addrs, err = c.resolver.LookupNetIP(ctx, "ip", t.Name); err != nil {
			return nil, fmt.Errorf("resolving: %w", err)
		}
	}
	if len(addrs) == 0 {
		return nil, because(NoSuchName, "no addresses")
	}
	var allowed []netip.AddrPort
	var denied error
	for _, addr := range addrs {
		at := netip.AddrPortFrom(addr.Unmap(), t.Port)
		if err := c.policy.Check(t.Name, at); err != nil {
			denied = err
		} else if len(allowed) < maxAddrs {
			allowed = append(allowed, at)
		}
	}
	if len(allowed) == 0 {
		return nil, denied
	}
	return allowed, nil
}
