//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// The flood, and what it may cost others; tests have five times the slack of what is promised:
// 10 MB of memory of the daemon, and pings of other apps under 50 ms. What single pings take is the machine's affair: the one in the
// middle counts.
const (
	floodLines  = 2_000_000 // of 100 bytes
	floodGrowth = 5 * 10 << 20
	floodPing   = 5 * 50 * time.Millisecond
)

// TestFlood prints 200 MB through one app: no line is lost or cut, and neither the daemon's memory
// nor another app feels it.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	s := newSite(t, map[string]any{"apps": map[string]any{
		"speaker": speaking("speaker"),
		"flood": script("flood", fmt.Sprintf("seq -f %%099.0f 0 %d; sleep 1000", floodLines-1), map[string]any{
			"log": map[string]any{"size": "1GiB", "count": 2},
		}),
	}})
	s.launch()
	speaker := s.start("speaker")
	pings := []time.Duration{s.ping(speaker.ID)}
	rss, began := s.rss(), time.Now()
	flood := s.start("flood")
	size := func() int64 {
		info, err := os.Stat(flood.Log)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for end := began.Add(4 * patience); size() < floodLines*100 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		pings = append(pings, s.ping(speaker.ID))
	}
	took := time.Since(began)
	growth := s.rss() - rss
	slices.Sort(pings)
	t.Logf("%.0f MB/s; the daemon grew by %d KiB; %d pings of another app: median %v, longest %v",
		float64(floodLines)*100/1e6/took.Seconds(), growth>>10, len(pings), pings[len(pings)/2], pings[len(pings)-1])
	if growth > floodGrowth {
		t.Errorf("the daemon grew by %d bytes", growth)
	}
	if p := pings[len(pings)/2]; p > floodPing {
		t.Errorf("pings of another app took %v", p)
	}
	wholeLines(t, flood.Log)
	s.stopAll()
	s.quit()
}

// wholeLines wants the lines of the flood, each of them once, and nothing else.
func wholeLines(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	want := bytes.Repeat([]byte{'0'}, 100)
	want[99] = '\n'
	for i := range floodLines {
		line, err := r.ReadSlice('\n')
		if !bytes.Equal(line, want) {
			t.Fatalf("line %d of the log is %q, %v", i, line, err)
		}
		for at := 98; at >= 0; at-- { // one more
			if want[at]++; want[at] <= '9' {
				break
			}
			want[at] = '0'
		}
	}
	if rest, _ := r.Peek(1); len(rest) > 0 {
		t.Error("there is more in the log than was printed")
	}
}

// TestEndlessFlood has four apps print without end, for YES_SECONDS, 5: the disk holds no more than
// the caps allow, the daemon answers, and the stop ends them.
func TestEndlessFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("floods for some seconds")
	}
	const files, bytesEach = 3, 1 << 20
	apps := map[string]any{"speaker": speaking("speaker")}
	for i := range 4 {
		name := fmt.Sprintf("yes%d", i)
		apps[name] = script(name, "yes | cat", map[string]any{"log": map[string]any{"size": fmt.Sprint(bytesEach), "count": files}})
	}
	s := newSite(t, map[string]any{"apps": apps})
	s.launch()
	speaker := s.start("speaker")
	rss := s.rss()
	for name := range apps {
		if name != "speaker" {
			s.start(name)
		}
	}
	var longest time.Duration
	var most int64
	for end := time.Now().Add(time.Duration(number(t, "YES_SECONDS", 5)) * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		longest = max(longest, s.ping(speaker.ID))
		most = max(most, s.logBytes())
	}
	growth := s.rss() - rss
	t.Logf("at most %d KiB of logs; the daemon grew by %d KiB; the longest ping took %v", most>>10, growth>>10, longest)
	// A line that began below the cap is written to its end.
	if limit := int64(4*files*(bytesEach+64<<10) + bytesEach); most > limit {
		t.Errorf("%d bytes of logs, the caps allow %d", most, limit)
	}
	if growth > floodGrowth {
		t.Errorf("the daemon grew by %d bytes", growth)
	}
	s.stopAll()
	s.quit()
}

// speaking is the entry of a configuration for an app that speaks signal.
func speaking(name string) map[string]any {
	return map[string]any{"path": name, "daemon": true, "stop_timeout": "1m"}
}

// start starts an app of the configuration; it waits for the one that speaks signal.
func (s *site) start(name string) signal.App {
	s.t.Helper()
	if out, errs, code := s.exec("start", name); code != exitOK {
		s.t.Fatalf("start %s: %s%s", name, out, errs)
	}
	ctx, cancel := within(s.t.Context())
	defer cancel()
	list, err := s.List(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	a := list[len(list)-1]
	if a.App != name {
		s.t.Fatalf("started %s: %+v", name, a)
	}
	if name == "speaker" {
		if err := s.WaitReady(ctx, a.ID); err != nil {
			s.t.Fatal(err)
		}
	}
	return a
}

// ping is how long an app takes to answer. The daemon waits two seconds for it, which a loaded machine may need for others: then it is
// asked once more, and all that time counts.
func (s *site) ping(id signal.ID) time.Duration {
	s.t.Helper()
	ctx, cancel := within(s.t.Context())
	defer cancel()
	began := time.Now()
	_, err := s.Ping(ctx, id)
	for signal.CodeOf(err) == signal.CodeTimeout && ctx.Err() == nil {
		_, err = s.Ping(ctx, id)
	}
	if err != nil {
		s.t.Error(err)
	}
	return time.Since(began)
}

// stopAll stops what runs, and wants nothing left of any.
func (s *site) stopAll() {
	s.t.Helper()
	ctx, cancel := within(s.t.Context())
	defer cancel()
	list, err := s.List(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range list {
		if rep, err := s.Stop(ctx, a.ID); err != nil || len(rep.Survivors) > 0 {
			s.t.Errorf("stopping %+v: %+v, %v", a, rep, err)
		}
	}
}

// rss is the memory of the daemon, in bytes.
func (s *site) rss() int64 { return int64(statusOf(s.t, s.daemon.Process.Pid, "VmRSS:")) << 10 }

// statusOf reads a number of /proc/PID/status.
func statusOf(t *testing.T, pid int, key string) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			fmt.Sscan(f[1], &n)
		}
	}
	return n
}

func (s *site) logBytes() (n int64) {
	files, _ := filepath.Glob(filepath.Join(s.state, "logs", "*"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}
