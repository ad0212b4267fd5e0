//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Stop ends an app and all it started: asked over signal, then SIGTERM, then SIGKILL. Once
// begun it goes on to its end, also when ctx ends before. RungGone: there was nothing left.
func (s *Server) Stop(ctx context.Context, id signal.ID) (signal.StopReport, error) {
	return s.stop(ctx, id, s.ladder)
}

// Kill ends an app and all it started by SIGKILL; a stop under way is hurried.
func (s *Server) Kill(ctx context.Context, id signal.ID) (signal.StopReport, error) {
	s.mu.Lock()
	if a := s.apps[id]; a != nil && a.hurry != nil {
		a.hurry()
	}
	s.mu.Unlock()
	return s.stop(ctx, id, func(*app) process.Ladder { return process.Ladder{Kill: s.cfg.Ladder.Kill} })
}

// Restart stops an app and starts it again as it was started, under its id.
func (s *Server) Restart(ctx context.Context, id signal.ID) (signal.App, error) {
	a, _, err := s.find(id)
	if err != nil {
		return signal.App{}, err
	}
	return wait(ctx, s, a, func(ctx context.Context) (signal.App, error) {
		stays := s.comesAgain(a)
		noted := s.want(ctx, a, process.Again)
		v, err := s.relaunch(ctx, a, noted)
		if err != nil {
			stays()
			s.want(ctx, a, process.Up)
		}
		return v, err
	})
}

// comesAgain takes back a start that is due, and has the table say, from the end of this run to the beginning of the
// next, that the app waits: whoever starts what does not run leaves it alone. stays is for when there is no next run.
func (s *Server) comesAgain(a *app) (stays func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.stayLocked()
	r, was := a.run, signal.Exited
	r.followed = true
	if !r.alive() {
		was = a.state
		a.setState(signal.Waiting)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.followed = false
		if a.run == r && !r.alive() && !a.keep.due() { // its policy may start it all the same
			a.setState(was)
		}
		a.notifyLocked()
	}
}

// relaunch stops and starts; noted: a daemon that comes after this one knows that it was to be started again.
func (s *Server) relaunch(ctx context.Context, a *app, noted bool) (signal.App, error) {
	rep, err := s.climb(ctx, a, s.ladder(a))
	if err != nil {
		return signal.App{}, err
	}
	if len(rep.Survivors) > 0 {
		return signal.App{}, signal.Errorf(signal.CodeStart, "app %d (%s) is not restarted: %s", a.id, a.name(), stopText(rep))
	}
	s.mu.Lock()
	before := a.run.proc
	s.mu.Unlock()
	select {
	case <-before.Gone(): // or what is left to do for the run before would meet the files of the next
	case <-ctx.Done():
	case <-s.over:
	}
	if !noted {
		s.want(ctx, a, process.Again)
	}
	return s.launch(a)
}

