//go:build linux

package process

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		script, signal string
		code           int
	}{
		{"exit 0", "", 0},
		{"exit 42", "", 42},
		{"kill -KILL $$", "SIGKILL", 137},
		{"kill -TERM $$", "SIGTERM", 143},
	} {
		e := wait(t, start(t, shell(t, c.script)))
		if e.Code != c.code || e.Signal != c.signal {
			t.Errorf("%s: got code %d signal %q, want %d %q", c.script, e.Code, e.Signal, c.code, c.signal)
		}
		if time.Since(e.At) > slack || e.PeakRSS == 0 {
			t.Errorf("%s: noticed at %v, peak %d", c.script, e.At, e.PeakRSS)
		}
	}
}

func TestOutputAndSurroundings(t *testing.T) {
	s := shell(t, `echo "out $1 $FOO"; pwd; echo err >&2; cat; echo "$0"`)
	s.Args = append(s.Args, "name", "It's A b")
	s.Env, s.Dir = append(s.Env, "FOO=Bar"), t.TempDir()
	if err := os.WriteFile(s.Log, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, start(t, s))
	got, _ := os.ReadFile(s.Log)
	if want := "before\nout It's A b Bar\n" + s.Dir + "\nerr\nname\n"; string(got) != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	s.Log = filepath.Join(t.TempDir(), "new")
	wait(t, start(t, s))
	if info, err := os.Stat(s.Log); err != nil || info.Mode() != 0o600 {
		t.Errorf("new log: %v %v, want mode 0600", info, err)
	}
}

