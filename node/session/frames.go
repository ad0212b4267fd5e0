package session

import (
	"encoding/binary"
	"errors"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/wire"
)

// Limits in bytes.
const (
	maxTarget  = 512      // of OPEN: a host name of 255 and a port, with room
	maxData    = 32 << 10 // of one DATA frame
	MaxFirst   = 16 << 10 // data that may travel with OPEN, and what a stream may always send
	seqLen     = 8
	dataHeader = 1 + 4 + 2
)

type kind uint8

// Frame types. Append-only.
const (
	frameOpen   kind = 1
	frameOpened kind = 2
	frameData   kind = 3
	frameFin    kind = 4
	frameAck    kind = 16
	frameCredit kind = 17
	framePing   kind = 18
	framePong   kind = 19
	frameReset  kind = 20
	// The far end has heard the RESET.
	frameResetAck kind = 21
	frameResume   kind = 22
	frameJoin     kind = 23
	frameClose    kind = 24
	frameApart    kind = 25
)

var errFrame = errors.New("session: malformed frame")

// frame is any frame; which fields hold is told by kind.
type frame struct {
	kind   kind
	sid    uint32
	port   uint16
	credit uint32
	code   wire.Code
	a, b   uint64      // ACK: records, bytes. CREDIT: offset. PING, PONG, JOIN: opaque. RESUME: generation, records
	ce     uint64      // ACK: bytes that arrived marked
	route  forward.Key // JOIN
	data   []byte      // DATA: bytes; OPEN: target. Aliases the record
}

// parseFrame takes one frame off r. control tells which of the two kinds of record it is in.
func parseFrame(r *wire.Reader, control bool) (f frame, err error) {
	f.kind = kind(r.U8())
	if control != (f.kind >= frameAck) {
		return f, errFrame
	}
	switch f.kind {
	case frameOpen:
		f.sid, f.port, f.credit, f.data = r.U32(), r.U16(), r.U32(), r.Bytes(maxTarget)
	case frameOpened:
		f.sid, f.credit = r.U32(), r.U32()
	case frameData:
		f.sid, f.data = r.U32(), r.Bytes(maxData)
	case frameFin:
		f.sid = r.U32()
	case frameAck:
		f.a, f.b, f.ce = r.U64(), r.U64(), r.U64()
	case frameCredit:
		f.sid, f.a = r.U32(), r.U64()
	case framePing, framePong:
		f.a = r.U64()
	case frameReset:
		f.sid, f.code = r.U32(), wire.Code(r.U16())
	case frameResetAck:
		f.sid = r.U32()
	case frameResume:
		f.a, f.b = r.U64(), r.U64()
	case frameJoin:
		r.Fixed(f.route[:])
		f.a = r.U64()
	case frameClose:
		f.code = wire.Code(r.U16())
	case frameApart:
	default:
		return f, errFrame
	}
	if r.Err() != nil {
		return f, errFrame
	}
	return f, nil
}

// appendFrame appends f as parseFrame reads it.
func appendFrame(b []byte, f frame) []byte {
	b = append(b, byte(f.kind))
	switch f.kind {
	case frameOpen:
		b = binary.BigEndian.AppendUint32(b, f.sid)
		b = binary.BigEndian.AppendUint16(b, f.port)
		b = binary.BigEndian.AppendUint32(b, f.credit)
		b = wire.AppendBytes(b, f.data)
	case frameOpened:
		b = binary.BigEndian.AppendUint32(b, f.sid)
		b = binary.BigEndian.AppendUint32(b, f.credit)
	case frameData:
		b = binary.BigEndian.AppendUint32(b, f.sid)
		b = wire.AppendBytes(b, f.data)
	case frameFin, frameResetAck:
		b = binary.BigEndian.AppendUint32(b, f.sid)
	case frameAck:
		b = binary.BigEndian.AppendUint64(b, f.a)
		b = binary.BigEndian.AppendUint64(b, f.b)
		b = binary.BigEndian.AppendUint64(b, f.ce)
	case frameResume:
		b = binary.BigEndian.AppendUint64(b, f.a)
		b = binary.BigEndian.AppendUint64(b, f.b)
	case frameJoin:
		b = append(b, f.route[:]...)
		b = binary.BigEndian.AppendUint64(b, f.a)
	case frameClose:
		b = binary.BigEndian.AppendUint16(b, uint16(f.code))
	case frameCredit:
		b = binary.BigEndian.AppendUint32(b, f.sid)
		b = binary.BigEndian.AppendUint64(b, f.a)
	case framePing, framePong:
		b = binary.BigEndian.AppendUint64(b, f.a)
	case frameReset:
		b = binary.BigEndian.AppendUint32(b, f.sid)
		b = binary.BigEndian.AppendUint16(b, uint16(f.code))
	}
	return b
}
