//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// A daemon that was killed when it had noted that an app shall be down, and had not begun to stop
// it: the next one does.
func TestStopIsTakenUp(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	v, other := started(t, d, shell("exec sleep 600")), started(t, d, shell("exec sleep 600"))
	d.kill()
	p := adopted(t, dir, v.ID)
	if err := p.SetWant(t.Context(), process.Down); err != nil {
		t.Fatal(err)
	}
	p.Release()
	s := serveDir(t, dir, nil)
	if got := awaitState(t, s, v.ID, sig.Exited); !got.Down || runs(v.Pid) {
		t.Errorf("%+v", got)
	}
	if got := row(t, s, other.ID); got.Pid != other.Pid || got.Down {
		t.Errorf("%+v", got)
	}
}

// adopted is an app of a daemon that is gone, verified.
func adopted(t *testing.T, dir string, id sig.ID) *process.Process {
	t.Helper()
	p, err := process.Adopt(filepath.Join(dir, runName), uint64(id), &process.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Known():
	case <-time.After(slack):
		t.Fatal("its keeper does not answer")
	}
	return p
}

// A stop that meets the end of the app by itself, and then the pause before its next start, is a
// stop all the same: nothing starts it after the stop was reported.
func TestStopOfWhatJustEnds(t *testing.T) {
	s := serve(t, nil)
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			v, err := s.Start(t.Context(), kept(sig.RestartAlways, "sleep 0.05; exit 3"))
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Duration(40+3*i) * time.Millisecond)
			if _, err := s.Stop(t.Context(), v.ID); err != nil {
				t.Error(err)
			}
			time.Sleep(200 * time.Millisecond) // five pauses
			if v = row(t, s, v.ID); v.Pid != 0 || v.State == sig.Waiting || !v.Down {
				t.Errorf("it was stopped: %+v", v)
			}
		})
	}
	all.Wait()
}

