//go:build linux

package server

import (
	"context"
	"fmt"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// upkeep is how one app is kept by its policy: started again after its end, and probed while it runs. Guarded by
// Server.mu.
type upkeep struct {
	restarter *process.Restarter
	timer     *time.Timer // starts it again; nil: no start is due
	next      time.Time   // when
	note      string      // what the policy made of the last end
	health    signal.Health
	wasWell   bool // it was healthy in this run
}

// due reports whether the policy is about to start the app again.
func (k *upkeep) due() bool { return k.timer != nil }

// cancelLocked takes a start that is due back; it reports whether there was one.
func (k *upkeep) cancelLocked() bool {
	if k.timer == nil {
		return false
	}
	k.timer.Stop()
	k.timer, k.next = nil, time.Time{}
	return true
}

// restarterLocked is the app's, made when it is first needed.
func (a *app) restarterLocked() *process.Restarter {
	if a.keep.restarter == nil {
		a.keep.restarter = process.NewRestarter(a.request().Policy, nil)
	}
	return a.keep.restarter
}

// beganLocked notes a new run.
func (a *app) beganLocked() {
	a.keep.cancelLocked()
	a.keep.note, a.keep.health, a.keep.wasWell = "", "", false
	a.restarterLocked().Started()
}

// probed reports whether a probe, not the app's own word, makes it ready.
func (a *app) probed() bool { return a.request().Ready != nil && !a.request().Ready.Signal }

// probe watches a run's readiness and health until it ends.
func (s *Server) probe(a *app, r *run, t process.Target) {
	s.mu.Lock()
	policy := a.request().Policy
	s.mu.Unlock()
	t.Ping = func(ctx context.Context) error {
		_, err := s.Ping(ctx, a.id)
		return err
	}
	if p := policy.Ready; p != nil && a.probed() {
		if prober, err := process.NewReady(*p, t); err != nil {
			s.probeFailed(a, r, err)
		} else {
			s.spawn(func() { s.awaitReady(a, r, prober) })
		}
	}
	if p := policy.Health; p != nil {
		if prober, err := process.NewHealth(*p, t); err != nil {
			s.probeFailed(a, r, err)
		} else {
			s.spawn(func() {
				ctx, cancel := r.context(s)
				defer cancel()
				prober.Watch(ctx, func(err error) { s.healthOf(a, r, err) })
			})
		}
	}
}

// context lasts as long as the run and the server.
func (r *run) context(s *Server) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-r.over:
		case <-r.left:
		case <-s.over:
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, cancel
}

func (s *Server) awaitReady(a *app, r *run, prober *process.Prober) {
	ctx, cancel := r.context(s)
	defer cancel()
	if err := prober.Ready(ctx); err != nil {
		if ctx.Err() == nil {
			s.probeFailed(a, r, err)
		}
		return
	}
	s.mu.Lock()
	fresh := a.run == r && r.alive() && !r.stopping
	if fresh {
		r.ready = true
		a.setState(signal.Ready)
	}
	v := a.view()
	s.mu.Unlock()
	if fresh {
		s.emit(v, kindReady, "ready")
	}
}

func (s *Server) probeFailed(a *app, r *run, err error) {
	s.mu.Lock()
	fresh := a.run == r && r.alive()
	if fresh {
		a.keep.note = "not ready: " + oneLine(err.Error(), maxTold)
	}
	v := a.view()
	s.mu.Unlock()
	if fresh {
		s.log.Warn("app is not ready", "app", v.App, "id", v.ID, "err", err)
	}
}

