package app

import (
	"encoding/binary"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

// Request is the first frame of a connection; which fields hold is told by Kind.
type Request struct {
	Kind   Kind
	Key    identity.PubKey // DIAL; FIND, where zero means any
	Port   Port            // DIAL, LISTEN, LISTENCARRY, LISTENPACKET, TUNNEL
	ID     uint64          // ACCEPT
	Target string          // DIAL
	First  []byte          // DIAL; aliases the frame
	Name   string          // LISTEN, LISTENCARRY, FIND, RESOLVE
	Type   string          // LISTEN, LISTENCARRY, FIND
	Bits   uint8           // TUNNEL: what the TUN takes, a packet.Offload
	Routes route.Terms     // OVER; or of a DIAL, LISTENPACKET, TUNNEL or CARRY the OVER before it, which AppendFrames writes
}

// ParseRequest reads a request's body. Errors: ErrFrame.
func ParseRequest(k Kind, body []byte) (q Request, err error) {
	r := wire.NewReader(body)
	q.Kind = k
	if r.U8() != Version {
		return q, ErrFrame
	}
	switch k {
	case Dial:
		q.Key, q.Port, q.Target, q.First = r.Key(), Port(r.U16()), r.String(MaxTarget), r.Rest()
	case Listen, ListenCarry:
		q.Port, q.Name, q.Type = Port(r.U16()), r.String(MaxName), r.String(MaxName)
	case Accept:
		q.ID = r.U64()
	case Find:
		q.Name, q.Type, q.Key = r.String(MaxName), r.String(MaxName), r.OptionalKey()
	case Info, Carry:
	case ListenPacket:
		q.Port = Port(r.U16())
	case Tunnel:
		q.Port, q.Bits = Port(r.U16()), r.U8()
	case Resolve:
		q.Name = r.String(MaxText)
	case Over:
		if q.Routes, err = route.Read(r); err != nil {
			return Request{}, ErrFrame
		}
	default:
		return q, ErrFrame
	}
	if r.Done() != nil || len(q.First) > MaxFirst {
		return q, ErrFrame
	}
	return q, nil
}

// AppendBody appends q as ParseRequest reads it.
func (q Request) AppendBody(b []byte) []byte {
	b = append(b, Version)
	switch q.Kind {
	case Dial:
		b = append(b, q.Key[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(q.Port))
		b = append(wire.AppendString(b, q.Target), q.First...)
	case Listen, ListenCarry:
		b = binary.BigEndian.AppendUint16(b, uint16(q.Port))
		b = wire.AppendString(wire.AppendString(b, q.Name), q.Type)
	case Accept:
		b = binary.BigEndian.AppendUint64(b, q.ID)
	case Find:
		b = wire.AppendString(wire.AppendString(b, q.Name), q.Type)
		b = append(b, q.Key[:]...)
	case ListenPacket:
		b = binary.BigEndian.AppendUint16(b, uint16(q.Port))
	case Tunnel:
		b = append(binary.BigEndian.AppendUint16(b, uint16(q.Port)), q.Bits)
	case Resolve:
		b = wire.AppendString(b, q.Name)
	case Over:
		b = q.Routes.Append(b)
	}
	return b
}

// HasRoutes reports whether an OVER may come before q.
func (q Request) HasRoutes() bool {
	return q.Kind == Dial || q.Kind == ListenPacket || q.Kind == Tunnel || q.Kind == Carry
}

// AppendFrames appends q as frames: itself, and what its routes must meet before it.
func (q Request) AppendFrames(b []byte) []byte {
	if q.HasRoutes() && !q.Routes.None() {
		b = AppendFrame(b, Over, Request{Kind: Over, Routes: q.Routes}.AppendBody(nil))
	}
	return AppendFrame(b, q.Kind, q.AppendBody(nil))
}

// AppendIncoming and ParseIncoming are the body of INCOMING.
func AppendIncoming(b []byte, id uint64, peer identity.PubKey, target string) []byte {
	b = binary.BigEndian.AppendUint64(b, id)
	b = append(b, peer[:]...)
	return wire.AppendString(b, target)
}

// ParseIncoming is the inverse of AppendIncoming.
func ParseIncoming(body []byte) (id uint64, peer identity.PubKey, target string, err error) {
	r := wire.NewReader(body)
	id, peer, target = r.U64(), r.Key(), r.String(MaxTarget)
	return id, peer, target, r.Done()
}
