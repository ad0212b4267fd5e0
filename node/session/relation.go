package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// What is kept for people who ask why.
const (
	maxPast  = 256 // nodes whose last failure is remembered; the oldest is forgotten first
	maxAsked = 64  // answers to Ping that are waited for, of one session
)

// ending is how a session ended, or why none began.
type ending struct {
	when time.Time
	err  error
}

// Relation is how we stand with another node.
type Relation struct {
	Session *Info     // the session that streams would use, or one that is greeting; nil: none
	Finding time.Time // since when a route and a session are being made; zero: they are not
	// The last session that ended, or the last failure to begin one; it may be older than Session. Err nil: none.
	Ended time.Time
	Err   error
}

// With says how we stand with a node, as far as those terms go.
func (h *Host) With(peer identity.PubKey, terms Terms) Relation {
	to := h.whom(peer, terms)
	h.mu.Lock()
	past, w, s := h.past[to], h.dialing[to], h.byPeer[to]
	for _, other := range h.all {
		if s == nil && other.remote == peer && other.terms == to.terms && !(other.apart.Load() && !other.initiator) {
			s = other
		}
	}
	h.mu.Unlock()
	r := Relation{Ended: past.when, Err: past.err}
	if w != nil {
		r.Finding = w.began
	}
	if s != nil && s.Err() == nil {
		i := s.info()
		r.Session = &i
	}
	return r
}

// Finding lists the nodes to whom a route and a session are being made, of any terms, and since when.
func (h *Host) Finding() map[identity.PubKey]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[identity.PubKey]time.Time, len(h.dialing))
	for k, w := range h.dialing {
		if since, twice := all[k.peer]; !twice || w.began.Before(since) {
			all[k.peer] = w.began
		}
	}
	return all
}

// endedLocked remembers a failure; that we closed a session is none.
func (h *Host) endedLocked(to whom, err error) {
	if errors.Is(err, errClosed) {
		return
	}
	if _, known := h.past[to]; !known && len(h.past) >= maxPast {
		var oldest whom
		var when time.Time
		for k, e := range h.past {
			if when.IsZero() || e.when.Before(when) {
				oldest, when = k, e.when
			}
		}
		delete(h.past, oldest)
	}
	h.past[to] = ending{time.Now(), err}
}

// Info says what is known of the session.
func (s *Session) Info() Info { return s.info() }

// Ping measures one round trip to the far node over the path in use, sealed as all that the session sends. It waits for
// the answer until ctx or the session ends; a PING may be lost with its path.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) { return s.round(ctx) }

// round is Ping with frames that the far end acts on before it answers.
func (s *Session) round(ctx context.Context, before ...frame) (time.Duration, error) {
	answer := make(chan time.Duration, 1)
	stamp, err := s.ask(answer)
	if err != nil {
		return 0, err
	}
	defer func() {
		s.mu.Lock()
		delete(s.asked, stamp)
		s.mu.Unlock()
	}()
	s.sendControl(nil, append(before, frame{kind: framePing, a: stamp})...)
	select {
	case d := <-answer:
		return d, nil
	case <-s.done:
		return 0, s.Err()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// ask enters a PING that is about to leave.
func (s *Session) ask(answer chan<- time.Duration) (stamp uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if len(s.asked) >= maxAsked {
		return 0, fmt.Errorf("session: %d answers are waited for already", maxAsked)
	}
	if s.asked == nil {
		s.asked = map[uint64]chan<- time.Duration{}
	}
	for stamp = uint64(s.host.now()); s.asked[stamp] != nil; stamp++ { // two at once
	}
	s.asked[stamp] = answer
	return stamp, nil
}

// answeredLocked passes a PONG to the Ping that waits for it.
func (s *Session) answeredLocked(stamp uint64, now time.Duration) {
	if answer := s.asked[stamp]; answer != nil {
		delete(s.asked, stamp)
		answer <- max(now-time.Duration(stamp), 0) // it holds one, and gets one
	}
}
