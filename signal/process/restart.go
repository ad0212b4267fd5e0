//go:build linux

package process

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Verdict is what to do after a run has ended.
type Verdict int

// The verdicts. Open: the breaker has opened; like StayDown until somebody starts the app.
const (
	StayDown Verdict = iota
	StartAgain
	BreakerOpen
)

// Decision is a verdict with its pause and its reason.
type Decision struct {
	Verdict Verdict
	After   time.Duration // until the next start, of StartAgain
	Attempt int           // which restart in a row that is, from 1, of StartAgain
	Reason  string        // for people; empty when the policy has nothing to say
}

// Restarter decides when one app is started again. It has no clock and does nothing by
// itself: the caller tells what happened and keeps the timer.
//
//	r := process.NewRestarter(policy, nil)
//	r.Started()                                  // each time the program runs, whoever started it
//	d := r.Exited(exit.Code, uptime, wanted)     // StartAgain: start it after d.After, unless Stopped comes first
//	r.Stopped()                                  // somebody stopped it, started it anew or changed it: begin afresh
//
// Uptime is measured from the kernel's start time (Uptime), so neither load nor the wall
// clock makes a crash look like a good run. Not safe for concurrent use.
type Restarter struct {
	policy   signal.Restart
	pause    backoff
	breaker  breaker
	random   func() float64
	clock    time.Duration // runs and pauses so far
	attempt  int
	restarts int
}

// NewRestarter begins afresh. random returns numbers in [0, 1); nil: math/rand.
func NewRestarter(p signal.Policy, random func() float64) *Restarter {
	if random == nil {
		random = rand.Float64
	}
	r := &Restarter{random: random}
	r.SetPolicy(p)
	return r
}

// SetPolicy changes the rules from the next event on; what was counted stays.
func (r *Restarter) SetPolicy(p signal.Policy) {
	r.policy = p.Restart
	r.pause.limits = p.Backoff.OrDefault()
	r.pause.limits.Max = max(r.pause.limits.Max, r.pause.limits.Min)
	r.pause.last = min(r.pause.last, time.Duration(r.pause.limits.Max))
	r.breaker.limits = p.Breaker
}

// Started notes that the program runs, or that an attempt to start it was made.
func (r *Restarter) Started() { r.breaker.started(r.clock) }

// Exited decides after a run with this exit code (-1: unknown, or the program could not be
// started) and length. wanted: somebody stopped it.
func (r *Restarter) Exited(code int, uptime time.Duration, wanted bool) Decision {
	uptime = max(0, uptime)
	if wanted {
		r.Stopped()
		return Decision{Reason: "it was stopped by request"}
	}
	r.clock += uptime
	if r.pause.proven(uptime) {
		r.pause.reset()
		r.breaker.reset()
		r.attempt = 0
	}
	if reason, again := r.wants(code); !again {
		return Decision{Reason: reason}
	}
	if r.breaker.open(r.clock) {
		return Decision{Verdict: BreakerOpen, Reason: r.breaker.reason()}
	}
	after := r.pause.next(r.random())
	r.clock += after
	r.attempt++
	r.restarts++
	return Decision{Verdict: StartAgain, After: after, Attempt: r.attempt,
		Reason: fmt.Sprintf("restart %d in %v", r.attempt, after.Round(10*time.Millisecond))}
}

// wants says whether the policy starts it again after this exit code, and if not, why.
func (r *Restarter) wants(code int) (string, bool) {
	switch r.policy {
	case signal.RestartAlways:
		return "", true
	case signal.RestartOnFailure:
		if code != 0 {
			return "", true
		}
		return "exit code 0 and restart: on-failure", false
	}
	return "", false
}

// EndsUnhealthy says whether an app whose health probe fails is to be stopped, and its end
// given to Exited with the code -1: where nothing would start it again it is left running.
func (r *Restarter) EndsUnhealthy() bool {
	return r.policy == signal.RestartAlways || r.policy == signal.RestartOnFailure
}

// Stopped forgets pauses and starts: the next start is a first one.
func (r *Restarter) Stopped() {
	r.pause.reset()
	r.breaker.reset()
	r.attempt, r.restarts, r.clock = 0, 0, 0
}

// Restarts counts those decided since it last began afresh.
func (r *Restarter) Restarts() int { return r.restarts }

// RestartMemory is what a Restarter knows, to be kept across a death of its owner.
type RestartMemory struct {
	Clock    time.Duration   `json:"clock,omitempty"` // nanoseconds, as the others
	Pause    time.Duration   `json:"pause,omitempty"`
	Starts   []time.Duration `json:"starts,omitempty"`
	Attempt  int             `json:"attempt,omitempty"`
	Restarts int             `json:"restarts,omitempty"`
}

// Memory returns what it knows.
func (r *Restarter) Memory() RestartMemory {
	return RestartMemory{r.clock, r.pause.last, slices.Clone(r.breaker.starts), r.attempt, r.restarts}
}

// Remember takes over what an earlier Restarter knew. What cannot be right, since it comes
// from a file, is dropped.
func (r *Restarter) Remember(m RestartMemory) {
	bad := m.Clock < 0 || m.Pause < 0 || m.Attempt < 0 || m.Restarts < 0 || len(m.Starts) > signal.MaxBreakerStarts ||
		!slices.IsSorted(m.Starts) || len(m.Starts) > 0 && (m.Starts[0] < 0 || m.Starts[len(m.Starts)-1] > m.Clock)
	if bad {
		r.Stopped()
		return
	}
	r.clock, r.attempt, r.restarts = m.Clock, m.Attempt, m.Restarts
	r.pause.last = min(m.Pause, time.Duration(r.pause.limits.Max))
	r.breaker.starts = slices.Clone(m.Starts)
}

// SinceBoot is the time on the clock in whose ticks the kernel notes the start of a process:
// it goes on while the machine sleeps, and nobody can set it (clock_gettime(2), CLOCK_BOOTTIME).
func SinceBoot() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("process: reading the clock since boot: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// ranUntilNow is the length of a run that has just ended; 0: not known.
func ranUntilNow(id Identity) time.Duration {
	now, err := SinceBoot()
	if err != nil {
		return 0
	}
	return max(1, Uptime(id.Start, now))
}

// Uptime is the length of a run that began at startTicks and was over at end, both since
// boot; ticks are hundredths of a second.
func Uptime(startTicks uint64, end time.Duration) time.Duration {
	const most = uint64(1<<63-1) / uint64(time.Second/ticksPerSecond)
	if startTicks > most {
		return 0
	}
	return max(0, end-time.Duration(startTicks)*(time.Second/ticksPerSecond))
}
