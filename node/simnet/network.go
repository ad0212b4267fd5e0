package simnet

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"sync"
)

// DefaultBuffer is the default of Network.Buffer, in bytes.
const DefaultBuffer = 1 << 20

// Network is a set of hosts and the paths between them. Safe for concurrent use.
type Network struct {
	// Buffer bounds what one direction of a stream holds, in bytes: sent and not yet read, or read so recently that
	// the sender cannot know. Set it before the first Dial; 0 means DefaultBuffer.
	Buffer int

	seed uint64

	mu     sync.Mutex         // guards the following, and the tables of hosts and NATs
	public map[netip.Addr]any // *Host or *NAT
	hosts  []*Host
	paths  map[ends]*path
	usual  Path
	rng    *rand.Rand // of port numbers
}

// ends are the two ends of a directed path.
type ends struct{ from, to *Host }

// New makes a network without hosts, whose paths cost no time.
func New(seed uint64) *Network {
	return &Network{
		seed: seed, public: map[netip.Addr]any{}, paths: map[ends]*path{},
		rng: rand.New(rand.NewPCG(seed, 0)),
	}
}

// Host adds a host with these addresses, reachable by all. It panics on what is no address, or is taken.
func (n *Network) Host(addrs ...string) *Host {
	h := newHost(n, nil, addrs)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range h.addrs {
		n.claimLocked(a, h)
	}
	n.hosts = append(n.hosts, h)
	return h
}

func (n *Network) claimLocked(a netip.Addr, who any) {
	if n.public[a] != nil {
		panic(fmt.Sprintf("simnet: address %s is given twice", a))
	}
	n.public[a] = who
}

// SetDefault sets what the paths are that SetPath has not named; it holds for paths not yet used.
func (n *Network) SetDefault(p Path) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.usual = p.checked()
}

// SetPath sets the path between two hosts, both ways. What is under way keeps its time of arrival.
func (n *Network) SetPath(a, b *Host, p Path) {
	n.SetOneWay(a, b, p)
	n.SetOneWay(b, a, p)
}

// SetOneWay sets the path from one host to another.
func (n *Network) SetOneWay(from, to *Host, p Path) {
	there, back := n.path(from, to)
	there.mu.Lock()
	there.Path = p.checked()
	latency := there.Latency
	there.mu.Unlock()
	back.mu.Lock()
	back.returning = latency
	back.mu.Unlock()
}

// path returns the directed paths between two hosts.
func (n *Network) path(from, to *Host) (there, back *path) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pathLocked(from, to), n.pathLocked(to, from)
}

func (n *Network) pathLocked(from, to *Host) *path {
	key := ends{from, to}
	p := n.paths[key]
	if p == nil {
		name := fnv.New64a()
		fmt.Fprintf(name, "%s>%s", from.addrs[0], to.addrs[0])
		p = newPath(rand.New(rand.NewPCG(n.seed, name.Sum64())))
		if from != to {
			p.Path = n.usual
		}
		p.returning = p.Latency
		n.paths[key] = p
	}
	return p
}

// route finds the host that dst means to one that sends from src: as which address src appears there, and
// which address of the host dst is. proto is "tcp" or "udp".
func (n *Network) route(proto string, from *Host, src, dst netip.AddrPort) (to *Host, seen, real netip.AddrPort, ok bool) {
	if dst.Addr().IsLoopback() || from.has(dst.Addr()) {
		return from, src, dst, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	seen, real = src, dst
	if from.nat != nil {
		if to := from.nat.inside[dst.Addr()]; to != nil {
			return to, src, dst, true
		}
		if seen, ok = from.nat.outboundLocked(proto, src, dst); !ok {
			return nil, seen, real, false
		}
	}
	switch box := n.public[dst.Addr()].(type) {
	case *Host:
		return box, seen, real, true
	case *NAT:
		if real, ok = box.inboundLocked(proto, seen, dst); ok {
			return box.inside[real.Addr()], seen, real, true
		}
	}
	return nil, seen, real, false
}
