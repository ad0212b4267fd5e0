//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// lockPatience is how long a start waits for the keeper of the run before to end.
const lockPatience = 5 * time.Second

// Start runs s as the child of a new keeper. The error says which file is wrong; ErrHeld is
// in its chain when the id has a keeper already. Call Release, or wait for the end, to be
// rid of what watches it.
func Start(s Spec) (*Process, error) {
	if err := Check(s); err != nil {
		return nil, err
	}
	if s.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("process: working folder: %w", err)
		}
		s.Dir = dir
	}
	at := place{s.Run, s.ID}
	lock, err := at.lock(lockPatience)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	frames, pid, err := startKeeper(s, lock)
	if err == nil {
		var answer startAnswer
		if answer, err = converse(frames, s); err == nil {
			return begin(at, answer, s.Reader, frames), nil
		}
		frames.Close()
		reapKeeper(Identity{Pid: pid})
		if p := startedAll(at, err, pid, s.Reader); p != nil {
			return p, nil
		}
	}
	return nil, errors.Join(err, remove(at.path(lockExt)))
}

// begin watches what was just started.
func begin(at place, a startAnswer, reader *Reader, frames *signal.Frames) *Process {
	p := newProcess(at, a.Record, reader)
	p.held = a.Held
	p.pidfd, _ = openPidfd(a.Record.App)
	p.verified(Kept)
	go p.run(frames)
	return p
}

var errKeeperGone = errors.New("its keeper ended or did not answer")

// bornWait is how long a program whose keeper was killed may be on its way to its first
// instruction, before which it does not have its mark.
const bornWait = 200 * time.Millisecond

// startedAll looks for what a keeper started that was killed before it could tell; nil: nothing.
// The caller holds the lock.
func startedAll(at place, err error, keeper int, reader *Reader) *Process {
	if !errors.Is(err, errKeeperGone) {
		return nil
	}
	for end := time.Now().Add(bornWait); ; time.Sleep(4 * lockLook) {
		late := time.Now().After(end)
		r, err := at.readRecord()
		if err != nil || r.Keeper.Pid != keeper {
			return nil
		}
		if s, readErr := readStat(keeper); readErr == nil && s.Start == r.Keeper.Start && s.alive() {
			return nil // it only does not answer
		}
		if _, found, _ := findStarted(r); found || r.App.Pid > 0 {
			p, err := adoptAlone(at, reader)
			if err == nil && p != nil {
				_ = remove(at.path(socketExt))
				_ = remove(at.path(lockExt))
				return p
			}
			return nil
		}
		if late {
			return nil
		}
	}
}

// startKeeper starts the keeper in a session of its own, with one end of a socket pair and
// the lock.
func startKeeper(s Spec, lock *os.File) (*signal.Frames, int, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("process: connecting to the keeper: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "keeper"), os.NewFile(uintptr(fds[1]), "daemon")
	defer ours.Close()
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("process: starting the keeper: %w", err)
	}
	defer null.Close()
	troubles, err := os.OpenFile(filepath.Join(s.Run, keeperLog), os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("process: starting the keeper: %w", err)
	}
	defer troubles.Close()
	command := s.Keeper
	if command == nil {
		command = []string{ownProgram, "keep"}
	}
	argv := append([]string{"viscript"}, command[1:]...)
	keeper, err := os.StartProcess(command[0], append(argv, strconv.FormatUint(s.ID, 10)), &os.ProcAttr{
		Dir: "/", Env: keeperEnv(),
		Files: []*os.File{null, null, troubles, theirs, lock},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, 0, fmt.Errorf("process: starting the keeper %s: %w", command[0], err)
	}
	pid := keeper.Pid
	_ = keeper.Release() // reapKeeper does it
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, 0, fmt.Errorf("process: connecting to the keeper: %w", err)
	}
	return signal.NewFrames(conn), pid, nil
}

// ownProgram is this very program, also when its file has been replaced meanwhile: daemon
// and keeper then speak the same protocol.
const ownProgram = "/proc/self/exe"

// keeperEnv is small, and makes the keeper's runtime so.
func keeperEnv() []string {
	env := []string{"GOMAXPROCS=1", "GOTRACEBACK=single"}
	for _, name := range []string{"GORACE", "GOCOVERDIR", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// converse tells the keeper what to start and hears how that went.
func converse(frames *signal.Frames, s Spec) (a startAnswer, err error) {
	p := startParams{
		ID: s.ID, Run: s.Run, Path: s.Path, Args: s.Args, Dir: s.Dir, Env: s.Env,
		Log: s.Log, Caps: s.Caps, Mark: s.Mark, Pty: s.Pty, Size: s.Size,
		Limits: s.Limits, Credential: s.Credential, StopSignal: int(s.StopSignal), Ladder: s.Ladder, Request: s.Request,
	}
	if p.Ladder == (Ladder{}) {
		p.Ladder = Ladder{Term: 5 * time.Second, Kill: 5 * time.Second}
	}
	if s.Cgroup != nil {
		p.Cgroup, p.Controls = s.Cgroup.dir, s.Cgroup.controllers
	}
	frame, err := json.Marshal(p)
	if err == nil {
		frames.SetWriteTimeout(startPatience)
		_ = frames.SetReadDeadline(time.Now().Add(startPatience))
		err = frames.Send(frame)
	}
	if err == nil {
		frame, err = frames.Recv()
	}
	if err == nil {
		err = json.Unmarshal(frame, &a)
	}
	if err != nil {
		return a, fmt.Errorf("process: starting %s: %w (see %s): %w", s.Path, errKeeperGone, filepath.Join(s.Run, keeperLog), err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, frames.SetReadDeadline(time.Time{})
}

// reapKeeper waits for a keeper that is ending, if it is a child of ours; after an upgrade in
// place it is, without being known to the os package. Start 0: the caller has just started it.
func reapKeeper(id Identity) {
	for id.Pid > 0 {
		// A child that was not waited for keeps its number: only then it is the one.
		if s, err := readStat(id.Pid); err != nil || id.Start != 0 && s.Start != id.Start {
			return
		}
		got, err := syscall.Wait4(id.Pid, nil, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil || got == id.Pid:
			return
		}
		fd, err := unix.PidfdOpen(id.Pid, unix.PIDFD_NONBLOCK)
		if err != nil {
			time.Sleep(lockLook)
			continue
		}
		awaitPidfd(fd)
	}
}
