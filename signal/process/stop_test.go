//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// The ladders of the tests: rungs that must not be needed are long, those that must be
// climbed over are short.
var (
	patient = Ladder{Ask: slack, Term: slack, Kill: slack}
	strict  = Ladder{Ask: slack, Term: 50 * time.Millisecond, Kill: slack}
)

func TestStopRungs(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		helper string
		ask    func(*Process) error
		ladder Ladder
		hurry  bool // once the child itself has ended
		want   Rung
		code   int
	}{
		{name: "asked", script: "exec sleep 60", ladder: patient, want: Asked, code: 137,
			ask: func(p *Process) error { return syscall.Kill(-p.Pid(), syscall.SIGKILL) }},
		{name: "cannot be asked", script: "exec sleep 60", ladder: patient, want: Term, code: 143,
			ask: func(*Process) error { return errors.New("no connection") }},
		{name: "asked in vain", script: "exec sleep 60", want: Term, code: 143,
			ladder: Ladder{Ask: 20 * time.Millisecond, Term: slack, Kill: slack},
			ask:    func(*Process) error { return nil }},
		{name: "not asked", script: "exec sleep 60", ladder: patient, want: Term, code: 143},
		{name: "own exit code", script: "trap 'exit 5' TERM; echo deaf; while :; do sleep 0.01; done", ladder: patient, want: Term, code: 5},
		{name: "ignores SIGTERM", helper: "deaf", ladder: strict, want: Kill, code: 137},
		{name: "group member ignores SIGTERM", helper: "group", ladder: patient, hurry: true, want: Kill, code: 143},
		{name: "double fork with setsid", helper: "daemonize", ladder: patient, hurry: true, want: Kill, code: 143},
		{name: "straight to kill", script: "exec sleep 60", ladder: Ladder{Kill: slack}, want: Kill, code: 137},
		{name: "stands still", script: "echo deaf; kill -STOP $$; exec sleep 60", ladder: patient, want: Term, code: 143,
			ask: func(*Process) error { panic("asked one that cannot answer") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := shell(t, c.script)
			if c.helper != "" {
				s = helper(t, c.helper)
			}
			p := start(t, s)
			if c.helper != "" || c.code == 5 || c.name == "stands still" {
				logged(t, s, "deaf")
			}
			if c.name == "stands still" {
				awaitStopped(t, p.Pid())
			}
			var ask func(context.Context) error
			if c.ask != nil {
				ask = func(context.Context) error { return c.ask(p) }
			}
			ctx, hurry := context.WithCancel(t.Context())
			defer hurry()
			if c.hurry {
				go func() {
					select {
					case <-p.Done():
						hurry()
					case <-ctx.Done():
					}
				}()
			}
			rep := stop(t, ctx, p, ask, c.ladder)
			if rep.Rung != c.want || rep.ExitCode != c.code || len(rep.Survivors) > 0 {
				t.Errorf("got %+v, want rung %d code %d", rep, c.want, c.code)
			}
			log, _ := os.ReadFile(s.Log)
			for _, pid := range append(childPids(string(log)), p.Pid()) {
				if running(pid) {
					t.Errorf("process %d is still there", pid)
				}
			}
			if rep := stop(t, t.Context(), p, ask, c.ladder); rep.Rung != Gone || rep.ExitCode != c.code {
				t.Errorf("stopped again: %+v, want gone", rep)
			}
		})
	}
}

func awaitStopped(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(slack); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s, err := readStat(pid); err == nil && s.stopped() {
			return
		}
	}
	t.Fatal("the child did not stop")
}

// What a crashed child leaves in its group is found and ended, although the child is gone.
func TestStopAfterTheEnd(t *testing.T) {
	s := helper(t, "parent")
	p := start(t, s)
	logged(t, s, "deaf")
	wait(t, p)
	log := logged(t, s, "parent") // with the pid before it
	if rep := stop(t, t.Context(), p, nil, strict); rep.Rung != Kill || rep.ExitCode != 0 {
		t.Errorf("got %+v, want rung %d", rep, Kill)
	}
	for _, pid := range childPids(log) {
		if running(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

// The end of the context hurries the stop to its last rung instead of ending it.
func TestStopHurried(t *testing.T) {
	s := helper(t, "deaf")
	p := start(t, s)
	logged(t, s, "deaf")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	rep := stop(t, ctx, p, nil, Ladder{Term: time.Hour, Kill: slack})
	if rep.Rung != Kill || time.Since(began) > slack {
		t.Errorf("got %+v after %v", rep, time.Since(began))
	}
}

func TestStopTwiceAtOnce(t *testing.T) {
	p := start(t, shell(t, "exec sleep 60"))
	other := make(chan Report)
	go func() { other <- stop(t, t.Context(), p, nil, patient) }()
	a, b := stop(t, t.Context(), p, nil, patient), <-other
	if a.ExitCode != 143 || b.ExitCode != 143 {
		t.Errorf("got %+v and %+v", a, b)
	}
}

// A remembered pid whose start time differs is a stranger's.
func TestNeverSignalsAStranger(t *testing.T) {
	p := start(t, shell(t, "exec sleep 60"))
	s, err := readStat(p.Pid())
	if err != nil {
		t.Fatal(err)
	}
	s.Start++
	if err := signalOne(s, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to another start time: %v, want ESRCH", err)
	}
	if !running(p.Pid()) {
		t.Error("the stranger was killed")
	}
}
