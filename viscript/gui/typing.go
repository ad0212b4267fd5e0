package gui

import "time"

const (
	// typingTime is for how long after a key somebody counts as typing.
	typingTime = 300 * time.Millisecond
	// othersEvery is the least time between two frames of a terminal while somebody types in another one: drawing what
	// floods would be in the way of the echo.
	othersEvery = 120 * time.Millisecond
)

// typing is where somebody types, and which frames therefore wait to be acknowledged. It belongs to the goroutine
// that draws.
type typing struct {
	term string
	at   time.Time
	next time.Time // when a frame that waits may be acknowledged; zero: none waits

	wall time.Time     // of the last input
	tick time.Duration // the same on the clock of inputs
}

func (t *typing) typed(term string, now time.Time) { t.term, t.at = term, now }

// clock learns how the clock of inputs goes. A time that was due is over: what waits is looked at when it is drawn.
func (t *typing) clock(at time.Duration, now time.Time) {
	t.tick, t.wall = at, now
	if !t.next.IsZero() && !now.Before(t.next) {
		t.next = time.Time{}
	}
}

// mayGoOn tells whether the next frame of a terminal may come, whose last one was acknowledged at shown.
func (t *typing) mayGoOn(term string, shown, now time.Time) bool {
	if term == t.term || now.Sub(t.at) >= typingTime || now.Sub(shown) >= othersEvery {
		return true
	}
	if next := shown.Add(othersEvery); t.next.IsZero() || next.Before(t.next) {
		t.next = next
	}
	return false
}

// due is when to draw so that frames that wait are acknowledged, on the clock of inputs; false: none waits.
func (t *typing) due() (at time.Duration, ok bool) {
	if t.next.IsZero() {
		return 0, false
	}
	return t.tick + t.next.Sub(t.wall), true
}
