//go:build linux

package process

import (
	"context"
	"maps"

	"github.com/skycoin/viscript/signal"
)

// climbing is a ladder under way, or one that is about to be begun.
type climbing struct {
	hurried chan struct{} // closed: to the last rung at once
	vain    chan struct{} // closed: the daemon could not ask
	hurry   bool
	next    bool
	begun   bool
}

// maxClimbs bounds the ladders at a time.
const maxClimbs = 64

// climbLocked finds a ladder by its name, or makes it. When there are too many, those go that
// were not begun: what was said of a ladder came after its end.
func (k *keeper) climbLocked(name string) *climbing {
	c := k.climbs[name]
	if c != nil {
		return c
	}
	if len(k.climbs) >= maxClimbs {
		maps.DeleteFunc(k.climbs, func(_ string, c *climbing) bool { return !c.begun })
	}
	c = &climbing{hurried: make(chan struct{}), vain: make(chan struct{})}
	k.climbs[name] = c
	return c
}

// heardOf notes what the daemon says of a ladder. hurry is more than next.
func (k *keeper) heardOf(name string, hurry bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.climbLocked(name)
	if hurry && !c.hurry {
		c.hurry = true
		close(c.hurried)
	}
	if !c.next {
		c.next = true
		close(c.vain)
	}
}

// stop climbs the ladder and returns when the tree is empty, or has survived. The daemon asks
// the app meanwhile, where it can; whether it lives to see the end makes no difference.
func (k *keeper) stop(p stopParams) Report {
	c := k.beginStop(p.Name)
	if c == nil {
		return Report{Rung: Gone, ExitCode: k.child.exit.Code}
	}
	defer k.work.Done()
	ctx, cancel := context.WithCancel(context.Background()) // no connection bounds it
	defer cancel()
	go func() {
		select {
		case <-c.hurried:
			cancel()
		case <-ctx.Done():
		}
	}()
	var ask func(context.Context) error
	if p.Ask {
		ask = func(ctx context.Context) error { return k.awaitAnswer(ctx, c) }
	}
	rep := reportOf(climb(ctx, k.child, ask, p.Ladder))
	if !rep.survived(k.child.id.Pid) {
		<-k.child.told
		rep.ExitCode = k.child.exit.Code
	}
	k.endStop(p.Name, rep)
	return rep
}

// answerStop is stop for a request: the keeper does not end before the answer is on its way.
func (k *keeper) answerStop(p stopParams) (any, error) {
	k.mu.Lock()
	answering := !k.closing
	if answering {
		k.work.Add(1)
	}
	k.mu.Unlock()
	rep := k.stop(p)
	if !answering {
		return rep, nil
	}
	return signal.AfterAnswer(rep, k.work.Done), nil
}

// announce notes that the end which may come now is asked for, unless who asks is killed before.
func (k *keeper) announce(peer *signal.Peer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns[peer] {
		k.announced[peer] = true
	}
	return nil
}

// beginStop returns nil when the keeper is ending: there is nothing left.
func (k *keeper) beginStop(name string) *climbing {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing {
		return nil
	}
	k.work.Add(1)
	k.stopped = true
	c := k.climbLocked(name)
	c.begun = true
	return c
}

// endStop records the outcome, for a daemon that was not there to hear it.
func (k *keeper) endStop(name string, rep Report) {
	k.mu.Lock()
	delete(k.climbs, name)
	if k.ending == nil || rep.Rung == Gone {
		k.mu.Unlock()
		return
	}
	e := *k.ending
	e.Stopped, e.Report = true, &rep
	k.ending = &e
	k.mu.Unlock()
	k.writeEnding()
	k.tell(methodEnded, e)
}

// awaitAnswer returns when the daemon says that asking was in vain, with an error, or the app
// has ended. A daemon that vanishes leaves it to the time of the rung.
func (k *keeper) awaitAnswer(ctx context.Context, c *climbing) error {
	select {
	case <-c.vain:
		return errNotAsked
	case <-k.child.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
