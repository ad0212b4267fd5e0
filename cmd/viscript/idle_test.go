//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// What a daemon, its keepers and its apps may use while nothing happens: 50 ms in 10 s for 20 apps; the
// test has five times the slack and looks for IDLE_SECONDS, 4, again and again while they use more: who is busy always is.
const (
	idleApps      = 20
	idlePerSecond = 5 * 5 * time.Millisecond
)

// TestIdle wants nobody to be busy while there is nothing to do.
func TestIdle(t *testing.T) {
	apps := map[string]any{"speaker": speaking("speaker")}
	for i := range idleApps - 1 {
		name := fmt.Sprintf("sleeps%d", i)
		apps[name] = script(name, "exec sleep 1000", map[string]any{"autostart": true})
	}
	s := newSite(t, map[string]any{"apps": apps})
	s.launch()
	s.ok("start", "speaker")
	s.settle("all run", func() error {
		list, err := s.List(t.Context())
		if err == nil && len(list) < idleApps {
			err = fmt.Errorf("%d of %d", len(list), idleApps)
		}
		for _, a := range list {
			if a.State != signal.Running && a.State != signal.Ready {
				err = fmt.Errorf("app %d is %s", a.ID, a.State)
			}
		}
		return err
	})
	time.Sleep(time.Second) // the collectors of garbage after the start
	span := time.Duration(number(t, "IDLE_SECONDS", 4)) * time.Second
	s.settle("nobody is busy", func() error {
		before, began := s.cpu(), time.Now()
		time.Sleep(span)
		used := s.cpu() - before
		t.Logf("%v of CPU in %v of doing nothing", used, time.Since(began))
		if most := idlePerSecond * (span / time.Second); used > most {
			return fmt.Errorf("%v of CPU in %v of doing nothing, want at most %v", used, span, most)
		}
		return nil
	})
	s.stopAll()
	s.quit()
}

// cpu is what the daemon and all that it started have used, by the scheduler's clock.
func (s *site) cpu() (sum time.Duration) {
	s.t.Helper()
	pids := []int{s.daemon.Process.Pid}
	for pid := range s.processes() {
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if len(tasks) == 0 {
			s.t.Fatalf("process %d has no times", pid)
		}
		for _, path := range tasks {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			var ns int64
			if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &ns); err != nil {
				s.t.Fatalf("%s: %q", path, text)
			}
			sum += time.Duration(ns)
		}
	}
	return sum
}
