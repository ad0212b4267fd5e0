package tunnel

import (
	"time"

	"github.com/skycoin/viscript/node/packet"
)

// maxBatch is how many bytes of small packets share a datagram at most: more would make the first one wait, and one
// lost datagram cost many packets.
const maxBatch = 12 << 10

// Run moves packets from the device to peers until the device fails or is closed; it returns why.
func (t *Tunnel) Run() error {
	b := newBatch(t)
	for {
		if err := b.next(); err != nil {
			return err
		}
	}
}

// batch is the memory in which datagrams grow: frames lie in buf[start:end] and are all for one peer.
//
//	│ head │ frames … │ tail │ head │ the frame that is read next … │ tail │
//
// A frame is read behind room for the seals of the datagram before it and for the head of its own, so that a large one never moves.
type batch struct {
	t          *Tunnel
	buf        []byte
	to         *peer // nil: the batch is empty
	start, end int
	n          uint64 // frames
}

func newBatch(t *Tunnel) *batch {
	gap := t.cfg.Tail + t.cfg.Head
	return &batch{t: t, buf: make([]byte, t.cfg.Head+maxBatch+gap+packet.MaxFrame+t.cfg.Tail), start: t.cfg.Head}
}

// next reads one frame and deals with it; when none waits it sends what it has, and waits next time.
func (b *batch) next() error {
	at := b.t.cfg.Head
	if b.to != nil {
		at = b.end + b.t.cfg.Tail + b.t.cfg.Head
	}
	n, err := b.t.cfg.Device.Read(b.buf[at:at+packet.MaxFrame], b.to == nil)
	if err != nil {
		return err
	}
	if n == 0 {
		b.flush()
		return nil
	}
	p, frame, err := packet.Outbound(b.buf[at : at+n])
	if err != nil {
		b.t.total.malformed.Add(1)
		return nil
	}
	to := b.t.route(p.Dst)
	if to == nil {
		b.t.total.unrouted.Add(1)
		return nil
	}
	if !to.up.take(len(frame), time.Now) {
		to.count.limited.Add(1)
		return nil
	}
	b.add(to, at, len(frame))
	return nil
}

// add puts the frame that lies at `at` into the batch, or into one of its own after the batch has left.
func (b *batch) add(to *peer, at, n int) {
	if b.to == to && b.end-b.start+n <= maxBatch {
		copy(b.buf[b.end:], b.buf[at:at+n])
		b.end += n
		b.n++
		return
	}
	b.flush()
	b.to, b.start, b.end, b.n = to, at, at+n, 1
	if n > maxBatch/2 {
		b.flush()
		return
	}
	if at != b.t.cfg.Head {
		b.start = b.t.cfg.Head
		b.end = b.start + copy(b.buf[b.start:], b.buf[at:at+n])
	}
}

// flush sends the batch.
func (b *batch) flush() {
	if b.to == nil {
		return
	}
	to := b.to
	b.to = nil
	to.count.out.add(b.n, b.end-b.start)
	b.t.cfg.Send(to.PeerID, b.buf[b.start-b.t.cfg.Head:b.end+b.t.cfg.Tail])
}

// Receive takes a datagram from a peer. It overwrites b and does not keep it. It does not wait.
func (t *Tunnel) Receive(from PeerID, b []byte) {
	p := t.peer(from)
	if p == nil {
		t.total.unknown.Add(1)
		return
	}
	rules := t.rules.Load()
	for len(b) > 0 {
		q, frame, rest, err := packet.Inbound(b, t.cfg.Offload)
		if err != nil {
			p.count.malformed.Add(1)
			return
		}
		b = rest
		switch {
		case !p.owns(q.Src) || q.Src.IsMulticast():
			p.count.spoofed.Add(1)
		case !rules.Welcome(q.Dst):
			p.count.unwelcome.Add(1)
		case !p.down.take(len(frame), time.Now):
			p.count.limited.Add(1)
		case t.cfg.Device.Write(frame) != nil:
			t.total.refused.Add(1)
		default:
			p.count.in.add(1, len(frame))
		}
	}
}
