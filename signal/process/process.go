package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Spec is what to start. Nothing is looked up: Path is absolute, Env is the whole environment.
type Spec struct {
	Path string
	Args []string // without the program's name
	Dir  string   // empty: the caller's
	Env  []string
	Log  string // file that takes standard output and error, made 0600, appended to; empty: /dev/null
	// Mark is an entry of Env that no other tree carries, KEY=VALUE. Processes that were
	// orphaned unseen and left the group are found by it when the tree is stopped.
	Mark string
	// Reader is shared with other processes; nil: one of its own.
	Reader *Reader
}

// Exit is how a child ended.
type Exit struct {
	Code    int       // 128+n when signal n ended it
	Signal  string    // the signal's name, SIGKILL; empty when it returned by itself
	At      time.Time // when it was noticed, a moment after it happened
	CPU     time.Duration
	PeakRSS uint64 // bytes
}

// Process is a started child. Its methods may be called from several goroutines.
type Process struct {
	pid     int
	spec    Spec
	started time.Time
	done    chan struct{} // closed after exit is set, by the one goroutine that waits

	mu     sync.Mutex // guards the following
	tree   tree
	exit   Exit
	maxCPU time.Duration
}

// Check tells why s cannot be started, naming the file, before anything is made for it.
func Check(s Spec) error {
	if !filepath.IsAbs(s.Path) {
		return fmt.Errorf("process: program %q: the path must be absolute", s.Path)
	}
	info, err := os.Stat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("process: program %s: no such file", s.Path)
	case err != nil:
		return fmt.Errorf("process: program %s: %w", s.Path, err)
	case info.IsDir():
		return fmt.Errorf("process: program %s: is a folder", s.Path)
	case unix.Access(s.Path, unix.X_OK) != nil:
		return fmt.Errorf("process: program %s: not executable", s.Path)
	}
	if s.Dir == "" {
		return nil
	}
	info, err = os.Stat(s.Dir)
	if err == nil && !info.IsDir() {
		err = errors.New("not a folder")
	}
	if err != nil {
		return fmt.Errorf("process: working folder %s: %w", s.Dir, err)
	}
	return nil
}

// Start runs s as a child in a process group of its own, with /dev/null as input. The
// child is reaped by itself; a child that outlives the caller goes on, its log with it.
func Start(s Spec) (*Process, error) {
	if err := Check(s); err != nil {
		return nil, err
	}
	in, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("process: starting %s: %w", s.Path, err)
	}
	defer in.Close()
	out, err := openLog(s.Log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if s.Reader == nil {
		s.Reader = new(Reader)
	}
	pidfd := -1
	child, err := os.StartProcess(s.Path, append([]string{s.Path}, s.Args...), &os.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: []*os.File{in, out, out},
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	})
	if err != nil {
		return nil, startError(s.Path, err)
	}
	p := &Process{pid: child.Pid, spec: s, started: time.Now(), done: make(chan struct{})}
	// Nobody else reaps it, so the pid is still the child's, if only as a zombie.
	stat, err := readStat(child.Pid)
	p.tree = newTree(child.Pid, stat.Start)
	if err != nil {
		err = errors.Join(fmt.Errorf("process: starting %s: %w", s.Path, err), child.Kill())
	}
	go p.watch(child, pidfd)
	if err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// openLog opens the log for appending, so that several writers' lines do not overwrite
// each other. A link in its place is refused.
func openLog(path string) (*os.File, error) {
	flags := os.O_WRONLY | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW
	if path == "" {
		path, flags = os.DevNull, os.O_WRONLY
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("process: opening the log: %w", err)
	}
	return f, nil
}

// startError puts the kernel's two riddles into words.
func startError(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("process: program %s: not a program this machine can run (a script needs a first line #!)", path)
	case errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("process: program %s: its interpreter is missing: %w", path, err)
	}
	return fmt.Errorf("process: starting %s: %w", path, err)
}

// Pid of the child; it may belong to a stranger once Done is closed.
func (p *Process) Pid() int { return p.pid }

// StartTicks is the child's start time in clock ticks after boot. With the pid it names
// the process until the next boot.
func (p *Process) StartTicks() uint64 { return p.tree.root.start }

