//go:build linux

package process

import (
	"time"

	"github.com/skycoin/viscript/signal"
)

// provenFactor times the pause before a run is how long it must last to count as a good one.
const provenFactor = 10

// backoff is the pause before the next start. The zero value with limits set is at its beginning.
type backoff struct {
	limits signal.Backoff // never zero, Min <= Max
	last   time.Duration  // the pause before the current run, without jitter; 0: none
}

// proven says whether a run of this length ends the doubling.
func (b *backoff) proven(uptime time.Duration) bool {
	return uptime >= provenFactor*max(b.last, time.Duration(b.limits.Min))
}

// next returns the pause before the next start: doubled, and varied by up to a fifth either
// way, so that apps that fell together do not rise together. random is in [0, 1).
func (b *backoff) next(random float64) time.Duration {
	low, high := time.Duration(b.limits.Min), time.Duration(b.limits.Max)
	if b.last == 0 {
		b.last = low
	} else {
		b.last = min(max(2*b.last, low), high)
	}
	return b.last + time.Duration(float64(b.last)*(random-0.5)*0.4)
}

func (b *backoff) reset() { b.last = 0 }
