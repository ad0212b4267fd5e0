package session

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// MaxDatagram is the largest datagram in bytes: a 64 KiB packet and a header.
const MaxDatagram = 64<<10 + 32

// gramHeader is port and from.
const gramHeader = 2 + 2

// The room that SendRoomy needs before and after a datagram: for the header of the record and the ports, and for two seals.
const (
	DatagramHead = framesAt + gramHeader
	DatagramTail = 2 * wire.TagLen
)

// SendDatagram sends b, at most MaxDatagram bytes, to a port of the remote node, from one of ours. Like UDP it may be lost, or
// overtake another, but it is never delivered twice. It does not wait: without a route, or where a queue on the way
// is full, it is dropped without an error. Errors: *wire.Refused when the session is over or b is too long.
func (s *Session) SendDatagram(port, from uint16, b []byte) error {
	if len(b) > MaxDatagram {
		return &wire.Refused{Code: wire.CodeBadRequest, Text: "datagram too long"}
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	rec := append(s.gramBuf[:0], blank[:DatagramHead]...)
	rec = append(rec, b...)
	rec = append(rec, blank[:DatagramTail]...)
	s.gramBuf = rec
	return s.roomyLocked(port, from, rec)
}

// SendRoomy is SendDatagram of rec[DatagramHead:len(rec)-DatagramTail], sealed where it lies. It overwrites rec and does not keep it.
func (s *Session) SendRoomy(port, from uint16, rec []byte) error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	return s.roomyLocked(port, from, rec)
}

func (s *Session) roomyLocked(port, from uint16, rec []byte) error {
	if len(rec) > DatagramHead+MaxDatagram+DatagramTail {
		return &wire.Refused{Code: wire.CodeBadRequest, Text: "datagram too long"}
	}
	s.mu.Lock()
	p, err := s.active, s.err
	s.mu.Unlock()
	k := s.lanes.Load()
	switch {
	case err != nil:
		return &wire.Refused{Code: wire.CodeGone, Text: err.Error()}
	case p == nil || k == nil:
		return nil
	}
	s.usedForGrams()
	binary.BigEndian.PutUint16(rec[framesAt:], port)
	binary.BigEndian.PutUint16(rec[framesAt+2:], from)
	if rec, ok := s.seal(k.sealGram, rec[:len(rec)-DatagramTail], seqAt); ok {
		p.send(rec, wire.Datagram)
	}
	return nil
}

// datagram takes a Datagram record that was not taken before.
func (s *Session) datagram(p *Path, payload []byte) {
	k, seq, sealed, ok := s.sequence(payload)
	if !ok || s.host.cfg.Datagram == nil {
		return
	}
	s.gramMu.Lock()
	if s.inGram.words == nil {
		s.inGram = newReplay(datagramWords)
	}
	if s.inGram.seen(numberOf(seq)) {
		s.gramMu.Unlock()
		return
	}
	plain, err := k.openGram.open(seq, sealed)
	if err == nil {
		s.inGram.take(numberOf(seq))
	}
	s.gramMu.Unlock()
	if err != nil {
		s.tampered(p)
		return
	}
	p.heard.Store(int64(s.host.now()))
	s.usedForGrams()
	if len(plain) < gramHeader {
		s.fail(errProtocol)
		return
	}
	port, from := binary.BigEndian.Uint16(plain), binary.BigEndian.Uint16(plain[2:])
	if s.heardFrom(from) {
		s.host.cfg.Datagram(s.remote, port, from, s.terms, plain[gramHeader:])
	}
}

// usedForGrams notes that the session is in use.
func (s *Session) usedForGrams() {
	now := s.host.now()
	if before := s.gramAt.Swap(int64(now)); now-time.Duration(before) > gramBusy || before == 0 {
		s.kickSteward()
	}
}

// Datagram sends b to a port of another node, from one of ours: see Session.SendDatagram. The first one to a node waits for a
// session. Errors: *wire.Refused, or what Config.Lay or ctx say.
func (h *Host) Datagram(ctx context.Context, dst identity.PubKey, terms Terms, port, from uint16, b []byte) error {
	s, err := h.Connect(ctx, dst, terms, false)
	if err != nil {
		return err
	}
	return s.SendDatagram(port, from, b)
}

// sinceGram is how long ago the last datagram was; very long if there was none.
func (s *Session) sinceGram(now time.Duration) time.Duration {
	if at := time.Duration(s.gramAt.Load()); at != 0 {
		return now - at
	}
	return math.MaxInt64
}
