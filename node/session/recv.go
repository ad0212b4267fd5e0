package session

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Receive implements forward.Upper: records from the route, on its reading goroutine.
func (s *Session) Receive(t wire.Type, _ uint8, payload []byte) {
	switch t {
	case wire.Handshake:
		if s.keys.Load() == nil && len(payload) <= secure.MaxHandshakeMsg {
			select {
			case s.hello <- slices.Clone(payload):
			default: // more than the handshake has messages: not from our peer
			}
		}
	case wire.Data:
		s.record(payload, false)
	case wire.Control:
		s.record(payload, true)
	}
}

// record opens a sealed record in place and takes its frames.
func (s *Session) record(payload []byte, control bool) {
	k := s.keys.Load()
	if k == nil {
		return
	}
	opener, next := k.openData, &s.inData
	if control {
		opener, next = k.openCtl, &s.inCtl
	}
	if len(payload) < seqLen+wire.TagLen || binary.BigEndian.Uint64(payload) != *next {
		s.fail(errProtocol)
		return
	}
	sealed := payload[seqLen:]
	plain, err := opener.OpenAt(*next, sealed[:0], sealed, nil)
	if err != nil {
		s.fail(errProtocol)
		return
	}
	*next++
	s.becomeReady()
	for r := wire.NewReader(plain); r.Len() > 0; {
		f, err := parseFrame(r, control)
		if err == nil {
			err = s.frame(f)
		}
		if err != nil {
			s.fail(errProtocol)
			return
		}
	}
	if !control {
		s.received(uint64(len(payload)))
	}
}

// received accounts for a Data record, and acknowledges at once when much has come, else after a moment.
func (s *Session) received(n uint64) {
	s.inCount.Add(1)
	switch waiting := s.inTotal.Add(n) - s.told.Load(); {
	case waiting >= ackEvery:
		s.ackNow()
	case waiting == n: // the first since the last ACK
		s.ackSoon.Reset(ackDelay)
	}
}

// ackNow tells the peer what has arrived.
func (s *Session) ackNow() {
	total := s.inTotal.Load()
	if s.told.Swap(total) != total {
		s.sendControl(frame{kind: frameAck, a: s.inCount.Load(), b: total})
	}
}

// frame acts on one frame. An error ends the session.
func (s *Session) frame(f frame) error {
	switch f.kind {
	case frameOpen:
		return s.opened(f)
	case frameAck:
		return s.ack(f.b)
	case framePing:
		s.sendControl(frame{kind: framePong, a: f.a})
		return nil
	case framePong:
		if d := time.Since(s.began) - time.Duration(f.a); d > 0 && f.a <= uint64(time.Since(s.began)) {
			s.rtt.Store(int64(d))
		}
		return nil
	}
	s.mu.Lock()
	st := s.streams[f.sid]
	s.count.RecvBytes += uint64(len(f.data))
	s.mu.Unlock()
	if st == nil {
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
	case frameReset:
		st.lost(&wire.Refused{Code: f.code})
	}
	return nil
}

// ack frees the window.
func (s *Session) ack(bytes uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes > s.sent {
		return errProtocol
	}
	s.acked = max(s.acked, bytes) // two may cross
	s.room.Broadcast()
	return nil
}

// opened is OPEN from the peer.
func (s *Session) opened(f frame) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil
	}
	fromThem := (f.sid%2 == 1) != s.initiator
	if !fromThem || s.streams[f.sid] != nil {
		s.mu.Unlock()
		return errProtocol
	}
	var st *Stream
	if s.theirs < maxStreams {
		st = s.newStreamLocked(f.sid, f.port, string(f.data))
	}
	if st == nil {
		s.mu.Unlock()
		s.sendControl(frame{kind: frameReset, sid: f.sid, code: wire.CodeBusy})
		return nil
	}
	s.theirs++
	st.credit = uint64(f.credit)
	s.mu.Unlock()
	s.host.cfg.Accept(st)
	return nil
}
