//go:build linux

package process

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/signal"
)

// scripted is a prober whose tries answer in turn, the last answer for ever.
func scripted(t *testing.T, health bool, p signal.Probe, answers ...error) (*Prober, *[]time.Duration) {
	t.Helper()
	if p.Command == nil {
		p.TCP = "127.0.0.1:9"
	}
	make := NewReady
	if health {
		make = NewHealth
	}
	r, err := make(p, Target{})
	if err != nil {
		t.Fatal(err)
	}
	began, n := time.Now(), 0
	var at []time.Duration
	r.random = func() float64 { return 0.5 }
	r.try = func(context.Context) error {
		at = append(at, time.Since(began))
		n++
		return answers[min(n, len(answers))-1]
	}
	return r, &at
}

var errDown = errors.New("connection refused")

func TestReadyTriesUntilItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, at := scripted(t, false, signal.Probe{}, errDown, errDown, nil)
		if err := p.Ready(t.Context()); err != nil || len(*at) != 3 || (*at)[2] != time.Second {
			t.Errorf("%v at %v", err, *at)
		}
	})
}

func TestReadyThresholdCountsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, at := scripted(t, false, signal.Probe{Threshold: 2, Interval: signal.Duration(time.Second)}, nil, errDown, nil, nil)
		if err := p.Ready(t.Context()); err != nil || len(*at) != 4 || (*at)[3] != 3*time.Second {
			t.Errorf("%v at %v", err, *at)
		}
	})
}

func TestReadyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, at := scripted(t, false, signal.Probe{}, errDown)
		err := p.Ready(t.Context())
		if err == nil || err.Error() != "not ready after 15s: tcp 127.0.0.1:9: connection refused" || len(*at) < 30 || len(*at) > 31 {
			t.Errorf("%v after %d tries", err, len(*at))
		}
		p, _ = scripted(t, false, signal.Probe{Within: signal.Duration(3200 * time.Millisecond), Threshold: 100}, nil)
		if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "after 3.2s: tcp 127.0.0.1:9: 7 good tries of 100") {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("it was stopped"))
		defer cancel()
		p, _ = scripted(t, false, signal.Probe{}, errDown)
		if err := p.Ready(ctx); err == nil || !strings.HasSuffix(err.Error(), "connection refused: it was stopped") {
			t.Error(err)
		}
	})
}

func TestReadySlowTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := scripted(t, false, signal.Probe{Within: signal.Duration(5 * time.Second)}, nil)
		p.try = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer in 2s") {
			t.Error(err)
		}
	})
}

func TestReadyBySignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registered := make(chan struct{})
		p, err := NewReady(signal.Probe{Signal: true}, Target{Registered: registered})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.AfterFunc(4100*time.Millisecond, func() { close(registered) })
		if err := p.Ready(t.Context()); err != nil || time.Since(began) != 4100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		p, _ = NewReady(signal.Probe{Signal: true, Within: signal.Duration(time.Second)}, Target{})
		if err := p.Ready(t.Context()); err == nil || err.Error() != "not ready after 1s: signal: it has not said over signal that it is ready" {
			t.Error(err)
		}
	})
}

// watch runs Watch for a while and returns what it reported, "" for healthy.
func watch(t *testing.T, p *Prober, d time.Duration) (reports []string) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	p.Watch(ctx, func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		reports = append(reports, text)
	})
	return reports
}

func TestHealthReportsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := errDown
		p, at := scripted(t, true, signal.Probe{}, nil, nil, e, e, nil, e, e, e, e, e, nil, nil)
		got := watch(t, p, 2*time.Minute)
		if want := []string{"", "tcp 127.0.0.1:9: connection refused", ""}; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q", got)
		}
		if (*at)[0] != 5*time.Second || (*at)[1] != 15*time.Second {
			t.Errorf("tried at %v", *at)
		}
	})
}

func TestHealthNeverGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := scripted(t, true, signal.Probe{Threshold: 5, Interval: signal.Duration(time.Second)}, errDown)
		if got := watch(t, p, 5*time.Second); len(got) != 1 { // at 0.5, 1.5, ... 4.5 s
			t.Errorf("%q", got)
		}
		p, _ = scripted(t, true, signal.Probe{Threshold: 5, Interval: signal.Duration(time.Second)}, errDown)
		if got := watch(t, p, 4*time.Second); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestHealthBySignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []error{nil, errors.New("x")}
		p, err := NewHealth(signal.Probe{Signal: true, Threshold: 1}, Target{Ping: func(ctx context.Context) error {
			e := answers[0]
			answers = answers[1:]
			return e
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := watch(t, p, 20*time.Second); strings.Join(got, "|") != "|signal: x" {
			t.Errorf("%q", got)
		}
		p, _ = NewHealth(signal.Probe{Signal: true, Threshold: 1}, Target{})
		if got := watch(t, p, 15*time.Second); strings.Join(got, "|") != "signal: it has no signal connection" {
			t.Errorf("%q", got)
		}
	})
}

func TestProbesThatAreNone(t *testing.T) {
	for _, p := range []signal.Probe{
		{}, {TCP: "x", HTTP: "http://x"}, {TCP: "localhost"}, {TCP: ":80"}, {TCP: "h:0"}, {TCP: "h:99999"}, {HTTP: "ftp://x/"}, {HTTP: "http:///x"},
		{HTTP: "http://user:pw@x/"}, {HTTP: "%"}, {Log: "("}, {Log: strings.Repeat("a", 2000)}, {Command: []string{""}}, {Command: []string{"a\x00"}},
		{TCP: "h:1", Interval: 1}, {TCP: "h:1", Timeout: -1}, {TCP: "h:1", Threshold: -1}, {TCP: "h:1", Threshold: 101}, {TCP: "h:1", Within: -1},
	} {
		if _, err := NewReady(p, Target{}); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
	if _, err := NewHealth(signal.Probe{Log: "x"}, Target{}); err == nil {
		t.Error("a log was taken for health")
	}
}
