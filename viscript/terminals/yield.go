package terminals

import (
	"sync"
	"time"
)

const (
	// typingTime is for how long after a key somebody counts as typing.
	typingTime = 300 * time.Millisecond
	// echoTime is for how long what a key does is awaited; once the window says that it shows it, shownTime is
	// left for it to be drawn.
	echoTime  = 20 * time.Millisecond
	shownTime = 4 * time.Millisecond
	// A terminal that floods while somebody types in another one is written to for workTime, then rests for restTime.
	// While an echo is awaited it rests altogether, but begins to do so once in calmEvery at most: so it gets a
	// quarter of the time even while keys come without end. It looks every lookTime whether the echo is there.
	workTime  = time.Millisecond
	restTime  = time.Millisecond
	calmEvery = 2 * echoTime
	lookTime  = 2 * time.Millisecond
	// maxHold is how long a frame waits for an echo elsewhere.
	maxHold = 20 * time.Millisecond
)

// typing is where people type. Where something floods, the program that writes it, the parser and the window want all
// processors, and the echo of a key elsewhere needs one after the other of them five times. So a flood yields to
// people. Safe for concurrent use.
type typing struct {
	mu    sync.Mutex // guards the following, and terminal.typed
	last  *terminal  // that got a key
	at    time.Time  // when it did
	until time.Time  // when its echo is no longer awaited
}

// key notes that somebody typed in t.
func (y *typing) key(t *terminal, now time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	t.typed = now
	y.last, y.at, y.until = t, now, now.Add(echoTime)
}

// shown notes that a window shows what t last sent.
func (y *typing) shown(t *terminal, now time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if until := now.Add(shownTime); t == y.last && until.Before(y.until) {
		y.until = until
	}
}

// elsewhere tells whether somebody types, but not in t, and for how long the echo is awaited yet; that may be less
// than nothing.
func (y *typing) elsewhere(t *terminal, now time.Time) (echo time.Duration, yes bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.last == nil || now.Sub(y.at) >= typingTime || now.Sub(t.typed) < typingTime {
		return 0, false
	}
	return y.until.Sub(now), true
}

// work is how a terminal was written to.
type work struct {
	from, to time.Time // without a rest, or a time as long as one without output
	calm     time.Time // when it last began to rest for an echo
}

// rest is how long t rests after what was written to it up to now; then it may have to rest again.
func (y *typing) rest(t *terminal, w *work, now time.Time) time.Duration {
	echo, yes := y.elsewhere(t, now)
	if yes && echo > 0 {
		if now.Sub(w.calm) >= calmEvery {
			w.calm = now
		}
		if now.Sub(w.calm) < echoTime {
			return min(echo, lookTime)
		}
	}
	if now.Sub(w.to) >= restTime {
		w.from = now
	}
	w.to = now
	if !yes || now.Sub(w.from) < workTime {
		return 0
	}
	return restTime
}

// hold is how long a frame of t waits, which could have gone since *since; zero: until now none could.
func (y *typing) hold(t *terminal, since *time.Time, now time.Time) time.Duration {
	echo, yes := y.elsewhere(t, now)
	if !yes || echo <= 0 {
		*since = time.Time{}
		return 0
	}
	if since.IsZero() {
		*since = now
	}
	if wait := min(echo, since.Add(maxHold).Sub(now)); wait > 0 {
		return wait
	}
	*since = time.Time{}
	return 0
}
