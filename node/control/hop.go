package control

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// RouteKeyLen is the length of a RouteKey in bytes.
const RouteKeyLen = 16

// RouteKey names one route in the whole network; random.
type RouteKey [RouteKeyLen]byte

// String returns 32 lower-case hex digits.
func (k RouteKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText implements encoding.TextMarshaler.
func (k RouteKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Hop is one node's part of a route, signed by the manager. "In" numbers stand on records
// that arrive from that neighbour, "Out" numbers on records sent to it; none is zero where
// the neighbour is not. Prev is zero at Src, Next at Dst; they differ from each other.
type Hop struct {
	Route          RouteKey
	Node, Src, Dst identity.PubKey
	Prev, Next     identity.PubKey
	PrevIn         wire.RouteID
	PrevOut        wire.RouteID
	NextIn         wire.RouteID
	NextOut        wire.RouteID
	Idle           time.Duration // the node forgets the rule after that long without a record; to the millisecond, at most 24 h
	Issued         time.Time
	Sig            identity.Sig
}

// HopLen is the length of a hop in bytes.
const HopLen = RouteKeyLen + 5*identity.PubKeyLen + 4*4 + 4 + 8 + identity.SigLen

// SignHop fills in times that are zero (DefaultIdle, now) and the signature.
func SignHop(k *identity.Key, network string, h Hop) Hop {
	if h.Idle == 0 {
		h.Idle = DefaultIdle
	}
	if h.Issued.IsZero() {
		h.Issued = time.Now()
	}
	h.Idle, h.Issued = h.Idle.Truncate(time.Millisecond), trimTime(h.Issued)
	h.Sig = k.Sign(tagHop, h.body(network))
	return h
}

// Verify checks the hop's rules and that manager signed it for the network. It does not
// look at the clock. Errors wrap wire.ErrMalformed or are identity.ErrSignature.
func (h Hop) Verify(network string, manager identity.PubKey) error {
	if err := h.check(); err != nil {
		return err
	}
	return manager.Verify(tagHop, h.body(network), h.Sig)
}

func (h Hop) body(network string) []byte {
	return h.appendFields(wire.AppendString(make([]byte, 0, 2+len(network)+HopLen), network))
}

// Append appends the hop as it travels, HopLen bytes.
func (h Hop) Append(dst []byte) []byte {
	return append(h.appendFields(dst), h.Sig[:]...)
}

func (h Hop) appendFields(dst []byte) []byte {
	dst = append(dst, h.Route[:]...)
	for _, k := range [...]*identity.PubKey{&h.Node, &h.Src, &h.Dst, &h.Prev, &h.Next} {
		dst = append(dst, k[:]...)
	}
	for _, id := range [...]wire.RouteID{h.PrevIn, h.PrevOut, h.NextIn, h.NextOut} {
		dst = binary.BigEndian.AppendUint32(dst, uint32(id))
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Idle/time.Millisecond))
	return appendTime(dst, h.Issued)
}

// ParseHop reads the body of an install message; the signature is not verified.
func ParseHop(b []byte) (h Hop, err error) {
	r := wire.NewReader(b)
	ok := true
	r.Fixed(h.Route[:])
	h.Node, h.Src, h.Dst = r.Key(), r.Key(), r.Key()
	h.Prev, h.Next = r.OptionalKey(), r.OptionalKey()
	for _, id := range [...]*wire.RouteID{&h.PrevIn, &h.PrevOut, &h.NextIn, &h.NextOut} {
		*id = wire.RouteID(r.U32())
	}
	h.Idle = time.Duration(r.U32()) * time.Millisecond
	h.Issued = readTime(r, &ok)
	h.Sig = r.Sig()
	return h, finish(r, ok, h.check)
}

func (h Hop) check() error {
	switch {
	case h.Node.IsZero() || h.Src.IsZero() || h.Dst.IsZero() || h.Src == h.Dst:
		return malformed("a hop without two ends")
	case h.Prev.IsZero() != (h.Node == h.Src) || h.Next.IsZero() != (h.Node == h.Dst):
		return malformed("a hop whose neighbours do not fit its ends")
	case h.Prev == h.Next || h.Prev == h.Node || h.Next == h.Node:
		return malformed("a hop that returns to where it came from")
	case h.Prev == h.Dst || h.Next == h.Src:
		return malformed("a hop in the wrong direction")
	case !idsFit(h.Prev, h.PrevIn, h.PrevOut) || !idsFit(h.Next, h.NextIn, h.NextOut):
		return malformed("a hop whose route numbers do not fit its neighbours")
	case h.Idle <= 0 || h.Idle > maxIdle || h.Issued.IsZero():
		return malformed("a hop without a lifetime")
	}
	return nil
}

// idsFit: both numbers where there is a neighbour, none where there is not.
func idsFit(neighbour identity.PubKey, in, out wire.RouteID) bool {
	none := neighbour.IsZero()
	return (in == 0) == none && (out == 0) == none
}

// ParseRouteKey reads the body of remove and close messages.
func ParseRouteKey(b []byte) (k RouteKey, err error) {
	r := wire.NewReader(b)
	r.Fixed(k[:])
	return k, r.Done()
}
