//go:build linux

package server

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// A stop that comes before an adopted app has registered again waits for it, and asks: whether the
// app is the daemon's own program, or only known to have registered before.
func TestStopWaitsForTheReturn(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	own, other := started(t, d, helper("client")), helper("client")
	other.Path, other.Args = "/bin/sh", []string{"-c", `exec "$0"`, other.Path}
	foreign := started(t, d, other)
	for _, v := range []sig.App{own, foreign} {
		if err := d.WaitReady(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []sig.App{own, foreign} {
		awaitSpoke(t, dir, v.ID)
	}
	r, err := d.Request(t.Context(), foreign.ID)
	if err == nil {
		r.Restart = sig.RestartOnFailure
		err = d.SetPolicy(t.Context(), foreign.ID, r)
	}
	if err != nil {
		t.Error(err)
	}
	eventually(t, "a new policy is noted", func() bool { // a keeper that is slow does it later
		rec := recordOf(t, dir, foreign.ID)
		return strings.Contains(rec, `"spoke":true`) && strings.Contains(rec, string(sig.RestartOnFailure))
	})
	d.kill()
	time.Sleep(300 * time.Millisecond) // their next attempts are some while away
	s := serveDir(t, dir, nil)
	for _, v := range []sig.App{own, foreign} {
		if got := row(t, s, v.ID); got.State != sig.Unreachable && got.State != sig.Ready {
			t.Errorf("found %+v", got)
		}
		if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungShutdown || rep.ExitCode != 0 {
			t.Errorf("%+v, %v, want shutdown", rep, err)
		}
		awaitLog(t, v, "cleaned up")
	}
}

func awaitSpoke(t *testing.T, dir string, id sig.ID) {
	t.Helper()
	eventually(t, "it is noted that it speaks signal", func() bool { return strings.Contains(recordOf(t, dir, id), `"spoke":true`) })
}

// One that does not come back is stopped all the same, and one that cannot is not waited for.
func TestStopOfWhatDoesNotReturn(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	gone, halted := started(t, d, helper("registers once")), started(t, d, helper("client"))
	for _, v := range []sig.App{gone, halted} {
		if err := d.WaitReady(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
	}
	awaitSpoke(t, dir, gone.ID)
	awaitSpoke(t, dir, halted.ID)
	d.kill()
	if err := syscall.Kill(halted.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := serveDir(t, dir, func(c *Config) { c.Ladder.Ask = 200 * time.Millisecond })
	for _, v := range []sig.App{gone, halted} {
		if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
			t.Errorf("%+v, %v, want term", rep, err)
		}
	}
}

// What goes wrong with a member of a group is told of it by the member's name.
func TestMembersAreCalledByTheirNames(t *testing.T) {
	s := serve(t, nil)
	r := shell("exec sleep 600")
	r.App, r.Group, r.Member = "nodemanager", "demo", "manager"
	v := launch(t, s, r)
	_, err := s.Ping(t.Context(), v.ID)
	if err == nil || !strings.Contains(err.Error(), "app 1 (manager) has not registered with signal yet") {
		t.Errorf("%v", err)
	}
	if _, err := s.Stop(t.Context(), v.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Ping(t.Context(), v.ID)
	if err == nil || !strings.Contains(err.Error(), "app 1 (manager) does not run") {
		t.Errorf("%v", err)
	}
}

// How long an app ran is what its keeper saw: a daemon that comes late does not take an early
// end for a long run, which would close the breaker.
func TestUptimeOfWhatEndedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	goFile := dir + "/go"
	r := helper("until", "GO="+goFile, "CODE=3")
	r.Policy = kept(sig.RestartAlways, "").Policy
	r.Backoff = sig.Backoff{Min: sig.Duration(time.Hour), Max: sig.Duration(time.Hour)}
	began := time.Now()
	v := started(t, d, r)
	d.kill()
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has ended", func() bool { return !runs(v.Pid) })
	eventually(t, "its end is recorded", func() bool {
		_, err := os.Stat(dir + "/run/1.exit")
		return err == nil
	})
	ended := time.Now()
	time.Sleep(300 * time.Millisecond)
	s := serveDir(t, dir, nil)
	_, run, err := s.current(v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if ran, most := run.proc.Exit().Ran, ended.Sub(began)+50*time.Millisecond; ran <= 0 || ran > most {
		t.Errorf("it ran for %v, want at most %v", ran, most)
	}
}
