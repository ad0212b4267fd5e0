package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// ErrNoBetter is what Config.Lay answers when no path is clearly better than Want.Instead.
var ErrNoBetter = errors.New("session: no better route")

// How long to wait before a route is asked for again: doubling between the two, with jitter.
const (
	rescueFirst = 50 * time.Millisecond // while there is no path at all
	rescueLast  = 3 * time.Second
	standFirst  = time.Second // for a second one
	standLast   = 30 * time.Second
	standDelay  = 100 * time.Millisecond // after the session begins, for those that end at once
	layTimeout  = 10 * time.Second
)

// maxRefused is how often in a row a far node may close a route at once (sooner than a silent one is given up) before a session without a path is taken to be
// unknown there. It takes two routes: no single node on the way can say so.
const maxRefused = 2

// maxAvoid bounds the nodes to avoid.
const maxAvoid = 8

// Want says what route is needed.
type Want struct {
	Dst     identity.PubKey
	Terms   Terms             // to be met, or there is no route
	Avoid   []identity.PubKey // nodes of routes that fell silent
	Beside  []identity.PubKey // the path in use: share as little with it as can be
	Instead []identity.PubKey // the path in use: something clearly better, or ErrNoBetter
}

// Laid is a route that is in place, and the nodes that it runs over, ends included.
type Laid struct {
	Path  *Path
	Nodes []identity.PubKey
}

// laying is the initiator's care for routes. Guarded by Session.mu.
type laying struct {
	busy    bool // an errand is under way
	improve bool // somebody says that there may be a better route
	rescue  attempt
	stand   attempt
	better  time.Duration // Host.now of the next question for a better one
	refused int
	avoid   []avoided
	lenient int // so many of the paths to avoid, the oldest ones, are not avoided the next time: there was no other
}

// attempt is the backoff of one kind of request.
type attempt struct {
	next time.Duration // Host.now
	wait time.Duration
}

type avoided struct {
	node  identity.PubKey
	until time.Duration
}

func (a *attempt) failed(now, first, last time.Duration) {
	a.wait = min(max(2*a.wait, first), last)
	a.next = now + a.wait/2 + rand.N(a.wait)
}

// hurry makes the next request for a rescue immediate.
func (l *laying) hurry(now time.Duration) { l.rescue = attempt{next: now} }

// worked notes that a path that we had laid is in order.
func (l *laying) worked() {
	l.refused = 0
	l.rescue, l.stand = attempt{}, attempt{}
}

// errand is one route to be had.
type errand struct {
	want Want
	why  purpose
}

// avoidLocked keeps new routes away from the inner nodes of one that fell silent.
func (s *Session) avoidLocked(now time.Duration, p *Path) {
	if len(p.nodes) > 2 {
		s.laying.shun(p.nodes[1:len(p.nodes)-1], now+s.host.timing.avoid)
	}
}

// shun enters the inner nodes of a path, behind those that fell silent before it.
func (l *laying) shun(inner []identity.PubKey, until time.Duration) {
	l.avoid = slices.DeleteFunc(l.avoid, func(a avoided) bool { return slices.Contains(inner, a.node) })
	for _, n := range inner {
		l.avoid = append(l.avoid, avoided{n, until})
	}
	l.avoid = l.avoid[max(len(l.avoid)-maxAvoid, 0):]
}

// errandLocked decides whether a route is to be asked for now; nil: no.
func (s *Session) errandLocked(c *chores, busy bool) *errand {
	l := &s.laying
	if l.busy {
		return nil // its end kicks the steward
	}
	var live, coming int
	for _, p := range s.paths {
		switch {
		case !p.confirmed:
			if coming++; s.active == nil && c.now-p.since > s.host.timing.silence {
				coming-- // it is hardly worth waiting for
			}
		case p.retire == 0 && !p.silent:
			live++
		}
	}
	if coming > 0 || len(s.paths) >= maxPaths-1 {
		return nil
	}
	e := &errand{want: Want{Dst: s.remote, Terms: s.terms}}
	due := l.stand.next
	switch {
	case live == 0:
		e.why, due = toRescue, l.rescue.next
	case !busy:
		return nil
	case live == 1 && s.active != nil:
		e.why, e.want.Beside = toStand, s.active.nodes
	case s.active == nil || len(s.active.nodes) <= 2 && !l.improve:
		return nil
	default:
		if l.better == 0 {
			l.better = c.now + s.host.timing.better
		}
		e.why, e.want.Instead, due = toMove, s.active.nodes, l.better
		if l.improve {
			due = 0
		}
	}
	if e.why == toStand && l.improve {
		e.why, e.want.Beside, e.want.Instead, due = toMove, nil, s.active.nodes, 0
	}
	if c.now < due {
		c.at(due)
		return nil
	}
	e.want.Avoid = l.avoiding(c.now)
	l.busy = true
	return e
}

