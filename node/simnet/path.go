package simnet

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Path is how one host reaches another, in one direction.
type Path struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // up to so much more, evenly drawn
	Bandwidth int           // bytes a second, shared by all that travels; 0: unlimited
	Loss      float64       // chance that a packet of up to 1460 bytes is lost; at most 0.9
	Reorder   float64       // chance that a datagram is held back, so that those behind it overtake
	Queue     int           // bytes that wait for bandwidth; datagrams beyond it are dropped; 0: 256 KiB
}

const (
	packetLen    = 1460 // of user data
	segmentLen   = 8 * packetLen
	maxSegment   = 64 << 10 // where size does not matter
	maxLoss      = 0.9
	defaultQueue = 256 << 10
	minHeldBack  = time.Millisecond
	// recovery is how long after the end of an outage TCP needs to notice (RFC 6298's timer, at its least in Linux).
	recovery = 200 * time.Millisecond
)

func (p Path) checked() Path {
	p.Latency, p.Jitter, p.Bandwidth = max(p.Latency, 0), max(p.Jitter, 0), max(p.Bandwidth, 0)
	p.Loss, p.Reorder = min(max(p.Loss, 0), maxLoss), min(max(p.Reorder, 0), 1)
	if p.Queue <= 0 {
		p.Queue = defaultQueue
	}
	return p
}

// path is one direction between two hosts.
type path struct {
	mu sync.Mutex // guards the following; taken inside a pair's lock, and never the other way round
	Path
	returning time.Duration // latency of the other direction
	rng       *rand.Rand
	free      time.Time // when the last byte in line will have left
	last      time.Time // arrival of the last datagram that kept its place
	down      bool
	pairs     map[*pair]struct{} // streams, whoever dialed

	air   airborne
	count uint64
	timer *time.Timer // of the first in air
}

func newPath(rng *rand.Rand) *path { return &path{rng: rng, pairs: map[*pair]struct{}{}} }

// latency is the time that the shortest message takes now, without loss.
func (p *path) latency() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Latency
}

func (p *path) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

// segment is the longest piece of a stream that travels in one go.
func (p *path) segment() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Bandwidth > 0 || p.Loss > 0 {
		return segmentLen
	}
	return maxSegment
}

// stream says when n bytes of a stream arrive that are sent now.
func (p *path) stream(now time.Time, n int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.leaveLocked(now, n).Add(p.Latency + p.jitterLocked())
	for again := n; p.lostLocked(again); again = packetLen { // only what was lost goes again
		at = at.Add(max(p.Latency+p.returning, minHeldBack))
	}
	return at
}

// leaveLocked puts n bytes in line and says when the last one has left.
func (p *path) leaveLocked(now time.Time, n int) time.Time {
	if p.Bandwidth == 0 {
		return now
	}
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(p.timeOf(n))
	return p.free
}

func (p *path) timeOf(n int) time.Duration {
	return (time.Duration(n)*time.Second + time.Duration(p.Bandwidth) - 1) / time.Duration(p.Bandwidth)
}

func (p *path) jitterLocked() time.Duration {
	if p.Jitter == 0 {
		return 0
	}
	return time.Duration(p.rng.Int64N(int64(p.Jitter) + 1))
}

// lostLocked draws whether any packet of n bytes is lost.
func (p *path) lostLocked(n int) bool {
	if p.Loss == 0 {
		return false
	}
	packets := max(1, (n+packetLen-1)/packetLen)
	return p.rng.Float64() >= math.Pow(1-p.Loss, float64(packets))
}

// knock says how long one small packet takes, and whether it arrives at all.
func (p *path) knock() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Latency + p.jitterLocked(), !p.down && !p.lostLocked(1)
}

// datagram sends n bytes; deliver is called when they arrive, if they do, with p.mu held: it takes at most the lock of a PacketConn.
func (p *path) datagram(now time.Time, n int, deliver func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.Bandwidth > 0 && p.free.Sub(now) > p.timeOf(p.Queue) || p.lostLocked(n) {
		return
	}
	at := p.leaveLocked(now, n).Add(p.Latency + p.jitterLocked())
	if p.Reorder > 0 && p.rng.Float64() < p.Reorder {
		at = at.Add(minHeldBack + p.Latency/2 + p.jitterLocked())
	} else {
		if at.Before(p.last) {
			at = p.last
		}
		p.last = at
	}
	p.count++
	heap.Push(&p.air, flying{at: at, nth: p.count, deliver: deliver})
	if p.air[0].nth == p.count {
		p.armLocked(now)
	}
}

func (p *path) armLocked(now time.Time) {
	d := p.air[0].at.Sub(now)
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.land)
	} else {
		p.timer.Reset(d)
	}
}

// land delivers the datagrams whose time has come, in the order of their times.
func (p *path) land() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.air) > 0 {
		now := time.Now()
		if p.air[0].at.After(now) {
			p.armLocked(now)
			return
		}
		f := heap.Pop(&p.air).(flying)
		if !p.down {
			f.deliver()
		}
	}
}

// flying is a datagram on its way.
type flying struct {
	at      time.Time
	nth     uint64
	deliver func()
}

// airborne is a heap of datagrams, the first to arrive on top.
type airborne []flying

func (a airborne) Len() int { return len(a) }
func (a airborne) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].nth < a[j].nth
}
func (a airborne) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *airborne) Push(x any)   { *a = append(*a, x.(flying)) }
func (a *airborne) Pop() any {
	old := *a
	f := old[len(old)-1]
	old[len(old)-1] = flying{}
	*a = old[:len(old)-1]
	return f
}
