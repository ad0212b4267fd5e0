//go:build linux

package process

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/skycoin/viscript/signal"
)

// ErrSilent is returned when the keeper does not answer. What it was asked stays asked: it does it
// once it answers again.
var ErrSilent = errors.New("process: its keeper does not answer")

// keeperPatience is how long a keeper may be silent while something is asked of it that takes
// long; it answers others meanwhile, in microseconds on an idle machine.
const keeperPatience = 10 * time.Second

// attendPause is how often it is looked after.
const attendPause = 300 * time.Millisecond

// attend looks after the keeper while it is asked something that may take long: one that was
// halted (SIGSTOP) is woken, and when it is silent for too long ctx ends with ErrSilent.
func (p *Process) attend(ctx context.Context, peer *signal.Peer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.wakeKeeper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			asking, over := context.WithTimeout(ctx, p.patience)
			err := p.askWaking(asking, peer)
			if asking.Err() == context.DeadlineExceeded && err != nil {
				cancel(ErrSilent)
			}
			over()
			select {
			case <-time.After(attendPause):
			case <-ctx.Done():
			case <-peer.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// askWaking asks the keeper how things stand, and wakes it while it does not answer.
func (p *Process) askWaking(ctx context.Context, peer *signal.Peer) error {
	answer := make(chan error, 1)
	go func() { answer <- peer.Call(ctx, methodState, nil, nil) }()
	for {
		select {
		case err := <-answer:
			return err
		case <-time.After(lastLook):
			p.wakeKeeper()
		}
	}
}

// wakeKeeper sends SIGCONT to a keeper that stands still.
func (p *Process) wakeKeeper() {
	id := p.record.Keeper
	if id.Pid <= 0 || id.Start == 0 {
		return
	}
	if s, err := readStat(id.Pid); err == nil && s.Start == id.Start && s.stopped() {
		_ = signalOne(s, syscall.SIGCONT)
	}
}
