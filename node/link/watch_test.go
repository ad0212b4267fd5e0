package link

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

func TestSlept(t *testing.T) {
	for _, c := range []struct {
		wall, awake time.Duration
		want        bool
	}{{time.Hour, time.Hour, false}, {time.Hour, time.Second, true}, {5 * time.Second, time.Second, false}, {-time.Hour, time.Second, false}} {
		if got := slept(c.wall, c.awake); got != c.want {
			t.Errorf("%v on the wall, %v awake: slept %t", c.wall, c.awake, got)
		}
	}
}

func TestHintKeepsTheCertain(t *testing.T) {
	signs := make(chan sign, 1)
	hint(signs, maybe)
	hint(signs, certain)
	hint(signs, maybe)
	if s := <-signs; s != certain {
		t.Errorf("left: %v", s)
	}
}

func TestWatchLooks(t *testing.T) {
	var told int
	state := "as it is" // of a host of our own: other tests change this one
	w := watch{host: func() ([]netip.Addr, string) { return nil, state }, moved: func([]netip.Addr) { told++ }, state: state}
	w.look(maybe)
	if told != 0 {
		t.Error("told of a change that was none")
	}
	w.look(certain)
	state = "as it is elsewhere"
	w.look(maybe)
	w.look(maybe)
	if told != 2 {
		t.Errorf("told %d times of two changes", told)
	}
	if _, state := hostState(); state == "" {
		t.Error("this host has no state")
	}
}

func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- TCP{}.Watch(ctx, func([]netip.Addr) {}) }()
	time.Sleep(20 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(longEnough):
		t.Fatal("Watch does not end with its context")
	}
}
