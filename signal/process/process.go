//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Spec is what to start. Nothing is looked up: Path is absolute, Env is the whole environment.
type Spec struct {
	ID   uint64 // names the files of the run folder; the caller gives it to one run at a time
	Run  string // folder for lock, socket and record, mode 0700; absolute
	Path string
	Args []string // without the program's name
	Dir  string   // empty: the caller's
	Env  []string
	Log  string // file that takes standard output and error, made 0600, appended to; empty: /dev/null
	// Caps bound the log; zero: 10 MiB in each of 5 files.
	Caps signal.LogCaps
	// Mark is an entry of Env that no other tree carries, KEY=VALUE. Processes that were
	// orphaned unseen and left the group are found by it when the keeper has been killed.
	Mark string
	Pty  bool              // a terminal of its own for input and output, in place of nothing and pipes
	Size signal.WindowSize // of the terminal; zero: whatever the kernel has
	// Limits hold for the whole tree, in Cgroup where that is not nil.
	Limits     signal.Limits
	Cgroup     *Cgroup
	Credential *syscall.Credential // nil: the caller's user
	StopSignal syscall.Signal      // in place of SIGTERM; 0: SIGTERM
	// Ladder is for a keeper that is itself asked to end, by SIGTERM; zero: 5 s a rung.
	Ladder Ladder
	// Request is the caller's own record of what this is; Adopt gives it back.
	Request json.RawMessage
	// Keeper is a command that runs Keep; nil: this executable with the argument keep.
	Keeper []string
	// Reader is shared with other processes; nil: one of its own.
	Reader *Reader
}

// Exit is how a child ended.
type Exit struct {
	Code    int           `json:"code"`             // 128+n when signal n ended it; -1 when Unknown
	Signal  string        `json:"signal,omitempty"` // the signal's name, SIGKILL; empty when it returned by itself
	Unknown bool          `json:"unknown,omitempty"`
	Why     string        `json:"why,omitempty"` // it is unknown
	At      time.Time     `json:"at"`            // when it was noticed, a moment after it happened
	Ran     time.Duration `json:"ran,omitempty"` // from the start until then, by the clock since boot; 0: not known
	CPU     time.Duration `json:"cpu,omitempty"`
	PeakRSS uint64        `json:"peak_rss,omitempty"` // bytes
}

// Custody says who looks after a child.
type Custody int

// The kinds of custody.
const (
	Kept       Custody = iota // its keeper
	Lost                      // nobody: its keeper was killed. It is watched from afar, its output is lost
	Over                      // it has ended, and so has its keeper
	Unverified                // nobody knows whether it is what the record says: it is left alone
)