// healthOf takes what the health probe found. An app that is unhealthy, and that its policy would start again, is
// stopped for that.
func (s *Server) healthOf(a *app, r *run, err error) {
	s.mu.Lock()
	if a.run != r || !r.alive() {
		s.mu.Unlock()
		return
	}
	to, kind, text := signal.Healthy, kindHealthy, "healthy"
	if err != nil {
		to, kind, text = signal.Unhealthy, kindUnhealthy, "unhealthy: "+oneLine(err.Error(), maxTold)
	}
	a.keep.health, a.keep.wasWell = to, a.keep.wasWell || err == nil
	a.notifyLocked()
	ends := err != nil && !r.stopping && a.restarterLocked().EndsUnhealthy()
	v := a.view()
	s.mu.Unlock()
	s.emit(v, kind, text)
	if ends {
		s.spawn(func() { s.endUnhealthy(a, r) })
	}
}

// endUnhealthy stops a run that its health probe gave up; its end then counts as a failure.
func (s *Server) endUnhealthy(a *app, r *run) {
	select {
	case <-a.op:
	case <-r.over:
		return
	case <-s.over:
		return
	}
	defer func() { a.op <- struct{}{} }()
	s.mu.Lock()
	fresh := a.run == r && r.alive() && !r.stopping && !s.stopping
	r.unwell = fresh
	s.mu.Unlock()
	if !fresh {
		return
	}
	ctx, cancel := r.context(s)
	defer cancel()
	if _, err := s.climb(context.WithoutCancel(ctx), a, s.ladder(a)); err != nil {
		s.log.Warn("stopping an unhealthy app", "app", a.request().App, "id", a.id, "err", err)
	}
}

// comesLocked reports whether another run follows: its policy is about to start it, or it is being restarted.
func (a *app) comesLocked() bool { return a.keep.due() || a.run.followed }

// notifyLocked wakes those who wait for a change of the app.
func (a *app) notifyLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// afterLocked decides what follows the end of a run, and sets the timer. wanted: somebody stopped it. It returns the
// state that the app is in now, if that is not the one its end alone makes.
func (s *Server) afterLocked(a *app, r *run, e process.Exit, wanted bool) (signal.State, bool) {
	if a.again && !a.down {
		a.again = false
		return s.decideLocked(a, process.Decision{Verdict: process.StartAgain, Reason: "its restart was cut off by the end of an earlier daemon"})
	}
	code := e.Code
	if e.Unknown || r.unwell {
		code = -1
	}
	uptime := e.Ran
	if now, err := process.SinceBoot(); err == nil && uptime == 0 { // its keeper was of before this was recorded
		uptime = process.Uptime(r.proc.StartTicks(), now)
	}
	return s.decideLocked(a, a.restarterLocked().Exited(code, uptime, wanted && !r.unwell))
}

func (s *Server) decideLocked(a *app, d process.Decision) (signal.State, bool) {
	if d.Verdict == process.BreakerOpen {
		a.reason += "; " + d.Reason
	}
	if d.Verdict != process.StartAgain || s.stopping {
		return "", false
	}
	a.keep.note = d.Reason
	a.keep.next = time.Now().Add(d.After)
	var timer *time.Timer
	timer = time.AfterFunc(d.After, func() { s.spawn(func() { s.again(a, timer) }) })
	a.keep.timer = timer
	return signal.Waiting, true
}

// again starts an app whose pause is over, unless somebody was faster.
func (s *Server) again(a *app, timer *time.Timer) {
	select {
	case <-a.op:
	case <-s.over:
		return
	}
	defer func() { a.op <- struct{}{} }()
	s.mu.Lock()
	due := a.keep.timer == timer && !s.stopping && !a.run.alive()
	if due {
		a.keep.timer, a.keep.next = nil, time.Time{}
	}
	s.mu.Unlock()
	if !due {
		return
	}
	select {
	case <-a.run.proc.Gone(): // the keeper of the run before
	case <-s.over:
		return
	}
	if _, err := s.launch(a); err != nil {
		s.launchFailed(a, err)
	}
}

// launchFailed is for a program that could not be started again: that is an end too.
func (s *Server) launchFailed(a *app, err error) {
	s.mu.Lock()
	a.restarterLocked().Started()
	d := a.restarterLocked().Exited(-1, 0, false)
	a.reason = oneLine(err.Error(), maxTold)
	state, waiting := s.decideLocked(a, d)
	if !waiting {
		state = signal.Failed
	}
	a.setState(state)
	v := a.view()
	s.mu.Unlock()
	s.emit(v, kindFailed, v.Reason)
}

