//go:build linux

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Limits of a start request, far below what the kernel takes.
const (
	maxArgs     = 4096
	maxArgBytes = 256 << 10
	maxEnvVars  = 1024
)

// Start starts an app and returns its row as soon as the program runs; WaitReady waits
// for it to be of use. An id is used up even when the kernel then refuses the program.
func (s *Server) Start(ctx context.Context, r signal.StartRequest) (signal.App, error) {
	finish, err := s.Begin(r)
	if err != nil {
		return signal.App{}, err
	}
	return finish(ctx)
}

// Begin is the first half of Start: it takes the next id, so that the ids of starts that overlap
// are in the order of the calls. finish is the rest; an id whose finish is not called is used up.
func (s *Server) Begin(r signal.StartRequest) (finish func(context.Context) (signal.App, error), err error) {
	if err := checkRequest(r); err != nil {
		return nil, signal.Errorf(signal.CodeParams, "starting %q: %v", r.App, err)
	}
	if err := process.Check(process.Spec{Path: r.Path, Dir: r.Dir}); err != nil {
		return nil, startError(r, err)
	}
	if s.isStopping() {
		return nil, signal.Errorf(signal.CodeStopping, "the daemon is ending")
	}
	id := s.ids.take()
	return func(context.Context) (signal.App, error) {
		if err := s.ids.secure(id); err != nil {
			return signal.App{}, startError(r, err)
		}
		a := &app{
			id: id, log: s.logPath(id, r.App),
			op:      make(chan struct{}, 1),
			state:   signal.Starting,
			changed: make(chan struct{}),
		}
		a.asked.Store(&r)
		a.op <- struct{}{}
		return s.launch(a)
	}, nil
}

func startError(r signal.StartRequest, err error) error {
	return signal.Errorf(signal.CodeStart, "starting %s: %s", r.App, strings.TrimPrefix(err.Error(), "process: "))
}

func checkRequest(r signal.StartRequest) error {
	if r.App == "" || len(r.App) > signal.MaxName || oneLine(r.App, signal.MaxName) != r.App {
		return fmt.Errorf("the name must be 1 to %d bytes of printable text", signal.MaxName)
	}
	if err := errors.Join(r.Policy.Check(), r.Limits.Check()); err != nil {
		return err
	}
	size := len(r.Path) + len(r.Dir)
	for _, arg := range r.Args {
		size += len(arg) + 1
		if strings.IndexByte(arg, 0) >= 0 {
			return errors.New("an argument holds a zero byte")
		}
	}
	for k, v := range r.Env {
		size += len(k) + len(v) + 2
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.IndexByte(v, 0) >= 0 {
			return fmt.Errorf("environment variable %q: not a name, or a zero byte in it", k)
		}
	}
	if len(r.Args) > maxArgs || len(r.Env) > maxEnvVars || size > maxArgBytes {
		return fmt.Errorf("more than %d arguments, %d variables or %d bytes of both", maxArgs, maxEnvVars, maxArgBytes)
	}
	return nil
}

// beBorn announces a start: until its entry in the table, or its failure, those who ask for
// the app wait, and so does the end of the server. The caller closes what it returns by
// endBirth.
func (s *Server) beBorn(id signal.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return signal.Errorf(signal.CodeStopping, "the daemon is ending")
	}
	live := len(s.births)
	for _, a := range s.apps {
		if a.run.alive() {
			live++
		}
	}
	if live >= s.cfg.Limits.Apps {
		return signal.Errorf(signal.CodeBusy, "%d apps run already", live)
	}
	s.births[id] = make(chan struct{})
	return nil
}

func (s *Server) endBirth(id signal.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.births[id])
	delete(s.births, id)
}

// awaitBirth returns when the app is not being started: a program may be faster than its entry.
func (s *Server) awaitBirth(id signal.ID) {
	s.mu.Lock()
	born := s.births[id]
	s.mu.Unlock()
	if born != nil {
		<-born
	}
}

// launch starts the program of a new app, or of one whose op the caller holds, and puts the
// run into the table.
func (s *Server) launch(a *app) (signal.App, error) {
	if err := s.beBorn(a.id); err != nil {
		return signal.App{}, err
	}
	defer s.endBirth(a.id)
	r := &run{token: signal.NewToken(), over: make(chan struct{}), left: make(chan struct{})}
	r.tokenFile = s.tokenFile(a.id)
	spec, err := s.spec(a, r)
	if err == nil {
		err = writeToken(r.tokenFile, r.token, spec.Credential)
	}
	from := process.LogEnd(a.log)
	if err == nil {
		r.proc, err = process.Start(spec)
	}
	if err != nil {
		_ = os.Remove(r.tokenFile)
		return signal.App{}, startError(*a.request(), err)
	}
	v := s.enter(a, r)
	s.probe(a, r, process.Target{Log: a.log, LogFrom: from, Dir: spec.Dir, Env: spec.Env, Credential: spec.Credential})
	s.work.Go(func() { s.watch(a, r) })
	s.log.Info("app started", "app", a.request().App, "id", a.id, "pid", v.Pid)
	return v, nil
}

