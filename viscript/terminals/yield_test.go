package terminals

import (
	"testing"
	"time"
)

// TestFloodRests: a flood works and rests in turns while somebody types elsewhere, longer while the echo is awaited.
func TestFloodRests(t *testing.T) {
	const ms = time.Millisecond
	var y typing
	loud, calm := &terminal{}, &terminal{}
	now := time.Now()
	var w work
	flood := func(d time.Duration) (worked, rested time.Duration) {
		for end := now.Add(d); now.Before(end); {
			now, worked = now.Add(ms/4), worked+ms/4
			for r := y.rest(loud, &w, now); r > 0; r = y.rest(loud, &w, now) {
				now, rested = now.Add(r), rested+r
			}
		}
		return worked, rested
	}
	if worked, rested := flood(time.Second); rested > 0 {
		t.Errorf("nobody types: %v of work, %v of rest", worked, rested)
	}
	y.key(calm, now)
	if echo, yes := y.elsewhere(loud, now); echo != echoTime || !yes {
		t.Errorf("after a key: %v %v", echo, yes)
	}
	if worked, rested := flood(echoTime - ms); worked > ms {
		t.Errorf("the echo is awaited: %v of work, %v of rest", worked, rested)
	}
	if worked, rested := flood(200 * ms); worked < 80*ms || worked > 120*ms {
		t.Errorf("somebody types: %v of work, %v of rest", worked, rested)
	}
	y.key(calm, now)
	y.shown(calm, now)
	if worked, rested := flood(shownTime); worked > ms || rested > 2*shownTime {
		t.Errorf("the echo is drawn: %v of work, %v of rest", worked, rested)
	}
	var worked, rested time.Duration
	for range 1000 { // more often than floods
		y.key(calm, now)
		w, r := flood(2 * ms)
		worked, rested = worked+w, rested+r
	}
	if worked < rested/4 {
		t.Errorf("keys come without end: %v of work, %v of rest", worked, rested)
	}
	flood(typingTime)
	if worked, rested := flood(time.Second); rested > 0 {
		t.Errorf("nobody types any more: %v of work, %v of rest", worked, rested)
	}
	y.key(calm, now)
	y.key(loud, now)
	if _, rested := flood(echoTime); rested > 0 {
		t.Errorf("somebody types there: %v of rest", rested)
	}
	now = now.Add(time.Second)
	y.key(calm, now)
	now = now.Add(echoTime)
	w = work{}
	for range 100 {
		now = now.Add(2 * restTime)
		if r := y.rest(loud, &w, now); r > 0 {
			t.Fatalf("no flood, and %v of rest", r)
		}
	}
}

// TestFramesWaitForEchoes, but not for long, and not where somebody types.
func TestFramesWaitForEchoes(t *testing.T) {
	var y typing
	loud, calm := &terminal{}, &terminal{}
	now := time.Now()
	var since time.Time
	if d := y.hold(loud, &since, now); d > 0 {
		t.Errorf("nobody types: %v", d)
	}
	y.key(calm, now)
	if d := y.hold(loud, &since, now); d != echoTime {
		t.Errorf("after a key: %v", d)
	}
	if d := y.hold(calm, new(time.Time), now); d > 0 {
		t.Errorf("the echo itself: %v", d)
	}
	y.shown(loud, now)
	y.shown(calm, now)
	if d := y.hold(loud, &since, now); d != shownTime {
		t.Errorf("after the echo: %v", d)
	}
	if d := y.hold(loud, &since, now.Add(shownTime)); d > 0 || !since.IsZero() {
		t.Errorf("when it is drawn: %v, since %v", d, since)
	}
	begin := now
	for now.Sub(begin) < time.Second {
		y.key(calm, now)
		d := y.hold(loud, &since, now)
		if now = now.Add(time.Millisecond); d == 0 {
			break
		}
	}
	if held := now.Sub(begin); held > maxHold+2*time.Millisecond || held < maxHold {
		t.Errorf("a frame waits for %v while keys come without end", held)
	}
}