// A restart that the end of the daemon cut off is finished by the next one, under the same id:
// noted only, under way, or down already.
func TestRestartIsTakenUp(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	var apps []sig.App
	for range 2 {
		apps = append(apps, started(t, d, shell("exec sleep 600")))
	}
	deaf := helper("deaf")
	deaf.StopAfter = sig.Duration(500 * time.Millisecond)
	slow := started(t, d, deaf)
	awaitLog(t, slow, "deaf")
	go d.Restart(t.Context(), slow.ID)
	eventually(t, "it is being stopped", func() bool {
		list, err := d.List(t.Context())
		return err == nil && (list[slow.ID-1].State == sig.Stopping || list[slow.ID-1].Pid != slow.Pid) // or it has been
	})
	d.kill()
	for i, v := range apps {
		p := adopted(t, dir, v.ID)
		err := p.SetWant(t.Context(), process.Again)
		if err == nil && i > 0 {
			_, err = p.Stop(t.Context(), nil, process.Ladder{Term: slack, Kill: slack})
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Release()
	}
	s := serveDir(t, dir, nil)
	for _, v := range append(apps, slow) {
		eventually(t, fmt.Sprintf("%+v runs again: %+v", v, row(t, s, v.ID)), func() bool {
			now := row(t, s, v.ID)
			return now.Pid != 0 && now.Pid != v.Pid && now.App == v.App
		})
		if runs(v.Pid) {
			t.Errorf("the run before is still there: %+v", v)
		}
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Whoever looks while an app is restarted sees one that runs or will: nobody takes it for down, and starts it too.
func TestRestartedIsNeverDown(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, shell("exec sleep 600"))
	done := make(chan error, 1)
	go func() {
		var err error
		for range 5 {
			_, failed := s.Restart(t.Context(), v.ID)
			err = errors.Join(err, failed)
		}
		done <- err
	}()
	var seen *sig.App
	for over := false; !over; time.Sleep(time.Millisecond) {
		select {
		case err := <-done:
			if over = true; err != nil {
				t.Error(err)
			}
		default:
		}
		if got := row(t, s, v.ID); got.State == sig.Exited || got.State == sig.Failed {
			seen = &got
		}
	}
	if seen != nil {
		t.Errorf("%+v", *seen)
	}
	// One that cannot be started again is.
	r := shell("exec sleep 600")
	r.EnvFiles = []string{filepath.Join(t.TempDir(), "env")}
	if err := os.WriteFile(r.EnvFiles[0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v = launch(t, s, r)
	if err := os.Remove(r.EnvFiles[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 { // running, and down
		if _, err := s.Restart(t.Context(), v.ID); err == nil {
			t.Error("it was restarted")
		}
		if got := row(t, s, v.ID); got.State != sig.Exited {
			t.Errorf("%+v", got)
		}
	}
}

// Whoever waits for an app while it is restarted waits for the run that follows, or learns that there is none. What its policy is
// about to start is not called down because a restart failed.
func TestWaitWhileRestarted(t *testing.T) {
	s := serve(t, nil)
	later := kept(sig.RestartAlways, "exec sleep 600")
	later.Backoff.Min, later.Backoff.Max = sig.Duration(time.Hour), sig.Duration(time.Hour)
	for _, r := range []sig.StartRequest{shell("exec sleep 600"), later} {
		v := launch(t, s, r)
		a, _, err := s.find(v.ID)
		if err != nil {
			t.Fatal(err)
		}
		<-a.op
		stays := s.comesAgain(a)
		if err := syscall.Kill(v.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		awaitState(t, s, v.ID, sig.Waiting)
		waiting, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		for _, err := range []error{s.WaitReady(waiting, v.ID), s.Await(waiting, v.ID, sig.OnReady)} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the next run is not waited for: %v", err)
			}
		}
		cancel()
		learnt := make(chan error, 1)
		go func() { learnt <- s.WaitReady(t.Context(), v.ID) }()
		stays()
		if r.Restart == "" {
			if err := <-learnt; sig.CodeOf(err) != sig.CodeNotRunning {
				t.Errorf("there is no next run: %v", err)
			}
		}
		if got, want := row(t, s, v.ID), (r.Restart != ""); (got.NextStart != nil) != want || (got.State == sig.Waiting) != want {
			t.Errorf("%+v", got)
		}
		a.op <- struct{}{}
	}
}

// An app that its policy is about to start again is not forgotten, however many have ended since.
func TestWhatWaitsIsKept(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.History = 1 })
	r := kept(sig.RestartAlways, "exit 3")
	r.Backoff.Min, r.Backoff.Max = sig.Duration(time.Hour), sig.Duration(time.Hour)
	v, err := s.Start(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	awaitState(t, s, v.ID, sig.Waiting)
	for range 3 {
		short, err := s.Start(t.Context(), shell("exit 0"))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has ended", func() bool { _, now, err := s.find(short.ID); return err != nil || now.Pid == 0 })
	}
	if got := row(t, s, v.ID); got.State != sig.Waiting {
		t.Errorf("%+v", got)
	}
}

// A daemon that was killed may have left its lock, for a moment, to what it was about to start.
func TestLockOfTheDead(t *testing.T) {
	dir := t.TempDir()
	gone := exec.Command("/bin/true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	hold := func(pid int) *os.File {
		f, err := os.Create(filepath.Join(dir, lockName))
		if err == nil {
			_, err = fmt.Fprintln(f, pid)
		}
		if err == nil {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	dead := hold(gone.Process.Pid)
	time.AfterFunc(100*time.Millisecond, func() { dead.Close() })
	s, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	f := hold(os.Getpid())
	defer f.Close()
	fastest := parting
	for range 3 { // the machine may stand still in one of them
		began := time.Now()
		if _, err := New(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		fastest = min(fastest, time.Since(began))
	}
	if fastest >= parting {
		t.Errorf("the lock of one that lives was waited for: %v", fastest)
	}
}