func (s *Server) tokenFile(id signal.ID) string {
	return filepath.Join(s.cfg.Dir, runName, fmt.Sprintf("%d.token", id))
}

// enter puts a run into the table.
func (s *Server) enter(a *app, r *run) signal.App {
	s.mu.Lock()
	r.cpuAt = r.proc.Started()
	a.run, a.started, a.ended = r, r.proc.Started(), time.Time{}
	a.reason, a.status, a.speaks = "", "", false
	a.beganLocked()
	a.down, a.again = false, false
	a.setState(signal.Starting)
	s.apps[a.id] = a
	s.pruneLocked()
	v := a.view()
	s.mu.Unlock()
	s.emit(v, kindStarted, fmt.Sprintf("started, pid %d: %s", v.Pid, v.Command))
	return v
}

// spec is what the program gets: the daemon's environment without the variables of its own
// signal connection, then Config.Env, the user's, the files', the request's, then how to find us.
func (s *Server) spec(a *app, r *run) (spec process.Spec, err error) {
	account, err := process.LookupAccount(a.request().User)
	if err != nil {
		return spec, err
	}
	env := newEnviron(os.Environ())
	for _, name := range []string{signal.EnvClient, signal.EnvAddress, signal.EnvID, signal.EnvTokenFile, signal.EnvSocket} {
		env.unset(name)
	}
	env.add(s.cfg.Env)
	if account.Credential != nil && account.Name != "" {
		env.add([]string{"USER=" + account.Name, "LOGNAME=" + account.Name, "HOME=" + account.Home})
	}
	for _, file := range a.request().EnvFiles {
		vars, err := process.ReadEnvFile(file)
		if err != nil {
			return spec, err
		}
		env.add(vars)
	}
	for k, v := range a.request().Env {
		env.set(k, v)
	}
	env.set(signal.EnvClient, "true")
	env.set(signal.EnvID, fmt.Sprint(a.id))
	env.set(signal.EnvTokenFile, r.tokenFile)
	env.set(signal.EnvSocket, s.Socket())
	if s.tcp != nil {
		env.set(signal.EnvAddress, s.TCPAddr())
	}
	stop, err := process.ParseSignal(a.request().StopSignal)
	if err != nil {
		return spec, err
	}
	request, err := json.Marshal(a.request())
	if err != nil {
		return spec, err
	}
	return process.Spec{
		Cgroup: s.cgroup(a),
		ID:     uint64(a.id), Run: filepath.Join(s.cfg.Dir, runName),
		Path: a.request().Path, Args: a.request().Args, Dir: a.request().Dir,
		Env: env.list(), Log: a.log, Caps: a.request().Log, Pty: a.request().Pty,
		Mark:   signal.EnvTokenFile + "=" + r.tokenFile,
		Limits: a.request().Limits, Credential: account.Credential, StopSignal: stop, Ladder: s.ladder(a),
		Request: request, Keeper: s.cfg.Keeper, Reader: &s.procs,
	}, nil
}

// cgroup is for an app with limits, where there can be one.
func (s *Server) cgroup(a *app) *process.Cgroup {
	if s.cgroups == nil || a.request().Limits == (signal.Limits{}) {
		return nil
	}
	g, err := s.cgroups.Make(fmt.Sprint(a.id))
	if err != nil {
		s.log.Warn("limits of an app are not held by a cgroup", "app", a.request().App, "id", a.id, "err", err)
		return nil
	}
	return g
}

// leaveCgroup takes the cgroup of an ended run away, unless the next run has it already.
func (s *Server) leaveCgroup(a *app, r *run) {
	if s.cgroups == nil {
		return
	}
	select {
	case <-r.proc.Gone():
	case <-r.left:
		return
	}
	select {
	case <-a.op:
	case <-r.left:
		return
	}
	defer func() { a.op <- struct{}{} }()
	s.mu.Lock()
	same := a.run == r
	s.mu.Unlock()
	if !same {
		return
	}
	if err := s.cgroups.Remove(fmt.Sprint(a.id)); err != nil {
		s.log.Warn("the cgroup of an app remains", "app", a.request().App, "id", a.id, "err", err)
	}
}

// ladder is the app's own: its stop_timeout is for each of the polite rungs.
func (s *Server) ladder(a *app) process.Ladder {
	l := s.cfg.Ladder
	if d := time.Duration(a.request().StopAfter); d > 0 {
		l.Ask, l.Term = d, d
	}
	return l
}

