package session

import (
	"slices"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// ack is ACK from the peer: it frees the window. What the peer cannot know ends the session.
func (s *Session) ack(f frame) error {
	s.mu.Lock()
	if f.a <= s.kept.acked.records { // two crossed
		s.mu.Unlock()
		return nil
	}
	if f.a > s.kept.sealed.records || f.ce > f.b || f.ce < s.win.ce {
		s.mu.Unlock()
		return errProtocol
	}
	free, bytes := s.ackedLocked(f.a, f.ce)
	s.mu.Unlock()
	freeSpans(free)
	if bytes != f.b {
		return errProtocol
	}
	return nil
}

// ackedLocked takes the peer's word that it has the first `records` records, at most those sealed and more than known so
// far. It returns spans to be freed and the bytes of those records.
func (s *Session) ackedLocked(records, ce uint64) (free *span, bytes uint64) {
	before, inFlight := s.kept.acked.bytes, s.kept.inFlight()
	free = s.kept.release(records)
	now := s.kept.acked.bytes
	s.win.onAck(now-before, now, ce, inFlight, s.kept.sent.bytes, s.windowLimitLocked(now))
	s.ackAt = s.host.now()
	if pr := s.probe; pr.path != nil && records >= pr.records {
		s.probe = probe{}
		if pr.path == s.active && records == pr.records {
			pr.path.measuredLocked(s.ackAt-pr.at, false)
			s.timedLocked(pr.path)
		}
	}
	if s.kept.cursor != nil {
		s.kickSteward()
	}
	s.grantLocked()
	return free, now
}

// timedLocked takes over the round trips of the path in use.
func (s *Session) timedLocked(p *Path) {
	s.rtt.Store(int64(p.srtt))
	s.base.Store(int64(p.base))
}

// windowLimitLocked is the largest window for the path in use, now that so many bytes are acknowledged.
func (s *Session) windowLimitLocked(acked uint64) uint64 {
	limit := s.host.windowLimit()
	if p := s.active; p != nil {
		s.win.measure(acked, s.host.now(), p.base)
		limit = min(limit, s.win.useful(p.base))
	}
	return limit
}

// switchTo makes p the path on which we send Data, as switch number gen: the peer is told, and everything that is not
// acknowledged goes again from the first record, under the smallest window.
func (s *Session) switchTo(p *Path, gen uint64, why string) {
	s.sendMu.Lock()
	s.mu.Lock()
	if s.err != nil || gen < s.gen || !slices.Contains(s.paths, p) {
		s.mu.Unlock()
		s.sendMu.Unlock()
		return
	}
	old := s.active
	s.active, s.gen = p, gen
	s.kept.rewind()
	s.counted, s.unflagged = s.kept.sent.bytes, 0
	s.win.start(minWindow)
	s.probe = probe{}
	p.watched, p.silent, p.retire, p.faster = s.host.now(), false, 0, 0
	s.timedLocked(p)
	s.alone = 0
	s.moves = moves{n: s.moves.n + 1, why: why, when: time.Now()}
	s.ackAt = s.host.now()
	s.grantLocked()
	s.mu.Unlock()
	s.controlLocked(p, wire.Control, nil, []frame{{kind: frameResume, a: gen, b: s.inNext.Load()}})
	s.sendMu.Unlock()
	if old != p {
		s.host.log.Debug("session moved", "peer", s.remote.Short(), "route", p.key, "why", why)
	}
	s.repeat(p)
	s.kickSteward()
}

// resumed is RESUME from the peer, on p: it has so many of our records, and from now on uses p. The newest switch
// counts; of two that are equally new, the initiator's.
func (s *Session) resumed(p *Path, f frame) error {
	s.mu.Lock()
	if f.b > s.kept.sealed.records {
		s.mu.Unlock()
		return errProtocol
	}
	var free *span
	if f.b > s.kept.acked.records {
		free, _ = s.ackedLocked(f.b, s.win.ce)
	}
	follow := f.a > s.gen || f.a == s.gen && !s.initiator && s.active != p
	s.mu.Unlock()
	freeSpans(free)
	if follow {
		s.switchTo(p, f.a, "the far end moved")
	}
	return nil
}

// repeat tells the peer again, on p, what may have been lost with another path: how much we have, the credit of every stream,
// and resets.
func (s *Session) repeat(p *Path) {
	s.mu.Lock()
	streams := make([]*Stream, 0, len(s.streams))
	for _, st := range s.streams {
		streams = append(streams, st)
	}
	s.mu.Unlock()
	fs := make([]frame, 0, len(streams))
	for _, st := range streams {
		fs = append(fs, frame{kind: frameCredit, sid: st.id, a: st.creditGiven()})
	}
	s.sendBatch(p, fs)
	s.repeatResets(p)
}

// repeatResets sends the resets that are not acknowledged.
func (s *Session) repeatResets(p *Path) {
	s.mu.Lock()
	fs := make([]frame, 0, len(s.resets))
	for sid, c := range s.resets {
		fs = append(fs, frame{kind: frameReset, sid: sid, code: c})
	}
	s.resetAt = s.host.now()
	s.mu.Unlock()
	s.sendBatch(p, fs)
}

// sendBatch sends small control frames, many to a record.
func (s *Session) sendBatch(p *Path, fs []frame) {
	const each = 1 + 4 + 8 // of the largest, CREDIT
	for chunk := range slices.Chunk(fs, maxBatch/each) {
		s.sendControl(p, chunk...)
	}
}

// pong measures a path.
func (s *Session) pong(p *Path, opaque uint64) {
	now := s.host.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answeredLocked(opaque, now)
	if sent := time.Duration(opaque); sent >= p.since && sent <= now { // any of ours, not only the last
		p.measuredLocked(now-sent, true)
		p.pinged = 0
	}
	if !p.confirmed {
		s.kickSteward() // it is now
	}
	if p == s.active {
		s.timedLocked(p)
	} else if a := s.active; a != nil && p.confirmed {
		if p.faster++; a.srtt == 0 || 2*p.srtt >= a.srtt {
			p.faster = 0
		}
		if p.faster >= fasterTimes {
			s.kickSteward()
		}
	}
}

// join attaches a path that the peer, who proves it by payload, laid for this session; false: it does not belong here.
func (s *Session) join(p *Path, payload []byte) bool {
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	plain, _ := s.openControlLocked(payload)
	r := wire.NewReader(plain)
	f, err := parseFrame(r, true)
	if plain == nil || err != nil || r.Done() != nil || f.kind != frameJoin || f.route != p.key {
		return false
	}
	s.makeRoom()
	if !s.addPath(p, true) {
		return false
	}
	p.heard.Store(int64(s.host.now()))
	s.sendControl(p, frame{kind: framePong, a: f.a})
	return true
}

// makeRoom gives up what the peer, who has just proved that it is there and wants another path, cannot miss: of maxPaths that seem alive
// here the quietest one that is not in use, and what is dead and was not buried yet. Paths that fell silent die at the initiator first: it would take
// a refusal for the end of the session.
func (s *Session) makeRoom() {
	var quietest *Path
	live := 0
	s.mu.Lock()
	s.paths = slices.DeleteFunc(s.paths, func(p *Path) bool {
		if p.gone.Load() != 0 {
			return p != s.active // whose end is the steward's business
		}
		if live++; p != s.active && (quietest == nil || p.heard.Load() < quietest.heard.Load()) {
			quietest = p
		}
		return false
	})
	s.mu.Unlock()
	if live >= maxPaths {
		quietest.close()
	}
}

// addPath makes p one of the session's; false when the session is over, has enough, or the path is gone.
func (s *Session) addPath(p *Path, confirmed bool) bool {
	if !s.host.claim(p, s) {
		return false
	}
	now := s.host.now()
	s.mu.Lock()
	live := 0
	for _, o := range s.paths {
		if o.gone.Load() == 0 {
			live++
		}
	}
	ok := s.err == nil && live < maxPaths && len(s.paths) < 4*maxPaths
	if ok {
		s.paths = append(s.paths, p)
		p.since, p.watched, p.confirmed = now, now, confirmed
		p.lastPing = now - time.Hour // it is due
	}
	s.mu.Unlock()
	s.kickSteward()
	return ok
}
