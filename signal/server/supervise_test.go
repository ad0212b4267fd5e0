//go:build linux

package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// kept is a shell script kept by a policy with short pauses.
func kept(restart sig.Restart, script string, args ...string) sig.StartRequest {
	r := shell(script, args...)
	r.Policy = sig.Policy{Restart: restart, Backoff: sig.Backoff{Min: sig.Duration(20 * time.Millisecond), Max: sig.Duration(40 * time.Millisecond)}}
	return r
}

func TestRestartOnFailureUntilTheBreakerOpens(t *testing.T) {
	s := serve(t, nil)
	r := kept(sig.RestartOnFailure, "exit 3")
	// A run of ten times the pause is a good one: on a busy machine even this may take a while.
	r.Backoff = sig.Backoff{Min: sig.Duration(300 * time.Millisecond), Max: sig.Duration(300 * time.Millisecond)}
	r.Breaker = sig.Breaker{Starts: 4, Window: sig.Duration(time.Minute)}
	v := launch(t, s, r)
	v = awaitState(t, s, v.ID, sig.Failed)
	if v.Restarts != 3 || v.ExitCode == nil || *v.ExitCode != 3 || !strings.Contains(v.Reason, "not started again") {
		t.Errorf("after the breaker opened: %+v", v)
	}
	began := 0
	for _, k := range kinds(t, s, v.ID) {
		if k == kindStarted {
			began++
		}
	}
	if began != 4 {
		t.Errorf("started %d times, want 4", began)
	}
}

func TestWhatIsNotAFailureStaysDown(t *testing.T) {
	s := serve(t, nil)
	for name, r := range map[string]sig.StartRequest{"no policy": kept(sig.RestartNo, "exit 3"), "a good end": kept(sig.RestartOnFailure, "exit 0")} {
		v := launch(t, s, r)
		eventually(t, name, func() bool { return row(t, s, v.ID).Ended != nil })
		time.Sleep(100 * time.Millisecond)
		if v = row(t, s, v.ID); v.Restarts != 0 || v.Pid != 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestRestartAlwaysKeepsTheID(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, kept(sig.RestartAlways, "sleep 0.05"))
	eventually(t, "three restarts", func() bool { return row(t, s, v.ID).Restarts >= 3 })
	if all, _ := s.List(context.Background()); len(all) != 1 {
		t.Errorf("%d rows for one app", len(all))
	}
	if _, err := s.Stop(context.Background(), v.ID); err != nil {
		t.Fatal(err)
	}
	n := row(t, s, v.ID).Restarts
	time.Sleep(200 * time.Millisecond)
	if v = row(t, s, v.ID); v.Pid != 0 || v.Restarts > n || !v.Down || v.State == sig.Waiting {
		t.Errorf("stopped, and yet %+v", v)
	}
}

// TestStopDuringThePause is the class of process-compose's issue 530.
func TestStopDuringThePause(t *testing.T) {
	s := serve(t, nil)
	r := kept(sig.RestartAlways, "exit 1")
	r.Backoff = sig.Backoff{Min: sig.Duration(time.Hour), Max: sig.Duration(time.Hour)}
	v := launch(t, s, r)
	v = awaitState(t, s, v.ID, sig.Waiting)
	if v.NextStart == nil || time.Until(*v.NextStart) < 40*time.Minute {
		t.Errorf("waiting: %+v", v)
	}
	rep, err := s.Stop(context.Background(), v.ID)
	if err != nil || rep.Rung != sig.RungGone {
		t.Errorf("stopped: %+v, %v", rep, err)
	}
	if v = row(t, s, v.ID); v.State != sig.Exited || v.NextStart != nil || !v.Down {
		t.Errorf("after the stop: %+v", v)
	}
	if v, err = s.Restart(context.Background(), v.ID); err != nil || v.Pid == 0 {
		t.Errorf("restarted: %+v, %v", v, err)
	}
}

func TestReadyByProbe(t *testing.T) {
	s := serve(t, nil)
	r := shell("sleep 0.2; echo now serving; sleep 100")
	r.Ready = &sig.Probe{Log: "now serv", Interval: sig.Duration(50 * time.Millisecond), Within: sig.Duration(slack)}
	v := launch(t, s, r)
	if v.State != sig.Starting {
		t.Errorf("just started: %s", v.State)
	}
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	if err := s.WaitReady(ctx, v.ID); err != nil {
		t.Fatal(err)
	}
	if v = row(t, s, v.ID); v.State != sig.Ready {
		t.Errorf("after the line: %s", v.State)
	}
	never := shell("sleep 100")
	never.Ready = &sig.Probe{Log: "will not come", Within: sig.Duration(300 * time.Millisecond)}
	v = launch(t, s, never)
	eventually(t, "why it is not ready", func() bool { return strings.Contains(row(t, s, v.ID).WaitsFor, "not ready") })
	if v = row(t, s, v.ID); v.State != sig.Starting {
		t.Errorf("without the line: %s", v.State)
	}
}

func TestUnhealthyIsStartedAgain(t *testing.T) {
	s := serve(t, nil)
	mark := filepath.Join(t.TempDir(), "well")
	r := kept(sig.RestartOnFailure, `touch "$0"; sleep 100`, mark)
	r.Health = &sig.Probe{Command: []string{"/usr/bin/test", "-e", mark}, Interval: sig.Duration(50 * time.Millisecond), Timeout: sig.Duration(slack), Threshold: 2}
	v := launch(t, s, r)
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	if err := s.Await(ctx, v.ID, sig.OnHealthy); err != nil {
		t.Fatal(err)
	}
	pid := row(t, s, v.ID).Pid
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another run", func() bool { now := row(t, s, v.ID); return now.Pid != 0 && now.Pid != pid && now.Restarts >= 1 })
	if !contains(kinds(t, s, v.ID), kindUnhealthy) {
		t.Error("no event tells that it was unhealthy")
	}
}

func TestAwaitConditions(t *testing.T) {
	s := serve(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	defer cancel()
	job := launch(t, s, shell("sleep 0.1"))
	if err := s.Await(ctx, job.ID, sig.OnExited); err != nil {
		t.Errorf("a job that ends well: %v", err)
	}
	bad := launch(t, s, shell("exit 4"))
	if err := s.Await(ctx, bad.ID, sig.OnExited); err == nil {
		t.Error("a job that fails counts as done")
	}
	if err := s.Await(ctx, bad.ID, sig.OnHealthy); err == nil {
		t.Error("an app without a health probe is healthy")
	}
	wantCode(t, "nobody", s.Await(ctx, 999, sig.OnReady), sig.CodeNoApp)
}

func TestSetPolicyCountsAtOnce(t *testing.T) {
	s := serve(t, nil)
	goFile := filepath.Join(t.TempDir(), "go")
	v := launch(t, s, shell(`while test ! -e "$0"; do sleep 0.01; done; exit 1`, goFile))
	r, err := s.Request(context.Background(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	r.Policy = kept(sig.RestartOnFailure, "").Policy
	if err := s.SetPolicy(context.Background(), v.ID, r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a restart", func() bool { return row(t, s, v.ID).Restarts > 0 })
}
