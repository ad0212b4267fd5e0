package simnet

import (
	"net/netip"
	"time"
)

// Kind is how a NAT maps and filters (RFC 4787 sections 4 and 5).
type Kind uint8

// The kinds of NAT.
const (
	// FullCone maps an inside address and port to one outside port, and lets anybody in there.
	FullCone Kind = iota
	// Symmetric maps anew for every destination, to a random port, and lets only that destination in.
	Symmetric
)

// How long a mapping lives unused (RFC 4787 section 4.3, RFC 5382 section 5).
const (
	udpIdle = 2 * time.Minute
	tcpIdle = 124 * time.Minute
)

// NAT is a router with hosts behind it. They reach each other by their own addresses and the rest of the network as the
// router's; what comes in without having been asked for vanishes. Established streams pass as long as they live.
type NAT struct {
	n      *Network
	kind   Kind
	outer  []netip.Addr
	inside map[netip.Addr]*Host // guarded by n.mu, as the following

	byInner map[inner]*mapping
	byPort  map[outer]*mapping
}

// inner is what is mapped; dst only at a symmetric NAT.
type inner struct {
	proto    string
	src, dst netip.AddrPort
}

// outer is what it is mapped to.
type outer struct {
	proto string
	at    netip.AddrPort
}

type mapping struct {
	inner
	at   netip.AddrPort
	used time.Time
}

// NAT adds a router with these outside addresses, at most one of each family that matters.
func (n *Network) NAT(kind Kind, addrs ...string) *NAT {
	r := &NAT{n: n, kind: kind, inside: map[netip.Addr]*Host{}, byInner: map[inner]*mapping{}, byPort: map[outer]*mapping{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addrs {
		ip := netip.MustParseAddr(a).Unmap()
		n.claimLocked(ip, r)
		r.outer = append(r.outer, ip)
	}
	return r
}

// Host adds a host behind the router; its addresses mean nothing elsewhere, so other NATs may use them too.
func (r *NAT) Host(addrs ...string) *Host {
	h := newHost(r.n, r, addrs)
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	for _, a := range h.addrs {
		if r.inside[a] != nil {
			panic("simnet: address " + a.String() + " is given twice")
		}
		r.inside[a] = h
	}
	r.n.hosts = append(r.n.hosts, h)
	return h
}

func (m *mapping) dead(now time.Time) bool {
	idle := tcpIdle
	if m.proto == "udp" {
		idle = udpIdle
	}
	return now.Sub(m.used) > idle
}

// outboundLocked is the outside address for what goes from src to dst; false when there is none.
func (r *NAT) outboundLocked(proto string, src, dst netip.AddrPort) (netip.AddrPort, bool) {
	key := inner{proto: proto, src: src}
	if r.kind == Symmetric {
		key.dst = dst
	}
	now := time.Now()
	if m := r.byInner[key]; m != nil && !m.dead(now) {
		m.used = now
		return m.at, true
	}
	for _, ip := range r.outer {
		if ip.Is4() != dst.Addr().Is4() {
			continue
		}
		if at, ok := r.freeLocked(proto, ip, src.Port(), now); ok {
			m := &mapping{inner: key, at: at, used: now}
			r.byInner[key], r.byPort[outer{proto, at}] = m, m
			return at, true
		}
	}
	return netip.AddrPort{}, false
}

// freeLocked picks an outside port: a cone keeps the inside one where it can.
func (r *NAT) freeLocked(proto string, ip netip.Addr, want uint16, now time.Time) (netip.AddrPort, bool) {
	for range 1 << 16 {
		port := want
		if r.kind == Symmetric || port == 0 {
			port = uint16(1024 + r.n.rng.IntN(1<<16-1024))
		}
		want = 0 // only once
		at := netip.AddrPortFrom(ip, port)
		old := r.byPort[outer{proto, at}]
		if old == nil {
			return at, true
		}
		if old.dead(now) {
			delete(r.byInner, old.inner)
			return at, true
		}
	}
	return netip.AddrPort{}, false
}

// inboundLocked is the inside address for what comes from src to dst, which is one of ours; false: it is dropped.
func (r *NAT) inboundLocked(proto string, src, dst netip.AddrPort) (netip.AddrPort, bool) {
	m := r.byPort[outer{proto, dst}]
	if m == nil || m.dead(time.Now()) || r.kind == Symmetric && m.dst != src {
		return netip.AddrPort{}, false
	}
	return m.src, true
}
