//go:build linux

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// adoptAtOnce is how many keepers are asked at a time.
const adoptAtOnce = 16

// adoptAll puts what earlier servers started into the table: what runs, and the last that ended.
func (s *Server) adoptAll() error {
	dir := filepath.Join(s.cfg.Dir, runName)
	ids, err := process.IDs(dir)
	if err != nil {
		return fmt.Errorf("state folder %s: %w", s.cfg.Dir, err)
	}
	last := s.events.lastKinds()
	alive := make(map[uint64]bool)
	var mu sync.Mutex // guards alive
	var all errgroup.Group
	all.SetLimit(adoptAtOnce)
	for _, id := range ids {
		all.Go(func() error {
			p, err := process.Adopt(dir, id, &s.procs)
			if errors.Is(err, process.ErrNothing) {
				return nil
			}
			if err != nil {
				s.log.Error("an app of an earlier daemon is not taken over", "id", id, "err", err)
				return nil
			}
			if s.adopt(p, last[signal.ID(id)]) {
				mu.Lock()
				defer mu.Unlock()
				alive[id] = true
			}
			return nil
		})
	}
	_ = all.Wait()
	s.mu.Lock()
	s.pruneLocked()
	s.mu.Unlock()
	if err := clearRun(dir, func(id uint64) bool { return alive[id] }); err != nil {
		return fmt.Errorf("state folder %s: %w", s.cfg.Dir, err)
	}
	return nil
}

// adopt enters what was found, and tells whether it runs. last is the kind of the last event
// of its life that is known.
func (s *Server) adopt(p *process.Process, last string) bool {
	rec := p.Record()
	a := &app{id: signal.ID(rec.ID), log: rec.Log, op: make(chan struct{}, 1), changed: make(chan struct{}), started: p.Started()}
	var req recorded
	if err := json.Unmarshal(rec.Request, &req); err != nil || req.App == "" {
		req.App = unknownApp
	}
	a.private = req.Private
	a.asked.Store(&req.StartRequest)
	a.op <- struct{}{}
	r := &run{adopted: time.Now(), comesBack: req.Spoke, proc: p, over: make(chan struct{}), left: make(chan struct{}), noted: rec.Want, cpuAt: p.Started(), tokenFile: s.tokenFile(a.id)}
	r.token, _ = signal.ReadToken(r.tokenFile) // without it the app cannot register any more
	a.run = r
	s.ids.atLeast(uint64(a.id))
	a.down, a.again = rec.Want == process.Down, rec.Want == process.Again
	custody, why := p.Custody()
	a.state, a.reason = s.foundState(a, custody), why
	s.mu.Lock()
	s.apps[a.id] = a
	a.beganLocked()
	v := a.view()
	s.mu.Unlock()
	select {
	case <-p.Done(): // its keeper may have leftovers to look after
		s.endedBefore(a, r, last)
		return false
	default:
	}
	text := fmt.Sprintf("found running, pid %d: %s", v.Pid, v.Command)
	if custody == process.Unverified {
		text = "found, but not verified: " + why
	}
	s.emit(v, kindFound, text)
	s.work.Go(func() { s.watchFound(a, r) })
	if custody != process.Unverified {
		s.takeUp(a, r)
	}
	s.probe(a, r, process.Target{Log: a.log, LogFrom: process.LogEnd(a.log), Dir: a.request().Dir})
	return true
}

// takeUp begins what an earlier server had noted and was killed before it began.
func (s *Server) takeUp(a *app, r *run) {
	if stopping, _ := r.proc.Stopping(); r.wantsEnd() && !stopping {
		s.spawn(func() { s.resume(a, r.noted == process.Again) })
	}
}

// wantsEnd tells whether an earlier server was asked to stop it, be it to start it again.
func (r *run) wantsEnd() bool { return r.noted == process.Down || r.noted == process.Again }

// resume does it.
func (s *Server) resume(a *app, again bool) {
	ctx := context.Background() // the end of the server ends it
	act := func() error { _, err := s.Stop(ctx, a.id); return err }
	if again {
		act = func() error { _, err := s.Restart(ctx, a.id); return err }
	}
	if err := act(); err != nil {
		s.log.Warn("an earlier daemon was asked to stop an app", "app", a.request().App, "id", a.id, "err", err)
	}
}

// unknownApp is the name of an app whose record does not tell it.
const unknownApp = "?"

func (s *Server) foundState(a *app, c process.Custody) signal.State {
	stopping, _ := a.run.proc.Stopping()
	switch {
	case c == process.Unverified:
		return signal.Unverified
	case stopping, a.run.wantsEnd(): // or it will be in a moment: takeUp
		return signal.Stopping
	case a.run.comesBack, s.cfg.Speaks(*a.request()):
		return signal.Unreachable // until it connects again
	}
	return signal.Running
}

// watchFound waits until it is certain what an app is, and then is watch.
func (s *Server) watchFound(a *app, r *run) {
	select {
	case <-r.proc.Known():
	case <-r.left:
		return
	}
	s.mu.Lock()
	found := a.state == signal.Unverified
	if found {
		a.reason = ""
		a.setState(s.foundState(a, process.Kept))
	}
	s.mu.Unlock()
	if found {
		s.takeUp(a, r)
	}
	s.watch(a, r)
}

// endedBefore enters an end that came before this server. What is not in the events yet is
// told now.
func (s *Server) endedBefore(a *app, r *run, last string) {
	e := r.proc.Exit()
	stopped, rep := r.proc.Stopping()
	state, kind := signal.Exited, kindExited
	if e.Code != 0 && !stopped {
		state, kind = signal.Failed, kindFailed
	}
	s.mu.Lock()
	a.ended, a.exitCode, a.reason = e.At, e.Code, exitText(e)
	if rep != nil {
		kind = kindStopped
		a.reason = stopText(signal.StopReport{Rung: rungs[rep.Rung], ExitCode: rep.ExitCode, Survivors: rep.Survivors})
	}
	close(r.over)
	if next, waits := s.afterLocked(a, r, e, stopped || a.down); waits {
		state = next
	}
	a.setState(state)
	v := a.view()
	s.mu.Unlock()
	switch last {
	case kindExited, kindFailed, kindStopped:
	default:
		s.emit(v, kind, v.Reason+" (while no daemon was there)")
	}
}

// keeperLost says that an app runs on by itself.
func (s *Server) keeperLost(a *app, r *run) {
	s.mu.Lock()
	a.reason = "its keeper was killed: it runs on; what the keeper had not written of its output is lost"
	v := a.view()
	s.mu.Unlock()
	s.log.Warn("keeper of an app was killed", "app", v.App, "id", v.ID, "pid", v.Pid)
	s.emit(v, kindOrphaned, v.Reason)
}
