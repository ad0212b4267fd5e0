package ratchet

import (
	"crypto/ecdh"
	"encoding/binary"
	"errors"
)

// ErrState is what Parse says to bytes that are no Session.
var ErrState = errors.New("ratchet: not the state of a conversation")

// stateVersion is the first byte of AppendTo's.
const stateVersion = 1

// AppendTo appends the Session as Parse reads it: about 350 bytes and 36 for each message that is
// missing. They are secret: whoever has them reads what comes next. Big-endian.
func (s *Session) AppendTo(dst []byte) []byte {
	dst = append(dst, stateVersion)
	dst = append(append(dst, s.root[:]...), s.own.Bytes()...)
	if s.theirs == nil {
		dst = append(dst, 0)
	} else {
		dst = append(append(dst, 1), s.theirs.Bytes()...)
	}
	dst = s.recv.append(s.send.append(dst))
	dst = append(append(dst, s.nextSend[:]...), s.nextRecv[:]...)
	dst = binary.BigEndian.AppendUint32(dst, s.before)
	dst = append(dst, byte(len(s.kept.chains)))
	for i := range s.kept.chains {
		c := &s.kept.chains[i]
		dst = append(dst, c.header[:]...)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.keys)))
		for _, n := range c.sorted() {
			key := c.keys[n]
			dst = append(binary.BigEndian.AppendUint32(dst, n), key[:]...)
		}
	}
	return dst
}

func (c *chain) append(dst []byte) []byte {
	if !c.on {
		return append(dst, 0)
	}
	dst = append(append(append(dst, 1), c.key[:]...), c.header[:]...)
	return binary.BigEndian.AppendUint32(dst, c.n)
}

// Parse reads what AppendTo wrote, all of b.
func Parse(b []byte) (*Session, error) {
	in := reader{b: b}
	s := &Session{generate: newKey}
	if in.u8() != stateVersion {
		return nil, ErrState
	}
	s.root = in.secret()
	own := in.secret()
	var err error
	if s.own, err = ecdh.X25519().NewPrivateKey(own[:]); err != nil {
		return nil, ErrState
	}
	if in.bool() {
		key := in.secret()
		if s.theirs, err = ecdh.X25519().NewPublicKey(key[:]); err != nil {
			return nil, ErrState
		}
	}
	s.send, s.recv = in.chain(), in.chain()
	s.nextSend, s.nextRecv = in.secret(), in.secret()
	s.before = in.u32()
	s.kept = in.kept()
	if in.bad || len(in.b) > 0 || (s.send.on && s.theirs == nil) {
		return nil, ErrState
	}
	return s, nil
}

// reader takes fields off the front; the first failure sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) u8() byte       { return r.take(1)[0] }
func (r *reader) u32() uint32    { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) secret() secret { return secret(r.take(len(secret{}))) }

func (r *reader) bool() bool {
	v := r.u8()
	r.bad = r.bad || v > 1
	return v == 1
}

func (r *reader) chain() chain {
	if !r.bool() {
		return chain{}
	}
	return chain{on: true, key: r.secret(), header: r.secret(), n: r.u32()}
}

func (r *reader) kept() (k keptKeys) {
	n := int(r.u8())
	r.bad = r.bad || n > maxChains
	for ; n > 0 && !r.bad; n-- {
		c := keptChain{header: r.secret(), keys: map[uint32]secret{}}
		keys := int(binary.BigEndian.Uint16(r.take(2)))
		k.count += keys
		r.bad = r.bad || keys == 0 || k.count > MaxKept
		last := int64(-1)
		for ; keys > 0 && !r.bad; keys-- {
			number := r.u32()
			if last < 0 {
				c.first = number
			}
			r.bad = r.bad || int64(number) <= last
			last = int64(number)
			c.keys[number] = r.secret()
		}
		k.chains = append(k.chains, c)
	}
	return k
}
