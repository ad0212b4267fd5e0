package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Stop ends an app and all it started: asked over signal, then SIGTERM, then SIGKILL. Once
// begun it goes on to its end, also when ctx ends before. RungGone: there was nothing left.
func (s *Server) Stop(ctx context.Context, id signal.ID) (signal.StopReport, error) {
	return s.stop(ctx, id, s.cfg.Ladder)
}

// Kill ends an app and all it started by SIGKILL; a stop under way is hurried.
func (s *Server) Kill(ctx context.Context, id signal.ID) (signal.StopReport, error) {
	s.mu.Lock()
	if a := s.apps[id]; a != nil && a.hurry != nil {
		a.hurry()
	}
	s.mu.Unlock()
	return s.stop(ctx, id, process.Ladder{Kill: s.cfg.Ladder.Kill})
}

// Restart stops an app and starts it again as it was started, under its id.
func (s *Server) Restart(ctx context.Context, id signal.ID) (signal.App, error) {
	a, _, err := s.find(id)
	if err != nil {
		return signal.App{}, err
	}
	return wait(ctx, s, a, func(ctx context.Context) (signal.App, error) {
		if rep := s.climb(ctx, a, s.cfg.Ladder); len(rep.Survivors) > 0 {
			return signal.App{}, signal.Errorf(signal.CodeStart, "app %d (%s) is not restarted: %s", a.id, a.req.App, stopText(rep))
		}
		return s.launch(a)
	})
}

func (s *Server) stop(ctx context.Context, id signal.ID, l process.Ladder) (signal.StopReport, error) {
	a, _, err := s.find(id)
	if err != nil {
		return signal.StopReport{}, err
	}
	return wait(ctx, s, a, func(ctx context.Context) (signal.StopReport, error) {
		return s.climb(ctx, a, l), nil
	})
}

// wait runs act on a goroutine of its own while it holds the app's op, so that act goes on
// when ctx ends. Hurry and Kill end the context that act gets.
func wait[T any](ctx context.Context, s *Server, a *app, act func(context.Context) (T, error)) (T, error) {
	var result T
	var err error
	select {
	case <-a.op:
	case <-ctx.Done():
		return result, ctx.Err()
	}
	done := make(chan struct{})
	acting, cancel := s.begin(ctx, a)
	release := func() {
		cancel()
		a.op <- struct{}{}
	}
	if !s.spawn(func() {
		defer close(done)
		defer release()
		result, err = act(acting)
	}) {
		release()
		return result, signal.Errorf(signal.CodeStopping, "the daemon is ending")
	}
	select {
	case <-done:
		return result, err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// begin makes the context of a stop, which others may end to hurry it.
func (s *Server) begin(ctx context.Context, a *app) (context.Context, func()) {
	ctx, hurry := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	a.hurry = hurry
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		a.hurry = nil
		hurry()
	}
}

// climb goes up the ladder; the caller holds the app's op.
func (s *Server) climb(ctx context.Context, a *app, l process.Ladder) signal.StopReport {
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-s.hurried:
			cancel()
		case <-ctx.Done():
		}
	})
	defer listening.Wait()
	defer cancel()
	r, pid := s.markStopping(a)
	ask := func(ctx context.Context) error { return s.askShutdown(ctx, a, r, l.Ask) }
	p := r.proc.Stop(ctx, ask, l)
	rep := signal.StopReport{ID: a.id, Pid: pid, Rung: rungs[p.Rung], ExitCode: p.ExitCode, Survivors: p.Survivors}
	if p.ExitCode >= 0 {
		<-r.over // the table then shows what is reported
	}
	if p.Rung != process.Gone {
		s.noteStop(a, rep)
	}
	return rep
}

var rungs = [...]signal.Rung{
	process.Gone:  signal.RungGone,
	process.Asked: signal.RungShutdown,
	process.Term:  signal.RungTerm,
	process.Kill:  signal.RungKill,
}

func (s *Server) markStopping(a *app) (*run, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := a.run
	if r.alive() {
		r.stopping = true
		a.setState(signal.Stopping)
	}
	return r, r.proc.Pid()
}

func (s *Server) noteStop(a *app, rep signal.StopReport) {
	s.mu.Lock()
	a.reason = stopText(rep)
	v := a.view()
	s.mu.Unlock()
	s.emit(v, kindStopped, v.Reason)
}

func stopText(rep signal.StopReport) string {
	if len(rep.Survivors) > 0 {
		return fmt.Sprintf("stopping failed: processes %v outlived SIGKILL", rep.Survivors)
	}
	return fmt.Sprintf("stopped by %s, exit code %d", rep.Rung, rep.ExitCode)
}

// askShutdown tells the app to clean up and end. A clean-up that failed is an answer too:
// the app ends all the same.
func (s *Server) askShutdown(ctx context.Context, a *app, r *run, limit time.Duration) error {
	c, err := s.connOf(a, r)
	if err != nil {
		return err
	}
	params := signal.ShutdownParams{TimeoutMS: limit.Milliseconds(), Reason: "stopped by the operator"}
	err = c.ask(ctx, signal.MethodShutdown, params, nil)
	if signal.CodeOf(err) == signal.CodeCleanup {
		s.log.Warn("clean-up of an app failed", "app", a.req.App, "id", a.id, "err", oneLine(err.Error(), maxTold))
		return nil
	}
	return err
}

// stopAll stops every app, at once, and lets none be started any more.
func (s *Server) stopAll(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.births.Lock() // those that are being started get into the table
	s.births.Unlock()
	var all sync.WaitGroup
	for _, a := range s.toStop() {
		all.Go(func() {
			<-a.op
			defer func() { a.op <- struct{}{} }()
			s.climb(ctx, a, s.cfg.Ladder)
		})
	}
	all.Wait()
}

// toStop lists the apps that run, and those that left processes behind.
func (s *Server) toStop() []*app {
	t, err := s.procs.After(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*app
	for _, a := range s.apps {
		if a.run.alive() || err == nil && len(a.run.proc.Leftovers(t)) > 0 {
			out = append(out, a)
		}
	}
	return out
}
