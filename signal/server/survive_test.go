//go:build linux

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// daemon is a server in a process of its own.
type daemon struct {
	cmd *exec.Cmd
	*sig.Operator
}

func startDaemon(t *testing.T, dir string) daemon {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HELPER=daemon", "DIR="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := daemon{cmd: cmd}
	t.Cleanup(func() { // its folder goes next: keepers of what has ended may still write
		d.kill()
		eventually(t, "the keepers of what has ended are gone", func() bool { return idleKeepers(dir) == 0 })
	})
	eventually(t, "the daemon serves", func() bool {
		o, err := sig.DialOperator(context.Background(), filepath.Join(dir, socketName))
		d.Operator = o
		return err == nil
	})
	return d
}

// idleKeepers counts the keepers of a state folder that have nothing to keep any more.
func idleKeepers(dir string) (n int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		at, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err != nil || at != filepath.Join(dir, runName) {
			continue
		}
		below, err := os.ReadFile(filepath.Join("/proc", e.Name(), "task", e.Name(), "children"))
		if err == nil && len(bytes.TrimSpace(below)) == 0 {
			n++
		}
	}
	return n
}

func (d daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func started(t *testing.T, d daemon, r sig.StartRequest) sig.App {
	t.Helper()
	v, err := d.Start(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// serveDir is a server of this process on a folder that others have used.
func serveDir(t *testing.T, dir string, change func(*Config)) *Server {
	return serve(t, func(c *Config) {
		c.Dir = dir
		c.StopAllOnExit = true
		if change != nil {
			change(c)
		}
	})
}

// processesOf counts those whose environment names the state folder, keepers left out.
func processesOf(t *testing.T, dir string) (pids []int) {
	t.Helper()
	table, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range table {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || !runs(pid) {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && bytes.Contains(env, []byte(sig.EnvTokenFile+"="+dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill -9 of the daemon: the same ids and pids, nothing twice, codes of those that ended
// meanwhile known, tokens good, logs complete.
func TestDaemonKilled(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	goFile := filepath.Join(dir, "go")
	client := started(t, d, helper("client"))
	counter := started(t, d, helper("counter"))
	until := started(t, d, helper("until", "GO="+goFile, "CODE=42"))
	killed := started(t, d, helper("deaf"))
	before := started(t, d, shell("exit 5"))
	apps := []sig.App{client, counter}
	for range 10 {
		apps = append(apps, started(t, d, shell("exec sleep 600")))
	}
	if err := d.WaitReady(t.Context(), client.ID); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, counter, "line 10")
	eventually(t, "one has ended", func() bool {
		list, err := d.List(t.Context())
		return err == nil && list[before.ID-1].State == sig.Failed
	})
	d.kill()

	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(killed.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two have ended meanwhile", func() bool { return !runs(until.Pid) && !runs(killed.Pid) })
	// What is just becoming another program has no environment for a moment.
	eventually(t, "all others run", func() bool { return len(processesOf(t, dir)) == len(apps) })

	began := time.Now()
	s := serveDir(t, dir, nil)
	t.Logf("adopted %d apps in %v", len(apps), time.Since(began))
	for _, v := range apps {
		if got := row(t, s, v.ID); got.Pid != v.Pid || got.App != v.App || !got.Started.Equal(v.Started) || got.Command != v.Command {
			t.Errorf("found %+v, want %+v", got, v)
		}
	}
	if n := len(processesOf(t, dir)); n != len(apps) {
		t.Errorf("%d processes, want %d", n, len(apps))
	}
	for id, code := range map[sig.ID]int{until.ID: 42, killed.ID: 137, before.ID: 5} {
		if got := awaitState(t, s, id, sig.Failed); got.ExitCode == nil || *got.ExitCode != code {
			t.Errorf("app %d: %+v, want code %d", id, got, code)
		}
	}
	// "found" too, when its keeper was still busy with its last output.
	eventually(t, "the events of one that ended meanwhile", func() bool {
		return strings.Replace(fmt.Sprint(kinds(t, s, until.ID)), "found ", "", 1) == "[started failed]"
	})
	eventually(t, "the events of one that ended before", func() bool {
		return fmt.Sprint(kinds(t, s, before.ID)) == "[started failed]"
	})
	awaitState(t, s, client.ID, sig.Ready)
	if _, err := s.Ping(t.Context(), client.ID); err != nil {
		t.Error(err)
	}
	if u, err := s.Usage(t.Context(), client.ID); err != nil || u.Goroutines == 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if next := launch(t, s, shell("exit 0")); next.ID != apps[len(apps)-1].ID+1 {
		t.Errorf("id %d is given after %d", next.ID, apps[len(apps)-1].ID)
	}
	awaitLog(t, counter, "line 200")
	if rep, err := s.Stop(t.Context(), counter.ID); err != nil || rep.Rung != sig.RungTerm || rep.Pid != counter.Pid {
		t.Errorf("%+v, %v", rep, err)
	}
	wantCounted(t, counter)
	if rep, err := s.Stop(t.Context(), client.ID); err != nil || rep.Rung != sig.RungShutdown || rep.ExitCode != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	again, err := s.Restart(t.Context(), apps[2].ID)
	if err != nil || again.ID != apps[2].ID || again.Pid == apps[2].Pid {
		t.Errorf("%+v, %v", again, err)
	}
}

// wantCounted wants a log of lines without a gap.
func wantCounted(t *testing.T, v sig.App) {
	t.Helper()
	text, err := os.ReadFile(v.Log)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if want := fmt.Sprintf("line %d\n", n); line != want && !strings.HasPrefix(want, line) {
			t.Fatalf("line %d of the log is %q", n, line)
		}
		n++
	}
}

// awaitMore waits until three hundred more lines are in the log of a counter. Which of them its keeper took
// along when it was killed nobody knows.
func awaitMore(t *testing.T, v sig.App) {
	t.Helper()
	last := func() (n int) {
		text, _ := os.ReadFile(v.Log)
		for line := range strings.Lines(string(text)) {
			if number, ok := strings.CutPrefix(line, "line "); ok && strings.HasSuffix(line, "\n") {
				n, _ = strconv.Atoi(strings.TrimSpace(number))
			}
		}
		return n
	}
	from := last()
	eventually(t, "its output is read on", func() bool { return last() >= from+300 })
}

// A stop goes on when the daemon is killed in the middle.
func TestDaemonKilledDuringStop(t *testing.T) {
	dir := t.TempDir()
	d := startDaemon(t, dir)
	r := helper("deaf")
	r.StopAfter = sig.Duration(500 * time.Millisecond)
	v := started(t, d, r)
	awaitLog(t, v, "deaf")
	go d.Stop(t.Context(), v.ID)
	eventually(t, "it is being stopped", func() bool {
		list, err := d.List(t.Context())
		return err == nil && (list[0].State == sig.Stopping || list[0].Ended != nil) // or it has been
	})
	d.kill()
	s := serveDir(t, dir, nil)
	got := awaitState(t, s, v.ID, sig.Exited)
	if got.ExitCode == nil || *got.ExitCode != 137 {
		t.Errorf("%+v", got)
	}
	eventually(t, "the outcome is known", func() bool { return strings.Contains(row(t, s, v.ID).Reason, "stopped by kill") })
	if rec := recordOf(t, dir, v.ID); !strings.Contains(rec, `"want":"down"`) {
		t.Errorf("what was asked for is forgotten: %s", rec)
	}
}

func recordOf(t *testing.T, dir string, id sig.ID) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, runName, fmt.Sprintf("%d.json", id)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKeeperKilled(t *testing.T) {
	t.Parallel() // it waits for others to reap
	s := serve(t, nil)
	goFile := filepath.Join(t.TempDir(), "go")
	counter := launch(t, s, helper("counter"))
	awaitLog(t, counter, "line 10")
	client, quiet := ready(t, s, helper("client")), launch(t, s, helper("until", "GO="+goFile, "CODE=42"))
	deaf := launch(t, s, helper("deaf"))
	awaitLog(t, deaf, "deaf")
	for _, v := range []sig.App{client, quiet, deaf, counter} {
		if err := syscall.Kill(parentOf(t, v.Pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []sig.App{client, quiet, deaf, counter} {
		eventually(t, "the loss is noticed", func() bool { return contains(kinds(t, s, v.ID), kindOrphaned) })
		if got := row(t, s, v.ID); got.Pid != v.Pid || !strings.Contains(got.Reason, "keeper was killed") || !runs(v.Pid) {
			t.Errorf("%+v", got)
		}
	}
	if _, err := s.Ping(t.Context(), client.ID); err != nil {
		t.Error(err)
	}
	if u, err := s.Usage(t.Context(), client.ID); err != nil || u.RSSBytes == 0 {
		t.Errorf("%+v, %v", u, err)
	}
	wantCode(t, "attach", s.Attach(t.Context(), client.ID, nil, io.Discard, nil), sig.CodeUnavailable)
	awaitMore(t, counter) // the app lives, and its output is read on
	if rep, err := s.Stop(t.Context(), client.ID); err != nil || rep.Rung != sig.RungShutdown {
		t.Errorf("%+v, %v", rep, err)
	}
	if rep, err := s.Kill(t.Context(), deaf.ID); err != nil || rep.Rung != sig.RungKill || runs(deaf.Pid) {
		t.Errorf("%+v, %v", rep, err)
	}
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantExit(t, awaitState(t, s, quiet.ID, sig.Failed), 42)
	if again, err := s.Restart(t.Context(), client.ID); err != nil || again.ID != client.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if err := s.WaitReady(t.Context(), client.ID); err != nil {
		t.Error(err)
	}
}

// wantExit wants the code, or an honest word where the kernel is too old to tell.
func wantExit(t *testing.T, v sig.App, code int) {
	t.Helper()
	switch {
	case v.ExitCode == nil && !strings.Contains(v.Reason, "unknown"):
		t.Errorf("%+v: neither a code nor a word about it", v)
	case v.ExitCode != nil && *v.ExitCode != code:
		t.Errorf("%+v: want code %d", v, code)
	case v.ExitCode == nil:
		t.Log("this kernel does not tell exit codes:", v.Reason)
	}
}

func TestDaemonAndKeeperKilled(t *testing.T) {
	t.Parallel() // it waits for others to reap
	dir := t.TempDir()
	d := startDaemon(t, dir)
	goFile := filepath.Join(dir, "go")
	client, tree := started(t, d, helper("client")), started(t, d, shell("setsid sleep 600 & sleep 600 & wait"))
	counter := started(t, d, helper("counter"))
	quiet, gone := started(t, d, helper("until", "GO="+goFile, "CODE=42")), started(t, d, shell("exec sleep 600"))
	if err := d.WaitReady(t.Context(), client.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tree is there", func() bool { return len(processesOf(t, dir)) == 7 })
	d.kill()
	awaitLog(t, counter, "line 10")
	for _, v := range []sig.App{client, tree, quiet, gone, counter} {
		syscall.Kill(parentOf(t, v.Pid), syscall.SIGKILL)
	}
	syscall.Kill(gone.Pid, syscall.SIGKILL)
	eventually(t, "one has ended", func() bool { return !runs(gone.Pid) })

	s := serveDir(t, dir, nil)
	for _, v := range []sig.App{client, tree, quiet} {
		if got := row(t, s, v.ID); got.Pid != v.Pid || !runs(v.Pid) {
			t.Errorf("found %+v, want %+v", got, v)
		}
	}
	wantExit(t, awaitState(t, s, gone.ID, sig.Failed), 137)
	awaitMore(t, counter)
	awaitState(t, s, client.ID, sig.Ready)
	if rep, err := s.Stop(t.Context(), tree.ID); err != nil || rep.Rung != sig.RungTerm || len(rep.Survivors) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantExit(t, awaitState(t, s, quiet.ID, sig.Failed), 42)
	eventually(t, "only two are left", func() bool { return len(processesOf(t, dir)) == 2 })
}

// What cannot be verified is shown as that, and never signalled.
func missing(text, part string) error {
	if !strings.Contains(text, part) {
		return errors.New("it has no " + part)
	}
	return nil
}

func TestUnverified(t *testing.T) {
	t.Parallel() // it waits for others to reap
	dir := t.TempDir()
	d := startDaemon(t, dir)
	halted, broken, reused := started(t, d, shell("exec sleep 600")), started(t, d, shell("exec sleep 600")), started(t, d, shell("exec sleep 600"))
	d.kill()
	time.Sleep(50 * time.Millisecond) // start times are in ticks of 10 ms
	stranger := exec.Command("/bin/sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stranger.Process.Kill(); stranger.Wait() })
	keeper := parentOf(t, halted.Pid)
	syscall.Kill(keeper, syscall.SIGSTOP)
	eventually(t, "the keeper stands still", func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", keeper))
		for _, path := range stats {
			text, _ := os.ReadFile(path)
			err = errors.Join(err, missing(string(text), ") T "))
		}
		return err == nil && len(stats) > 0
	})
	for _, v := range []sig.App{broken, reused} {
		syscall.Kill(parentOf(t, v.Pid), syscall.SIGKILL)
	}
	t.Cleanup(func() { syscall.Kill(broken.Pid, syscall.SIGKILL); syscall.Kill(reused.Pid, syscall.SIGKILL) })
	path := filepath.Join(dir, runName, fmt.Sprintf("%d.json", broken.ID))
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, runName, fmt.Sprintf("%d.json", reused.ID))
	text := strings.Replace(recordOf(t, dir, reused.ID), fmt.Sprintf(`"app":{"pid":%d,`, reused.Pid), fmt.Sprintf(`"app":{"pid":%d,`, stranger.Process.Pid), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	s := serveDir(t, dir, nil)
	for _, v := range []sig.App{halted, broken} {
		if got := row(t, s, v.ID); got.State != sig.Unverified || got.Reason == "" {
			t.Errorf("%+v", got)
		}
		_, err := s.Stop(t.Context(), v.ID)
		wantCode(t, "stop", err, sig.CodeUnavailable)
		_, err = s.Restart(t.Context(), v.ID)
		wantCode(t, "restart", err, sig.CodeUnavailable)
		wantCode(t, "attach", s.Attach(t.Context(), v.ID, nil, io.Discard, nil), sig.CodeUnavailable)
		if !runs(v.Pid) {
			t.Errorf("app %d was signalled", v.ID)
		}
	}
	// The number belongs to another now: the app has ended.
	if got := row(t, s, reused.ID); got.State != sig.Failed || got.ExitCode != nil || got.Pid != 0 {
		t.Errorf("%+v", got)
	}
	if rep, err := s.Kill(t.Context(), reused.ID); err != nil || rep.Pid == stranger.Process.Pid && rep.Rung != sig.RungGone && !runs(stranger.Process.Pid) {
		t.Errorf("%+v, %v", rep, err)
	}
	if !runs(stranger.Process.Pid) {
		t.Error("a stranger was signalled")
	}
	syscall.Kill(keeper, syscall.SIGCONT)
	if got := awaitState(t, s, halted.ID, sig.Running); got.Pid != halted.Pid || got.Reason != "" {
		t.Errorf("%+v", got)
	}
	if rep, err := s.Stop(t.Context(), halted.ID); err != nil || rep.Rung != sig.RungTerm {
		t.Errorf("%+v, %v", rep, err)
	}
}

// An orderly end: daemons go on, the others do not, and a setting reverses it.
func TestDaemonAppsOutliveTheServer(t *testing.T) {
	dir := t.TempDir()
	run := func(change func(*Config)) (*Server, func()) {
		cfg := Config{Dir: dir, Ladder: process.Ladder{Ask: slack, Term: slack, Kill: slack}}
		if change != nil {
			change(&cfg)
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		return s, func() { cancel(); <-done }
	}
	s, end := run(nil)
	r := helper("client")
	r.Daemon = true
	stays, goes := ready(t, s, r), ready(t, s, helper("client"))
	end()
	if !runs(stays.Pid) || runs(goes.Pid) {
		t.Fatalf("daemon runs: %v, attached one: %v", runs(stays.Pid), runs(goes.Pid))
	}
	s, end = run(func(c *Config) { c.StopAllOnExit = true })
	awaitState(t, s, stays.ID, sig.Ready)
	if got := row(t, s, goes.ID); got.State != sig.Exited || got.ExitCode == nil || *got.ExitCode != 0 {
		t.Errorf("the ended one: %+v", got)
	}
	end()
	if runs(stays.Pid) {
		t.Error("it outlives a server that was told to stop all")
	}
	s, end = run(nil)
	defer end()
	if list, err := s.List(t.Context()); err != nil || len(list) != 2 || list[0].State != sig.Exited {
		t.Errorf("%+v, %v", list, err)
	}
	if again, err := s.Restart(t.Context(), goes.ID); err != nil || again.Pid == 0 {
		t.Errorf("%+v, %v", again, err)
	}
}

// What leaves the table leaves nothing behind.
func TestNoFileIsLeft(t *testing.T) {
	s := serve(t, func(c *Config) { c.Limits.History = 1 })
	for range 5 {
		v := launch(t, s, shell("echo x"))
		awaitState(t, s, v.ID, sig.Exited)
	}
	count := func(dir string) int {
		entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, dir))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range entries {
			if e.Name() != "keeper.log" {
				n++
			}
		}
		return n
	}
	eventually(t, "only the last one has files", func() bool { return count(runName) == 2 && count(logsName) == 1 })
}

func TestHandover(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, TCPAddr: "127.0.0.1:0", Ladder: process.Ladder{Ask: slack, Term: slack, Kill: slack}}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context()) }()
	v, addr := ready(t, s, helper("client")), s.TCPAddr()
	handed, err := s.Handover()
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := New(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("another daemon slipped in: %v", err)
	}
	waiting := make(chan error)
	go func() { // is neither refused nor lost
		o, err := sig.DialOperator(t.Context(), filepath.Join(dir, socketName))
		if err == nil {
			_, err = o.List(t.Context())
		}
		waiting <- err
	}()
	time.Sleep(20 * time.Millisecond)
	cfg.Inherited = handed
	next := serve(t, func(c *Config) { *c = cfg })
	handed.Close()
	if err := <-waiting; err != nil {
		t.Errorf("an operator who came meanwhile: %v", err)
	}
	if next.TCPAddr() != addr {
		t.Errorf("address %s became %s", addr, next.TCPAddr())
	}
	if got := awaitState(t, next, v.ID, sig.Ready); got.Pid != v.Pid {
		t.Errorf("%+v, want pid %d", got, v.Pid)
	}
	if _, err := New(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("the lock is gone: %v", err)
	}
}
