package session

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// dataAt is where the bytes of a DATA frame lie in a record that holds nothing else.
const dataAt = framesAt + dataHeader

// ReadFrom implements io.ReaderFrom: what r gives leaves without another copy, until r's end (nil). While
// r, if it has a descriptor, gives nothing, no buffer is held. Errors: *wire.Refused when the stream is over, else r's.
func (st *Stream) ReadFrom(r io.Reader) (total int64, err error) {
	var in *intake
	if raw := direct.Of(r); raw != nil {
		in = newIntake(st, raw)
	}
	for {
		n, err := st.takeCredit(st.piece())
		if err != nil {
			return total, err
		}
		m, err := st.move(r, in, n)
		st.returnCredit(n - m)
		total += int64(m)
		st.moved.Add(uint64(m))
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Moved is how many bytes ReadFrom has sent so far.
func (st *Stream) Moved() uint64 { return st.moved.Load() }

// returnCredit gives back what takeCredit took and nothing was sent for.
func (st *Stream) returnCredit(n int) {
	if n > 0 {
		st.mu.Lock()
		st.sent -= uint64(n)
		st.mu.Unlock()
	}
}

// move reads once, up to n bytes, into the place where they are sealed, and sends them.
func (st *Stream) move(r io.Reader, in *intake, n int) (m int, err error) {
	var sp *span
	var reserved int
	if in != nil {
		sp, m, reserved, err = in.read(n)
	} else {
		sp, m, reserved, err = st.readPlain(r, n)
	}
	if sp == nil {
		return 0, err
	}
	if m > spanData/2 {
		st.s.sendInPlace(st.id, sp, m, reserved)
		return m, err
	}
	st.s.sendData(st.id, sp.b[dataAt:dataAt+m], reserved) // so that few bytes do not keep a whole span
	freeSpans(sp)
	return m, err
}

// readPlain reads from what is no descriptor; it holds its span while it waits.
func (st *Stream) readPlain(r io.Reader, n int) (sp *span, m, reserved int, err error) {
	sp = newSpan()
	m, err = r.Read(sp.b[dataAt : dataAt+n : cap(sp.b)])
	if m > 0 {
		reserved = sealedLen(m)
		werr := st.s.takeWindow(st, reserved)
		if werr == nil {
			return sp, m, reserved, err
		}
		err = werr
	}
	freeSpans(sp)
	return nil, 0, 0, err
}

// sendInPlace sends the n bytes at dataAt of sp, more than maxData and at most spanData, as two records built around them.
// sp is the session's from now on. reserved is what was taken of the window for them, or more.
func (s *Session) sendInPlace(sid uint32, sp *span, n, reserved int) {
	b := sp.b[:cap(sp.b)]
	second := dataAt + maxData + 2*wire.TagLen // the second record's head comes where its data lies
	copy(b[second+dataAt:], b[dataAt+maxData:dataAt+n])
	sp.held = true
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	ok := s.sealInPlace(b[:second], sid, maxData) && s.sealInPlace(b[second:second+dataAt+n-maxData+2*wire.TagLen], sid, n-maxData)
	if ok {
		sp.b = b[:second+dataAt+n-maxData+2*wire.TagLen]
	}
	s.commit(sp, 0, reserved)
}

// sealInPlace completes the record rec, whose n bytes of data are in place. The caller holds sendMu.
func (s *Session) sealInPlace(rec []byte, sid uint32, n int) bool {
	rec[framesAt] = byte(frameData)
	binary.BigEndian.PutUint32(rec[framesAt+1:], sid)
	binary.BigEndian.PutUint16(rec[framesAt+5:], uint16(n))
	_, ok := s.seal(s.lanes.Load().sealData, rec[:dataAt+n], seqAt) // within rec's capacity: nothing moves
	link.PutRecordLen(rec)
	return ok
}
