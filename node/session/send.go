package session

import (
	"encoding/binary"
	"time"

	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// Where things lie in a record that is being built: the frames begin at framesAt, the seal of the
// session follows them, and the room for the link's seal ends the record.
const (
	seqAt    = wire.LenLen + wire.HeaderLen
	framesAt = seqAt + seqLen
	// sealedOver is what a Data record's payload holds beside the bytes of one DATA frame.
	sealedOver = seqLen + dataHeader + wire.TagLen
	// spanData is how much of a stream leaves in one go: two records.
	spanData = 2 * maxData
	// firstPiece is how much of a stream leaves first, so that it fits into ten segments of TCP with what else is on the way.
	firstPiece = 8 << 10
	spanLen    = 2 * (maxData + sealedOver + wire.Overhead)
	// maxBatch is how many bytes of control frames share a record, about.
	maxBatch = 8 << 10
	// maxFlagged is how much is sent at most before an acknowledgement is asked for at once.
	maxFlagged = maxWindow / 16
	// maxKept bounds what the peer has not acknowledged. What waits for the window stays far below; a peer that
	// acknowledges nothing but goes on opening streams meets it.
	maxKept = 2 * maxWindow
)

var blank [max(DatagramHead, 2*wire.TagLen)]byte

// sendControl seals control frames as one record and sends it on p; nil: the path in use.
func (s *Session) sendControl(p *Path, fs ...frame) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.controlLocked(p, wire.Control, nil, fs)
}

// controlLocked is sendControl for the holder of sendMu, of any type; head precedes the sealed part.
func (s *Session) controlLocked(p *Path, t wire.Type, head []byte, fs []frame) {
	k := s.lanes.Load()
	if k == nil {
		return
	}
	if p == nil {
		s.mu.Lock()
		p = s.active
		s.mu.Unlock()
	}
	if p == nil {
		return
	}
	b := append(s.ctlBuf[:0], blank[:seqAt]...)
	b = append(b, head...)
	at := len(b)
	b = append(b, blank[:seqLen]...)
	for _, f := range fs {
		b = appendFrame(b, f)
	}
	if b, ok := s.seal(k.sealCtl, b, at); ok {
		s.ctlBuf = b
		p.send(b, t)
	}
}

// seal draws a number for the record whose sequence number belongs at `at` of b and whose frames follow it to the end of b, seals
// it, and adds the room for the link's seal. The caller holds sendMu.
func (s *Session) seal(l *sealLane, b []byte, at int) ([]byte, bool) {
	seq, err := l.draw(len(b)-at, time.Now())
	if err != nil {
		s.failSoon(err)
		return b, false
	}
	binary.BigEndian.PutUint64(b[at:], seq)
	n := len(b)
	b = append(b, blank[:2*wire.TagLen]...)
	plain := b[at+seqLen : n]
	l.sealer.SealAt(seq, plain[:0], plain, nil)
	return b, true
}

// sendFrame seals a Data record of a frame that is no DATA, with first data where it is OPEN. It does not wait for
// the window; reserved is what was taken of it.
func (s *Session) sendFrame(f frame, first []byte, reserved int) {
	s.sendMu.Lock()
	s.frameLocked(f, first, reserved)
	s.sendMu.Unlock()
}

func (s *Session) frameLocked(f frame, first []byte, reserved int) {
	s.mu.Lock()
	sp := s.kept.room(wire.Overhead + sealedOver + maxTarget + 32 + len(first))
	s.mu.Unlock()
	from := len(sp.b)
	sp.b = append(sp.b, blank[:framesAt]...)
	sp.b = appendFrame(sp.b, f)
	if len(first) > 0 {
		sp.b = appendFrame(sp.b, frame{kind: frameData, sid: f.sid, data: first})
	}
	s.sealInto(sp, from, reserved)
}

