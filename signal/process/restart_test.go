//go:build linux

package process

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// middle makes pauses without jitter.
func middle() float64 { return 0.5 }

func always(starts int, window time.Duration) signal.Policy {
	return signal.Policy{Restart: signal.RestartAlways, Breaker: signal.Breaker{Starts: starts, Window: signal.Duration(window)}}
}

// crash is one run that ends with code 3 after uptime.
func crash(r *Restarter, uptime time.Duration) Decision {
	r.Started()
	return r.Exited(3, uptime, false)
}

func TestRestartPolicies(t *testing.T) {
	for _, c := range []struct {
		policy signal.Restart
		code   int
		wanted bool
		want   Verdict
	}{
		{"", 3, false, StayDown},
		{signal.RestartNo, 3, false, StayDown},
		{signal.RestartNo, 0, false, StayDown},
		{signal.RestartOnFailure, 0, false, StayDown},
		{signal.RestartOnFailure, 1, false, StartAgain},
		{signal.RestartOnFailure, 137, false, StartAgain},
		{signal.RestartOnFailure, -1, false, StartAgain},
		{signal.RestartOnFailure, 1, true, StayDown},
		{signal.RestartAlways, 0, false, StartAgain},
		{signal.RestartAlways, 9, false, StartAgain},
		{signal.RestartAlways, 0, true, StayDown},
	} {
		r := NewRestarter(signal.Policy{Restart: c.policy}, middle)
		r.Started()
		if d := r.Exited(c.code, time.Second, c.wanted); d.Verdict != c.want {
			t.Errorf("%s, code %d, wanted %v: %+v", c.policy, c.code, c.wanted, d)
		}
		if got, want := r.EndsUnhealthy(), c.policy == signal.RestartAlways || c.policy == signal.RestartOnFailure; got != want {
			t.Errorf("%s: ends unhealthy %v", c.policy, got)
		}
	}
}

func TestBackoffDoublesToItsCap(t *testing.T) {
	r := NewRestarter(always(0, 0), middle)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		d := crash(r, 0)
		if d.After != want*time.Second || d.Attempt != i+1 {
			t.Errorf("restart %d: %+v, want %v", i+1, d, want*time.Second)
		}
	}
	if r.Restarts() != 9 {
		t.Errorf("%d restarts", r.Restarts())
	}
}

func TestBackoffJitter(t *testing.T) {
	least, most := time.Duration(math.MaxInt64), time.Duration(0)
	for range 2000 {
		d := crash(NewRestarter(always(0, 0), nil), 0).After
		least, most = min(least, d), max(most, d)
	}
	if least < 800*time.Millisecond || most > 1200*time.Millisecond || most-least < 300*time.Millisecond {
		t.Errorf("pauses of %v to %v; want 0.8 s to 1.2 s", least, most)
	}
}

func TestBackoffResetsAfterProvenUptime(t *testing.T) {
	r := NewRestarter(always(0, 0), middle)
	crash(r, 0)
	crash(r, 0)                                                    // 2 s before the next run
	if d := crash(r, 20*time.Second-1); d.After != 4*time.Second { // 10 x 2 s not reached
		t.Errorf("%+v", d)
	}
	if d := crash(r, 40*time.Second); d.After != time.Second || d.Attempt != 1 {
		t.Errorf("not reset: %+v", d)
	}
	r = NewRestarter(always(0, 0), middle)
	if d := crash(r, 10*time.Second); d.After != time.Second {
		t.Errorf("%+v", d)
	}
	if d := crash(r, 9*time.Second); d.After != 2*time.Second {
		t.Errorf("a run of 9 s counted as proof: %+v", d)
	}
}

func TestBreakerOpensAtItsCount(t *testing.T) {
	for _, load := range []time.Duration{0, 100 * time.Millisecond, 3 * time.Second} { // each start takes that long
		r := NewRestarter(always(5, time.Minute), middle)
		starts := 0
		for {
			starts++
			d := crash(r, load)
			if d.Verdict == BreakerOpen {
				break
			}
			if starts > 100 {
				t.Fatal("it never opened")
			}
		}
		if starts != 5 {
			t.Errorf("opened after %d starts with %v each, want 5", starts, load)
		}
	}
}

func TestBreakerWindowSlides(t *testing.T) {
	p := always(3, 30*time.Second)
	p.Backoff = signal.Backoff{Min: signal.Duration(2 * time.Second), Max: signal.Duration(2 * time.Second)}
	r := NewRestarter(p, middle)
	for i := range 50 {
		if d := crash(r, 15*time.Second); d.Verdict != StartAgain { // 17 s apart: never 3 in 30 s
			t.Fatalf("start %d: %+v", i+1, d)
		}
	}
	crash(r, 0)
	if d := crash(r, 0); d.Verdict != BreakerOpen {
		t.Errorf("three in 4 s: %+v", d)
	}
	if d := crash(r, 0); d.Verdict != BreakerOpen {
		t.Errorf("a start beside the policy closed it: %+v", d)
	}
	r.Stopped()
	if d := crash(r, 0); d.Verdict != StartAgain || d.Attempt != 1 || d.After != 2*time.Second {
		t.Errorf("after a stop: %+v", d)
	}
}

