package link

import (
	"encoding/binary"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// Pings of one link.
const (
	idlePing  = 5 * time.Second         // between pings while no route's records cross
	idleGrace = 4500 * time.Millisecond // with idlePing: a dead idle link is known within 10 s
	busyPing  = time.Second
	busyGrace = 3 * time.Second // or three round trips
	// probeGrace is the patience when this host has moved or slept; or three round trips.
	probeGrace = 1500 * time.Millisecond
	// A punched link in use: nobody tells of a NAT that forgot it, and the relay is there.
	punchedPing  = 500 * time.Millisecond
	punchedGrace = time.Second // or three round trips
)

// prober decides when a link is pinged and when it is dead. Times are those of the link's clock. Anything
// that the neighbour sends after a ping is a sign of life.
type prober struct {
	asked    time.Duration // when the last ping left
	deadline time.Duration // when a ping without an answer means death
	due      time.Duration // when the next step was to come; 0: unknown
	waiting  bool
	spared   bool // the deadline of this ping was put off by lateGrace
	punched  bool // set before the first step
}

// lateStep is how late a step must come to tell that this process stood still; lateGrace is then given, once for a ping, to read what came.
const (
	lateStep  = 200 * time.Millisecond
	lateGrace = time.Second
)

// step is told the time, when the neighbour was last heard, whether routes use the link, and whether this host
// has reason to doubt it. It tells whether to ping now, whether the link is dead, and when to step again. A step that comes late
// gives the answer, which may lie here unread, as much longer, and time to be read.
func (p *prober) step(now, heard, rtt time.Duration, busy, doubt bool) (ping, dead bool, next time.Duration) {
	if late := now - p.due; p.due > 0 && p.waiting && late > lateStep {
		p.deadline += late
		if !p.spared { // it may have been the step at which the link would be dead
			p.spared, p.deadline = true, max(p.deadline, now+lateGrace)
		}
	}
	if p.waiting && heard >= p.asked {
		p.waiting = false
	}
	period, grace := idlePing, idleGrace
	if busy {
		period, grace = busyPing, busyGrace
		if p.punched {
			period, grace = punchedPing, punchedGrace
		}
	}
	if doubt {
		period, grace = 0, probeGrace
	}
	grace = max(grace, 3*rtt)
	switch {
	case p.waiting:
		p.deadline = min(p.deadline, now+grace)
	case now-p.asked >= period:
		ping, p.waiting, p.spared, p.asked, p.deadline = true, true, false, now, now+grace
	}
	next = p.asked + period - now
	if p.waiting {
		next = min(p.deadline-now, max(period, busyPing))
	}
	p.due = now + next
	return ping, p.waiting && now >= p.deadline, next
}

// probe keeps the link measured, and ends it when the neighbour is gone.
func (l *Link) probe() {
	p := prober{asked: -idlePing, punched: l.why == whyPunched} // the first ping is due at once
	timer := time.NewTimer(0)
	defer timer.Stop()
	doubt := false
	for {
		select {
		case <-l.done:
			return
		case <-timer.C:
		case <-l.kick:
		case <-l.probes:
			doubt = true
		}
		now := l.now()
		busy := l.busy.Swap(false)
		ping, dead, next := p.step(now, time.Duration(l.heard.Load()), l.RTT(), busy, doubt)
		doubt = false
		if dead {
			l.close(ErrSilent)
			return
		}
		if ping {
			l.ping(now)
		}
		if l.idle.Store(!busy); l.busy.Load() {
			next = min(next, busyPing) // it came between the two
		}
		timer.Reset(next)
	}
}

// ping asks for an answer, and takes the other measurements.
func (l *Link) ping(now time.Duration) {
	stamp := max(int64(now), 1)
	l.asked.Store(stamp)
	l.SendControl(wire.LinkPing, 0, binary.BigEndian.AppendUint64(nil, uint64(stamp)))
	l.meter.measure(l.RTT(), int(l.out.batch.Load()))
}

// stir notes that a route uses the link, and wakes the prober of an idle one.
func (l *Link) stir() {
	if !l.busy.Load() {
		l.busy.Store(true)
	}
	if !l.idle.Load() || !l.idle.CompareAndSwap(true, false) {
		return
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// doubt makes the prober find out soon whether the neighbour is still there.
func (l *Link) doubt() {
	select {
	case l.probes <- struct{}{}:
	default:
	}
}

// pong folds one measurement into the smoothed round trip (RFC 6298's gain of 1/8) and the jitter (RFC
// 3550's gain of 1/16), now being the time of the link's clock. Answers to what was not asked are nothing. Of the reading goroutine.
func (l *Link) pong(stamp int64, now time.Duration) {
	if stamp == 0 || !l.asked.CompareAndSwap(stamp, 0) {
		return
	}
	d := max(now-time.Duration(stamp), 1)
	old := l.RTT()
	if old == 0 {
		l.rtt.Store(int64(d))
	} else {
		l.rtt.Store(int64(max(old+(d-old)/8, 1)))
		j := l.Jitter()
		l.jitter.Store(int64(j + ((d-l.lastRTT).Abs()-j)/16))
	}
	l.lastRTT = d
}
