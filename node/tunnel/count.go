package tunnel

import "sync/atomic"

// Traffic is packets and their bytes, headers of frames included.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Count is what became of the packets of one peer.
type Count struct {
	Sent      Traffic `json:"sent"`
	Received  Traffic `json:"received"`
	Malformed uint64  `json:"malformed"` // datagrams with bytes that are no frames
	Spoofed   uint64  `json:"spoofed"`   // packets from an address that is not the peer's
	Unwelcome uint64  `json:"unwelcome"` // packets to where the peer may not send
	Limited   uint64  `json:"limited"`   // packets beyond the peer's rate, either way
}

// Total is what became of packets that were no peer's.
type Total struct {
	Malformed uint64 `json:"malformed"` // from our TUN
	Unrouted  uint64 `json:"unrouted"`  // from our TUN, for nobody's address
	Unknown   uint64 `json:"unknown"`   // datagrams of apps that are no peers
	Refused   uint64 `json:"refused"`   // packets that our TUN did not take: it is down
}

// PeerCount is one peer and its counters.
type PeerCount struct {
	PeerID
	Count
}

type traffic struct{ packets, bytes atomic.Uint64 }

func (t *traffic) add(packets uint64, bytes int) {
	t.packets.Add(packets)
	t.bytes.Add(uint64(bytes))
}

func (t *traffic) load() Traffic { return Traffic{t.packets.Load(), t.bytes.Load()} }

// counters are all of them, of a peer or of the tunnel.
type counters struct {
	out, in                                traffic
	malformed, spoofed, unwelcome, limited atomic.Uint64
	unrouted, unknown, refused             atomic.Uint64
}

func (c *counters) load() Count {
	return Count{
		Sent: c.out.load(), Received: c.in.load(),
		Malformed: c.malformed.Load(), Spoofed: c.spoofed.Load(), Unwelcome: c.unwelcome.Load(), Limited: c.limited.Load(),
	}
}

// from takes over what another counted.
func (c *counters) from(o *counters) {
	for _, x := range []struct{ to, from *atomic.Uint64 }{
		{&c.out.packets, &o.out.packets}, {&c.out.bytes, &o.out.bytes}, {&c.in.packets, &o.in.packets}, {&c.in.bytes, &o.in.bytes},
		{&c.malformed, &o.malformed}, {&c.spoofed, &o.spoofed}, {&c.unwelcome, &o.unwelcome}, {&c.limited, &o.limited},
	} {
		x.to.Store(x.from.Load())
	}
}

// Counts returns the counters of the tunnel and of each peer, in no order.
func (t *Tunnel) Counts() (Total, []PeerCount) {
	total := Total{
		Malformed: t.total.malformed.Load(), Unrouted: t.total.unrouted.Load(),
		Unknown: t.total.unknown.Load(), Refused: t.total.refused.Load(),
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]PeerCount, 0, len(t.peers))
	for id, p := range t.peers {
		list = append(list, PeerCount{id, p.count.load()})
	}
	return total, list
}
