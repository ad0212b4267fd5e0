package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of sessions that are kept apart.
const (
	maxApart   = 8     // with one node, that began here and are in use
	maxReplies = 256   // ports of the far node that one session answers to
	maxBound   = 16384 // of all sessions; beyond that, and without old ones to forget, more datagrams are dropped
	apartEvery = time.Second
)

// Terms are what the routes of a session must meet, in words that Config.Lay understands; equal ones mean the same. "" asks for
// nothing. Sessions to one node with different terms are kept apart: none carries what was asked of another.
type Terms string

// whom is a node, and what the routes to it must meet.
type whom struct {
	peer  identity.PubKey
	terms Terms
}

// replyTo is a port of another node, for datagrams.
type replyTo struct {
	peer identity.PubKey
	port uint16
}

// whom is the one to look for; no route leads to ourselves, so there are no terms for it.
func (h *Host) whom(dst identity.PubKey, terms Terms) whom {
	if dst == h.cfg.Key.Public() {
		terms = ""
	}
	return whom{dst, terms}
}

// serves reports whether the session is one for what asks for its terms: it began for those and the far node knows it,
// or it has none and the far node keeps it for nothing else.
func (s *Session) serves() bool { return (s.terms != "") == s.apart.Load() }

// setApart tells the far node that the session is for what leaves on it here, and for the answers, until it has heard. No data goes
// before that.
func (s *Session) setApart(ctx context.Context) error {
	for {
		one, cancel := context.WithTimeout(ctx, apartEvery)
		_, err := s.round(one, frame{kind: frameApart})
		cancel()
		switch {
		case err == nil:
			s.apart.Store(true)
			return nil
		case errors.Is(s.Err(), errBye):
			return &wire.Refused{Code: wire.CodeGone, Text: "the far node closed the session that was to be kept apart: is it older than that?"}
		case s.Err() != nil:
			return &wire.Refused{Code: wire.CodeGone, Text: s.Err().Error()}
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// keptApart is APART from the peer: we use the session for answers only.
func (s *Session) keptApart() error {
	if s.initiator {
		return errProtocol
	}
	h := s.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.apart.Swap(true) {
		return nil
	}
	if w := (whom{s.remote, ""}); h.byPeer[w] == s {
		delete(h.byPeer, w)
		if o := h.otherLocked(s); o != s {
			h.byPeer[w] = o
		}
	}
	return nil
}

// heardFrom notes on which session a datagram of a port came, for the answers. false: there is no room for it, so it must not be
// answered and is dropped.
func (s *Session) heardFrom(port uint16) bool {
	h := s.host
	apart := s.apart.Load()
	if s.initiator || !apart && h.bound.Load() == 0 || apart && s.replies.Load() == uint32(port)+1 {
		return true
	}
	to := replyTo{s.remote, port}
	h.mu.Lock()
	defer h.mu.Unlock()
	old, kept := h.answers[to]
	switch {
	case kept && old == s || s.Err() != nil:
	case apart && (s.bound >= maxReplies || len(h.answers) >= maxBound && !h.forgetLocked()):
		return false
	default:
		h.unbindLocked(to)
		if apart {
			h.answers[to] = s
			s.bound++
			h.bound.Add(1)
		}
	}
	if apart {
		s.replies.Store(uint32(port) + 1)
	}
	return true
}

func (h *Host) unbindLocked(to replyTo) {
	s, kept := h.answers[to]
	if !kept {
		return
	}
	delete(h.answers, to)
	h.bound.Add(-1)
	if s != nil {
		s.replies.Store(0)
		s.bound--
	}
}

// answeredLocked notes that s is over: what it answered to is answered by nothing until it speaks again.
func (h *Host) answeredLocked(s *Session) {
	for to, o := range h.answers {
		if s.bound == 0 {
			return
		}
		if o == s {
			h.answers[to] = nil
			s.bound--
		}
	}
}

// forgetLocked forgets what is answered by nothing; false: there is no such thing.
func (h *Host) forgetLocked() bool {
	before := len(h.answers)
	for to, s := range h.answers {
		if s == nil {
			h.unbindLocked(to)
		}
	}
	return len(h.answers) < before
}

// Answering returns the session for datagrams to a port of another node, which that node keeps apart for them: the one on which
// the port spoke last. It is nil when that is over: then the datagram belongs nowhere until the port speaks again. kept is false
// where nothing is kept apart for the port.
func (h *Host) Answering(dst identity.PubKey, port uint16) (s *Session, kept bool) {
	if h.bound.Load() == 0 {
		return nil, false
	}
	h.mu.Lock()
	s, kept = h.answers[replyTo{dst, port}]
	h.mu.Unlock()
	return s, kept
}

// roomLocked makes room for one more session to a node with terms of its own; it returns one that is to be closed for it,
// nil: none. Error: so many are in use. The caller holds mu.
func (h *Host) roomLocked(w whom) (unused *Session, err error) {
	if w.terms == "" {
		return nil, nil
	}
	var others []string
	for k := range h.dialing {
		if k.peer == w.peer && k.terms != "" && k.terms != w.terms {
			others = append(others, string(k.terms))
		}
	}
	for _, s := range h.all {
		if s.remote != w.peer || s.terms == "" || s.terms == w.terms || s.Err() != nil || h.dialing[whom{s.remote, s.terms}] != nil {
			continue
		}
		others = append(others, string(s.terms))
		if s.unused() && (unused == nil || s.began.Before(unused.began)) {
			unused = s
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	switch {
	case len(others) < maxApart:
		return nil, nil
	case unused != nil:
		return unused, nil
	}
	text := fmt.Sprintf("%d sessions to %s with other terms are in use, and no more than that: %s", len(others), w.peer.Short(), strings.Join(others, "; "))
	return nil, &wire.Refused{Code: wire.CodeBusy, Text: text}
}

// unused reports whether nothing has used the session for a while.
func (s *Session) unused() bool {
	gram := s.sinceGram(s.host.now())
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams) == 0 && min(time.Since(s.lastUse), gram) > gramBusy
}

// Terms lists what is asked of routes to a node, by sessions that are there, are being made, or failed; without "".
func (h *Host) Terms(peer identity.PubKey) []Terms {
	var all []Terms
	see := func(w whom) {
		if w.peer == peer && w.terms != "" {
			all = append(all, w.terms)
		}
	}
	h.mu.Lock()
	for w := range h.dialing {
		see(w)
	}
	for w := range h.past {
		see(w)
	}
	for _, s := range h.all {
		see(whom{s.remote, s.terms})
	}
	h.mu.Unlock()
	slices.Sort(all)
	return slices.Compact(all)
}