func (s *Server) stop(ctx context.Context, id signal.ID, ladder func(*app) process.Ladder) (signal.StopReport, error) {
	a, _, err := s.find(id)
	if err != nil {
		return signal.StopReport{}, err
	}
	return wait(ctx, s, a, func(ctx context.Context) (signal.StopReport, error) {
		s.mu.Lock()
		a.down, a.again = true, false // first: it may end by itself meanwhile, and its policy is not to start it again
		s.mu.Unlock()
		s.stay(a)
		noted := s.want(ctx, a, process.Down)
		rep, err := s.climb(ctx, a, ladder(a))
		if !noted && err == nil && len(rep.Survivors) == 0 { // its keeper, which was slow, is ending or has
			s.want(ctx, a, process.Down)
		}
		return rep, err
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
func (s *Server) climb(ctx context.Context, a *app, l process.Ladder) (signal.StopReport, error) {
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
	if l.Ask > 0 {
		s.awaitReturn(ctx, a, r, min(l.Ask, returnTime))
	}
	ask := func(ctx context.Context) error { return s.askShutdown(ctx, a, r, l.Ask) }
	p, err := r.proc.Stop(ctx, ask, l)
	if errors.Is(err, process.ErrReleased) {
		return signal.StopReport{}, signal.Errorf(signal.CodeStopping, "the daemon is ending; the keeper of app %d goes on with its stop", a.id)
	}
	if errors.Is(err, process.ErrSilent) {
		keeper := r.proc.Record().Keeper.Pid
		return signal.StopReport{}, signal.Errorf(signal.CodeUnavailable, "app %d (%s) is not stopped: its keeper, process %d, does not answer; it stops the app once it answers again", a.id, a.name(), keeper)
	}
	if err != nil {
		_, why := r.proc.Custody()
		return signal.StopReport{}, signal.Errorf(signal.CodeUnavailable, "app %d (%s) is left alone, because it cannot be verified: %s", a.id, a.name(), why)
	}
	rep := signal.StopReport{ID: a.id, Pid: pid, Rung: rungs[p.Rung], ExitCode: p.ExitCode, Survivors: p.Survivors}
	select {
	case <-r.proc.Done():
		<-r.over // the table then shows what is reported
	default: // it survived
	}
	if p.Rung != process.Gone {
		s.noteStop(a, rep)
	}
	return rep, nil
}

// wantTime is how long a keeper may take to note what was asked for.
const wantTime = 2 * time.Second

// want notes which state was asked for, for the daemon after this one; false when the keeper did not.
func (s *Server) want(ctx context.Context, a *app, w process.Want) bool {
	ctx, cancel := context.WithTimeout(ctx, wantTime)
	defer cancel()
	if err := a.run.proc.SetWant(ctx, w); err != nil {
		s.log.Warn("not noted what was asked for", "app", a.request().App, "id", a.id, "err", err)
		return false
	}
	return true
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
	if custody, _ := r.proc.Custody(); r.alive() && custody != process.Unverified {
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
		s.log.Warn("clean-up of an app failed", "app", a.request().App, "id", a.id, "err", oneLine(err.Error(), maxTold))
		return nil
	}
	return err
}

const (
	// returnTime is how long a stop waits for an adopted app to register again: the pauses
	// between the attempts of an app grow to five seconds and a fifth more.
	returnTime = 8 * time.Second
	// lateTime is how long after its adoption an app is still waited for.
	lateTime = time.Minute
)

// awaitReturn waits until an app that an earlier daemon spoke with has registered again, so that it
// can be asked. Its signals would end it without its clean-up.
func (s *Server) awaitReturn(ctx context.Context, a *app, r *run, limit time.Duration) {
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		s.mu.Lock()
		comes := r.comesBack && r.conn == nil && r.alive() && time.Since(r.adopted) < lateTime
		changed := a.changed
		s.mu.Unlock()
		if custody, _ := r.proc.Custody(); !comes || custody == process.Unverified || !r.proc.CanAnswer() {
			return
		}
		select {
		case <-changed:
		case <-r.proc.Done():
			return
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// stopAll stops, at once, the apps that do not outlive the daemon, and lets none be started
// any more.
func (s *Server) stopAll(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	s.stayAllLocked()
	var births []chan struct{}
	for _, born := range s.births {
		births = append(births, born)
	}
	s.mu.Unlock()
	for _, born := range births { // those that are being started get into the table
		<-born
	}
	var all sync.WaitGroup
	for _, a := range s.toStop() {
		all.Go(func() {
			<-a.op
			defer func() { a.op <- struct{}{} }()
			_, _ = s.climb(ctx, a, s.ladder(a))
		})
	}
	all.Wait()
}

// outlives tells whether an app goes on when the daemon ends in order.
func (s *Server) outlives(a *app) bool { return a.request().Daemon && !s.cfg.StopAllOnExit }

// Parting tells how many running apps an orderly end of the server would end, and how many
// would run on.
func (s *Server) Parting() (ends, stays int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		custody, _ := a.run.proc.Custody()
		switch {
		case !a.run.alive() || custody == process.Unverified:
		case s.outlives(a):
			stays++
		default:
			ends++
		}
	}
	return ends, stays
}

// toStop lists the apps that run, and those that left processes behind.
func (s *Server) toStop() []*app {
	t, err := s.procs.After(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*app
	for _, a := range s.apps {
		custody, _ := a.run.proc.Custody()
		if custody == process.Unverified || s.outlives(a) || s.handing {
			continue
		}
		if a.run.alive() || err == nil && len(a.run.proc.Leftovers(t)) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// letGo gives up what still runs: its keepers look after it.
func (s *Server) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		s.work.Go(a.run.proc.Release)
		select {
		case <-a.run.left:
		default:
			close(a.run.left)
		}
	}
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}
