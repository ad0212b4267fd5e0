//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// A keeper that was halted is woken by a stop, and by what is to be noted.
func TestHaltedKeeperIsWoken(t *testing.T) {
	p := start(t, shell(t, "exec sleep 60"))
	halt := func() {
		t.Helper()
		if err := syscall.Kill(p.Record().Keeper.Pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		awaitStopped(t, p.Record().Keeper.Pid)
	}
	halt()
	if err := p.SetWant(t.Context(), Down); err != nil {
		t.Error(err)
	}
	halt()
	if rep := stop(t, t.Context(), p, nil, patient); rep.Rung != Term || rep.ExitCode != 143 {
		t.Errorf("got %+v", rep)
	}
}

// The same when it is halted in the middle.
func TestKeeperHaltedDuringStop(t *testing.T) {
	s := helper(t, "deaf")
	p := start(t, s)
	logged(t, s, "deaf")
	halted := make(chan struct{})
	time.AfterFunc(100*time.Millisecond, func() {
		defer close(halted)
		_ = syscall.Kill(p.Record().Keeper.Pid, syscall.SIGSTOP)
	})
	if rep := stop(t, t.Context(), p, nil, Ladder{Term: 500 * time.Millisecond, Kill: slack}); rep.Rung != Kill {
		t.Errorf("got %+v", rep)
	}
	<-halted
	p.wakeKeeper() // where the machine stood still it may have been halted at its end
}

// A keeper that lives and says nothing does not hold up a stop for ever; nothing is signalled.
func TestSilentKeeper(t *testing.T) {
	p := newProcess(place{t.TempDir(), 1}, Record{ID: 1}, nil)
	p.patience = 100 * time.Millisecond
	ours, theirs := net.Pipe()
	go io.Copy(io.Discard, theirs)
	defer theirs.Close()
	peer := signal.NewPeer(signal.NewFrames(ours), signal.PeerOptions{})
	over := make(chan struct{})
	go func() { defer close(over); _ = peer.Run(context.Background()) }()
	for what, connect := range map[string]func(){"silent": func() { p.peer = peer }, "not found": func() { p.peer = nil }} {
		p.change(connect)
		hurried, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ctx := range []context.Context{t.Context(), hurried} {
			began := time.Now()
			rep, err := p.Stop(ctx, nil, patient)
			if !errors.Is(err, ErrSilent) || rep.ExitCode != -1 || time.Since(began) > slack {
				t.Errorf("%s: %+v, %v after %v", what, rep, err, time.Since(began))
			}
		}
	}
	peer.Close()
	<-over
}

// What a keeper told of a ladder counts when its answer is lost.
func TestLostAnswer(t *testing.T) {
	at := place{t.TempDir(), 1}
	p := newProcess(at, Record{ID: 1, App: Identity{Pid: 1 << 30, Start: 1}}, nil)
	p.custody = Kept
	ours, theirs := net.Pipe()
	var keeper *signal.Peer
	keeper = signal.NewPeer(signal.NewFrames(theirs), signal.PeerOptions{
		Handle: func(ctx context.Context, method string, _ json.RawMessage) (any, error) {
			if method == methodStop {
				e := Ending{App: p.record.App, Exit: Exit{Code: 143}, Stopped: true, Report: &Report{Rung: Term, ExitCode: 143}}
				_ = keeper.Notify(ctx, methodEnded, e)
				_ = keeper.Flush(ctx)
				keeper.Close()
			}
			return struct{}{}, nil
		},
	})
	over := make(chan struct{})
	go func() { defer close(over); _ = keeper.Run(context.Background()) }()
	go p.run(signal.NewFrames(ours))
	for _, want := range []Rung{Term, Gone} {
		if rep, err := p.Stop(t.Context(), nil, patient); err != nil || rep.Rung != want || rep.ExitCode != 143 {
			t.Errorf("%+v, %v, want rung %d", rep, err, want)
		}
	}
	<-over
	<-p.gone
	if e, ok := at.readEnding(p.record); !ok || e.Report == nil || e.Report.Rung != Term {
		t.Errorf("recorded: %+v, %v", e, ok)
	}
}

// How an orphan ended is known before its new parent looks, which may take seconds.
func TestExitOfZombie(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 42": 42, "kill -9 $$": 137} {
		s := shell(t, script)
		child, err := startZombie(s)
		if err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		for end := time.Now().Add(slack); ; time.Sleep(time.Millisecond) {
			known, reaped := false, false
			if status, known, reaped = zombieStatus(child); known {
				break
			}
			if reaped || time.Now().After(end) {
				t.Fatalf("%s: reaped %v, and nothing is known of its end", script, reaped)
			}
		}
		if e := exitStatus(status); e.Code != want {
			t.Errorf("%s: %+v, want %d", script, e, want)
		}
		if _, known, reaped := zombieStatus(Identity{child.Pid, child.Start + 1}); known || !reaped {
			t.Errorf("a stranger's end: known %v, gone %v", known, reaped)
		}
		if _, err := syscall.Wait4(child.Pid, nil, 0, nil); err != nil {
			t.Error(err)
		}
		if _, known, reaped := zombieStatus(child); known || !reaped {
			t.Errorf("after it was reaped: known %v, gone %v", known, reaped)
		}
	}
}

// startZombie starts what nobody waits for.
func startZombie(s Spec) (Identity, error) {
	pid, err := syscall.ForkExec(s.Path, append([]string{s.Path}, s.Args...), &syscall.ProcAttr{Env: s.Env})
	if err != nil {
		return Identity{}, err
	}
	stat, err := readStat(pid)
	return Identity{pid, stat.Start}, err
}

// Who watched a run whose id has another one by now leaves that alone, and does not watch it.
func TestReplacedRunIsLeft(t *testing.T) {
	s := shell(t, "exec sleep 60")
	old := start(t, s)
	stop(t, t.Context(), old, nil, patient)
	wait(t, old)
	<-old.Gone()
	goFile := filepath.Join(t.TempDir(), "go")
	s.Path, s.Args = "/bin/sh", []string{"-c", `while test ! -e "$0"; do sleep 0.01; done; exit 5`, goFile}
	next := start(t, s)
	late := func() { // the old one notices only now that its keeper has gone
		t.Helper()
		late := newProcess(old.at, old.record, nil)
		late.finish(old.Exit())
		done := make(chan struct{})
		go func() { defer close(done); late.run(nil) }()
		select {
		case <-done:
		case <-time.After(slack):
			t.Fatal("it watches on")
		}
	}
	late()
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, next)
	<-next.Gone()
	late() // or when the next one has ended too
	if e, ok := next.at.readEnding(next.record); !ok || e.Exit.Code != 5 {
		t.Errorf("the ending of the next run became %+v", e)
	}
}
