package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/forward"
)

// timing is how long things take; tests shorten it.
type timing struct {
	silence time.Duration // the least time without a sign of life after which a path that is spoken to is dead
	outage  time.Duration // how long a session with streams lives without a path
	idle    time.Duration // how long it lives without a stream
	quiet   time.Duration // between PINGs on a session without streams
	warm    time.Duration // between PINGs on a path that stands by while there are streams
	better  time.Duration // between questions for a better path
	join    time.Duration // for the answer to a JOIN
	linger  time.Duration // an old path lives on so long after a move
	avoid   time.Duration // nodes of a silent path are avoided so long
	claim   time.Duration // how long a route may lie here without a session
	stuck   time.Duration // data in flight that is not acknowledged for so long condemns a path that is otherwise alive
	// for the greeting of the far node over one route, and of that before another route is tried, if there is one
	handshake, greet time.Duration
}

var defaultTiming = timing{
	silence: time.Second, outage: time.Minute, idle: 10 * time.Minute, quiet: 30 * time.Second, warm: 5 * time.Second,
	better: 30 * time.Second, join: 5 * time.Second, linger: 2 * time.Second, avoid: 30 * time.Second, stuck: 15 * time.Second, claim: 10 * time.Second,
	handshake: 10 * time.Second, greet: 4 * time.Second,
}

// fasterTimes is how often in a row a path that stands by must prove twice as fast before it takes over.
const fasterTimes = 3

const (
	// gramBusy is how long a session counts as used after a datagram.
	gramBusy = 10 * time.Second
	// unusedOutage is how long the responder of a session without streams waits for a route.
	unusedOutage = 5 * time.Second
)

// resetEvery is the least time between repetitions of RESET.
const resetEvery = 500 * time.Millisecond

// steward looks after a session until it is over: it notices paths that die, moves to others, has new ones laid
// (at the initiator), repeats what must not be lost, and sends again what the new path lets through.
func (s *Session) steward(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the laying of routes
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.kick:
		case <-timer.C:
		}
		s.pump()
		wait, err := s.tend(ctx)
		if err != nil {
			s.fail(err)
			return
		}
		timer.Reset(wait)
	}
}

// chores are what one look at a session finds to do, outside of its lock.
type chores struct {
	now    time.Duration
	wake   time.Duration // Host.now of the next look
	pings  []*Path
	close  []*Path
	move   *Path
	why    string
	gen    uint64
	resets bool
	lay    *errand
}

// at makes the next look come no later than t.
func (c *chores) at(t time.Duration) { c.wake = min(c.wake, t) }

// tend does what is due and returns how long nothing else will be. An error ends the session.
func (s *Session) tend(ctx context.Context) (time.Duration, error) {
	c := chores{now: s.host.now()}
	c.wake = c.now + s.host.timing.quiet
	s.mu.Lock()
	err := s.lookLocked(&c)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if c.move != nil {
		s.switchTo(c.move, c.gen, c.why)
		s.pump()
	}
	for _, p := range c.close {
		p.close()
	}
	for _, p := range c.pings {
		s.ping(p)
	}
	if c.resets {
		s.repeatResets(nil)
	}
	if c.lay != nil {
		s.host.spawn(func() { s.run(ctx, c.lay) })
	}
	return max(c.wake-s.host.now(), time.Millisecond), nil
}

// ping asks for a sign of life.
func (s *Session) ping(p *Path) {
	now := s.host.now()
	s.mu.Lock()
	p.pinged, p.lastPing = now, now
	s.mu.Unlock()
	s.sendControl(p, frame{kind: framePing, a: uint64(now)})
}

// lookLocked decides what is to be done.
func (s *Session) lookLocked(c *chores) error {
	if s.fatal != nil {
		return s.fatal
	}
	t := &s.host.timing
	gram := s.sinceGram(c.now)
	busy := len(s.streams) > 0 || s.kept.sealed != s.kept.acked || len(s.resets) > 0 || s.waiting.head != nil || gram < gramBusy
	if len(s.streams) == 0 {
		unused := min(time.Since(s.lastUse), gram)
		if unused > t.idle {
			return errors.New("session: idle")
		}
		c.at(c.now + t.idle - unused + time.Millisecond)
	}
	s.buryLocked(c)
	for _, p := range s.paths {
		s.watchLocked(c, p, busy)
	}
	if err := s.chooseLocked(c, busy); err != nil {
		return err
	}
	if len(s.resets) > 0 && s.active != nil {
		due := s.resetAt + max(resetEvery, 4*s.active.srtt)
		if c.resets = c.now >= due; c.resets {
			due = c.now + resetEvery
		}
		c.at(due)
	}
	if s.initiator && !s.local {
		c.lay = s.errandLocked(c, busy)
	}
	return nil
}

// buryLocked drops paths that are gone.
func (s *Session) buryLocked(c *chores) {
	s.paths = slices.DeleteFunc(s.paths, func(p *Path) bool {
		if p.gone.Load() == 0 {
			return false
		}
		if !p.confirmed && p.gone.Load() == 1+uint32(forward.ReasonBye) && s.active == nil && c.now-p.since < p.patienceLocked() {
			s.laying.refused++ // later it is a far node to which the route is silent
		}
		if p == s.active {
			s.lostLocked(c, p.reason())
		}
		return true
	})
}

