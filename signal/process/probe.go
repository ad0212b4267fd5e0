//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

// Defaults of a probe.
const (
	readyInterval   = 500 * time.Millisecond
	healthInterval  = 10 * time.Second
	probeTimeout    = 2 * time.Second
	readyThreshold  = 1
	healthThreshold = 3
)

// ReadyWithin is how long a ready probe gets unless it says so itself.
const ReadyWithin = 15 * time.Second

// maxProbeText bounds what a failing probe says, in bytes.
const maxProbeText = 256

// Target is the app that is probed.
type Target struct {
	// Registered is closed once the app said over signal that it is ready. nil: never.
	Registered <-chan struct{}
	// Ping asks the app over signal for a sign of life. nil: it cannot be asked.
	Ping func(context.Context) error
	// Log is the path of its log and LogFrom where in it this run began, in bytes.
	Log     string
	LogFrom int64
	// What a command runs with.
	Dir        string
	Env        []string
	Credential *syscall.Credential
}

// Prober finds out again and again whether one app is ready, or healthy. It belongs to one
// goroutine.
type Prober struct {
	probe    signal.Probe
	try      func(context.Context) error
	close    func()
	interval time.Duration
	timeout  time.Duration
	random   func() float64
}

// NewReady makes the prober of an app that is starting: make it before the start, or with
// Target.LogFrom, so that no line of the log is missed. Ready runs it.
func NewReady(p signal.Probe, t Target) (*Prober, error) {
	r, err := newProber(p, t, readyInterval, readyThreshold, awaitRegistration(t.Registered))
	if err == nil && p.Signal {
		r.interval = 0 // each try waits for it
	}
	return r, err
}

// NewHealth makes the prober of an app that runs. Watch runs it.
func NewHealth(p signal.Probe, t Target) (*Prober, error) {
	if p.Log != "" {
		return nil, errors.New("process: a log cannot tell health")
	}
	return newProber(p, t, healthInterval, healthThreshold, t.Ping)
}

func newProber(p signal.Probe, t Target, interval time.Duration, threshold int, bySignal func(context.Context) error) (*Prober, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("process: probe: %w", err)
	}
	r := &Prober{probe: p, close: func() {}, interval: interval, timeout: probeTimeout, random: rand.Float64}
	if p.Interval > 0 {
		r.interval = time.Duration(p.Interval)
	}
	if p.Timeout > 0 {
		r.timeout = time.Duration(p.Timeout)
	}
	if r.probe.Threshold == 0 {
		r.probe.Threshold = threshold
	}
	switch {
	case p.TCP != "":
		r.try = func(ctx context.Context) error { return probeTCP(ctx, p.TCP) }
	case p.HTTP != "":
		r.try = func(ctx context.Context) error { return probeHTTP(ctx, p.HTTP) }
	case len(p.Command) > 0:
		r.try = func(ctx context.Context) error { return probeCommand(ctx, p.Command, t) }
	case p.Log != "":
		l, err := newLogProbe(p.Log, t.Log, t.LogFrom)
		if err != nil {
			return nil, err
		}
		r.try, r.close = l.look, l.close
	case bySignal != nil:
		r.try = bySignal
	default:
		r.try = func(context.Context) error { return errNoSignal }
	}
	return r, nil
}

var (
	errNoSignal      = errors.New("it has no signal connection")
	errNotRegistered = errors.New("it has not said over signal that it is ready")
)

// awaitRegistration waits inside one try, so that registration is noticed at once.
func awaitRegistration(registered <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-registered:
			return nil
		case <-ctx.Done():
			return errNotRegistered
		}
	}
}

// Ready tries until the app is ready: Threshold tries in a row found it so. When Probe.Within
// is over, or ctx ends before, the error says what the last try found.
func (p *Prober) Ready(ctx context.Context) error {
	defer p.close()
	limit := ReadyWithin
	if p.probe.Within > 0 {
		limit = time.Duration(p.probe.Within)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for good := 0; ; {
		err := p.once(within)
		if err == nil {
			if good++; good >= p.probe.Threshold {
				return nil
			}
			last = fmt.Errorf("%d good tries of %d", good, p.probe.Threshold)
		} else if good = 0; within.Err() == nil || last == nil {
			last = err
		}
		if pause(within, p.interval) {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("not ready: %s: %w", p.describe(last), context.Cause(ctx))
		}
		return fmt.Errorf("not ready after %v: %s", limit, p.describe(last))
	}
}

// Watch tries until ctx ends and calls report when the app becomes healthy, with nil, and when it
// becomes unhealthy, with what was found: the first time after the first success or Threshold
// failures in a row, then at each change. The first try comes after a random part of the
// interval, so that many apps are not tried at once.
func (p *Prober) Watch(ctx context.Context, report func(err error)) {
	defer p.close()
	known, healthy, failures := false, false, 0
	for wait := time.Duration(p.random() * float64(p.interval)); pause(ctx, wait); wait = p.interval {
		err := p.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			if !known || !healthy {
				known, healthy = true, true
				report(nil)
			}
		default:
			if failures++; failures == p.probe.Threshold && (!known || healthy) {
				known, healthy = true, false
				report(errors.New(p.describe(err)))
			}
		}
	}
}

// once is one try within its timeout.
func (p *Prober) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	err := p.try(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.Is(err, errNotRegistered) {
		return fmt.Errorf("no answer in %v", p.timeout)
	}
	return err
}

// describe names the probe and what it found, on one bounded line.
func (p *Prober) describe(err error) string {
	return oneLine(p.probe.String()+": "+err.Error(), maxProbeText)
}

// pause is false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}

// LogEnd is the length of a log now, for Target.LogFrom; 0 when it is not there.
func LogEnd(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
