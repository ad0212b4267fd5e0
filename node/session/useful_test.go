package session

import (
	"testing"
	"time"
)

// The window of a path grows to what the path holds, and not to what its queues would take.
func TestUsefulWindow(t *testing.T) {
	for _, c := range []struct {
		name string
		rate float64 // bytes a second
		base time.Duration
		want uint64
	}{
		{"not measured", 1e9, 0, maxWindow},
		{"loopback", 1e9, 100 * time.Microsecond, calmWindow + 400_000},
		{"idle", 0, 50 * time.Millisecond, calmWindow},
		{"across an ocean", 5e6, 100 * time.Millisecond, calmWindow + 2_000_000},
		{"long and fat", 1e9, 100 * time.Millisecond, maxWindow},
	} {
		w := window{rate: c.rate}
		if got := w.useful(c.base); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A burst of acknowledgements is no rate, and the largest rate fades.
func TestMeasuredRate(t *testing.T) {
	const base, each = 10 * time.Millisecond, 100_000
	var w window
	now, acked := time.Second, uint64(0)
	step := func(d time.Duration, n uint64) {
		now, acked = now+d, acked+n
		w.measure(acked, now, base)
	}
	step(0, 0)
	for range 9 {
		step(time.Microsecond, each)
	}
	if w.rate != 0 {
		t.Fatalf("%.0f B/s told by a burst", w.rate)
	}
	step(base-9*time.Microsecond, each)
	if want := 10 * each / base.Seconds(); w.rate != want {
		t.Fatalf("%.0f B/s, want %.0f", w.rate, want)
	}
	top := w.rate
	for range 100 {
		step(base, each)
	}
	if slow := each / base.Seconds(); w.rate > top/2 || w.rate < slow {
		t.Fatalf("%.0f B/s after a slower time of %.0f", w.rate, slow)
	}
}

// A stream begins with little credit on a path whose round trip takes next to nothing, and only there.
func TestFirstCredit(t *testing.T) {
	for base, want := range map[time.Duration]int{
		0: firstCredit, 100 * time.Microsecond: nearCredit, nearPath - 1: nearCredit, nearPath: firstCredit, time.Second: firstCredit,
	} {
		var s Session
		if s.base.Store(int64(base)); s.firstCredit() != want {
			t.Errorf("round trip %s: %d, want %d", base, s.firstCredit(), want)
		}
	}
}
