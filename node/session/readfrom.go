package session

import (
	"encoding/binary"
	"errors"
	"io"
	"syscall"

	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// dataAt is where the bytes of a DATA frame lie in a record that holds nothing else.
const dataAt = framesAt + dataHeader

// ReadFrom implements io.ReaderFrom: what r gives leaves without another copy, until r's end (nil). While
// r, if it has a descriptor, gives nothing, no buffer is held. Errors: *wire.Refused when the stream is over, else r's.
func (st *Stream) ReadFrom(r io.Reader) (total int64, err error) {
	raw, err := rawOf(r)
	if err != nil {
		return 0, err
	}
	for {
		n, err := st.takeCredit(spanData)
		if err != nil {
			return total, err
		}
		m, err := st.move(r, raw, n)
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
func (st *Stream) move(r io.Reader, raw syscall.RawConn, n int) (m int, err error) {
	var span *[]byte
	if raw != nil {
		span, m, err = readReady(raw, n)
	} else {
		span = spans.Get().(*[]byte)
		m, err = r.Read((*span)[dataAt : dataAt+n : cap(*span)])
	}
	if span == nil {
		return 0, err
	}
	defer spans.Put(span)
	if m <= 0 {
		return 0, err
	}
	if werr := st.s.takeWindow(st, sealedLen(m)); werr != nil {
		return 0, werr
	}
	st.s.sendInPlace(st.id, (*span)[:cap(*span)], m)
	return m, err
}

// sendInPlace sends the n bytes at dataAt of b, at most spanData, as one or two records built around them.
func (s *Session) sendInPlace(sid uint32, b []byte, n int) {
	e := s.route()
	if e == nil {
		return
	}
	end := dataAt + n + 2*wire.TagLen
	first := n
	if n > maxData { // make room for the first record's end and the second one's head
		first = maxData
		second := dataAt + maxData + 2*wire.TagLen
		end = second + dataAt + n - maxData + 2*wire.TagLen
		copy(b[second+dataAt:], b[dataAt+maxData:dataAt+n])
	}
	s.sendMu.Lock()
	s.sealInPlace(b[:dataAt+first+2*wire.TagLen], sid, first, e)
	if first < n {
		s.sealInPlace(b[dataAt+first+2*wire.TagLen:end], sid, n-first, e)
	}
	e.Send(b[:end])
	s.sendMu.Unlock()
}

// sealInPlace completes the record rec, whose n bytes of data are in place. The caller holds sendMu.
func (s *Session) sealInPlace(rec []byte, sid uint32, n int, e end) {
	rec[framesAt] = byte(frameData)
	binary.BigEndian.PutUint32(rec[framesAt+1:], sid)
	binary.BigEndian.PutUint16(rec[framesAt+5:], uint16(n))
	s.sealData(rec[:dataAt+n], 0) // within rec's capacity: nothing moves
	wire.PutHeader(rec[wire.LenLen:], wire.Data, 0, e.Number())
	link.PutRecordLen(rec)
}