func TestBreakerResetsAfterProvenUptime(t *testing.T) {
	r := NewRestarter(always(3, time.Hour), middle)
	crash(r, 0)
	crash(r, 0)
	if d := crash(r, 20*time.Second); d.Verdict != StartAgain {
		t.Errorf("opened after a good run: %+v", d)
	}
}

// TestEveryBreakerThatIsAllowedOpens holds Reach against the real thing at its worst jitter.
func TestEveryBreakerThatIsAllowedOpens(t *testing.T) {
	for _, b := range []signal.Backoff{{}, {Min: signal.Duration(time.Millisecond), Max: signal.Duration(time.Second)}, {Min: signal.Duration(5 * time.Second), Max: signal.Duration(5 * time.Second)}} {
		for _, starts := range []int{1, 2, 5, 10, 50} {
			p := signal.Policy{Restart: signal.RestartAlways, Backoff: b, Breaker: signal.Breaker{Starts: starts}}
			p.Breaker.Window = p.Breaker.Reach(b)
			if err := p.Check(); err != nil {
				t.Error(err)
			}
			r := NewRestarter(p, func() float64 { return math.Nextafter(1, 0) })
			for n := 1; crash(r, 0).Verdict != BreakerOpen; n++ {
				if n > starts {
					t.Fatalf("%+v did not open", p)
				}
			}
		}
	}
}

func TestWantedEndBeginsAfresh(t *testing.T) {
	r := NewRestarter(always(3, time.Minute), middle)
	crash(r, 0)
	crash(r, 0)
	r.Started()
	if d := r.Exited(0, time.Second, true); d.Verdict != StayDown || d.Reason == "" {
		t.Errorf("%+v", d)
	}
	if d := crash(r, 0); d.After != time.Second || d.Attempt != 1 || r.Restarts() != 1 {
		t.Errorf("%+v, %d restarts", d, r.Restarts())
	}
}

func TestSetPolicyKeepsWhatWasCounted(t *testing.T) {
	r := NewRestarter(always(0, 0), middle)
	for range 7 {
		crash(r, 0)
	}
	p := always(0, 0)
	p.Backoff.Max = signal.Duration(10 * time.Second)
	r.SetPolicy(p)
	if d := crash(r, 0); d.After != 10*time.Second || d.Attempt != 8 {
		t.Errorf("%+v", d)
	}
	r.SetPolicy(signal.Policy{Restart: signal.RestartNo})
	if d := crash(r, 0); d.Verdict != StayDown {
		t.Errorf("%+v", d)
	}
}

func TestRestartMemory(t *testing.T) {
	p := always(5, time.Minute)
	old := NewRestarter(p, middle)
	crash(old, 0)
	crash(old, time.Second)
	text, err := json.Marshal(old.Memory())
	if err != nil {
		t.Fatal(err)
	}
	var m RestartMemory
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	young := NewRestarter(p, middle)
	young.Remember(m)
	for i := range 4 {
		if a, b := crash(old, 0), crash(young, 0); a != b {
			t.Errorf("crash %d: %+v and %+v", i, a, b)
		}
	}
	for _, bad := range []RestartMemory{
		{Clock: -1}, {Pause: -1}, {Attempt: -1}, {Restarts: -1}, {Clock: 5, Starts: []time.Duration{4, 3}},
		{Starts: []time.Duration{-1}}, {Starts: []time.Duration{7}}, {Starts: make([]time.Duration, 5000)},
	} {
		r := NewRestarter(p, middle)
		r.Remember(bad)
		if !reflect.DeepEqual(r.Memory(), RestartMemory{}) {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestUptime(t *testing.T) {
	for _, c := range []struct {
		ticks uint64
		end   time.Duration
		want  time.Duration
	}{
		{100, 3 * time.Second, 2 * time.Second}, {100, time.Second / 2, 0}, {math.MaxUint64, time.Hour, 0}, {0, 0, 0},
	} {
		if got := Uptime(c.ticks, c.end); got != c.want {
			t.Errorf("%d ticks to %v: %v, want %v", c.ticks, c.end, got, c.want)
		}
	}
	now, err := SinceBoot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if up := Uptime(s.Start, now); up <= 0 || up > time.Hour {
		t.Errorf("this test has run for %v", up)
	}
}
