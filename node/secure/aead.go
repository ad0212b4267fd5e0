package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"github.com/skycoin/viscript/node/wire"
)

// Overhead is how many bytes longer a sealed message is.
const Overhead = wire.TagLen

// ErrOpen: the bytes were not sealed by the peer under this key, number and additional data.
var ErrOpen = errors.New("secure: record does not authenticate")

// box is AES-256-GCM with the nonce of Noise: four zero bytes and a 64-bit big-endian
// number. The nonce lives here because a local one would escape to the heap.
type box struct {
	aead  cipher.AEAD
	nonce [12]byte
	next  uint64
}

func newBox(key [32]byte) box {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("secure: aes refuses a key of 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("secure: gcm refuses aes: " + err.Error())
	}
	return box{aead: aead}
}

func (b *box) nonceOf(seq uint64) []byte {
	binary.BigEndian.PutUint64(b.nonce[4:], seq)
	return b.nonce[:]
}

// Sealer encrypts one direction. Not for concurrent use. No call allocates where dst has
// room for Overhead more bytes than the plaintext.
//
// One number must never seal two messages: use Seal alone, or SealAt alone with numbers
// that are never repeated.
type Sealer struct{ box box }

// NewSealer makes the Sealer of a direction; the peer opens with the same key.
func NewSealer(key [32]byte) *Sealer { return &Sealer{newBox(key)} }

// Seal appends the sealed plaintext to dst, under the next number, the first being 0. dst
// may be plaintext[:0]; otherwise dst's room and plaintext must not overlap. aad is
// authenticated, not sent, and must not overlap dst's room.
func (s *Sealer) Seal(dst, plaintext, aad []byte) []byte {
	out := s.SealAt(s.box.next, dst, plaintext, aad)
	s.box.next++
	return out
}

// SealAt is Seal under a number of the caller's; the counter stays.
func (s *Sealer) SealAt(seq uint64, dst, plaintext, aad []byte) []byte {
	return s.box.aead.Seal(dst, s.box.nonceOf(seq), plaintext, aad)
}

// Opener decrypts one direction. Not for concurrent use. No call allocates where dst has room.
type Opener struct{ box box }

// NewOpener makes the Opener of a direction; the peer seals with the same key.
func NewOpener(key [32]byte) *Opener { return &Opener{newBox(key)} }

// Open appends the plaintext of sealed to dst. dst may be sealed[:0]; otherwise dst's room
// and sealed must not overlap. The counter advances only on success. Error: ErrOpen; dst's
// room, and so sealed when opened in place, may be overwritten then.
func (o *Opener) Open(dst, sealed, aad []byte) ([]byte, error) {
	out, err := o.OpenAt(o.box.next, dst, sealed, aad)
	if err == nil {
		o.box.next++
	}
	return out, err
}

// OpenAt is Open under a number of the caller's; the counter stays.
func (o *Opener) OpenAt(seq uint64, dst, sealed, aad []byte) ([]byte, error) {
	out, err := o.box.aead.Open(dst, o.box.nonceOf(seq), sealed, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}
