//go:build linux

package process

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Ladder is how long each rung of a stop may take; zero or less leaves that rung out,
// except Kill: SIGKILL is always sent, and Kill is how long the kernel gets to do it.
type Ladder struct {
	Ask  time.Duration `json:"ask"` // for the question and for the end after it
	Term time.Duration `json:"term"`
	Kill time.Duration `json:"kill"`
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
	Rung      Rung  `json:"rung"`
	ExitCode  int   `json:"exit_code"`           // of the child; -1 when it is unknown, or not even SIGKILL ended it in time
	Survivors []int `json:"survivors,omitempty"` // what outlived SIGKILL, in uninterruptible sleep
}

// How often a process that is not our own child is looked at: there is no notice of its end.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// ErrUnverified is returned for a child that may be a stranger: nothing is done to it.
var ErrUnverified = errors.New("process: not verified, left alone")

// ErrReleased is returned when Release was called meanwhile. A keeper that climbs goes on.
var ErrReleased = errors.New("process: no longer watched")

// Stop ends the whole tree: it calls ask (nil: not) and waits, then SIGTERM to the process
// group, then SIGKILL to every process until none is left. The keeper climbs; without one,
// the caller does. One that is halted is woken; ErrSilent when it does not answer for ten seconds. When ctx ends, the next rungs are taken at once, so it always reaches
// the last one. Once begun it goes on without the caller. A second Stop beside the first
// does no harm.
func (p *Process) Stop(ctx context.Context, ask func(context.Context) error, l Ladder) (Report, error) {
	if !p.CanAnswer() {
		ask = nil
	}
	_, before := p.Stopping()
	var answered, climbed bool
	var silent time.Time // since when there is no connection to a keeper that lives
	for {
		peer, custody, changed := p.keeper()
		switch {
		case p.ctx.Err() != nil && custody != Over:
			return Report{ExitCode: -1}, ErrReleased
		case custody == Unverified:
			return Report{ExitCode: -1}, ErrUnverified
		case peer != nil:
			rep, err := p.stopByKeeper(ctx, peer, ask, &answered, l)
			if err == nil {
				return rep.after(answered), nil
			}
			if errors.Is(err, ErrSilent) {
				return Report{ExitCode: -1}, err
			}
			ask, silent, climbed = nil, time.Now(), true // it was asked once
			p.awaitChange(ctx, changed, lastLook)
		case custody == Kept && !silent.IsZero() && time.Since(silent) > p.patience:
			return Report{ExitCode: -1}, ErrSilent
		case custody == Kept:
			if silent.IsZero() {
				silent = time.Now()
			}
			p.wakeKeeper()
			p.awaitChange(ctx, changed, lastLook)
		default:
			if _, rep := p.Stopping(); climbed && before == nil && rep != nil { // told or written, but its answer was lost
				return rep.after(answered), nil
			}
			rep, err := p.stopFromAfar(ctx, ask, l)
			return rep.after(answered), err
		}
	}
}

// after is the report of a ladder that found nothing left: an app that was asked may be faster
// than its keeper.
func (r Report) after(answered bool) Report {
	if answered && r.Rung == Gone {
		r.Rung = Asked
	}
	return r
}

// keeper is the connection to the keeper, if any, and what is closed when that changes.
func (p *Process) keeper() (*signal.Peer, Custody, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peer, p.custody, p.changed
}

// awaitChange waits for the keeper to be found again, or given up, at most for limit.
func (p *Process) awaitChange(ctx context.Context, changed <-chan struct{}, limit time.Duration) {
	select {
	case <-changed:
	case <-time.After(limit):
	case <-p.ctx.Done():
	case <-ctx.Done():
		time.Sleep(firstDial) // hurried, but there is nobody else who could do it
	}
}

// CanAnswer is false when nobody can: the child has ended or stands still.
func (p *Process) CanAnswer() bool {
	if _, over := p.ended(); over {
		return false
	}
	s, err := readStat(p.Pid())
	return err == nil && s.Start == p.StartTicks() && s.alive() && !s.stopped()
}

// stopByKeeper lets the keeper climb, asks meanwhile, and tells it how that went.
// answered is set when the app has agreed to end.
func (p *Process) stopByKeeper(ctx context.Context, peer *signal.Peer, ask func(context.Context) error, answered *bool, l Ladder) (Report, error) {
	climbing, cancel := p.attend(context.WithoutCancel(ctx), peer)
	defer cancel()
	name := ladderParams{rand.Text()}
	stop := context.AfterFunc(ctx, func() { _ = peer.Notify(climbing, methodHurry, name) })
	defer stop()
	asks := ask != nil && l.Ask > 0
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	if asks {
		err := peer.Call(climbing, methodBegin, name, nil)
		if err != nil && signal.CodeOf(err) == 0 { // an older keeper does without it
			return Report{}, err
		}
		asked := make(chan struct{})
		defer awaitAsked(asked)
		asking.Go(func() {
			defer close(asked)
			limited, cancel := context.WithTimeout(climbing, l.Ask)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			if *answered = ask(limited) == nil; !*answered {
				_ = peer.Notify(climbing, methodNext, name)
			}
		})
	}
	var rep Report // answered is read by the caller, after asking has ended
	err := peer.Call(climbing, methodStop, stopParams{l, asks, name}, &rep)
	if err == nil && !rep.survived(p.Pid()) && !p.awaitDone() { // the keeper has told before it answered
		err = ErrReleased
	}
	return rep, err
}