// lostLocked notes that there is no path in use any more.
func (s *Session) lostLocked(c *chores, why string) {
	s.active, s.probe = nil, probe{}
	if s.alone == 0 {
		s.alone = c.now
	}
	s.whyDown = why
	s.laying.hurry(c.now)
}

// watchLocked looks at one path: is a PING due, is it dead?
func (s *Session) watchLocked(c *chores, p *Path, busy bool) {
	t := &s.host.timing
	patience, quiet := p.patienceLocked(), p.quietLocked(c.now)
	every, inUse := t.warm, p == s.active
	if !busy {
		every = t.quiet
	}
	if inUse && busy {
		every = patience / 2
	}
	switch {
	case p.retire != 0 && c.now >= p.retire:
		c.close = append(c.close, p)
		return
	case !p.confirmed:
		if time.Duration(p.heard.Load()) >= p.since && p.heard.Load() != 0 {
			p.confirmed = true
			s.laying.worked()
			break
		}
		if c.now-p.since > t.join {
			c.close = append(c.close, p)
			return
		}
		c.at(p.since + t.join + time.Millisecond)
		return
	}
	if p.retire != 0 {
		c.at(p.retire)
	}
	if p.silent && quiet < patience/2 {
		p.silent = false
		if inUse {
			s.alone = 0
		}
	}
	unanswered := p.pinged != 0 && c.now-p.pinged >= patience/2 && quiet >= patience
	stuck := inUse && s.kept.inFlight() > 0 && c.now-s.ackAt > max(t.stuck, 10*p.srtt)
	if unanswered || stuck {
		s.deadLocked(c, p)
	}
	// The next PING: after the last one, but not while something is heard, if that is what it is for.
	due := p.lastPing + every
	if inUse && busy {
		due = max(due, c.now-quiet+every)
		due = min(due, max(p.baseAt, p.lastPing)+baseTime)
	}
	if p.pinged != 0 && !p.silent {
		c.at(max(p.pinged+patience/2, c.now-quiet+patience))
	}
	if c.now >= due {
		c.pings = append(c.pings, p)
		due = c.now + every
		if !p.silent {
			c.at(c.now + patience/2)
		}
	}
	c.at(due)
	if stuckAt := s.ackAt + max(t.stuck, 10*p.srtt); inUse && s.kept.inFlight() > 0 && stuckAt > c.now {
		c.at(stuckAt + time.Millisecond)
	}
}

// deadLocked is called for a path that does not answer. One in use without a better one stays in use: it may come back.
func (s *Session) deadLocked(c *chores, p *Path) {
	if !p.silent {
		p.silent = true
		s.avoidLocked(c.now, p)
		if p == s.active {
			s.laying.hurry(c.now)
			s.alone, s.whyDown = c.now, "the route is silent"
		}
	}
	if p != s.active && p.retire == 0 {
		p.retire = c.now
		c.close = append(c.close, p)
	}
}

// chooseLocked decides whether to move. An error: there has been no path for too long.
func (s *Session) chooseLocked(c *chores, busy bool) error {
	c.gen = s.gen + 1
	best := s.bestLocked()
	switch a := s.active; {
	case a == nil && best != nil:
		c.move, c.why = best, s.whyDown
	case a != nil && a.silent && best != nil:
		c.move, c.why = best, s.whyDown
		a.retire = c.now + s.host.timing.linger
		c.at(a.retire)
	case a != nil && s.initiator && best != nil && best.purpose == toMove:
		best.purpose = toStand
		c.move, c.why = best, "a better route"
		if len(s.paths) > 2 {
			a.retire = c.now + s.host.timing.linger
			c.at(a.retire)
		}
	case a != nil && s.initiator && best != nil && best.faster >= fasterTimes:
		c.move, c.why = best, "the other route is faster"
		a.faster = 0
	}
	if s.alone == 0 {
		return nil
	}
	if s.laying.refused >= maxRefused && s.active == nil && c.move == nil {
		return fmt.Errorf("session: the far node knows it no more: %s", s.whyDown)
	}
	wait := s.host.timing.outage
	if s.active == nil && c.move == nil && !busy { // nobody misses it; the responder cannot know that the initiator does not
		if wait = min(wait, unusedOutage); s.initiator {
			wait = 0
		}
	}
	if over := s.alone + wait; c.now >= over {
		return fmt.Errorf("session: no route for %s: %s", wait, s.whyDown)
	} else if c.move == nil {
		c.at(over)
	}
	return nil
}

// bestLocked is the path to move to if one must: confirmed, not on its way out, not silent, the one laid for the purpose
// first, then the fastest. nil: none.
func (s *Session) bestLocked() *Path {
	var best *Path
	for _, p := range s.paths {
		if p == s.active || !p.confirmed || p.silent || p.retire != 0 || p.gone.Load() != 0 {
			continue
		}
		if best == nil || cmp.Or(-cmp.Compare(p.purpose, best.purpose), cmp.Compare(p.srtt, best.srtt)) < 0 {
			best = p
		}
	}
	return best
}
