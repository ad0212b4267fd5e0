package link

import (
	"net"
	"net/netip"
	"time"

	"github.com/skycoin/viscript/node/secure"
)

// Options of a Link made by New.
type Options struct {
	Carrier string // for people
	Dialed  bool   // by us
	// Passive: the link does not ping and costs one goroutine while nothing waits to be written. Whoever has many of
	// them calls Tend.
	Passive bool
}

// New makes a link of a connection whose handshake is done, for protocols that send records like a link's to a party that is
// no neighbour (node/relay). It owns nc. Run runs it; Abort ends it.
func New(nc net.Conn, r secure.Result, o Options) *Link {
	l := newLink(nc, r, o.Carrier, o.Dialed)
	l.passive = o.Passive
	return l
}

// Run reads, writes and pings until the link closes, and returns when all of that has ended. Call it once.
func (l *Link) Run(recv Receiver) { l.run(recv) }

// Tend does for a passive link what pings do for others: it measures what TCP knows, and ends a link over which nothing
// came for longer than silence. Call it about every second while the link is in use, else at least as often as silence
// asks for; not concurrently.
func (l *Link) Tend(silence time.Duration) {
	if l.now()-time.Duration(l.heard.Load()) > silence {
		l.close(ErrSilent)
		return
	}
	if l.busy.Swap(false) {
		l.meter.measure(l.RTT(), int(l.out.batch.Load()))
	}
}

// Moved tells the link that this host's addresses changed or that it woke from sleep: it closes if its address is not among
// here any more, otherwise it finds out soon whether the other end is still there. here nil: unknown.
func (l *Link) Moved(here []netip.Addr) {
	if here != nil && !stillHere(l.nc.LocalAddr(), here) {
		l.close(ErrMoved)
		return
	}
	l.doubt()
}

// Close ends the link for the reason, which Err tells; the first reason stays.
func (l *Link) Close(reason error) { l.close(reason) }
