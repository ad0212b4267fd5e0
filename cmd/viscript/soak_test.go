//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// TestSoak runs for the time that SOAK says, as `make soak` does: the mesh demo is used, and beside
// it apps are started, stopped, crash and flood. At the end no process of ours has grown: neither in
// memory, nor in descriptors, threads or goroutines.
func TestSoak(t *testing.T) {
	text, ok := os.LookupEnv("SOAK")
	if !ok {
		t.Skip("it runs for minutes: make soak")
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	d := startDemo(t)
	operator, err := signal.DialOperator(t.Context(), socketPath(d.state))
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{demo: d, operator: operator}
	s.lives(t)
	began := time.Now()
	var first measures
	for round := 1; time.Since(began) < span; round++ {
		s.round(t)
		if first == nil && time.Since(began) > span/5 { // caches and pools are filled
			first = s.measure(t)
		}
		if t.Failed() {
			t.Fatalf("in round %d, after %v", round, time.Since(began))
		}
	}
	s.end(t)
	if first == nil {
		t.Fatalf("%v is too short for a second look", span)
	}
	last := s.settled(t, first)
	for name, f := range first {
		l := last[name]
		t.Logf("%-12s %v -> %v", name, f, l)
		if why := f.grew(l); why != "" {
			t.Errorf("%s grew: %s: %v, later %v", name, why, f, l)
		}
	}
	t.Logf("%d starts and %d fetches in %v", s.starts, s.fetches, time.Since(began).Round(time.Second))
}

type soak struct {
	*demo
	operator        *signal.Operator
	loops, floods   signal.App // they run all the time
	starts, fetches int
}

// lives starts what crashes and floods all the time.
func (s *soak) lives(t *testing.T) {
	t.Helper()
	loop := signal.StartRequest{App: "loops", Path: "/bin/sh", Args: []string{"-c", "sleep 0.2; exit 3"}}
	loop.Policy = signal.Policy{
		Restart: signal.RestartAlways,
		Backoff: signal.Backoff{Min: signal.Duration(500 * time.Millisecond), Max: signal.Duration(time.Second)},
	}
	flood := signal.StartRequest{App: "floods", Path: "/bin/sh", Args: []string{"-c", "while :; do seq 100000; sleep 0.5; done"}}
	flood.Policy.Log = signal.LogCaps{Size: 1 << 20, Count: 2}
	s.loops, s.floods = s.begin(t, loop), s.begin(t, flood)
}

func (s *soak) begin(t *testing.T, r signal.StartRequest) signal.App {
	t.Helper()
	ctx, cancel := within(t.Context())
	defer cancel()
	a, err := s.operator.Start(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	s.starts++
	return a
}

// round is a few seconds of use.
func (s *soak) round(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	for _, text := range []string{"exec sleep 600", "setsid sleep 600 & sleep 600", `trap "" TERM; sleep 600 & wait; wait`, "exit 0", "kill -STOP $$"} {
		r := signal.StartRequest{App: "guest", Path: "/bin/sh", Args: []string{"-c", text}}
		r.Policy.StopAfter = signal.Duration(200 * time.Millisecond)
		a := s.begin(t, r)
		if rep, err := s.operator.Stop(ctx, a.ID); err != nil || len(rep.Survivors) > 0 {
			t.Errorf("stopping %q: %+v, %v", text, rep, err)
		}
	}
	eventuallyTrue(t, "a fetch through the mesh", s.works)
	s.fetches++
	eventuallyTrue(t, "all members of the demo are ready", func() error {
		list, err := s.operator.List(ctx)
		ready := 0
		for _, a := range list {
			if a.State == signal.Ready {
				ready++
			}
		}
		if err != nil || ready != len(members) {
			return fmt.Errorf("%d are, %v", ready, err)
		}
		return nil
	})
	time.Sleep(500 * time.Millisecond)
}

// end stops what lives gave.
func (s *soak) end(t *testing.T) {
	ctx, cancel := within(t.Context())
	defer cancel()
	for _, a := range []signal.App{s.loops, s.floods} {
		if rep, err := s.operator.Stop(ctx, a.ID); err != nil || len(rep.Survivors) > 0 {
			t.Errorf("stopping %s: %+v, %v", a.App, rep, err)
		}
	}
}

// measure is what one process holds; goroutines 0: it does not tell.
type measure struct{ rss, files, threads, goroutines int }

type measures map[string]measure

func (m measure) String() string {
	return fmt.Sprintf("%d KiB, %d files, %d threads, %d goroutines", m.rss, m.files, m.threads, m.goroutines)
}

// grew tells what grew by more than caches and the moment explain.
func (m measure) grew(now measure) string {
	switch {
	case now.rss > m.rss*3/2+20<<10:
		return "memory"
	case now.files > m.files+10:
		return "files"
	case now.goroutines > m.goroutines+20:
		return "goroutines"
	case now.threads > m.threads+10:
		return "threads"
	}
	return ""
}

// measure looks at the daemon and at the members of the demo.
func (s *soak) measure(t *testing.T) measures {
	t.Helper()
	all := measures{"daemon": look(t, s.daemon.Process.Pid)}
	var rows []struct {
		ID         signal.ID
		Goroutines int
	}
	s.json(t, &rows, "top")
	goroutines := make(map[signal.ID]int)
	for _, r := range rows {
		goroutines[r.ID] = r.Goroutines
	}
	for _, name := range members {
		a, err := s.running(name)
		if err != nil {
			t.Fatal(err)
		}
		m := look(t, a.Pid)
		m.goroutines = goroutines[a.ID]
		all[name] = m
	}
	return all
}

// settled gives what is closing a moment.
func (s *soak) settled(t *testing.T, first measures) (last measures) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		last = s.measure(t)
		good := true
		for name, f := range first {
			good = good && f.grew(last[name]) == ""
		}
		if good || time.Now().After(end) {
			return last
		}
	}
}

func look(t *testing.T, pid int) (m measure) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	threads, _ := os.ReadDir(filepath.Join(dir, "task"))
	m.files, m.threads = len(files), len(threads)
	m.rss = statusOf(t, pid, "VmRSS:")
	return m
}
