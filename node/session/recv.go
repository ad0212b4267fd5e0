package session

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// gapPause is the least time between two requests for what is missing.
const gapPause = 100 * time.Millisecond

// receive takes a record from a path, on the reading goroutine of its route.
func (s *Session) receive(p *Path, t wire.Type, flags uint8, payload []byte) {
	switch t {
	case wire.Handshake:
		if s.lanes.Load() == nil && len(payload) <= secure.MaxHandshakeMsg {
			select {
			case s.hello <- slices.Clone(payload):
			default: // more than the handshake has messages: not from our peer
			}
		}
	case wire.Data:
		s.data(p, flags, payload)
	case wire.Control:
		s.control(p, payload)
	case wire.Datagram:
		s.datagram(p, payload)
	}
}

// sequence splits a sealed record; ok is false when it is too short or there are no keys yet.
func (s *Session) sequence(payload []byte) (k *lanes, seq uint64, sealed []byte, ok bool) {
	if k = s.lanes.Load(); k == nil || len(payload) < seqLen+wire.TagLen {
		return nil, 0, nil, false
	}
	return k, binary.BigEndian.Uint64(payload), payload[seqLen:], true
}

// data takes a Data record if it is the next one. One that does not open was changed on the way, by the nodes of
// that path: the path ends, not the session.
func (s *Session) data(p *Path, flags uint8, payload []byte) {
	k, seq, sealed, ok := s.sequence(payload)
	if !ok {
		return
	}
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	if numberOf(seq) < s.in.records {
		if flags&wire.AckNow != 0 { // sent again: the sender wants to know how far we are
			s.ackLocked()
		}
		return
	}
	plain, err := k.openData.open(seq, sealed)
	if err != nil {
		s.tampered(p)
		return
	}
	p.heard.Store(int64(s.host.now()))
	if numberOf(seq) > s.in.records {
		s.gapLocked(p)
		return
	}
	s.in.records++
	s.inNext.Store(s.in.records)
	s.becomeReady()
	if err := s.frames(p, plain, false); err != nil {
		s.fail(err)
		return
	}
	s.receivedLocked(uint64(len(payload)), flags)
}

// control takes a Control record that was not taken before.
func (s *Session) control(p *Path, payload []byte) {
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	plain, ok := s.openControlLocked(payload)
	if !ok {
		return
	}
	if plain == nil {
		s.tampered(p)
		return
	}
	p.heard.Store(int64(s.host.now()))
	s.becomeReady()
	if err := s.frames(p, plain, true); err != nil {
		s.fail(err)
	}
}

// openControlLocked opens a control record; ok is false for one to ignore, plain nil for one that does not open.
func (s *Session) openControlLocked(payload []byte) (plain []byte, ok bool) {
	k, seq, sealed, ok := s.sequence(payload)
	if !ok || s.inCtl.seen(numberOf(seq)) {
		return nil, false
	}
	plain, err := k.openCtl.open(seq, sealed)
	if err != nil {
		return nil, true
	}
	s.inCtl.take(numberOf(seq))
	return plain, true
}

// tampered drops a path over which something came that the peer did not send.
func (s *Session) tampered(p *Path) {
	s.host.log.Debug("record does not open: the route is dropped", "peer", s.remote.Short(), "route", p.key)
	p.close()
}

// frames acts on the frames of a record. An error ends the session.
func (s *Session) frames(p *Path, plain []byte, control bool) error {
	for r := wire.NewReader(plain); r.Len() > 0; {
		f, err := parseFrame(r, control)
		if err != nil {
			return errProtocol
		}
		if err := s.frame(p, f); err != nil {
			return err
		}
	}
	return nil
}

// receivedLocked accounts for a Data record, and acknowledges at once when that is wished or much has come, else
// after a moment.
func (s *Session) receivedLocked(n uint64, flags uint8) {
	s.in.bytes += n
	if flags&wire.Congested != 0 {
		s.inCE += n
	}
	switch waiting := s.in.bytes - s.told; {
	case waiting >= ackEvery || flags&wire.AckNow != 0:
		s.ackLocked()
	case waiting == n: // the first since the last ACK
		s.ackSoon.Reset(ackDelay)
	}
}

// ackNow tells the peer what has arrived.
func (s *Session) ackNow() {
	s.recvMu.Lock()
	defer s.recvMu.Unlock()
	if s.told != s.in.bytes {
		s.ackLocked()
	}
}

