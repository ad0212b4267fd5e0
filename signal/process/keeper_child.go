//go:build linux

package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is the app of a keeper and all below it.
type child struct {
	id      Identity
	started time.Time
	term    syscall.Signal
	done    chan struct{} // closed when the app was reaped; exit is then set
	told    chan struct{} // closed when the daemon knows, after the last of the output
	empty   chan struct{} // closed when nothing of the tree is left
	exit    Exit

	// mu is held for each reaping, and for each signal to the group: the app's number is
	// ours until it is reaped. Guards reaped.
	mu     sync.Mutex
	reaped bool
}

// startChild starts the app in a session of its own. Its input is its terminal, or nothing.
func startChild(p startParams, output *os.File) (*child, []Held, error) {
	in := output
	if !p.Pty {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, nil, fmt.Errorf("process: starting %s: %w", p.Path, err)
		}
		defer null.Close()
		in = null
	}
	var cgroup *Cgroup
	if p.Cgroup != "" {
		cgroup = &Cgroup{dir: p.Cgroup, controllers: p.Controls}
	}
	handle, held, err := StartLimited(p.Path, append([]string{p.Path}, p.Args...), &os.ProcAttr{
		Dir: p.Dir, Env: p.Env, Files: []*os.File{in, output, output},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: p.Pty, Credential: p.Credential},
	}, p.Limits, cgroup)
	if err != nil {
		return nil, nil, startError(p.Path, err)
	}
	c := &child{
		started: time.Now(), term: syscall.SIGTERM,
		done: make(chan struct{}), told: make(chan struct{}), empty: make(chan struct{}),
	}
	if p.StopSignal > 0 {
		c.term = syscall.Signal(p.StopSignal)
	}
	// Nobody but us reaps it, so the pid is still the app's, if only as a zombie.
	stat, err := readStat(handle.Pid)
	if err != nil {
		_ = handle.Kill()
		return nil, nil, fmt.Errorf("process: starting %s: %w", p.Path, err)
	}
	c.id = Identity{handle.Pid, stat.Start}
	return c, held, handle.Release()
}

// reap takes the ends of children that have come; it is true when there are no children left.
// ended is called when the app's is among them.
func (c *child) reap(ended func()) (empty bool) {
	for {
		switch pid, err := c.reapOne(); {
		case err == syscall.ECHILD:
			close(c.empty)
			return true
		case err == syscall.EINTR:
		case err != nil || pid == 0:
			return false
		case pid == c.id.Pid:
			close(c.done)
			ended()
		}
	}
}

func (c *child) reapOne() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ws syscall.WaitStatus
	var ru syscall.Rusage
	pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, &ru)
	if err == nil && pid == c.id.Pid && !c.reaped {
		c.reaped = true
		c.exit = exitOf(ws, ru)
		c.exit.Ran = ranUntilNow(c.id)
	}
	return pid, err
}

func exitOf(ws syscall.WaitStatus, ru syscall.Rusage) Exit {
	e := exitStatus(ws)
	e.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	e.PeakRSS = uint64(ru.Maxrss) << 10
	return e
}

func exitStatus(ws syscall.WaitStatus) Exit {
	e := Exit{At: time.Now(), Code: ws.ExitStatus()}
	if ws.Signaled() {
		e.Code, e.Signal = 128+int(ws.Signal()), unix.SignalName(ws.Signal())
	}
	return e
}

// over, emptied, alive and signalGroup make a child the target of a ladder.
func (c *child) over() <-chan struct{}      { return c.done }
func (c *child) emptied() <-chan struct{}   { return c.empty }
func (c *child) termSignal() syscall.Signal { return c.term }

func (c *child) alive() []Stat {
	select {
	case <-c.empty:
		return nil
	default:
		return descendants(os.Getpid())
	}
}

// signalGroup signals the app's process group while its number is surely ours. It is false
// once the app was reaped.
func (c *child) signalGroup(sig syscall.Signal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.reaped && syscall.Kill(-c.id.Pid, sig) == nil
}

// maxTree bounds what is looked at of one tree at a time; a ladder comes again.
const maxTree = 1 << 16

// descendants lists the processes below pid that have not ended, those of every thread. The
// kernel keeps the lists of children (proc(5), CONFIG_PROC_CHILDREN); without them all of
// /proc is read.
func descendants(pid int) []Stat {
	var found []Stat
	seen := map[int]bool{pid: true}
	for line := []int{pid}; len(line) > 0 && len(found) < maxTree; {
		below, err := children(line[0])
		if err != nil && line[0] == pid {
			return descendantsInTable(pid)
		}
		line = line[1:]
		for _, child := range below {
			if seen[child] {
				continue
			}
			seen[child] = true
			line = append(line, child)
			if s, err := readStat(child); err == nil && s.alive() {
				found = append(found, s)
			}
		}
	}
	return found
}

// maxChildren bounds what is read of one list of children, in bytes.
const maxChildren = 1 << 20

func children(pid int) ([]int, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	var pids []int
	for _, task := range list(dir, -1) {
		f, err := os.Open(dir + "/" + task + "/children")
		if err != nil {
			return pids, err
		}
		text, err := readAtMost(f, maxChildren)
		f.Close()
		if err != nil {
			return pids, err
		}
		for _, word := range strings.Fields(text) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids, nil
}

func descendantsInTable(pid int) []Stat {
	t, err := ReadTable()
	if err != nil {
		return nil
	}
	var found []Stat
	for _, s := range t.byPid {
		depth := 0
		for up := s.Parent; up > 1 && depth < maxDepth; depth++ {
			if up == pid {
				if s.alive() {
					found = append(found, s)
				}
				break
			}
			up = t.byPid[up].Parent
		}
	}
	return found
}
