package process

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Ladder is how long each rung of a stop may take; zero or less leaves that rung out,
// except Kill: SIGKILL is always sent, and Kill is how long the kernel gets to do it.
type Ladder struct {
	Ask  time.Duration // for the question and for the end after it
	Term time.Duration
	Kill time.Duration
}

// Rung is what it took to end a tree.
type Rung int

// The rungs, in order.
const (
	Gone  Rung = iota // nothing of the tree was there any more
	Asked             // it ended after being asked
	Term              // SIGTERM
	Kill              // SIGKILL
)

// Report is the outcome of a stop: the highest rung that was needed.
type Report struct {
	Rung      Rung
	ExitCode  int   // of the child; -1 when not even SIGKILL ended it in time
	Survivors []int // what outlived SIGKILL, in uninterruptible sleep
}

// How often a process that is not our own child is looked at: there is no notice of its end.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// Stop ends the whole tree: it calls ask (nil: not) and waits, sends SIGTERM and SIGCONT
// to the process group and waits, then SIGKILL to every process until none is left. When
// ctx ends, the next rungs are taken at once, so it always reaches the last one. A second
// Stop beside the first does no harm.
func (p *Process) Stop(ctx context.Context, ask func(context.Context) error, l Ladder) Report {
	rung := Gone
	if p.asks(ask, l) {
		rung = Asked
		p.ask(ctx, ask, l.Ask)
	}
	if l.Term > 0 && ctx.Err() == nil && p.remains() {
		rung = Term
		p.terminate(ctx, l.Term)
	}
	if left := p.alive(); len(left) > 0 {
		rung = Kill
		if left = p.kill(l.Kill); len(left) > 0 {
			return p.report(rung, left)
		}
	}
	return p.report(rung, nil)
}

func (p *Process) report(r Rung, left []Stat) Report {
	rep := Report{Rung: r, ExitCode: -1}
	for _, s := range left {
		rep.Survivors = append(rep.Survivors, s.Pid)
	}
	slices.Sort(rep.Survivors)
	if !slices.Contains(rep.Survivors, p.pid) {
		rep.ExitCode = p.Exit().Code
	}
	return rep
}

// asks is false when nobody can answer: the child has ended or stands still.
func (p *Process) asks(ask func(context.Context) error, l Ladder) bool {
	if _, over := p.ended(); over || ask == nil || l.Ask <= 0 {
		return false
	}
	s, err := readStat(p.pid)
	return err == nil && s.alive() && !s.stopped()
}

func (p *Process) ask(ctx context.Context, ask func(context.Context) error, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if ask(ctx) != nil {
		return
	}
	select {
	case <-p.done:
		ctx, cancel := context.WithTimeout(ctx, restGrace)
		defer cancel()
		p.awaitEmpty(ctx)
	case <-ctx.Done():
	}
}

// restGrace is what the rest of the tree gets after the child has ended as asked.
const restGrace = 500 * time.Millisecond

// terminate asks by SIGTERM; SIGCONT wakes those that were halted, so that they hear it.
// What the child leaves behind is asked too, once.
func (p *Process) terminate(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if p.signalGroup(syscall.SIGTERM) {
		p.signalGroup(syscall.SIGCONT)
		select {
		case <-p.done:
		case <-ctx.Done():
			return
		}
	}
	for _, s := range p.alive() {
		if signalOne(s, syscall.SIGTERM) == nil {
			_ = signalOne(s, syscall.SIGCONT)
		}
	}
	p.awaitEmpty(ctx)
}

// kill sends SIGKILL to whatever is there, again and again, since a process may fork
// between the look and the signal.
func (p *Process) kill(limit time.Duration) []Stat {
	end := time.Now().Add(limit)
	pause := firstLook
	for {
		p.signalGroup(syscall.SIGKILL)
		left := p.alive()
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		for _, s := range left {
			_ = signalOne(s, syscall.SIGKILL)
		}
		time.Sleep(pause)
		pause = min(2*pause, lastLook)
	}
}

// awaitEmpty waits for the child, which is noticed at once, and then for the rest.
func (p *Process) awaitEmpty(ctx context.Context) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return
	}
	for pause := firstLook; p.remains(); pause = min(2*pause, lastLook) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (p *Process) remains() bool { return len(p.alive()) > 0 }

// alive lists what runs of the tree, marked orphans included. The child counts until it
// was reaped.
func (p *Process) alive() []Stat {
	var left []Stat
	t, err := p.spec.Reader.After(time.Now())
	if err != nil { // no descriptors left, say: be sure of the child at least
		if !p.over() {
			left = append(left, Stat{Pid: p.pid, State: 'R', Start: p.StartTicks()})
		}
		return left
	}
	p.findMarked(t)
	for _, s := range p.members(t) {
		if s.alive() {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		if s, ok := p.tree.root.in(t); ok && !p.over() {
			left = append(left, s)
		}
	}
	return left
}

// over gives the goroutine that reaps a moment when the child is a zombie already.
func (p *Process) over() bool {
	select {
	case <-p.done:
		return true
	case <-time.After(lastLook):
		return false
	}
}

// maxEnviron bounds what is read of a process's first environment.
const maxEnviron = 256 << 10

// findMarked adds orphans that carry the mark. An orphan's parent is init, or the nearest
// of our own ancestors that adopts orphans (prctl(2), PR_SET_CHILD_SUBREAPER).
func (p *Process) findMarked(t Table) {
	if p.spec.Mark == "" {
		return
	}
	adopters := map[int]bool{1: true}
	for _, s := range ancestors(os.Getppid()) {
		adopters[s.Pid] = true
	}
	var found []Stat
	for _, s := range t.byPid {
		if adopters[s.Parent] && s.Start >= p.StartTicks() && s.alive() && marked(s, p.spec.Mark) {
			found = append(found, s)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range found {
		p.tree.remember(s, t.at)
	}
}

func marked(s Stat, mark string) bool {
	env, err := readSmall("/proc/"+strconv.Itoa(s.Pid)+"/environ", maxEnviron)
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if string(entry) == mark {
			return true
		}
	}
	return false
}

// signalGroup signals the child's group while its number is surely ours: the child holds
// it until it is reaped, and reaping takes the same lock. It is false afterwards.
func (p *Process) signalGroup(sig syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, over := p.ended(); over || p.exit.At != (time.Time{}) {
		return false
	}
	return syscall.Kill(-p.pid, sig) == nil
}

// signalOne signals exactly the process s: the pidfd is opened first and the start time read
// after, so the number cannot change hands between the look and the signal.
func signalOne(s Stat, sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(s.Pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	now, err := readStat(s.Pid)
	if err != nil {
		return err
	}
	if now.Start != s.Start {
		return syscall.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}