func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file("target", "", 0o600), link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		spec       Spec
	}{
		{"missing", "program /nowhere/thing: no such file", Spec{Path: "/nowhere/thing"}},
		{"relative", `program "sh": the path must be absolute`, Spec{Path: "sh"}},
		{"folder", dir + ": is a folder", Spec{Path: dir}},
		{"mode", "plain: not executable", Spec{Path: file("plain", "#!/bin/sh\n", 0o644)}},
		{"format", "script: not a program this machine can run", Spec{Path: file("script", "echo\n", 0o755)}},
		{"interpreter", "other: its interpreter is missing", Spec{Path: file("other", "#!/nowhere/sh\n", 0o755)}},
		{"no folder", "working folder /nowhere: ", Spec{Path: "/bin/sh", Dir: "/nowhere"}},
		{"log folder", "opening the log", Spec{Path: "/bin/sh", Log: "/nowhere/log"}},
		{"log is a link", "opening the log", Spec{Path: "/bin/sh", Log: link}},
	} {
		c.spec.ID, c.spec.Run = 1, t.TempDir()
		_, err := Start(c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

func TestOwnGroup(t *testing.T) {
	p := start(t, shell(t, "sleep 60"))
	s, err := readStat(p.Pid())
	if err != nil || s.Group != p.Pid() || s.Start != p.StartTicks() || s.Start == 0 {
		t.Errorf("stat %+v, %v: want group %d, start %d", s, err, p.Pid(), p.StartTicks())
	}
}

func TestContains(t *testing.T) {
	s := helper(t, "daemonize")
	p := start(t, s)
	logged(t, s, "deaf")
	log := logged(t, s, "daemonize") // the middle one has ended, and both have told their children's pids
	other := start(t, shell(t, "exec sleep 60"))
	if !p.Contains(p.Pid()) || other.Contains(p.Pid()) || p.Contains(other.Pid()) {
		t.Error("a child is in its own tree, not in another's")
	}
	if p.Contains(os.Getpid()) || p.Contains(1) || p.Contains(0) || p.Contains(-1) {
		t.Error("the caller and init are in no tree")
	}
	if len(childPids(log)) != 2 {
		t.Errorf("log %q", log)
	}
	for _, pid := range childPids(log) {
		if running(pid) && !p.Contains(pid) {
			t.Errorf("descendant %d is not in the tree", pid)
		}
	}
	gone := start(t, shell(t, "exit 0"))
	wait(t, gone)
	if gone.Contains(gone.Pid()) {
		t.Error("an ended child's pid may be a stranger's")
	}
}

// A process seen in the tree stays in it when its parent ends and init adopts it.
func TestContainsRemembersOrphans(t *testing.T) {
	s := shell(t, `setsid sh -c 'echo pid $$; exec sleep 60' & while test ! -e "$0.go"; do sleep 0.01; done`)
	s.Args = append(s.Args, s.Log)
	p := start(t, s)
	var pid int
	for end := time.Now().Add(slack); pid == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(s.Log)
		for _, n := range childPids(string(text)) {
			pid = n
		}
	}
	table, err := ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	if u := p.Usage(table); u.Processes < 2 {
		t.Fatalf("%d processes seen, want the shell and its child", u.Processes)
	}
	if err := os.WriteFile(s.Log+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	if !p.Contains(pid) {
		t.Error("the orphan was forgotten")
	}
	if table, err = ReadTable(); err != nil {
		t.Fatal(err)
	}
	if left := p.Leftovers(table); len(left) != 1 || left[0] != pid {
		t.Errorf("leftovers %v, want %d", left, pid)
	}
}

func TestUsage(t *testing.T) {
	s := shell(t, `sleep 60 & i=0; while test $i -lt 20000; do i=$((i+1)); done; head -c 1000000 /dev/zero >/dev/null; echo; echo done; wait`)
	p := start(t, s)
	logged(t, s, "done")
	table, err := ReadTable()
	if err != nil {
		t.Fatal(err)
	}
	u := p.Usage(table)
	if u.Processes != 2 || u.Threads != 2 || u.OpenFiles < 6 {
		t.Errorf("%+v: want 2 processes, 2 threads, 6 files or more", u)
	}
	if u.RSSBytes < 100<<10 || u.PeakRSSBytes < u.RSSBytes || u.VirtualBytes < u.RSSBytes {
		t.Errorf("memory makes no sense: %+v", u)
	}
	if u.VolSwitches+u.InvolSwitch == 0 || u.Uptime <= 0 || u.WrittenBytes == 0 {
		t.Errorf("no switches, no time or nothing written: %+v", u)
	}
	if stop(t, t.Context(), p, nil, Ladder{Kill: slack}); p.Usage(table).CPU < u.CPU {
		t.Error("used time went back")
	}
}

func TestUsageCountsTime(t *testing.T) {
	p := start(t, shell(t, "while :; do :; done"))
	for end := time.Now().Add(slack); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		table, err := ReadTable()
		if err != nil {
			t.Fatal(err)
		}
		if p.Usage(table).CPU >= 50*time.Millisecond {
			return
		}
	}
	t.Error("a busy child used no time")
}

func TestManyAtOnce(t *testing.T) {
	eventually(t, "what other tests left to be waited for is gone", func() bool {
		_, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		return err == syscall.ECHILD
	})
	var all sync.WaitGroup
	var reader Reader
	for i := range 50 {
		all.Go(func() {
			s := shell(t, "exit 7")
			s.Reader = &reader
			p, err := Start(s)
			if err != nil {
				t.Error(err)
				return
			}
			p.patience = slack
			if i%2 == 0 {
				stop(t, t.Context(), p, nil, Ladder{Kill: slack})
			}
			<-p.Done()
			<-p.gone
		})
	}
	all.Wait()
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid > 0 || err == nil {
		t.Errorf("a zombie was left: %d", pid)
	}
}

func TestReaderShares(t *testing.T) {
	var r Reader
	before := time.Now().Add(-time.Second) // the clock may be coarse
	a, err := r.After(before)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := r.After(before); b.At() != a.At() {
		t.Error("a reading that is new enough was not shared")
	}
	if b, _ := r.After(time.Now()); !b.At().After(a.At()) {
		t.Error("an old reading was given for a new one")
	}
}
