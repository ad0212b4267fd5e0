package tunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
)

// Limits.
const (
	// MaxPeers bounds the peers of one tunnel, MaxPrefixes the prefixes of one peer.
	MaxPeers    = 4096
	MaxPrefixes = 64
)

// ErrFull is the refusal of peers or prefixes beyond the limits; ErrTaken of a prefix that another peer has.
var (
	ErrFull  = errors.New("tunnel: too many peers or prefixes")
	ErrTaken = errors.New("tunnel: the prefix is another peer's")
)

// Device is a TUN whose frames carry the header of package packet.
type Device interface {
	// Read reads one frame to p. Without one it waits if wait is set, else it returns 0. After Close it fails.
	Read(p []byte, wait bool) (int, error)
	// Write writes one frame, which it may change. Safe for concurrent use. It does not wait.
	Write(frame []byte) error
	// Close wakes a Read.
	Close() error
}

// PeerID is an app that sends and takes our datagrams: a node's key, and the app's port for datagrams there.
type PeerID struct {
	Key  identity.PubKey
	Port uint16
}

// Peer is the other end for some addresses.
type Peer struct {
	PeerID
	// Prefixes are the destinations of packets that go to this peer, and the sources of those that it may send.
	Prefixes []netip.Prefix
	// Rate is how many bytes a second pass in each direction; 0: no limit.
	Rate uint64
}

// Config tells a Tunnel what it works with.
type Config struct {
	Device  Device
	Offload packet.Offload // what Device takes from peers
	// Head and Tail are the room that Send needs before and after the frames.
	Head, Tail int
	// Send sends rec[Head:len(rec)-Tail] as one datagram, or drops it. It may overwrite rec and does not keep it.
	Send func(to PeerID, rec []byte)
}

// Tunnel is one TUN and its peers. Safe for concurrent use.
type Tunnel struct {
	cfg   Config
	rules atomic.Pointer[packet.Rules]
	total counters

	mu    sync.RWMutex // guards the following
	peers map[PeerID]*peer
	hosts map[netip.Addr]*peer // prefixes of a whole address
	nets  []network            // shorter ones, the longest first
}

type network struct {
	netip.Prefix
	p *peer
}

// peer is a Peer at work.
type peer struct {
	Peer
	up, down bucket
	count    counters
}

// New makes a tunnel without peers, which welcomes nothing yet.
func New(cfg Config) *Tunnel {
	t := &Tunnel{cfg: cfg, peers: map[PeerID]*peer{}, hosts: map[netip.Addr]*peer{}}
	t.rules.Store(&packet.Rules{})
	return t
}

// SetRules says to which destinations the packets of peers may go.
func (t *Tunnel) SetRules(r packet.Rules) { t.rules.Store(&r) }

// SetPeer adds a peer, or replaces what was said of it; its counters go on. Without prefixes it is removed.
// Errors: ErrFull, ErrTaken.
func (t *Tunnel) SetPeer(p Peer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.peers[p.PeerID]
	switch {
	case len(p.Prefixes) > MaxPrefixes || len(p.Prefixes) > 0 && old == nil && len(t.peers) >= MaxPeers:
		return ErrFull
	case t.takenLocked(p):
		return fmt.Errorf("%w: %v", ErrTaken, p.Prefixes)
	}
	if old != nil {
		t.removeLocked(old)
	}
	if len(p.Prefixes) == 0 {
		return nil
	}
	n := &peer{Peer: p}
	if old != nil {
		n.count.from(&old.count)
	}
	n.up.rate, n.down.rate = p.Rate, p.Rate
	t.addLocked(n)
	return nil
}

func (t *Tunnel) takenLocked(p Peer) bool {
	for _, x := range p.Prefixes {
		if x.IsSingleIP() {
			if o := t.hosts[x.Addr()]; o != nil && o.PeerID != p.PeerID {
				return true
			}
			continue
		}
		for _, n := range t.nets {
			if n.Prefix == x && n.p.PeerID != p.PeerID {
				return true
			}
		}
	}
	return false
}

func (t *Tunnel) addLocked(p *peer) {
	t.peers[p.PeerID] = p
	for _, x := range p.Prefixes {
		if x.IsSingleIP() {
			t.hosts[x.Addr()] = p
			continue
		}
		i := 0
		for i < len(t.nets) && t.nets[i].Bits() >= x.Bits() {
			i++
		}
		nets := append(make([]network, 0, len(t.nets)+1), t.nets[:i]...)
		t.nets = append(append(nets, network{x, p}), t.nets[i:]...)
	}
}

func (t *Tunnel) removeLocked(p *peer) {
	delete(t.peers, p.PeerID)
	for _, x := range p.Prefixes {
		if x.IsSingleIP() && t.hosts[x.Addr()] == p {
			delete(t.hosts, x.Addr())
		}
	}
	var nets []network
	for _, n := range t.nets {
		if n.p != p {
			nets = append(nets, n)
		}
	}
	t.nets = nets
}

// route is the peer for a destination, nil when there is none. What is for a wire only has none: a tunnel is no wire.
func (t *Tunnel) route(dst netip.Addr) *peer {
	if dst.IsMulticast() || dst.IsLinkLocalUnicast() {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.hosts[dst]; p != nil {
		return p
	}
	for _, n := range t.nets {
		if n.Contains(dst) {
			return n.p
		}
	}
	return nil
}

func (t *Tunnel) peer(id PeerID) *peer {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.peers[id]
}

// owns reports whether a is in one of the peer's prefixes.
func (p *peer) owns(a netip.Addr) bool {
	for _, x := range p.Prefixes {
		if x.Contains(a) {
			return true
		}
	}
	return false
}