// environ is a list of variables in which the last setting of a name counts.
type environ struct {
	order  []string
	values map[string]string
}

func newEnviron(base []string) *environ {
	e := &environ{values: make(map[string]string, len(base))}
	e.add(base)
	return e
}

func (e *environ) add(vars []string) {
	for _, kv := range vars {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			e.set(k, v)
		}
	}
}

func (e *environ) set(k, v string) {
	if _, known := e.values[k]; !known {
		e.order = append(e.order, k)
	}
	e.values[k] = v
}

func (e *environ) unset(k string) {
	delete(e.values, k)
	e.order = slices.DeleteFunc(e.order, func(o string) bool { return o == k })
}

func (e *environ) list() []string {
	out := make([]string, 0, len(e.order))
	for _, k := range e.order {
		out = append(out, k+"="+e.values[k])
	}
	return out
}

// writeToken makes the token file new, so that no other's file or link is written to. It is
// the property of the user the app runs as.
func writeToken(path string, token []byte, owner *syscall.Credential) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(signal.FormatToken(token))
	if err == nil && owner != nil {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	return errors.Join(err, f.Close())
}

// watch notices that a program lives, what becomes of its keeper, and then its end. It
// returns when the end is in the table, or the server lets go of the app.
func (s *Server) watch(a *app, r *run) {
	alive := time.NewTimer(s.cfg.Limits.Alive)
	defer alive.Stop()
	seen, lost := alive.C, r.proc.KeeperLost()
	if s.cfg.Speaks(*a.request()) {
		seen = nil
	}
	for {
		select {
		case <-seen:
			s.seenAlive(a, r)
			seen = nil
		case <-lost:
			s.keeperLost(a, r)
			lost = nil
		case <-r.proc.Done():
			s.ended(a, r, r.proc.Exit())
			s.hearReport(a, r)
			s.leaveCgroup(a, r)
			return
		case <-r.left:
			return
		}
	}
}

// hearReport waits for the outcome of a stop that was not this server's: an earlier daemon
// began it, or somebody asked the keeper itself to end.
func (s *Server) hearReport(a *app, r *run) {
	byOthers, rep := r.proc.Stopping()
	if !byOthers || s.isStoppedBy(r) {
		return
	}
	if rep == nil {
		select {
		case <-r.proc.Gone():
		case <-r.left:
		}
		_, rep = r.proc.Stopping()
	}
	s.mu.Lock()
	v, same := a.view(), a.run == r
	s.mu.Unlock()
	switch {
	case rep != nil && same:
		s.noteStop(a, signal.StopReport{ID: a.id, Pid: r.proc.Pid(), Rung: rungs[rep.Rung], ExitCode: rep.ExitCode, Survivors: rep.Survivors})
	case same:
		s.emit(v, kindExited, v.Reason)
	}
}

// isStoppedBy tells whether this server wanted the end.
func (s *Server) isStoppedBy(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.stopping
}

// seenAlive is for programs that do not register.
func (s *Server) seenAlive(a *app, r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.run == r && a.state == signal.Starting && !a.speaks && !a.probed() {
		a.setState(signal.Running)
	}
}

// ended enters the end of a run and takes away what it had.
func (s *Server) ended(a *app, r *run, e process.Exit) {
	_ = os.Remove(r.tokenFile)
	s.mu.Lock()
	a.ended, a.exitCode = e.At, e.Code
	a.reason = exitText(e)
	byOthers, _ := r.proc.Stopping() // an earlier daemon asked for it
	wanted, c := r.stopping, r.conn
	state, kind := signal.Exited, kindExited
	if e.Code != 0 && !wanted && !byOthers {
		state, kind = signal.Failed, kindFailed
	}
	r.conn = nil
	close(r.over)
	if next, waits := s.afterLocked(a, r, e, wanted || byOthers || a.down); waits {
		state = next
	}
	if r.followed {
		state = signal.Waiting
	}
	a.setState(state)
	s.pruneLocked()
	v := a.view()
	s.mu.Unlock()
	if c != nil {
		c.peer.Close()
	}
	s.log.Info("app ended", "app", v.App, "id", v.ID, "code", e.Code)
	if !wanted && !byOthers { // a stop reports itself, with its rung
		s.emit(v, kind, v.Reason)
	}
}

func exitText(e process.Exit) string {
	if e.Unknown {
		return "ended, exit code unknown: " + e.Why
	}
	if e.Signal != "" {
		return fmt.Sprintf("ended by %s", e.Signal)
	}
	return fmt.Sprintf("exited with code %d", e.Code)
}

func (s *Server) emit(v signal.App, kind, text string) {
	s.events.add(signal.Event{ID: v.ID, App: v.App, Kind: kind, Text: text})
}
