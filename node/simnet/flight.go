package simnet

import (
	"syscall"
	"time"
)

// flight is what one end of a stream has sent and the other has not got. Guarded by the pair's lock.
type flight struct {
	path  *path
	limit int // of held

	queue []piece // in their order; the first arrives first
	last  time.Time
	timer *time.Timer // of the first in queue

	held    int // bytes sent that the far end has not read, as far as we know
	credits []credit
	credit  *time.Timer // of the first credit, for a Write that waits
}

// piece is a part of a stream on its way: bytes, or its end.
type piece struct {
	at       time.Time
	data     []byte
	fin, rst bool
}

// credit says from when on bytes that were read no longer count.
type credit struct {
	at time.Time
	n  int
}

// sendLocked puts a piece on its way.
func (c *Conn) sendLocked(x piece) {
	now := time.Now()
	f := &c.out
	x.at = f.path.stream(now, len(x.data))
	if x.at.Before(f.last) {
		x.at = f.last
	}
	f.last = x.at
	f.queue = append(f.queue, x)
	if len(f.queue) == 1 {
		c.landLocked(now)
	}
}

// dropLocked forgets what is on its way.
func (f *flight) dropLocked() {
	f.queue = nil
	if f.timer != nil {
		f.timer.Stop()
	}
}

// land is called when the first piece arrives.
func (c *Conn) land() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.landLocked(time.Now())
}

// landLocked delivers what has arrived and waits for the rest. While the path is down it does nothing: resume follows.
func (c *Conn) landLocked(now time.Time) {
	f := &c.out
	for len(f.queue) > 0 && !f.path.isDown() {
		x := f.queue[0]
		if d := x.at.Sub(now); d > 0 {
			if f.timer == nil {
				f.timer = time.AfterFunc(d, c.land)
			} else {
				f.timer.Reset(d)
			}
			return
		}
		f.queue[0] = piece{}
		f.queue = f.queue[1:]
		c.far.arriveLocked(x)
	}
	if c.closed {
		c.p.forgetLocked()
	}
}

// arriveLocked takes a piece at its destination.
func (c *Conn) arriveLocked(x piece) {
	switch {
	case x.rst:
		c.breakLocked(syscall.ECONNRESET)
	case c.closed && len(x.data) > 0:
		c.far.breakLocked(syscall.ECONNRESET) // nobody is there to read it
	case c.closed || c.err != nil:
	case x.fin:
		c.eof = true
		c.readable.Broadcast()
	default:
		c.in.add(x.data)
		c.readable.Broadcast()
	}
}

// resume goes on after an outage: what was under way goes again.
func (p *pair) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for i := range p.ends {
		c := &p.ends[i]
		again := now.Add(recovery + c.out.path.latency())
		for j := range c.out.queue {
			if x := &c.out.queue[j]; x.at.Before(again) {
				x.at = again
			}
		}
		if c.out.last.Before(again) && len(c.out.queue) > 0 {
			c.out.last = again
		}
		c.landLocked(now)
		c.writable.Broadcast() // its credits may have come
	}
}

// creditLocked lets c send n more bytes after delay, which is how long its peer's word takes.
func (c *Conn) creditLocked(n int, delay time.Duration) {
	f := &c.out
	if delay == 0 && len(f.credits) == 0 && !f.path.isDown() {
		f.held -= n
		c.writable.Broadcast()
		return
	}
	at := time.Now().Add(delay)
	if last := len(f.credits) - 1; last >= 0 && f.credits[last].at.Equal(at) {
		f.credits[last].n += n
	} else {
		f.credits = append(f.credits, credit{at, n})
	}
	if c.writing && len(f.credits) == 1 {
		c.armCreditLocked(delay)
	}
}

// roomLocked reports whether something can be written, and sees to it that the Write is woken when that changes.
func (c *Conn) roomLocked() bool {
	f := &c.out
	now := time.Now()
	for len(f.credits) > 0 && !f.credits[0].at.After(now) && !f.path.isDown() {
		f.held -= f.credits[0].n
		f.credits = f.credits[1:]
	}
	if f.held < f.limit {
		return true
	}
	if len(f.credits) > 0 && f.credits[0].at.After(now) {
		c.armCreditLocked(f.credits[0].at.Sub(now))
	}
	return false
}

func (c *Conn) armCreditLocked(d time.Duration) {
	if c.out.credit == nil {
		c.out.credit = time.AfterFunc(d, func() {
			c.p.mu.Lock()
			defer c.p.mu.Unlock()
			c.writable.Broadcast()
		})
		return
	}
	c.out.credit.Reset(d)
}

// chunks is a queue of bytes.
type chunks struct {
	list [][]byte
	n    int
}

func (q *chunks) add(b []byte) {
	q.list = append(q.list, b)
	q.n += len(b)
}

func (q *chunks) read(b []byte) (n int) {
	for n < len(b) && q.n > 0 {
		k := copy(b[n:], q.list[0])
		n += k
		q.n -= k
		if q.list[0] = q.list[0][k:]; len(q.list[0]) == 0 {
			q.list[0] = nil
			q.list = q.list[1:]
		}
	}
	return n
}
