//go:build linux

package process

import (
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/signal"
)

// breaker counts the starts of the last while. Its clock is that of the Restarter: times of
// runs and pauses added up, which no load and no change of the wall clock moves.
type breaker struct {
	limits signal.Breaker
	starts []time.Duration // on that clock, in order; at most limits.Starts
}

func (b *breaker) started(now time.Duration) {
	if b.limits.Starts <= 0 {
		b.starts = nil
		return
	}
	b.starts = append(b.starts, now)
	if over := len(b.starts) - b.limits.Starts; over > 0 {
		b.starts = slices.Delete(b.starts, 0, over)
	}
}

// open says whether the starts up to now are too many. A start exactly one window ago counts.
func (b *breaker) open(now time.Duration) bool {
	n := b.limits.Starts
	return n > 0 && len(b.starts) >= n && now-b.starts[len(b.starts)-n] <= time.Duration(b.limits.Window)
}

// reason says why nothing is started while it is open.
func (b *breaker) reason() string {
	starts := "a start"
	if b.limits.Starts > 1 {
		starts = fmt.Sprintf("%d starts", b.limits.Starts)
	}
	return fmt.Sprintf("%s within %v: it is not started again until somebody does", starts, time.Duration(b.limits.Window))
}

func (b *breaker) reset() { b.starts = nil }
