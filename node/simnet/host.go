package simnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// firstEphemeral is the first port that is given out where none is asked for (RFC 6335 section 6).
const firstEphemeral = 49152

// Host is one machine. Its Name, Dial and Listen are those of a link.Carrier. Safe for concurrent use.
type Host struct {
	n     *Network
	nat   *NAT // nil: reachable by all
	addrs []netip.Addr

	// guarded by n.mu
	tcp  map[netip.AddrPort]*Listener
	udp  map[netip.AddrPort]*PacketConn
	next uint16 // ephemeral port
}

func newHost(n *Network, nat *NAT, addrs []string) *Host {
	h := &Host{n: n, nat: nat, tcp: map[netip.AddrPort]*Listener{}, udp: map[netip.AddrPort]*PacketConn{}, next: firstEphemeral}
	for _, a := range addrs {
		h.addrs = append(h.addrs, netip.MustParseAddr(a).Unmap())
	}
	if len(h.addrs) == 0 {
		panic("simnet: a host needs an address")
	}
	return h
}

// Name implements link.Carrier.
func (h *Host) Name() string { return "sim" }

// Addr returns the host's first address.
func (h *Host) Addr() netip.Addr { return h.addrs[0] }

func (h *Host) String() string { return h.addrs[0].String() }

func (h *Host) has(a netip.Addr) bool { return slices.Contains(h.addrs, a) }

var errNoAddr = errors.New("simnet: not ADDRESS:PORT")

// parse reads ADDRESS:PORT; an empty host is every address. There are no names.
func parse(hostport string) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errNoAddr, hostport)
	}
	ip := netip.IPv6Unspecified()
	if host != "" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("%w: %q", errNoAddr, hostport)
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
}

// bindLocked gives at a port if it has none and checks that it is one of ours. taken reports whether it is in use.
func (h *Host) bindLocked(at netip.AddrPort, taken func(netip.AddrPort) bool) (netip.AddrPort, error) {
	ip := at.Addr()
	if !ip.IsUnspecified() && !ip.IsLoopback() && !h.has(ip) {
		return at, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	if at.Port() == 0 {
		for range 1 << 14 {
			at = netip.AddrPortFrom(ip, h.next)
			if h.next++; h.next == 0 {
				h.next = firstEphemeral
			}
			if !taken(at) {
				return at, nil
			}
		}
	}
	if taken(at) {
		return at, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return at, nil
}

// find looks a socket up by the address that it is spoken to at.
func find[S any](table map[netip.AddrPort]S, at netip.AddrPort) (s S, ok bool) {
	keys := []netip.AddrPort{at, netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())}
	if at.Addr().Is4() {
		keys = append(keys, netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()))
	}
	for _, k := range keys {
		if s, ok = table[k]; ok {
			return s, true
		}
	}
	return s, false
}

// source is the address that h speaks to dst from.
func (h *Host) source(dst netip.Addr) (netip.Addr, error) {
	if dst.IsLoopback() || h.has(dst) {
		return dst, nil
	}
	for _, a := range h.addrs {
		if a.Is4() == dst.Is4() {
			return a, nil
		}
	}
	return netip.Addr{}, os.NewSyscallError("connect", syscall.ENETUNREACH)
}

// Listen implements link.Carrier: it accepts streams at ADDRESS:PORT. Port 0 picks one; the unspecified address is
// all of the host's.
func (h *Host) Listen(_ context.Context, hostport string) (net.Listener, error) {
	at, err := parse(hostport)
	if err == nil {
		h.n.mu.Lock()
		defer h.n.mu.Unlock()
		at, err = h.bindLocked(at, func(a netip.AddrPort) bool { return h.tcp[a] != nil })
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	l := newListener(h, at)
	h.tcp[at] = l
	return l, nil
}

// ListenPacket takes datagrams at ADDRESS:PORT. Port 0 picks one.
func (h *Host) ListenPacket(hostport string) (*PacketConn, error) {
	at, err := parse(hostport)
	if err == nil {
		h.n.mu.Lock()
		defer h.n.mu.Unlock()
		at, err = h.bindLocked(at, func(a netip.AddrPort) bool { return h.udp[a] != nil })
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: err}
	}
	c := newPacketConn(h, at)
	h.udp[at] = c
	return c, nil
}