// Process is a started child. Its methods may be called from several goroutines.
type Process struct {
	at      place
	record  Record // but for Want
	reader  *Reader
	pidfd   int // of the child, -1 for none; closed by run
	done    chan struct{}
	lost    chan struct{} // closed when the keeper was lost while the child ran
	known   chan struct{} // closed when the child is verified
	ctx     context.Context
	release context.CancelFunc
	gone    chan struct{} // closed when run has returned

	patience time.Duration // keeperPatience

	judged     chan struct{} // closed when resolve knows
	judgedOnce sync.Once

	mu       sync.Mutex // guards the following
	tree     tree
	exit     Exit
	custody  Custody
	why      string       // it is unverified
	peer     *signal.Peer // of the keeper, nil while there is no connection
	empty    bool         // nothing of the tree is left, by the keeper's word
	stopping bool         // a ladder was under way when it was adopted
	ending   *Ending
	missed   uint64 // bytes the log does not have
	held     []Held
	maxCPU   time.Duration
	terminal *os.File      // the keeper's side of the child's terminal, held so that both outlive the keeper; nil: none
	changed  chan struct{} // closed, and replaced, when custody or peer change
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

// newProcess is a process that run has not been called for.
func newProcess(at place, r Record, reader *Reader) *Process {
	if reader == nil {
		reader = new(Reader)
	}
	p := &Process{
		at: at, record: r, reader: reader, pidfd: -1, patience: keeperPatience,
		done: make(chan struct{}), lost: make(chan struct{}), known: make(chan struct{}), gone: make(chan struct{}), judged: make(chan struct{}),
		tree: newTree(r.App, r.Keeper), changed: make(chan struct{}),
	}
	p.ctx, p.release = context.WithCancel(context.Background()) // ended by Release
	return p
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

// Pid of the child; it may belong to a stranger once Done is closed. 0 when it is not known.
func (p *Process) Pid() int { return p.record.App.Pid }

// StartTicks is the child's start time in clock ticks after boot. With the pid it names
// the process until the next boot.
func (p *Process) StartTicks() uint64 { return p.record.App.Start }

// Started is the wall clock time of the start.
func (p *Process) Started() time.Time { return p.record.Started }

// Record is what the keeper wrote at the start; its Want may have changed since.
func (p *Process) Record() Record { return p.record }

// Done is closed when the child has ended, with the last of its output in the log. Its
// descendants may live on.
func (p *Process) Done() <-chan struct{} { return p.done }

// KeeperLost is closed when the child lives on without its keeper.
func (p *Process) KeeperLost() <-chan struct{} { return p.lost }

// Known is closed when the child is verified, which it is from the start unless Adopt found
// it Unverified.
func (p *Process) Known() <-chan struct{} { return p.known }

// Custody says who looks after the child, and for Unverified, why.
func (p *Process) Custody() (Custody, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.custody, p.why
}

// Exit tells how the child ended; it blocks until it has.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Stopping tells whether an adopted child was being stopped when it was found, and by now
// how that went, if the tree has ended: nil until then.
func (p *Process) Stopping() (bool, *Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending != nil {
		return p.ending.Stopped, p.ending.Report
	}
	return p.stopping, nil
}

// Missed is how many bytes of output the log does not have, because the disk was full or slow.
func (p *Process) Missed() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missed
}

// Held says what enforces the limits.
func (p *Process) Held() []Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *Process) ended() (Exit, bool) {
	select {
	case <-p.done:
		return p.exit, true
	default:
		return Exit{}, false
	}
}

// finish sets how the child ended, once.
func (p *Process) finish(e Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, over := p.ended(); !over {
		p.exit = e
		close(p.done)
	}
}

// Release gives up the connection to the keeper and returns when nothing of ours watches the
// child any more. The child runs on. Done is not closed by it. When the child has ended, its
// keeper, which is about to, gets a second for it.
func (p *Process) Release() {
	if _, over := p.ended(); over {
		select {
		case <-p.gone:
		case <-time.After(releaseTime):
		}
	}
	p.release()
	<-p.gone
}

const releaseTime = time.Second

// Contains tells whether pid belongs to the tree now: the child, a descendant, a member
// of its process group, or a process found in the tree before.
func (p *Process) Contains(pid int) bool {
	line := ancestors(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.custody == Unverified {
		return false
	}
	for i, s := range line {
		id := Identity{s.Pid, s.Start}
		_, seen := p.tree.seen[id]
		if seen || id == p.tree.root || p.tree.group > 0 && s.Group == p.tree.group || i > 0 && id == p.tree.keeper {
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
	if holds(p.Pid(), want) && p.Contains(p.Pid()) {
		return true
	}
	t, err := p.reader.After(time.Now())
	if err != nil {
		return false
	}
	for _, s := range p.members(t) {
		if s.Pid != p.Pid() && s.alive() && holds(s.Pid, want) {
			return true
		}
	}
	return false
}

// holds looks through the descriptors of one process.
func holds(pid int, link string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
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
	if p.custody == Unverified || p.empty {
		return nil
	}
	return p.tree.members(t)
}

// Leftovers are the processes of the tree that run after the child itself has ended.
func (p *Process) Leftovers(t Table) []int {
	var pids []int
	for _, s := range p.members(t) {
		if s.alive() && s.Pid != p.Pid() {
			pids = append(pids, s.Pid)
		}
	}
	return pids
}

// Gone is closed when nothing watches the child any more: it and its keeper have ended, or it
// was released.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Say puts a line into the log, beside what the child prints; false when the keeper cannot.
func (p *Process) Say(ctx context.Context, line string) bool {
	peer, _, _ := p.keeper()
	return peer != nil && peer.Notify(ctx, methodSay, signal.LogParams{Line: line}) == nil
}