// avoiding lists whom to avoid: what fell silent last counts most, for by now an older path may have healed.
func (l *laying) avoiding(now time.Duration) (nodes []identity.PubKey) {
	l.avoid = slices.DeleteFunc(l.avoid, func(a avoided) bool { return now >= a.until })
	paths, last := 0, time.Duration(0)
	for _, a := range l.avoid {
		if a.until != last {
			paths, last = paths+1, a.until
		}
		if paths > l.lenient {
			nodes = append(nodes, a.node)
		}
	}
	return nodes
}

// run has a route laid and joins the session to it. It blocks for the node manager.
func (s *Session) run(ctx context.Context, e *errand) {
	ctx, cancel := context.WithTimeout(ctx, layTimeout)
	defer cancel()
	laid, err := s.host.cfg.Lay(ctx, e.want)
	if err == nil && !s.take(e, laid) {
		laid.Path.close()
		err = ErrNoBetter
	}
	now := s.host.now()
	s.mu.Lock()
	l := &s.laying
	l.busy = false
	if e.why == toMove {
		l.improve, l.better = false, now+s.host.timing.better
	}
	switch {
	case err == nil:
	case e.why == toRescue:
		l.rescue.failed(now, rescueFirst, rescueLast)
	case e.why == toStand && errors.Is(err, ErrNoBetter) && len(e.want.Avoid) == 0:
		l.stand.failed(now, standLast, standLast)
	case e.why == toStand:
		l.stand.failed(now, standFirst, standLast)
	}
	if l.lenient++; err == nil || len(e.want.Avoid) == 0 {
		l.lenient = 0
	}
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNoBetter) {
		s.host.log.Debug("no further route", "peer", s.remote.Short(), "err", err)
	}
	s.kickSteward()
}

// take joins the session to a route; false if that gains nothing.
func (s *Session) take(e *errand, laid Laid) bool {
	if e.why != toRescue && s.hasNodes(laid.Nodes, e.why) {
		return false
	}
	p := laid.Path
	p.nodes, p.purpose = laid.Nodes, e.why
	if !s.addPath(p, false) {
		return false
	}
	now := s.host.now()
	s.mu.Lock()
	p.pinged, p.lastPing = now, now
	s.mu.Unlock()
	s.sendMu.Lock()
	s.controlLocked(p, wire.Join, s.id[:], []frame{{kind: frameJoin, route: p.key, a: uint64(now)}})
	s.sendMu.Unlock()
	return true
}

// hasNodes reports whether a live path runs over these nodes. One that stands by is moved to if that is why they were
// asked for.
func (s *Session) hasNodes(nodes []identity.PubKey, why purpose) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.paths {
		if p.sameNodes(nodes) && !p.silent && p.retire == 0 && p.gone.Load() == 0 {
			if why == toMove && p != s.active && p.confirmed {
				p.purpose = toMove
			}
			return true
		}
	}
	return false
}

// improve makes the initiator ask for a better route now.
func (s *Session) improve() {
	s.mu.Lock()
	s.laying.improve = true
	s.mu.Unlock()
	s.kickSteward()
}

// retry makes it ask again for a second route, if it has none, without waiting longer: the network has changed.
func (s *Session) retry() {
	s.mu.Lock()
	if now := s.host.now(); s.alone != 0 {
		s.laying.hurry(now)
	} else if s.laying.stand.wait > 0 {
		s.laying.stand = attempt{next: min(s.laying.stand.next, now+standFirst/2+rand.N(standFirst))}
	}
	s.mu.Unlock()
	s.kickSteward()
}
