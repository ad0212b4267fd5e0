package link

import (
	"math"
	"time"
)

// Delay that a queue may hold back, after RFC 8289 section 4.4.
const (
	codelTarget   = 5 * time.Millisecond   // a standing delay above this is too much
	codelInterval = 100 * time.Millisecond // so long it may stand: the longest round trip that is expected
)

// codel decides which datagrams of one queue to drop (controlled delay, RFC 8289): none while the
// delay falls under the target now and then, and more and more often while it does not. The zero value is ready.
type codel struct {
	above    time.Duration // when the delay rose above the target, +1 so that 0 can mean that it has not
	next     time.Duration // when to drop again
	count    int           // drops of this period of dropping
	dropping bool
}

// drop reports whether the record that leaves at now, after waiting for sojourn, is to be dropped;
// behind is how many bytes wait behind it: the last one is never dropped.
func (c *codel) drop(now, sojourn time.Duration, behind int) bool {
	if sojourn < codelTarget || behind == 0 {
		c.above, c.dropping = 0, false
		return false
	}
	if c.above == 0 {
		c.above = now + 1
		return false
	}
	if c.dropping {
		return c.again(now)
	}
	if now+1-c.above < codelInterval {
		return false
	}
	c.begin(now)
	return true
}

// begin starts a period of dropping, near the rate of the last one when that ended just now.
func (c *codel) begin(now time.Duration) {
	c.dropping = true
	if c.count > 2 && now-c.next < 16*codelInterval {
		c.count -= 2
	} else {
		c.count = 1
	}
	c.next = now + c.gap()
}

func (c *codel) again(now time.Duration) bool {
	if now < c.next {
		return false
	}
	c.count++
	c.next += c.gap()
	return true
}

// gap is the control law: the pause shrinks with the square root of the drops.
func (c *codel) gap() time.Duration {
	return time.Duration(float64(codelInterval) / math.Sqrt(float64(c.count)))
}
