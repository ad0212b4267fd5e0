//go:build linux

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

// startMany starts n apps at once and returns how long it took until all ran.
func startMany(t testing.TB, s *Server, n int, r sig.StartRequest) (apps []sig.App, took time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	apps = make([]sig.App, n)
	began := time.Now()
	for i := range n {
		all.Go(func() {
			v, err := s.Start(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			apps[i] = v
		})
	}
	all.Wait()
	return apps, time.Since(began)
}

// KEEPER names a command that runs keepers in place of the test binary, to measure the real one.
func keeperCommand(c *Config) {
	if k := os.Getenv("KEEPER"); k != "" {
		c.Keeper = strings.Fields(k)
	}
}

func TestTwoHundredAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 200 apps")
	}
	s := serve(t, keeperCommand)
	apps, took := startMany(t, s, 200, sig.StartRequest{App: "sleep", Path: "/bin/sleep", Args: []string{"600"}})
	t.Logf("200 starts at once took %v", took)
	if took > 10*slack {
		t.Errorf("200 starts took %v", took)
	}
	var private, rss uint64
	for _, v := range apps {
		if !runs(v.Pid) {
			t.Fatalf("app %d does not run", v.ID)
		}
		p, r := memoryOf(t, parentOf(t, v.Pid))
		private, rss = private+p, rss+r
	}
	own, all := memoryOf(t, os.Getpid())
	t.Logf("a keeper: %d KiB private, %d KiB resident; the server with 200: %d, %d", private/200, rss/200, own, all)
}

// Start after start leaves no zombie, descriptor, goroutine or file.
func TestStartsLeaveNothing(t *testing.T) {
	reapAll(t)
	s := serve(t, func(c *Config) { c.Limits.History = 5 })
	round := func() {
		for range 20 {
			v := launch(t, s, sig.StartRequest{App: "true", Path: "/bin/true"})
			_, r, err := s.current(v.ID)
			if err != nil {
				t.Fatal(err)
			}
			<-r.proc.Gone()
		}
	}
	count := func() [3]int {
		fds, _ := os.ReadDir("/proc/self/fd")
		files, _ := os.ReadDir(filepath.Join(s.cfg.Dir, runName))
		return [3]int{len(fds), runtime.NumGoroutine(), len(files)}
	}
	round()
	var base [3]int
	eventually(t, "it settles", func() bool { last := base; base = count(); return base == last })
	for range 5 {
		round()
	}
	eventually(t, "descriptors, goroutines and files are as before", func() bool {
		now := count()
		return now[0] <= base[0] && now[1] <= base[1] && now[2] <= base[2]
	})
	var ws syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func parentOf(t testing.TB, pid int) (parent int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Sscanf(string(text[strings.LastIndexByte(string(text), ')')+1:]), " %c %d", new(rune), &parent)
	return parent
}

// memoryOf is what a process has of its own, and in all, in KiB.
func memoryOf(t testing.TB, pid int) (private, resident uint64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Skip("no smaps_rollup:", err)
	}
	for line := range strings.Lines(string(text)) {
		var n uint64
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		fmt.Sscan(fields[1], &n)
		switch fields[0] {
		case "Private_Dirty:", "Private_Clean:":
			private += n
		case "Rss:":
			resident = n
		}
	}
	return private, resident
}
