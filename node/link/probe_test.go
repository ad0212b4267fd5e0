package link

import (
	"testing"
	"time"
)

// life steps a prober through a life in which the neighbour answers at once until it dies, and
// tells how many pings it took to see that and when.
func life(t *testing.T, dies, rtt time.Duration, busy func(time.Duration) bool, doubt time.Duration) (pings int, seen time.Duration) {
	t.Helper()
	p := prober{asked: -idlePing}
	heard, answer, now := time.Duration(0), time.Duration(0), time.Duration(0)
	doubted := doubt == 0
	for range 10000 {
		d := !doubted && now >= doubt
		doubted = doubted || d
		if now >= answer {
			heard = answer
		}
		ping, dead, next := p.step(now, heard, rtt, busy(now), d)
		if dead {
			return pings, now
		}
		if next <= 0 {
			t.Fatalf("at %v the prober wants to be asked again in %v", now, next)
		}
		if ping {
			pings++
			if now+rtt < dies {
				answer = now + rtt
			}
		}
		if !doubted {
			next = min(next, doubt-now)
		}
		now += next
	}
	t.Fatal("it never dies")
	return 0, 0
}

func TestProber(t *testing.T) {
	never := func(time.Duration) bool { return false }
	always := func(time.Duration) bool { return true }
	for name, c := range map[string]struct {
		dies, rtt   time.Duration
		busy        func(time.Duration) bool
		doubt       time.Duration
		within      time.Duration
		most, least int
	}{
		"idle":             {time.Hour, time.Millisecond, never, 0, 10 * time.Second, 722, 700},
		"busy":             {time.Minute, time.Millisecond, always, 0, 4 * time.Second, 62, 50},
		"busy, far away":   {time.Minute, 2 * time.Second, always, 0, 9 * time.Second, 45, 5},
		"in doubt":         {61 * time.Second, time.Millisecond, never, 62 * time.Second, 2600 * time.Millisecond, 14, 10},
		"in doubt earlier": {62 * time.Second, time.Millisecond, never, 61 * time.Second, 10 * time.Second, 16, 10},
	} {
		t.Run(name, func(t *testing.T) {
			pings, seen := life(t, c.dies, c.rtt, c.busy, c.doubt)
			if seen < c.dies || seen-c.dies > c.within {
				t.Errorf("died at %v, seen at %v", c.dies, seen)
			}
			if pings > c.most || pings < c.least {
				t.Errorf("%d pings", pings)
			}
		})
	}
}

// A process that stood still while an answer came does not take the neighbour for dead; one that says nothing is dead as much later.
func TestLateStepGivesTime(t *testing.T) {
	for _, answered := range []bool{true, false} {
		var p prober
		const began, stood = idlePing, 10 * time.Second
		_, dead, next := p.step(began, 0, 0, true, false)
		now, heard := began+stood, time.Duration(0)
		for !dead && now < began+stood+2*busyGrace {
			now += next
			_, dead, next = p.step(now, heard, 0, true, false)
			if answered {
				heard = now // it lay there unread
			}
		}
		if dead == answered || dead && now != began+stood+busyGrace {
			t.Errorf("answered %t, dead %t after %v", answered, dead, now-began)
		}
	}
}

// The same at the step at which the link would be dead; and where every step comes late, a neighbour that says nothing is dead all the same.
func TestLastStepIsLate(t *testing.T) {
	for _, punched := range []bool{false, true} {
		for _, answered := range []bool{true, false} {
			p := prober{punched: punched}
			const began, stood = idlePing, 10 * time.Second
			_, _, next := p.step(began, 0, 0, true, false)
			now := began
			for now+next < p.deadline {
				now += next
				_, _, next = p.step(now, 0, 0, true, false)
			}
			now += next + stood
			var dead bool
			_, dead, next = p.step(now, 0, 0, true, false)
			if dead || next > lateGrace {
				t.Fatalf("punched %t: dead %t, next step after %v", punched, dead, next)
			}
			heard := time.Duration(0)
			if answered {
				heard = now // it lay there unread
			}
			if _, dead, _ = p.step(now+next, heard, 0, true, false); dead == answered {
				t.Errorf("punched %t, answered %t: dead %t", punched, answered, dead)
			}
		}
	}
	var p prober
	const began, late = idlePing, 2 * lateStep
	_, dead, next := p.step(began, 0, 0, true, false)
	now := began
	for !dead && now < time.Minute {
		now += next + late
		_, dead, next = p.step(now, 0, 0, true, false)
	}
	if took := now - began; !dead || took > 3*busyGrace {
		t.Errorf("dead %t after %v of steps that all come late", dead, took)
	}
}

func TestPong(t *testing.T) {
	l := new(Link)
	const now = time.Second
	l.pong(int64(now-500*time.Millisecond), now)
	if l.RTT() != 0 {
		t.Error("an answer to no question is believed")
	}
	ask := func(d time.Duration) {
		stamp := int64(now - d)
		l.asked.Store(stamp)
		l.pong(stamp, now)
		l.pong(stamp, now)
	}
	ask(100 * time.Millisecond)
	if l.RTT() != 100*time.Millisecond || l.Jitter() != 0 {
		t.Errorf("after one answer: %v, jitter %v", l.RTT(), l.Jitter())
	}
	ask(180 * time.Millisecond)
	if l.RTT() != 110*time.Millisecond || l.Jitter() != 5*time.Millisecond {
		t.Errorf("after two: %v, jitter %v", l.RTT(), l.Jitter())
	}
}

func TestFigures(t *testing.T) {
	var f figures
	f.lost(0, 1000)
	f.lost(10, 1000)
	if got := f.loss.Load(); got != 2500 {
		t.Errorf("1 %% after none: %d per million, want a quarter of it", got)
	}
	f.lost(5, 0)
	f.delivered(1000)
	f.delivered(10)
	if got := f.capacity.Load(); got < 900 || got > 1000 {
		t.Errorf("capacity %d", got)
	}
	for range 300 {
		f.delivered(10)
	}
	if got := f.capacity.Load(); got > 60 {
		t.Errorf("an old rate is remembered as %d", got)
	}
}
