package app

import (
	"encoding/binary"

	"github.com/skycoin/viscript/node/wire"
)

// CarryDialing is the body of CARRYDIAL.
type CarryDialing struct {
	ID    uint64
	Hello []byte  // for the socket, once the far app has confirmed; at most MaxHello bytes
	Dial  Request // of kind Dial
}

// AppendCarryDial appends d as ParseCarryDial reads it.
func AppendCarryDial(b []byte, d CarryDialing) []byte {
	b = binary.BigEndian.AppendUint64(b, d.ID)
	b = wire.AppendString(b, string(d.Hello))
	return d.Dial.AppendBody(b)
}

// ParseCarryDial reads the body of CARRYDIAL; the Request aliases it. Errors: ErrFrame.
func ParseCarryDial(body []byte) (d CarryDialing, err error) {
	r := wire.NewReader(body)
	d.ID, d.Hello = r.U64(), []byte(r.String(MaxHello))
	rest := r.Rest()
	if r.Done() != nil {
		return d, ErrFrame
	}
	d.Dial, err = ParseRequest(Dial, rest)
	return d, err
}

// CarryWord is the body of every other word about a stream that the node carries; which fields hold is told by its kind.
type CarryWord struct {
	ID    uint64
	Code  Code   // of CARRYEND
	Tally Tally  // of CARRYCOUNT and CARRYDONE
	Text  string // of CARRYDONE: at most MaxText bytes
}

// AppendCarryWord appends w as ParseCarryWord reads it.
func AppendCarryWord(b []byte, k Kind, w CarryWord) []byte {
	b = binary.BigEndian.AppendUint64(b, w.ID)
	switch k {
	case CarryEnd:
		b = binary.BigEndian.AppendUint16(b, uint16(w.Code))
	case CarryCount:
		b = AppendTally(b, w.Tally)
	case CarryDone:
		b = wire.AppendString(AppendTally(b, w.Tally), w.Text)
	}
	return b
}

// ParseCarryWord is the inverse of AppendCarryWord. Errors: ErrFrame, also for another kind.
func ParseCarryWord(k Kind, body []byte) (w CarryWord, err error) {
	r := wire.NewReader(body)
	w.ID = r.U64()
	switch k {
	case CarryOn, Carrying:
	case CarryEnd:
		w.Code = Code(r.U16())
	case CarryCount, CarryDone:
		w.Tally = Tally{Up: r.U64(), Down: r.U64(), Code: Code(r.U16())}
		if k == CarryDone {
			w.Text = r.String(MaxText)
		}
	default:
		return w, ErrFrame
	}
	if r.Done() != nil {
		return w, ErrFrame
	}
	return w, nil
}
