//go:build linux

package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// A child without its keeper is watched from afar: by its pidfd and the processes of the machine.

// openPidfd opens a process and makes sure that it is the one that is meant: the start time
// is read after, so the number cannot change hands in between. ESRCH: it has ended.
func openPidfd(id Identity) (int, error) {
	fd, err := unix.PidfdOpen(id.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return -1, err
	}
	s, err := readStat(id.Pid)
	if err == nil && s.Start == id.Start {
		return fd, nil
	}
	unix.Close(fd)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = syscall.ESRCH
	}
	return -1, err
}

func (p *Process) closePidfd() {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
	}
}

// withoutKeeper is what run does when the keeper has ended: in order, having told how the
// child ended, or killed.
func (p *Process) withoutKeeper() {
	if e, ok := p.at.readEnding(p.record); ok {
		p.conclude(e)
		p.change(func() { p.custody, p.empty = Over, true })
		return
	}
	p.mu.Lock()
	told := p.ending
	p.mu.Unlock()
	if told != nil { // and was killed before it could write
		if !p.replaced() {
			_ = p.at.writeEnding(*told)
		}
		p.change(func() { p.custody = Over })
		return
	}
	p.watchFromAfar()
}

// watchFromAfar waits for the end of a child that has no keeper.
func (p *Process) watchFromAfar() {
	p.change(func() { p.custody = Lost })
	close(p.lost)
	out := p.rescueOutput()
	defer out.leave()
	exit := Exit{Code: -1, Unknown: true, Why: "its keeper was killed, and it ended before anybody could look"}
	if p.pidfd >= 0 {
		if p.awaitEnd() != nil || p.ctx.Err() != nil {
			return // released
		}
		exit = exitFromAfar(p.pidfd, p.record.App)
		exit.Ran = ranUntilNow(p.record.App)
	}
	out.settle()
	exit.At = time.Now()
	p.rememberGroup()
	if !p.replaced() {
		_ = p.at.writeEnding(Ending{App: p.record.App, Boot: p.record.Boot, Exit: exit})
	}
	p.finish(exit)
	p.change(func() { p.custody = Over })
}

// awaitEnd returns nil when the child has ended, whoever its parent is.
func (p *Process) awaitEnd() error {
	fd, err := unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	stopped := make(chan struct{})
	f := os.NewFile(uintptr(fd), "pidfd")
	stop := context.AfterFunc(p.ctx, func() {
		_ = f.SetReadDeadline(time.Unix(1, 0))
		close(stopped)
	})
	defer f.Close()
	defer stop()
	return awaitReadable(f)
}

// awaitPidfd returns when the process of a pidfd, which it closes, has ended.
func awaitPidfd(fd int) {
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	_ = awaitReadable(f)
}

// awaitReadable waits in the runtime's poller: a thousand children cost no thread. A pidfd is
// readable when its process has ended.
func awaitReadable(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return n > 0 || err != nil && err != unix.EINTR && err != unix.EAGAIN
	})
}

// reapTime is how long whoever adopted the child may take to reap it, where the kernel tells
// its exit code only after that.
const reapTime = 5 * time.Second

// exitFromAfar tells how a process ended that is no child of ours: by its stat line until its
// new parent reaps it, and then by its pidfd (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15).
func exitFromAfar(pidfd int, id Identity) Exit {
	for end := time.Now().Add(reapTime); ; time.Sleep(lockLook) {
		status, known, reaped := zombieStatus(id)
		if known {
			return exitStatus(status)
		}
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		err := unix.IoctlPidfdInfo(pidfd, &info)
		switch {
		case err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0:
			return exitStatus(syscall.WaitStatus(info.Exit_code))
		case reaped, err != nil && err != unix.ESRCH, time.Now().After(end): // an older kernel
			return Exit{Code: -1, Unknown: true, Why: "its keeper was killed, and this kernel does not tell"}
		}
	}
}

// zombieStatus reads how a process ended that waits to be reaped (proc(5), exit_code). Who may
// not look at the process is shown 0 there.
func zombieStatus(id Identity) (status syscall.WaitStatus, known, reaped bool) {
	dir := "/proc/" + strconv.Itoa(id.Pid)
	line, err := readSmall(dir+"/stat", maxStat)
	if err != nil {
		return 0, false, errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	}
	s, err := parseStat(line)
	if err == nil && s.Start != id.Start {
		return 0, false, true
	}
	code, ok := exitCode(line)
	if err != nil || s.alive() || !ok {
		return 0, false, false
	}
	if code == 0 {
		// The same right decides on both: a zombie has no folder that could be named.
		_, err := os.Readlink(dir + "/cwd")
		ok = errors.Is(err, os.ErrNotExist)
	}
	return syscall.WaitStatus(code), ok, false
}

// rememberGroup notes who is left in the group while its number cannot yet have been
// used again: a group's number stays taken while it has members.
func (p *Process) rememberGroup() {
	t, err := p.reader.After(time.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.tree.members(t)
	}
	p.tree.group = 0
}