// Started is the wall clock time of the start.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the child has ended and was reaped. Its descendants may live on.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit tells how the child ended; it blocks until it has.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

func (p *Process) ended() (Exit, bool) {
	select {
	case <-p.done:
		return p.exit, true
	default:
		return Exit{}, false
	}
}

// watch reaps the child. Between its end and the reaping nobody else can have its pid,
// and signal takes the same lock: the group is only signalled while the number is ours.
func (p *Process) watch(child *os.Process, pidfd int) {
	awaitExit(child.Pid, pidfd)
	p.mu.Lock()
	state, err := child.Wait()
	p.exit = exitOf(state, err)
	left := syscall.Kill(-p.pid, 0) == nil
	if !left {
		p.tree.group = 0 // an empty group's number may be given to strangers
	}
	p.mu.Unlock()
	if left {
		p.rememberGroup()
	}
	close(p.done)
}

// rememberGroup notes who is left in the group while its number cannot yet have been
// used again: a group's number stays taken while it has members.
func (p *Process) rememberGroup() {
	t, err := p.spec.Reader.After(p.exit.At)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.tree.members(t)
	}
	p.tree.group = 0
}

// awaitExit returns when the process has ended, without reaping it. The pidfd waits in
// the runtime's poller: a thousand children cost no thread.
func awaitExit(pid, pidfd int) {
	if pidfd >= 0 && awaitPidfd(pidfd) == nil {
		return
	}
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

func awaitPidfd(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err == unix.EAGAIN || err == unix.EINTR {
			return false
		}
		failed = err
		return err != nil || info.Signo != 0
	})
	return errors.Join(err, failed)
}

func exitOf(state *os.ProcessState, err error) Exit {
	e := Exit{At: time.Now(), Code: -1}
	if err != nil {
		return e
	}
	e.Code, e.CPU = state.ExitCode(), state.UserTime()+state.SystemTime()
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		e.PeakRSS = uint64(ru.Maxrss) << 10
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Code, e.Signal = 128+int(ws.Signal()), unix.SignalName(ws.Signal())
	}
	return e
}

// Contains tells whether pid belongs to the tree now: the child, a descendant, a member
// of its process group, or a process found in the tree before.
func (p *Process) Contains(pid int) bool {
	line := ancestors(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range line {
		id := identity{s.Pid, s.Start}
		_, seen := p.tree.seen[id]
		if seen || id == p.tree.root || p.tree.group > 0 && s.Group == p.tree.group {
			return true
		}
	}
	return false
}

// ancestors lists the process, its parent, and so on, as far as they can be trusted: a
// parent that started after its child is a stranger who got the number meanwhile.
func ancestors(pid int) []Stat {
	var line []Stat
	for pid > 1 && len(line) < maxDepth {
		s, err := readStat(pid)
		if n := len(line); err != nil || n > 0 && s.Start > line[n-1].Start {
			break
		}
		line = append(line, s)
		pid = s.Parent
	}
	return line
}

// maxDepth bounds the walk from a process to its ancestors.
const maxDepth = 128

// HasSocket tells whether a process of the tree holds the socket with this inode number.
func (p *Process) HasSocket(inode uint32) bool {
	want := fmt.Sprintf("socket:[%d]", inode)
	if holds(p.pid, want) && p.Contains(p.pid) {
		return true
	}
	t, err := p.spec.Reader.After(time.Now())
	if err != nil {
		return false
	}
	for _, s := range p.members(t) {
		if s.Pid != p.pid && s.alive() && holds(s.Pid, want) {
			return true
		}
	}
	return false
}

// holds looks through the descriptors of one process.
func holds(pid int, link string) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	for _, name := range list(dir, -1) {
		if to, err := os.Readlink(dir + "/" + name); err == nil && to == link {
			return true
		}
	}
	return false
}

// members finds the tree in t.
func (p *Process) members(t Table) []Stat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tree.members(t)
}

// Leftovers are the processes of the tree that run after the child itself has ended.
func (p *Process) Leftovers(t Table) []int {
	var pids []int
	for _, s := range p.members(t) {
		if s.alive() && s.Pid != p.pid {
			pids = append(pids, s.Pid)
		}
	}
	return pids
}
