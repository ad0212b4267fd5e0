//go:build linux

package process

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

const statLine = "6559 (a) (b c) S 6546 6540 3669 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 5 0 91650 3133440 413 18446744073709551615 1 1 1 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 1 1 1 1 1 1 0\n"

func TestParseStat(t *testing.T) {
	got, err := parseStat([]byte(statLine))
	want := Stat{Pid: 6559, Parent: 6546, Group: 6540, Session: 3669, State: 'S', UserTicks: 11, SystemTicks: 22,
		ReapedTicks: 77, Threads: 5, Start: 91650, VirtualBytes: 3133440, RSSPages: 413}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	// The line is whole once the 24th field is there; numbers cut short are numbers too.
	whole := strings.Index(statLine, " 413")
	for n := range whole {
		if _, err := parseStat([]byte(statLine[:n])); !errors.Is(err, errStat) {
			t.Fatalf("%q: error %v, want errStat", statLine[:n], err)
		}
	}
	if self, err := readStat(os.Getpid()); err != nil || self.Parent != os.Getppid() || !self.alive() {
		t.Errorf("own stat %+v, %v", self, err)
	}
}

func TestExitCode(t *testing.T) {
	for line, want := range map[string]uint32{statLine: 0, strings.TrimSuffix(statLine, "0\n") + "10752\n": 10752} {
		if got, ok := exitCode([]byte(line)); !ok || got != want {
			t.Errorf("%q: %d, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "1 (", ") Z", strings.TrimSuffix(statLine, " 0\n"), strings.TrimSuffix(statLine, "0\n") + "x\n"} {
		if _, ok := exitCode([]byte(line)); ok {
			t.Errorf("%q has an exit code", line)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine))
	f.Add([]byte("1 () R"))
	f.Fuzz(func(t *testing.T, line []byte) {
		exitCode(line)
		if s, err := parseStat(line); err == nil && s.Pid <= 0 {
			t.Errorf("%q: pid %d", line, s.Pid)
		}
	})
}

func TestField(t *testing.T) {
	text := []byte("VmHWM:\t  12 kB\nnonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t7\nrchar:\n")
	for key, want := range map[string]uint64{"VmHWM:": 12, "voluntary_ctxt_switches:": 7, "rchar:": 0, "none:": 0} {
		if got := field(text, key); got != want {
			t.Errorf("%s %d, want %d", key, got, want)
		}
	}
}

// A made-up machine: 10 is the child, 11 its child; 20 is a stranger; 12 was adopted by init. All of them are
// above the highest pid that Linux gives out, so that none is this process.
func TestTreeByParentGroupAndMemory(t *testing.T) {
	const far = 1 << 23
	now := time.Now()
	table := func(stats ...Stat) Table {
		now = now.Add(time.Second)
		t := Table{at: now, byPid: map[int]Stat{}}
		for _, s := range stats {
			s.State = 'S'
			t.byPid[s.Pid] = s
		}
		return t
	}
	init := Stat{Pid: 1, Start: 1}
	keeper := Stat{Pid: far + 9, Parent: 1, Group: far + 9, Start: 90}
	kept := Stat{Pid: far + 13, Parent: far + 9, Group: far + 13, Start: 130}
	child := Stat{Pid: far + 10, Parent: 1, Group: far + 10, Start: 100}
	grand := Stat{Pid: far + 11, Parent: far + 10, Group: far + 11, Start: 110}
	adopted := Stat{Pid: far + 12, Parent: 1, Group: far + 10, Start: 120}
	stranger := Stat{Pid: far + 20, Parent: 1, Group: far + 20, Start: 50}
	r := newTree(Identity{far + 10, 100}, Identity{far + 9, 90})
	expect := func(what string, table Table, want ...int) {
		t.Helper()
		got := map[int]bool{}
		for _, s := range r.members(table) {
			got[s.Pid] = true
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		for _, pid := range want {
			if !got[far+pid] {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
	}
	expect("all", table(init, child, grand, adopted, stranger), 10, 11, 12)
	expect("below the keeper", table(init, keeper, child, grand, adopted, kept), 10, 11, 12, 13)
	expect("the keeper's pid used again", table(init, Stat{Pid: far + 9, Parent: 1, Start: 91}, child, grand, adopted, Stat{Pid: far + 14, Parent: far + 9, Start: 140}), 10, 11, 12)
	r.group = 0 // the child was reaped
	grand.Parent = 1
	expect("orphans remembered", table(init, grand, adopted, stranger), 11, 12)
	reused := Stat{Pid: far + 11, Parent: 1, Group: far + 11, Start: 500}
	expect("pid used again", table(init, reused, adopted, stranger), 12)
	expect("root's pid used again", table(init, Stat{Pid: far + 10, Parent: 1, Group: far + 10, Start: 900}, adopted), 12)
	young := Stat{Pid: far + 12, Parent: 1, Start: 2000}
	expect("child of a reused pid", table(init, young, Stat{Pid: far + 30, Parent: far + 12, Start: 1000}))
}