// afar makes a child without keeper the target of a ladder.
type afar struct{ *Process }

func (a afar) over() <-chan struct{}      { return a.done }
func (a afar) emptied() <-chan struct{}   { return nil }
func (a afar) termSignal() syscall.Signal { return syscall.SIGTERM }

// signalGroup is false: the child may be reaped, and its number given away, at any moment. Each
// member is signalled by itself.
func (a afar) signalGroup(syscall.Signal) bool { return false }

// alive lists what runs of the tree, marked orphans included. The child counts until its
// end is known.
func (a afar) alive() []Stat {
	var left []Stat
	t, err := a.reader.After(time.Now())
	if err != nil { // no descriptors left, say: be sure of the child at least
		if !a.soonOver() {
			left = append(left, Stat{Pid: a.Pid(), State: 'R', Start: a.StartTicks()})
		}
		return left
	}
	a.findMarked(t)
	for _, s := range a.members(t) {
		if s.alive() {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		if s, ok := a.tree.root.in(t); ok && !a.soonOver() {
			left = append(left, s)
		}
	}
	return left
}

// soonOver gives the goroutine that watches a moment.
func (a afar) soonOver() bool {
	select {
	case <-a.done:
		return true
	case <-time.After(lastLook):
		return false
	}
}

// stopFromAfar climbs the ladder ourselves.
func (p *Process) stopFromAfar(ctx context.Context, ask func(context.Context) error, l Ladder) (Report, error) {
	p.mu.Lock()
	empty := p.empty
	p.mu.Unlock()
	rep := Report{Rung: Gone}
	if !empty {
		rep = reportOf(climb(ctx, afar{p}, ask, l))
	}
	if !rep.survived(p.Pid()) {
		if !p.awaitDone() {
			return rep, ErrReleased
		}
		rep.ExitCode = p.exit.Code
	}
	if rep.Rung != Gone {
		_ = p.at.writeEnding(Ending{App: p.record.App, Boot: p.record.Boot, Exit: p.exit, Stopped: true, Report: &rep})
	}
	return rep, nil
}

// maxEnviron bounds what is read of a process's first environment.
const maxEnviron = 256 << 10

// findMarked adds orphans that carry the mark: processes of our user that started after the
// child and whose parent is outside the tree.
func (p *Process) findMarked(t Table) {
	if p.record.Mark == "" {
		return
	}
	var found []Stat
	for _, s := range t.byPid {
		if s.Start < p.StartTicks() || !s.alive() || s.Pid == os.Getpid() {
			continue
		}
		if has, _ := marked(s, p.record.Mark); has {
			found = append(found, s)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range found {
		p.tree.remember(s, t.at)
	}
}

// marked looks for the mark in the first environment of a process; empty: it has none, or none yet.
func marked(s Stat, mark string) (has, empty bool) {
	env, err := readSmall("/proc/"+strconv.Itoa(s.Pid)+"/environ", maxEnviron)
	if err != nil {
		return false, errors.Is(err, io.EOF)
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if string(entry) == mark {
			return true, false
		}
	}
	return false, false
}

// SetWant records which state somebody asked for. A keeper that ends meanwhile is waited for: its
// record is then written here.
func (p *Process) SetWant(ctx context.Context, w Want) error {
	if err := p.amend(ctx, methodWant, w, func(r *Record) { r.Want = w }); err != nil {
		return fmt.Errorf("process: noting that id %d shall be %s: %w", p.at.id, w, err)
	}
	return nil
}

// SetRequest records another Spec.Request, JSON, for who adopts the child. Record does not show it.
func (p *Process) SetRequest(ctx context.Context, request []byte) error {
	raw := json.RawMessage(request)
	if err := p.amend(ctx, methodAsked, raw, func(r *Record) { r.Request = raw }); err != nil {
		return fmt.Errorf("process: noting what id %d is started with: %w", p.at.id, err)
	}
	return nil
}

var errNoAnswer = errors.New("its keeper does not answer")

// amend has the keeper change the record, or does it where there is none. A keeper that ends meanwhile is waited for.
func (p *Process) amend(ctx context.Context, method string, params any, change func(*Record)) error {
	for {
		peer, custody, changed := p.keeper()
		var err error
		switch {
		case peer != nil:
			p.wakeKeeper()
			if err = peer.Call(ctx, method, params, nil); !errors.Is(err, signal.ErrClosed) {
				return err
			}
		case custody == Unverified:
			return errNoAnswer
		case custody != Kept:
			return p.amendAlone(change)
		}
		select {
		case <-changed:
		case <-p.ctx.Done():
			return ErrReleased
		case <-ctx.Done():
			return errors.Join(errNoAnswer, ctx.Err(), err)
		}
	}
}

// amendAlone is for a child without a keeper.
func (p *Process) amendAlone(change func(*Record)) error {
	r, err := p.at.readRecord()
	if err != nil {
		return err
	}
	change(&r)
	return p.at.writeRecord(r)
}