// sealInto seals the record that begins at from and ends with sp, keeps it and sends it.
func (s *Session) sealInto(sp *span, from, reserved int) {
	b, ok := s.seal(s.lanes.Load().sealData, sp.b, from+seqAt)
	if !ok {
		b = b[:from]
	} else {
		link.PutRecordLen(b[from:])
	}
	sp.b = b
	s.commit(sp, from, reserved)
}

// sendData sends up to spanData bytes of a stream, for which credit and window have been taken.
// reserved is what was taken of the window, at least as much as they need.
func (s *Session) sendData(sid uint32, data []byte, reserved int) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	k := s.lanes.Load()
	s.mu.Lock()
	sp := s.kept.room(sealedLen(len(data)) + (len(data)+maxData-1)/maxData*wire.Overhead)
	s.mu.Unlock()
	from := len(sp.b)
	for len(data) > 0 {
		n := min(len(data), maxData)
		start := len(sp.b)
		b := append(sp.b, blank[:framesAt]...)
		b = append(b, byte(frameData))
		b = binary.BigEndian.AppendUint32(b, sid)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = append(b, data[:n]...)
		b, ok := s.seal(k.sealData, b, start+seqAt)
		if !ok {
			break
		}
		link.PutRecordLen(b[start:])
		sp.b = b
		data = data[n:]
	}
	s.commit(sp, from, reserved)
}

// commit keeps the sealed records from from to the end of sp, and sends them if everything before them has been
// sent. reserved is what was taken of the window for them. The caller holds sendMu and sp.
func (s *Session) commit(sp *span, from, reserved int) {
	s.mu.Lock()
	before := s.kept.sealed.bytes
	for at := from; at < len(sp.b); {
		n, _ := wire.Len(sp.b[at:])
		at += wire.LenLen + n
		s.kept.add(sp, at)
	}
	s.reserved -= uint64(reserved)
	added := s.kept.sealed.bytes - before
	s.count.SentBytes += added
	if s.kept.sealed.bytes-s.kept.acked.bytes > maxKept {
		s.failSoonLocked(errProtocol)
	}
	var c piece
	var flags uint8
	p := s.active
	ok := p != nil && s.kept.sent.bytes == before
	if ok {
		if c, ok = s.kept.take(^uint64(0)); ok {
			flags = s.flagLocked(c, p)
		}
	}
	if uint64(reserved) > added {
		s.grantLocked()
	}
	s.mu.Unlock()
	if ok {
		p.sendPiece(c, flags)
	}
	s.letGo(sp)
}

// flagLocked decides whether a piece that is about to be sent asks for an acknowledgement at once: each quarter of the
// window does.
func (s *Session) flagLocked(c piece, p *Path) uint8 {
	s.unflagged += s.kept.sent.bytes - s.counted
	s.counted = s.kept.sent.bytes
	if s.unflagged < min(s.win.size/4, maxFlagged) {
		return 0
	}
	s.unflagged = 0
	if s.probe.path == nil {
		s.probe = probe{path: p, records: s.kept.sent.records, at: s.host.now()}
	}
	return wire.AckNow
}

// letGo ends the holding of a span.
func (s *Session) letGo(sp *span) {
	s.mu.Lock()
	free := s.kept.letGo(sp)
	s.mu.Unlock()
	freeSpans(free)
}

// pump sends what is to be sent again, as far as the window allows. It is the steward's.
func (s *Session) pump() {
	for s.pumpOne() {
	}
}

func (s *Session) pumpOne() bool {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	p := s.active
	if p == nil || s.err != nil {
		s.mu.Unlock()
		return false
	}
	c, ok := s.kept.take(s.win.size)
	if !ok {
		s.mu.Unlock()
		return false
	}
	flags := s.flagLocked(c, p)
	s.resent += uint64(c.to - c.from)
	s.grantLocked()
	s.mu.Unlock()
	p.sendPiece(c, flags)
	s.letGo(c.sp)
	return true
}

// sealedLen is how much of the window n bytes of a stream take.
func sealedLen(n int) int { return n + (n+maxData-1)/maxData*sealedOver }