// heardWithin bounds the wait for the answer of an app that has ended: it is in the socket, or its connection ends.
const heardWithin = 3 * time.Second

// awaitAsked lets the answer of an app that has ended be heard.
func awaitAsked(asked <-chan struct{}) {
	select {
	case <-asked:
	case <-time.After(heardWithin):
	}
}

// awaitDone is false when the child was released before its end was known.
func (p *Process) awaitDone() bool {
	select {
	case <-p.done:
		return true
	case <-p.gone:
	}
	_, over := p.ended()
	return over
}

// target is what a ladder is climbed for: the child of a keeper, or an app without one.
type target interface {
	over() <-chan struct{}    // closed when the app itself has ended
	emptied() <-chan struct{} // closed when nothing of the tree is left; nil: there is no notice
	alive() []Stat            // what is left; the app counts until its end is known
	// signalGroup signals the app's process group, and is false where that cannot be done safely.
	signalGroup(sig syscall.Signal) bool
	termSignal() syscall.Signal
}

// errNotAsked ends the first rung of a ladder: nobody could ask.
var errNotAsked = errors.New("process: not asked")

// climb ends the whole tree: it calls ask (nil: not) and waits, sends SIGTERM and SIGCONT
// to the process group and waits, then SIGKILL to every process until none is left. When
// ctx ends, the next rungs are taken at once, so it always reaches the last one. A second
// climb beside the first does no harm.
func climb(ctx context.Context, t target, ask func(context.Context) error, l Ladder) (Rung, []Stat) {
	rung := Gone
	switch {
	case ask == nil || l.Ask <= 0:
	case ended(t): // it was asked, and was faster than we
		awaitRest(ctx, t)
	default:
		rung = Asked
		askFor(ctx, t, ask, l.Ask)
	}
	if l.Term > 0 && ctx.Err() == nil && remains(t) {
		rung = Term
		terminate(ctx, t, l.Term)
	}
	if remains(t) {
		return Kill, kill(t, l.Kill)
	}
	return rung, nil
}

func ended(t target) bool {
	select {
	case <-t.over():
		return true
	default:
		return false
	}
}

func reportOf(r Rung, left []Stat) Report {
	rep := Report{Rung: r, ExitCode: -1}
	for _, s := range left {
		rep.Survivors = append(rep.Survivors, s.Pid)
	}
	slices.Sort(rep.Survivors)
	return rep
}

// survived tells whether the app itself is among the survivors.
func (r Report) survived(pid int) bool { return slices.Contains(r.Survivors, pid) }

func askFor(ctx context.Context, t target, ask func(context.Context) error, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if ask(ctx) != nil {
		return
	}
	select {
	case <-t.over():
		awaitRest(ctx, t)
	case <-ctx.Done():
	}
}

// awaitRest gives the rest of the tree its grace.
func awaitRest(ctx context.Context, t target) {
	ctx, cancel := context.WithTimeout(ctx, restGrace)
	defer cancel()
	awaitEmpty(ctx, t)
}

// restGrace is what the rest of the tree gets after the child has ended as asked.
const restGrace = 500 * time.Millisecond

// terminate asks by SIGTERM; SIGCONT wakes those that were halted, so that they hear it.
// What the child leaves behind is asked too, once.
func terminate(ctx context.Context, t target, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if t.signalGroup(t.termSignal()) {
		t.signalGroup(syscall.SIGCONT)
		select {
		case <-t.over():
		case <-ctx.Done():
			return
		}
	}
	for _, s := range t.alive() {
		if signalOne(s, t.termSignal()) == nil {
			_ = signalOne(s, syscall.SIGCONT)
		}
	}
	awaitEmpty(ctx, t)
}

// kill sends SIGKILL to whatever is there, again and again, since a process may fork
// between the look and the signal.
func kill(t target, limit time.Duration) []Stat {
	end := time.Now().Add(limit)
	pause := firstLook
	for {
		t.signalGroup(syscall.SIGKILL)
		left := t.alive()
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		for _, s := range left {
			_ = signalOne(s, syscall.SIGKILL)
		}
		select {
		case <-t.emptied():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastLook)
	}
}

// awaitEmpty waits for the child, which is noticed at once, and then for the rest.
func awaitEmpty(ctx context.Context, t target) {
	select {
	case <-t.over():
	case <-ctx.Done():
		return
	}
	for pause := firstLook; remains(t); pause = min(2*pause, lastLook) {
		select {
		case <-t.emptied():
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func remains(t target) bool { return len(t.alive()) > 0 }

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