// stay takes back a start that is due, because somebody asked for a stop or another start. It reports whether
// there was one: the app is then down.
func (s *Server) stay(a *app) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.stayLocked()
}

func (a *app) stayLocked() bool {
	a.restarterLocked().Stopped()
	if !a.keep.cancelLocked() {
		return false
	}
	a.keep.note = ""
	a.setState(signal.Exited)
	return true
}

// stayAllLocked takes every start back that is due, for the end of the server.
func (s *Server) stayAllLocked() {
	for _, a := range s.apps {
		if a.keep.cancelLocked() {
			a.setState(signal.Exited)
		}
	}
}

// Await blocks until the app has met the condition in its current run, or returns why it will not.
func (s *Server) Await(ctx context.Context, id signal.ID, on signal.Condition) error {
	for {
		s.mu.Lock()
		a := s.apps[id]
		if a == nil {
			s.mu.Unlock()
			return noApp(id)
		}
		v, changed := a.view(), a.changed
		met, err := a.metLocked(on, v)
		s.mu.Unlock()
		if met || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for app %d (%s) to be %s: %w", id, nameOf(v.Member, v.App), on, ctx.Err())
		case <-s.over:
			return signal.Errorf(signal.CodeStopping, "the daemon is ending")
		}
	}
}

// metLocked reports whether a condition is met, or an error when it will not be.
func (a *app) metLocked(on signal.Condition, v signal.App) (bool, error) {
	gone := v.Pid == 0 && !a.comesLocked()
	switch on {
	case signal.OnStarted:
		return true, nil
	case signal.OnReady:
		if v.State == signal.Ready || v.State == signal.Running && !a.probed() || v.State == signal.Unreachable && a.run.ready {
			return true, nil
		}
	case signal.OnHealthy:
		if a.request().Health == nil {
			return false, signal.Errorf(signal.CodeParams, "app %d (%s) has no health probe", a.id, a.name())
		}
		if a.keep.wasWell {
			return true, nil
		}
	case signal.OnExited:
		if gone && v.ExitCode != nil && *v.ExitCode == 0 {
			return true, nil
		}
	default:
		return false, signal.Errorf(signal.CodeParams, "unknown condition %q", on)
	}
	if gone {
		return false, notRunning(v)
	}
	return false, nil
}

// Request returns what the app was started with, or what the last SetPolicy said.
func (s *Server) Request(_ context.Context, id signal.ID) (signal.StartRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[id]
	if a == nil {
		return signal.StartRequest{}, noApp(id)
	}
	return *a.request(), nil
}

// SetPolicy replaces the request of an app, also for the daemon after this one. Its Policy and Daemon count at once,
// probes excepted; those, and the rest, from the next start on.
func (s *Server) SetPolicy(ctx context.Context, id signal.ID, r signal.StartRequest) error {
	if err := checkRequest(r); err != nil {
		return signal.Errorf(signal.CodeParams, "app %d: %v", id, err)
	}
	a, now, err := s.replaceRequest(id, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wantTime)
	defer cancel()
	if err := s.note(ctx, a, now); err != nil { // it counts all the same, as long as this daemon lives
		s.log.Warn("a policy is not recorded", "app", r.App, "id", id, "err", err)
	}
	return nil
}

func (s *Server) replaceRequest(id signal.ID, r signal.StartRequest) (*app, *run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[id]
	if a == nil {
		return nil, nil, noApp(id)
	}
	if r.App != a.request().App {
		return nil, nil, signal.Errorf(signal.CodeParams, "app %d is %q, not %q", id, a.request().App, r.App)
	}
	a.restarterLocked().SetPolicy(r.Policy)
	a.asked.Store(&r)
	return a, a.run, nil
}
