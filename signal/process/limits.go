//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Mechanism is what enforces a limit.
type Mechanism string

// The mechanisms. NotHeld: nothing does.
const (
	NotHeld  Mechanism = ""
	ByCgroup Mechanism = "cgroup" // cgroups(7) version 2: the whole tree together
	ByRlimit Mechanism = "rlimit" // setrlimit(2): each process by itself
)

// Held says how one limit holds.
type Held struct {
	Limit string    `json:"limit"` // memory cpu pids files, with its value: memory 64MiB
	By    Mechanism `json:"by"`
	Note  string    `json:"note,omitempty"` // what it does not do, or why it does not hold
}

func (h Held) String() string {
	s := h.Limit + " by " + string(h.By)
	if h.By == NotHeld {
		s = h.Limit + " not applied"
	}
	if h.Note != "" {
		s += ": " + h.Note
	}
	return s
}

// HeldText is all of them on one line.
func HeldText(all []Held) string {
	texts := make([]string, len(all))
	for i, h := range all {
		texts[i] = h.String()
	}
	return strings.Join(texts, "; ")
}

// Unheld lists those that nothing enforces.
func Unheld(all []Held) []Held {
	var out []Held
	for _, h := range all {
		if h.By == NotHeld {
			out = append(out, h)
		}
	}
	return out
}

// Apply puts a process under limits: into the cgroup g, nil for none, and what g cannot
// hold under resource limits. What the process starts from then on inherits both. It says
// for each limit that is set what holds it.
func Apply(pid int, l signal.Limits, g *Cgroup) []Held {
	outside := errors.New("needs a delegated cgroup")
	if g != nil {
		outside = g.Add(pid)
	}
	var held []Held
	for _, w := range ways(pid, l, g) {
		if w.set {
			held = append(held, w.apply(outside))
		}
	}
	return held
}

// way is how one limit can be held, in order of preference.
type way struct {
	set    bool
	text   string
	cgroup func() error                    // nil: cgroups have nothing for it
	rlimit func() (note string, err error) // nil: setrlimit has nothing for it
}

func ways(pid int, l signal.Limits, g *Cgroup) []way {
	return []way{
		{
			l.Memory > 0, "memory " + signal.SizeText(l.Memory),
			func() error { return g.limitMemory(l.Memory) }, func() (string, error) { return limitData(pid, l.Memory) },
		},
		{l.CPU > 0, fmt.Sprintf("cpu %g cores", l.CPU), func() error { return g.limitCPU(l.CPU) }, nil},
		{
			l.Pids > 0, fmt.Sprintf("pids %d", l.Pids),
			func() error { return g.limitPids(l.Pids) }, func() (string, error) { return limitTasks(pid, l.Pids) },
		},
		{l.Files > 0, fmt.Sprintf("files %d", l.Files), nil, func() (string, error) { return limitFiles(pid, l.Files) }},
	}
}

// apply takes the first way that works; outside says why the process is in no cgroup.
func (w way) apply(outside error) Held {
	err := outside
	if w.cgroup != nil && err == nil {
		if err = w.cgroup(); err == nil {
			return Held{Limit: w.text, By: ByCgroup}
		}
	}
	if w.rlimit == nil {
		return Held{Limit: w.text, Note: err.Error()}
	}
	note, err := w.rlimit()
	if err != nil {
		return Held{Limit: w.text, Note: err.Error()}
	}
	return Held{Limit: w.text, By: ByRlimit, Note: note}
}

// StartLimited is os.StartProcess for a program that is under its limits before its first
// instruction: the kernel halts it behind exec (ptrace(2), PTRACE_TRACEME), the limits are
// applied, it goes on. Where tracing is forbidden the limits come a moment after the
// start, and held says so. A program with limits gains no rights by its set-user-ID bit.
func StartLimited(path string, argv []string, attr *os.ProcAttr, l signal.Limits, g *Cgroup) (*os.Process, []Held, error) {
	if l == (signal.Limits{}) && g == nil {
		p, err := os.StartProcess(path, argv, attr)
		return p, nil, err
	}
	runtime.LockOSThread() // whoever starts the child traces it
	defer runtime.UnlockOSThread()
	traced := *attr
	sys := syscall.SysProcAttr{}
	if attr.Sys != nil {
		sys = *attr.Sys
	}
	sys.Ptrace = true
	traced.Sys = &sys
	p, err := os.StartProcess(path, argv, &traced)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return startThenLimit(path, argv, attr, l, g)
	}
	if err != nil {
		return nil, nil, err
	}
	awaitTrap(p.Pid)
	held := Apply(p.Pid, l, g)
	if err := unix.PtraceDetach(p.Pid); err != nil && !errors.Is(err, syscall.ESRCH) {
		_ = p.Kill()
		_, _ = p.Wait()
		return nil, nil, fmt.Errorf("process: letting %s go on under its limits: %w", path, err)
	}
	return p, held, nil
}

func startThenLimit(path string, argv []string, attr *os.ProcAttr, l signal.Limits, g *Cgroup) (*os.Process, []Held, error) {
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return nil, nil, err
	}
	held := Apply(p.Pid, l, g)
	for i := range held {
		if held[i].By != NotHeld {
			held[i].Note = strings.TrimPrefix(held[i].Note+"; from a moment after the start", "; ")
		}
	}
	return p, held, nil
}

// trapWait bounds the wait for a halt that comes within microseconds of exec.
const trapWait = 30 * time.Second

// awaitTrap returns when the child stands behind exec, or has ended. It looks in /proc and
// leaves the notices of the halt and of the end to whoever reaps children.
func awaitTrap(pid int) {
	for end := time.Now().Add(trapWait); ; time.Sleep(50 * time.Microsecond) {
		late := time.Now().After(end)
		if s, err := readStat(pid); err != nil || s.stopped() || !s.alive() || late {
			return
		}
	}
}
