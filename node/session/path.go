package session

import (
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// end is what a session needs of the end of a route.
type end interface {
	Number() wire.RouteID
	Send(span []byte)
	SendKept(span []byte)
	Close()
}

// purpose is why a path was laid.
type purpose uint8

const (
	toBegin  purpose = iota // the session's first
	toRescue                // there is no other
	toStand                 // to take over when the other dies
	toMove                  // it is better than the one in use
)

// Path is one route that ends here, the forward.Upper of it. It belongs to no session until the first record, or the
// node that had it laid, says to which.
type Path struct {
	host      *Host
	remote    identity.PubKey
	key       forward.Key
	initiator bool

	// Set before open.
	end   end
	start func(*Session) // runs a session that begins on this path
	open  atomic.Bool

	session atomic.Pointer[Session]
	heard   atomic.Int64  // Host.now when the last record came that the peer had sealed
	gone    atomic.Uint32 // 0 while the route lives; else 1 + the forward.Reason, or pathClosed
	told    atomic.Bool   // Config.Over was called
	expire  *time.Timer   // of the time without a session

	// Guarded by Session.mu, once there is one.
	nodes     []identity.PubKey // of the route, where we had it laid
	purpose   purpose
	since     time.Duration // Host.now when it joined
	confirmed bool          // the peer has answered on it
	silent    bool          // it answers no more, but there is nothing better
	srtt      time.Duration
	base      time.Duration // the least round trip of late; 0: not known
	baseAt    time.Duration // Host.now when it was measured
	pinged    time.Duration // Host.now of the PING that is not answered; 0: none
	watched   time.Duration // Host.now since when it is in use, or has been asked for signs of life
	lastPing  time.Duration
	faster    int           // PINGs in a row that were answered much faster than on the path in use
	retire    time.Duration // Host.now when it is to be closed; 0: not
}

// pathClosed in Path.gone: we closed it.
const pathClosed = 1 << 16

// Key returns the name of the path's route.
func (p *Path) Key() forward.Key { return p.key }

// Initiator reports whether the route was laid for us.
func (p *Path) Initiator() bool { return p.initiator }

// Receive implements forward.Upper.
func (p *Path) Receive(t wire.Type, flags uint8, payload []byte) {
	if !p.open.Load() {
		return
	}
	switch s := p.session.Load(); {
	case s != nil:
		s.receive(p, t, flags, payload)
	case p.initiator:
	case t == wire.Handshake:
		p.host.greeted(p, payload)
	case t == wire.Join:
		p.host.joined(p, payload)
	}
}

// Down implements forward.Upper. It may be called while the path is sending.
func (p *Path) Down(r forward.Reason) {
	if p.gone.CompareAndSwap(0, 1+uint32(r)) {
		p.over()
	}
}

// close gives the route back.
func (p *Path) close() {
	if !p.gone.CompareAndSwap(0, pathClosed) {
		return
	}
	if p.open.Load() {
		p.end.Close()
	}
	p.over()
}

func (p *Path) over() {
	p.expire.Stop()
	p.host.pathOver(p)
	if s := p.session.Load(); s != nil {
		s.kickSteward()
	}
}

// reason says why the path is gone.
func (p *Path) reason() string {
	switch g := p.gone.Load(); g {
	case 0:
		return ""
	case pathClosed:
		return "the route was given up"
	default:
		return forward.Reason(g - 1).String()
	}
}

// send stamps a whole record and sends it; it is overwritten. The caller holds Session.sendMu.
func (p *Path) send(rec []byte, t wire.Type) {
	if p.gone.Load() != 0 {
		return
	}
	wire.PutHeader(rec[wire.LenLen:], t, 0, p.end.Number())
	link.PutRecordLen(rec)
	p.end.Send(rec)
}

// sendPiece stamps and sends Data records, the last one with flags. The caller holds Session.sendMu and the span.
func (p *Path) sendPiece(c piece, flags uint8) {
	if p.gone.Load() != 0 {
		return
	}
	id := p.end.Number()
	for i := c.from; i < c.to; i++ {
		f := uint8(0)
		if i == c.to-1 {
			f = flags
		}
		wire.PutHeader(c.sp.b[c.sp.start(i)+wire.LenLen:], wire.Data, f, id)
	}
	p.end.SendKept(c.span())
}

// measuredLocked folds one round trip in (RFC 6298's gain of 1/8).
// ponged tells a PING's from that of data, which may have waited behind other data.
func (p *Path) measuredLocked(d time.Duration, ponged bool) {
	switch now := p.host.now(); {
	case p.base == 0 || d <= p.base:
		p.base, p.baseAt = max(d, 1), now
	case ponged && now-p.baseAt > baseTime/2:
		p.base, p.baseAt = min(d, 2*p.base), now
	}
	if p.srtt != 0 {
		d = p.srtt + (d-p.srtt)/8
	}
	p.srtt = max(d, 1)
}

// baseTime is how long the least round trip of a path counts. Then a PING, which overtakes data, measures it again, and
// may double it.
const baseTime = 10 * time.Second

// patienceLocked is how long the path may say nothing while it is spoken to.
func (p *Path) patienceLocked() time.Duration { return max(3*p.srtt, p.host.timing.silence) }

// quietLocked is how long nothing has been heard of it, counted from when that began to matter.
func (p *Path) quietLocked(now time.Duration) time.Duration {
	return now - max(time.Duration(p.heard.Load()), p.watched)
}

// sameNodes reports whether a path runs over these nodes.
func (p *Path) sameNodes(nodes []identity.PubKey) bool {
	if len(nodes) == 0 || len(nodes) != len(p.nodes) {
		return false
	}
	for i := range nodes {
		if nodes[i] != p.nodes[i] {
			return false
		}
	}
	return true
}
