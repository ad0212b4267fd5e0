package session

import (
	"encoding/binary"
	"sync"

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
	spanLen  = 2 * (maxData + sealedOver + wire.Overhead)
)

// spans are buffers in which Data records are built.
var spans = sync.Pool{New: func() any { b := make([]byte, 0, spanLen); return &b }}

// send stamps a whole record with the route's number and sends it.
func (s *Session) send(rec []byte, t wire.Type) {
	s.mu.Lock()
	e := s.end
	s.mu.Unlock()
	if e == nil {
		return
	}
	wire.PutHeader(rec[wire.LenLen:], t, 0, e.Number())
	link.PutRecordLen(rec)
	e.Send(rec)
}

// sendControl seals and sends one control frame.
func (s *Session) sendControl(f frame) {
	k := s.keys.Load()
	if k == nil {
		return
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	b := append(s.ctlBuf[:0], make([]byte, framesAt)...)
	b = appendFrame(b, f)
	binary.BigEndian.PutUint64(b[seqAt:], s.outCtl)
	b = append(b, make([]byte, 2*wire.TagLen)...)
	plain := b[framesAt : len(b)-2*wire.TagLen]
	k.sealCtl.SealAt(s.outCtl, plain[:0], plain, nil)
	s.outCtl++
	s.ctlBuf = b
	s.send(b, wire.Control)
}

// sendFrame seals and sends a Data record of frames that are no DATA, or OPEN with its first data.
func (s *Session) sendFrame(f frame, first []byte) {
	buf := spans.Get().(*[]byte)
	b := append((*buf)[:0], make([]byte, framesAt)...)
	b = appendFrame(b, f)
	if len(first) > 0 {
		b = appendFrame(b, frame{kind: frameData, sid: f.sid, data: first})
	}
	s.sendMu.Lock()
	b = s.sealData(b, 0)
	s.addSent(len(b) - wire.Overhead)
	s.send(b, wire.Data)
	s.sendMu.Unlock()
	*buf = b
	spans.Put(buf)
}

// sendData sends up to spanData bytes of a stream, for which credit and window have been taken.
func (s *Session) sendData(sid uint32, data []byte) {
	e := s.route()
	if e == nil {
		return
	}
	buf := spans.Get().(*[]byte)
	b := (*buf)[:0]
	s.sendMu.Lock()
	for len(data) > 0 {
		n := min(len(data), maxData)
		start := len(b)
		b = append(b, blank[:framesAt]...)
		b = append(b, byte(frameData))
		b = binary.BigEndian.AppendUint32(b, sid)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = append(b, data[:n]...)
		b = s.sealData(b, start)
		wire.PutHeader(b[start+wire.LenLen:], wire.Data, 0, e.Number())
		link.PutRecordLen(b[start:])
		data = data[n:]
	}
	e.Send(b)
	s.sendMu.Unlock()
	*buf = b
	spans.Put(buf)
}

var blank [max(framesAt, 2*wire.TagLen)]byte

// sealData seals the record that begins at start of b and ends with b, and adds the room for the link's seal.
// The caller holds sendMu.
func (s *Session) sealData(b []byte, start int) []byte {
	k := s.keys.Load()
	binary.BigEndian.PutUint64(b[start+seqAt:], s.outData)
	n := len(b)
	b = append(b, blank[:2*wire.TagLen]...)
	plain := b[start+framesAt : n]
	k.sealData.SealAt(s.outData, plain[:0], plain, nil)
	s.outData++
	return b
}

func (s *Session) route() end {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil
	}
	return s.end
}

// sealedLen is how much of the window n bytes of a stream take.
func sealedLen(n int) int { return n + (n+maxData-1)/maxData*sealedOver }

// takeWindow waits until n sealed bytes fit the window and takes them. It fails when the session or
// the stream is over.
func (s *Session) takeWindow(st *Stream, n int) error {
	if err := s.awaitWindow(st, uint64(n)); err != nil {
		return &wire.Refused{Code: wire.CodeGone, Text: err.Error()}
	}
	if st.over.Load() {
		return st.overErr()
	}
	return nil
}

func (s *Session) awaitWindow(st *Stream, n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && !st.over.Load() {
		if inFlight := s.sent - s.acked; inFlight == 0 || inFlight+n <= maxWindow {
			s.sent += n
			s.count.SentBytes += n
			break
		}
		s.room.Wait()
	}
	return s.err
}

// addSent counts bytes that travel without waiting for the window: OPEN, OPENED, FIN.
func (s *Session) addSent(n int) {
	s.mu.Lock()
	s.sent += uint64(n)
	s.mu.Unlock()
}
