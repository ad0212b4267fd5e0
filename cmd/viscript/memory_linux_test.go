package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		s        string
		from, to uintptr
	}{{"00400000-009dd000", 0x400000, 0x9dd000}, {"4000-", 0, 0}, {"x-4000", 0, 0}, {"", 0, 0}} {
		if s := addresses(c.s); s != (span{c.from, c.to}) {
			t.Errorf("%q: %x", c.s, s)
		}
	}
}

// A program goes on after its executable was cut, also twice, in pieces of which each is small.
func TestCutExecutable(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("a kernel without large folios: ", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t, "self", "RssFile")
	for range 2 {
		cutExecutable()()
		if after := resident(t, "self", "RssFile"); after > before {
			t.Fatalf("%d KiB of files are resident, %d before", after, before)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		pieces := 0
		for line := range strings.Lines(string(maps)) {
			fields := strings.Fields(line)
			if len(fields) != 6 || fields[5] != exe || !strings.HasPrefix(fields[1], "r-") {
				continue
			}
			pieces++
			if s := addresses(fields[0]); s.to-s.from > pieceSize {
				t.Errorf("a mapping of %d bytes: %s", s.to-s.from, line)
			}
		}
		if pieces < 100 {
			t.Errorf("%d mappings", pieces)
		}
	}
}

// A daemon and a role that rest hold little: not what their start needed, and of their executable, which is 25 MB, what they use.
// The bounds are twice what there is.
func TestRestingMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it takes seconds until a start is forgotten, and the race detector its own memory; make plain runs this")
	}
	s := newSite(t, trackerConfig(t))
	if err := os.Symlink(s.path("viscript"), s.path("meshnet-run-apptracker")); err != nil {
		t.Fatal(err)
	}
	s.launch()
	if _, errs, code := s.exec("start", "apptracker"); code != exitOK {
		t.Fatal(errs)
	}
	apps, err := s.List(t.Context())
	if err != nil || len(apps) != 1 {
		t.Fatal(apps, err)
	}
	for _, p := range []struct {
		name       string
		pid        int
		anon, file int // KiB
	}{{"daemon", s.daemon.Process.Pid, 8 << 10, 9 << 10}, {"apptracker", apps[0].Pid, 9 << 10, 10 << 10}} {
		s.settle(p.name+" holds little", func() error {
			pid := strconv.Itoa(p.pid)
			if anon, file := resident(t, pid, "RssAnon"), resident(t, pid, "RssFile"); anon > p.anon || file > p.file {
				return fmt.Errorf("%d KiB of its own, %d of files", anon, file)
			}
			return nil
		})
		t.Logf("%s: %d KiB of its own, %d of files", p.name, resident(t, strconv.Itoa(p.pid), "RssAnon"), resident(t, strconv.Itoa(p.pid), "RssFile"))
	}
	if _, errs, code := s.exec("shutdown", "1"); code != exitOK {
		t.Error(errs)
	}
	s.quit()
}

// resident is a number of /proc/PID/status, in KiB.
func resident(t *testing.T, pid, what string) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, what+": %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Skip("this kernel does not tell " + what)
	return 0
}
