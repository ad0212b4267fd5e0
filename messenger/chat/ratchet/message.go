package ratchet

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math"
)

// header is what a message says of its place, for its reader only.
type header struct {
	key    [32]byte // the sender's ratchet key
	before uint32   // how many messages the sender's chain before this one had
	n      uint32   // number in this chain, from 0
}

func (h header) append(dst []byte) []byte {
	dst = append(dst, h.key[:]...)
	dst = binary.BigEndian.AppendUint32(dst, h.before)
	return binary.BigEndian.AppendUint32(dst, h.n)
}

// Seal appends the message that carries text. ad is authenticated, not sent: both sides give the
// same, who they are for example. The message may be sent or lost; it is never made again.
func (s *Session) Seal(dst, text, ad []byte) ([]byte, error) {
	if !s.send.on {
		return nil, ErrSilent
	}
	if s.send.n == math.MaxUint32 {
		return nil, errors.New("ratchet: the chain is at its end; the other side has to answer")
	}
	h := header{key: [32]byte(s.own.PublicKey().Bytes()), before: s.before, n: s.send.n}
	start := len(dst)
	dst = append(dst, version)
	dst = append(dst, make([]byte, nonceLen)...)
	nonce := dst[start+1:]
	rand.Read(nonce) // never fails
	dst = gcm(s.send.header[:]).Seal(dst, nonce, h.append(nil), ad)
	message := s.send.advance()
	aead, bodyNonce := messageCipher(message)
	clear(message[:])
	return aead.Seal(dst, bodyNonce, text, bodyAD(ad, dst[start:])), nil
}

// bodyAD is the additional data of a body: ad and all that stands before the body.
func bodyAD(ad, head []byte) []byte {
	return append(append(make([]byte, 0, len(ad)+len(head)), ad...), head...)
}

// Open appends the text of a message of the other side, whatever came before it: messages may
// be lost, late and out of order, within MaxSkip. Each opens once. After an error the Session is as before.
func (s *Session) Open(dst, message, ad []byte) ([]byte, error) {
	if len(message) < Overhead || message[0] != version {
		return nil, ErrMessage
	}
	if i, h, ok := s.kept.find(message, ad); ok {
		key, there := s.kept.key(i, h.n)
		if !there && !(s.recv.on && s.kept.chains[i].header == s.recv.header && h.n >= s.recv.n) {
			return nil, ErrUsed
		}
		if there {
			text, err := openBody(dst, message, ad, key)
			if err == nil {
				s.kept.drop(i, h.n)
			}
			return text, err
		}
	}
	return s.openNew(dst, message, ad)
}

// openNew opens a message whose key has not been made yet.
func (s *Session) openNew(dst, message, ad []byte) ([]byte, error) {
	next := s.state
	var missing []missed
	h, ok := openHeader(next.recv.header, message, ad)
	ok = ok && next.recv.on
	if !ok {
		if h, ok = openHeader(next.nextRecv, message, ad); !ok {
			return nil, ErrMessage
		}
		if next.recv.on {
			var err error
			if missing, err = next.recv.skip(missing, h.before); err != nil && !errors.Is(err, ErrUsed) {
				return nil, err
			}
		}
		if err := next.turn(h.key, s.generate); err != nil {
			return nil, err
		}
	}
	missing, err := next.recv.skip(missing, h.n)
	if err != nil {
		return nil, err
	}
	text, err := openBody(dst, message, ad, next.recv.advance())
	if err != nil {
		return nil, err
	}
	s.state = next
	s.kept.add(missing)
	return text, nil
}

// turn takes the other side's new ratchet key, and makes one of ours.
func (s *state) turn(theirs [32]byte, generate func() (*ecdh.PrivateKey, error)) error {
	key, err := ecdh.X25519().NewPublicKey(theirs[:])
	if err != nil {
		return ErrMessage
	}
	s.before = s.send.n
	s.send, s.recv = chain{on: true, header: s.nextSend}, chain{on: true, header: s.nextRecv}
	s.theirs = key
	if s.recv.key, s.nextRecv, err = s.step(s.own, key); err != nil {
		return err
	}
	if s.own, err = generate(); err != nil {
		return err
	}
	s.send.key, s.nextSend, err = s.step(s.own, key)
	return err
}

// openHeader opens the header of a message under key; false if it is another's.
func openHeader(key secret, message, ad []byte) (header, bool) {
	nonce, sealed := message[1:1+nonceLen], message[1+nonceLen:headLen]
	b, err := gcm(key[:]).Open(make([]byte, 0, headerLen), nonce, sealed, ad)
	if err != nil {
		return header{}, false
	}
	return header{[32]byte(b), binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:])}, true
}

func openBody(dst, message, ad []byte, key secret) ([]byte, error) {
	aead, nonce := messageCipher(key)
	text, err := aead.Open(dst, nonce, message[headLen:], bodyAD(ad, message[:headLen]))
	if err != nil {
		return nil, ErrMessage
	}
	return text, nil
}
