//go:build linux

package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// slack is how long a test waits for what takes milliseconds on an idle machine.
const slack = time.Minute

// TestMain makes the test binary the child of its own tests: HELPER names what it plays.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keep" { // what Start runs
		os.Exit(Keep())
	}
	if len(os.Args) > 1 && (os.Args[1] == "die-before" || os.Args[1] == "die-after") {
		keepUntil(os.Args[1] == "die-after")
	}
	switch os.Getenv("HELPER") {
	case "":
		os.Setenv("GORACE", "atexit_sleep_ms=0") // for keepers
		goleak.VerifyTestMain(m)
	case "deaf": // ignores SIGTERM
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Minute)
	case "group": // has a deaf child in its group
		spawn("deaf", nil)
		fmt.Println("group")
		time.Sleep(time.Minute)
	case "parent": // ends at once, the deaf child stays in the group
		spawn("deaf", nil)
		fmt.Println("parent")
	case "daemonize": // double fork with setsid: the middle one ends
		spawn("middle", &syscall.SysProcAttr{Setsid: true})
		fmt.Println("daemonize")
		time.Sleep(time.Minute)
	case "middle":
		spawn("deaf", &syscall.SysProcAttr{Setsid: true})
	}
}

func spawn(role string, sys *syscall.SysProcAttr) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "HELPER="+role)
	c.Stdout, c.Stderr, c.SysProcAttr = os.Stdout, os.Stderr, sys
	if err := c.Start(); err != nil {
		panic(err)
	}
	fmt.Println("pid", c.Process.Pid)
	if role == "middle" {
		c.Wait()
	}
}

func helper(t *testing.T, role string) Spec {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mark := "TEST_MARK=" + filepath.Join(t.TempDir(), role)
	return Spec{
		Path: exe, Env: append(os.Environ(), "HELPER="+role, "GORACE=atexit_sleep_ms=0", mark), Mark: mark,
		Log: filepath.Join(t.TempDir(), "log"), ID: 1, Run: t.TempDir(),
	}
}

func shell(t *testing.T, script string) Spec {
	t.Helper()
	return Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(), Log: filepath.Join(t.TempDir(), "log"), ID: 1, Run: t.TempDir()}
}

func start(t *testing.T, s Spec) *Process {
	t.Helper()
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	p.patience = slack
	t.Cleanup(func() {
		if rep := stop(t, context.Background(), p, nil, Ladder{Kill: slack}); len(rep.Survivors) > 0 {
			t.Errorf("left behind: %v", rep.Survivors)
		}
		<-p.Done()
		<-p.gone
	})
	return p
}

func stop(t *testing.T, ctx context.Context, p *Process, ask func(context.Context) error, l Ladder) Report {
	t.Helper()
	rep, err := p.Stop(ctx, ask, l)
	if err != nil {
		t.Error("stop:", err)
	}
	return rep
}

func wait(t *testing.T, p *Process) Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(slack):
		t.Fatal("the child did not end")
	}
	return p.Exit()
}

// logged waits for a line in the child's log and returns the log.
func logged(t *testing.T, s Spec, line string) string {
	t.Helper()
	for end := time.Now().Add(slack); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(s.Log)
		if strings.Contains("\n"+string(text), "\n"+line+"\n") {
			return string(text)
		}
	}
	text, _ := os.ReadFile(s.Log)
	t.Fatalf("no line %q in the log: %s", line, text)
	return ""
}

// childPids are the pids that helpers printed.
func childPids(log string) []int {
	var pids []int
	for line := range strings.Lines(log) {
		if n, ok := strings.CutPrefix(line, "pid "); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(n))
			pids = append(pids, pid)
		}
	}
	return pids
}

func running(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.alive()
}
