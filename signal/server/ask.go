//go:build linux

package server

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/skycoin/viscript/signal"
)

// tableAge is how old a reading of the processes may be for a measurement: `top` asks for
// every app at once.
const tableAge = 100 * time.Millisecond

// fresh is for how long after its start an app may yet register.
const fresh = 10 * time.Second

// connOf is the registered connection of a run.
func (s *Server) connOf(a *app, r *run) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch v := a.view(); {
	case !r.alive():
		return nil, notRunning(v)
	case r.conn != nil:
		return r.conn, nil
	case a.speaks:
		return nil, signal.Errorf(signal.CodeNoSignal, "app %d (%s) lost its signal connection", v.ID, nameOf(v.Member, v.App))
	case time.Since(a.started) < fresh:
		return nil, signal.Errorf(signal.CodeNoSignal, "app %d (%s) has not registered with signal yet: it started a moment ago", v.ID, nameOf(v.Member, v.App))
	default:
		return nil, signal.Errorf(signal.CodeNoSignal, "app %d (%s) has not registered with signal: programs that do not speak it are started, measured and stopped, "+
			"and cannot be asked", v.ID, nameOf(v.Member, v.App))
	}
}

// current is the app with its current run.
func (s *Server) current(id signal.ID) (*app, *run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[id]
	if a == nil {
		return nil, nil, noApp(id)
	}
	return a, a.run, nil
}

// ask calls a method of an app and waits at most limit.
func (s *Server) ask(ctx context.Context, id signal.ID, limit time.Duration, method string, params, result any) error {
	a, r, err := s.current(id)
	if err != nil {
		return err
	}
	c, err := s.connOf(a, r)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = c.ask(asking, method, params, result)
	var theirs *signal.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &theirs):
		return s.theirError(a, theirs)
	case ctx.Err() != nil:
		return ctx.Err()
	case asking.Err() != nil:
		return signal.Errorf(signal.CodeTimeout, "app %d (%s) did not answer %s within %v", id, a.name(), method, limit)
	case errors.Is(err, signal.ErrClosed):
		return signal.Errorf(signal.CodeNoSignal, "app %d (%s) went away before it answered %s", id, a.name(), method)
	}
	return signal.Errorf(signal.CodeInternal, "app %d (%s): %s", id, a.name(), oneLine(err.Error(), maxTold))
}

// theirError repeats an app's error. Codes that speak of the server's own things become
// CodeCommand: only the server may say those.
func (s *Server) theirError(a *app, e *signal.Error) error {
	code := signal.CodeCommand
	switch e.Code {
	case signal.CodeNoMethod, signal.CodeParams, signal.CodeBusy, signal.CodeTooLarge, signal.CodeNoCommand, signal.CodeTimeout:
		code = e.Code
	}
	return signal.Errorf(code, "app %d (%s): %s", a.id, a.name(), oneLine(e.Message, maxReason))
}

// maxReason bounds, in bytes, an app's explanation of why a command failed.
const maxReason = 2 << 10

// Ping asks an app for a sign of life, for two seconds at most.
func (s *Server) Ping(ctx context.Context, id signal.ID) (signal.PingReport, error) {
	start := time.Now()
	if err := s.ask(ctx, id, s.cfg.Limits.Ping, signal.MethodPing, nil, nil); err != nil {
		return signal.PingReport{}, err
	}
	return signal.PingReport{ID: id, RTTms: float64(time.Since(start).Microseconds()) / 1000}, nil
}

// Usage measures an app: the kernel's word on its tree, and where it speaks signal, its
// own. An app that does not answer within two seconds is measured all the same.
func (s *Server) Usage(ctx context.Context, id signal.ID) (signal.Usage, error) {
	a, r, err := s.current(id)
	if err != nil {
		return signal.Usage{}, err
	}
	if !r.alive() {
		_, v, err := s.find(id)
		if err == nil {
			err = notRunning(v)
		}
		return signal.Usage{}, err
	}
	u, err := s.measure(a, r)
	if err != nil {
		return u, err
	}
	var top signal.Top
	if err := s.ask(ctx, id, s.cfg.Limits.Top, signal.MethodTop, nil, &top); err == nil {
		u.Goroutines = max(0, top.Goroutines)
		u.HeapBytes, u.HeapObjects = top.HeapBytes, top.HeapObjects
		u.GCRuns, u.GCPauseSeconds = top.GCRuns, top.GCPauseSeconds
	}
	return u, ctx.Err()
}

// measure asks the kernel.
func (s *Server) measure(a *app, r *run) (signal.Usage, error) {
	newer := time.Now().Add(-tableAge)
	if r.proc.Started().After(newer) {
		newer = r.proc.Started()
	}
	t, err := s.procs.After(newer)
	if err != nil {
		return signal.Usage{}, err
	}
	k := r.proc.Usage(t)
	u := signal.Usage{
		ID: a.id, Pid: r.proc.Pid(),
		Processes: k.Processes, Threads: k.Threads,
		RSSBytes: k.RSSBytes, PeakRSSBytes: k.PeakRSSBytes, VirtualBytes: k.VirtualBytes,
		CPUSeconds: k.CPU.Seconds(),
		ReadBytes:  k.ReadBytes, WrittenBytes: k.WrittenBytes, OpenFiles: k.OpenFiles,
		UptimeSeconds: k.Uptime.Seconds(),
		VolSwitches:   k.VolSwitches, InvolSwitches: k.InvolSwitch,
		Tree: r.proc.Parts(t),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if span := t.At().Sub(r.cpuAt); span > 0 {
		u.CPUPercent = 100 * float64(max(0, k.CPU-r.cpu)) / float64(span)
		r.cpu, r.cpuAt = k.CPU, t.At()
	}
	return u, nil
}

// Commands asks an app what it may be told.
func (s *Server) Commands(ctx context.Context, id signal.ID) ([]signal.Command, error) {
	var r signal.CommandsResult
	if err := s.ask(ctx, id, s.cfg.Limits.Top, signal.MethodCommands, nil, &r); err != nil {
		return nil, err
	}
	out := make([]signal.Command, 0, min(len(r.Commands), signal.MaxCommands))
	for _, c := range r.Commands[:min(len(r.Commands), signal.MaxCommands)] {
		out = append(out, signal.Command{
			Name: oneLine(c.Name, signal.MaxName),
			Args: oneLine(c.Args, signal.MaxCommandDoc),
			Help: oneLine(c.Help, signal.MaxCommandDoc),
			Word: c.Word, Names: oneLine(c.Names, signal.MaxName), Rest: c.Rest,
		})
	}
	return out, nil
}

// Tell gives an app a command, args[0], and returns its answer, any JSON value. The app
// has thirty seconds, or until ctx ends where that is sooner.
func (s *Server) Tell(ctx context.Context, id signal.ID, args []string) (json.RawMessage, error) {
	if len(args) == 0 {
		return nil, signal.Errorf(signal.CodeParams, "tell needs the name of a command")
	}
	limit := s.cfg.Limits.Command
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end))
	}
	p := signal.CommandParams{Name: args[0], Args: args[1:], TimeoutMS: max(1, limit.Milliseconds())}
	var r signal.CommandResult
	if err := s.ask(ctx, id, limit, signal.MethodCommand, p, &r); err != nil {
		return nil, err
	}
	if len(r.Result) == 0 {
		return json.RawMessage("null"), nil
	}
	return r.Result, nil
}
