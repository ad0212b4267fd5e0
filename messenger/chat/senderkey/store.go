package senderkey

import (
	"crypto/ed25519"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// First byte of a stored chain.
const (
	sendingState   = 1
	receivingState = 2
)

const (
	placeLen = 32 + 8 + identity.PubKeyLen + 4
	chainLen = 1 + placeLen + 32 + 4 + ed25519.PublicKeySize
)

func (c *chain) append(dst []byte, kind byte) []byte {
	dst = append(append(dst, kind), c.place.Group[:]...)
	dst = binary.BigEndian.AppendUint64(dst, c.place.Epoch)
	dst = append(dst, c.place.Member[:]...)
	dst = binary.BigEndian.AppendUint32(dst, c.place.Device)
	dst = binary.BigEndian.AppendUint32(append(dst, c.key[:]...), c.n)
	return append(dst, c.verify...)
}

// parseChain reads a chain off the front of b.
func parseChain(b []byte, kind byte) (c chain, rest []byte, ok bool) {
	if len(b) < chainLen || b[0] != kind {
		return c, nil, false
	}
	rest = b[chainLen:]
	b = b[1:]
	b = b[copy(c.place.Group[:], b):]
	c.place.Epoch = binary.BigEndian.Uint64(b)
	member, err := identity.ParsePubKey(b[8 : 8+identity.PubKeyLen])
	c.place.Member = member
	b = b[8+identity.PubKeyLen:]
	c.place.Device = binary.BigEndian.Uint32(b)
	b = b[4:]
	b = b[copy(c.key[:], b):]
	c.n = binary.BigEndian.Uint32(b)
	c.verify = slices.Clone(ed25519.PublicKey(b[4 : 4+ed25519.PublicKeySize]))
	return c, rest, err == nil && c.n <= MaxSkip
}

// AppendTo appends the chain as ParseSending reads it. It is secret.
func (s *Sending) AppendTo(dst []byte) []byte {
	dst = append(s.append(dst, sendingState), s.sign.Seed()...)
	return binary.BigEndian.AppendUint64(dst, uint64(s.born.Unix()))
}

// ParseSending reads what AppendTo of a Sending wrote, all of b.
func ParseSending(b []byte) (*Sending, error) {
	c, rest, ok := parseChain(b, sendingState)
	if !ok || len(rest) != ed25519.SeedSize+8 {
		return nil, ErrState
	}
	s := &Sending{chain: c, sign: ed25519.NewKeyFromSeed(rest[:ed25519.SeedSize])}
	born := binary.BigEndian.Uint64(rest[ed25519.SeedSize:])
	if !s.verify.Equal(s.sign.Public()) || born > 1<<40 {
		return nil, ErrState
	}
	s.born = time.Unix(int64(born), 0)
	return s, nil
}

// AppendTo appends the chain as ParseReceiving reads it. It is secret.
func (r *Receiving) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(r.append(dst, receivingState), uint16(len(r.kept)))
	for _, n := range slices.Sorted(maps.Keys(r.kept)) {
		key := r.kept[n]
		dst = append(binary.BigEndian.AppendUint32(dst, n), key[:]...)
	}
	return dst
}

// ParseReceiving reads what AppendTo of a Receiving wrote, all of b.
func ParseReceiving(b []byte) (*Receiving, error) {
	c, rest, ok := parseChain(b, receivingState)
	if !ok || len(rest) < 2 || len(rest)-2 != 36*int(binary.BigEndian.Uint16(rest)) {
		return nil, ErrState
	}
	r := &Receiving{chain: c, kept: map[uint32][32]byte{}}
	last := int64(-1)
	for rest = rest[2:]; len(rest) > 0; rest = rest[36:] {
		n := binary.BigEndian.Uint32(rest)
		if int64(n) <= last || n >= c.n {
			return nil, ErrState
		}
		last = int64(n)
		r.kept[n] = [32]byte(rest[4:36])
	}
	return r, nil
}