func (s *Session) ackLocked() {
	s.told = s.in.bytes
	s.sendControl(nil, frame{kind: frameAck, a: s.in.records, b: s.in.bytes, ce: s.inCE})
}

// gapLocked asks for what is missing before a record that came over p. A path loses nothing without ending, so this is
// rare: the peer is told to begin again where we are.
func (s *Session) gapLocked(p *Path) {
	now := s.host.now()
	if s.gapAt != 0 && now-s.gapAt < gapPause {
		return
	}
	s.gapAt = now
	s.mu.Lock()
	s.gen++
	gen := s.gen
	s.mu.Unlock()
	s.sendControl(p, frame{kind: frameResume, a: gen, b: s.in.records})
}

// frame acts on one frame. An error ends the session. The caller holds recvMu.
func (s *Session) frame(p *Path, f frame) error {
	switch f.kind {
	case frameOpen:
		return s.opened(f)
	case frameAck:
		return s.ack(f)
	case framePing:
		s.sendControl(p, frame{kind: framePong, a: f.a})
		return nil
	case framePong:
		s.pong(p, f.a)
		return nil
	case frameResume:
		return s.resumed(p, f)
	case frameResetAck:
		s.mu.Lock()
		delete(s.resets, f.sid)
		s.mu.Unlock()
		return nil
	case frameReset:
		return s.wasReset(p, f)
	case frameClose:
		return errBye
	case frameApart:
		return s.keptApart()
	case frameJoin:
		return errProtocol // it comes first, and as a record of type Join
	}
	return s.streamFrame(f)
}

// streamFrame acts on a frame for a stream.
func (s *Session) streamFrame(f frame) error {
	s.mu.Lock()
	st := s.streams[f.sid]
	s.count.RecvBytes += uint64(len(f.data))
	s.mu.Unlock()
	if st == nil {
		if f.kind == frameOpened && s.ours(f.sid) {
			s.reset(f.sid, wire.CodeCancelled) // our RESET overtook the OPEN
		}
		return nil // it crossed our RESET
	}
	switch f.kind {
	case frameOpened:
		return st.onOpened(f.credit)
	case frameData:
		return st.onData(f.data)
	case frameFin:
		return st.onFin()
	case frameCredit:
		st.onCredit(f.a)
	}
	return nil
}

// ours reports whether a stream's number is one of those that we give.
func (s *Session) ours(sid uint32) bool { return (sid%2 == 1) == s.initiator }

// opened is OPEN from the peer. Numbers grow; one whose RESET came first is not opened at all.
func (s *Session) opened(f frame) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil
	}
	if s.ours(f.sid) || f.sid <= s.lastID {
		s.mu.Unlock()
		return errProtocol
	}
	s.lastID = f.sid
	if _, over := s.early[f.sid]; over {
		delete(s.early, f.sid)
		s.mu.Unlock()
		return nil
	}
	var st *Stream
	if s.theirs < maxStreams {
		st = newStream(s, f.port, string(f.data))
		if !s.enterLocked(st, f.sid) {
			st = nil
		}
	}
	if st == nil {
		s.mu.Unlock()
		s.reset(f.sid, wire.CodeBusy)
		return nil
	}
	s.theirs++
	st.credit = uint64(f.credit)
	s.mu.Unlock()
	s.host.cfg.Accept(st)
	return nil
}

// wasReset is RESET from the peer.
func (s *Session) wasReset(p *Path, f frame) error {
	s.mu.Lock()
	st := s.streams[f.sid]
	if st == nil && !s.ours(f.sid) && f.sid > s.lastID {
		if len(s.early) >= maxStreams {
			s.mu.Unlock()
			return errProtocol
		}
		s.early[f.sid] = struct{}{}
	}
	s.mu.Unlock()
	if st != nil {
		st.lost(&wire.Refused{Code: f.code})
	}
	s.sendControl(p, frame{kind: frameResetAck, sid: f.sid})
	return nil
}

// reset tells the peer that a stream is over, until it says that it has heard.
func (s *Session) reset(sid uint32, c wire.Code) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.resets[sid] = c
	if len(s.resets) > maxResets {
		s.failSoonLocked(errProtocol)
	}
	first := len(s.resets) == 1
	s.mu.Unlock()
	s.sendControl(nil, frame{kind: frameReset, sid: sid, code: c})
	if first {
		s.kickSteward()
	}
}
