// Package envelope hides from the messenger who writes to a mailbox, what and how much: a message is put, with its sender,
// into one of a few sizes and sealed to the mailbox's key, which the owner's devices have published.
//
//	e, err := envelope.Seal(box, body)
//	body, err := mailbox.Open(e)
//
// It authenticates nobody: what is inside does (messenger/chat/ratchet, prekey, senderkey).
//
// # Format
//
//	envelope = version:u8 = 1 │ encapsulated key[1120] │ AEAD(len:u32 │ body │ zeros)
//
// Single-shot HPKE (RFC 9180) in base mode with MLKEM768-X25519 (draft-ietf-hpke-pq), HKDF-SHA256 and AES-256-GCM,
// info "viscript envelope/1". The whole envelope has a length of 2, 4, 16 or 60 KiB: the longest fits one message of node/secure with what stands before it.
package envelope

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
)

// sizes are the lengths that envelopes have, in bytes.
var sizes = [...]int{2 << 10, 4 << 10, 16 << 10, 60 << 10}

const (
	// KeyLen is the length of a mailbox's public key in bytes.
	KeyLen = 1184 + 32
	// SecretLen is the length of its secret half.
	SecretLen = 32
	// MaxBody is the longest body in bytes.
	MaxBody = 60<<10 - Overhead
	// Overhead is what an envelope takes besides body and padding.
	Overhead = 1 + 1120 + 4 + 16

	version = 1
	info    = "viscript envelope/1"
)

// Errors.
var (
	ErrKey      = errors.New("envelope: not a mailbox's key")
	ErrEnvelope = errors.New("envelope: it does not open")
	ErrTooLong  = fmt.Errorf("envelope: a body of more than %d bytes", MaxBody)
)

// Box is where to write: the public key of a mailbox.
type Box struct{ key hpke.PublicKey }

// ParseBox reads a mailbox's key, KeyLen bytes.
func ParseBox(b []byte) (Box, error) {
	key, err := hpke.MLKEM768X25519().NewPublicKey(b)
	if err != nil {
		return Box{}, ErrKey
	}
	return Box{key}, nil
}

// Bytes are what ParseBox reads.
func (b Box) Bytes() []byte { return b.key.Bytes() }

// Mailbox is the secret half.
type Mailbox struct{ key hpke.PrivateKey }

// NewMailbox makes a key.
func NewMailbox() (Mailbox, error) {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return Mailbox{}, fmt.Errorf("envelope: making a mailbox's key: %w", err)
	}
	return Mailbox{key}, nil
}

// ParseMailbox reads what Bytes gave, SecretLen bytes.
func ParseMailbox(b []byte) (Mailbox, error) {
	key, err := hpke.MLKEM768X25519().NewPrivateKey(b)
	if err != nil {
		return Mailbox{}, ErrKey
	}
	return Mailbox{key}, nil
}

// Bytes are secret.
func (m Mailbox) Bytes() ([]byte, error) { return m.key.Bytes() }

// Box is the public half.
func (m Mailbox) Box() Box { return Box{m.key.PublicKey()} }

// Size is the length of the envelope for a body of n bytes; false if there is none.
func Size(n int) (int, bool) {
	for _, size := range sizes {
		if n >= 0 && n <= size-Overhead {
			return size, true
		}
	}
	return 0, false
}

// Fits reports whether an envelope may be n bytes long.
func Fits(n int) bool {
	size, ok := Size(n - Overhead)
	return ok && size == n
}

// Seal puts body into an envelope for to.
func Seal(to Box, body []byte) ([]byte, error) {
	size, ok := Size(len(body))
	if !ok {
		return nil, ErrTooLong
	}
	plain := make([]byte, size-Overhead+4)
	binary.BigEndian.PutUint32(plain, uint32(len(body)))
	copy(plain[4:], body)
	sealed, err := hpke.Seal(to.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), plain)
	if err != nil {
		return nil, fmt.Errorf("envelope: sealing: %w", err)
	}
	return append(append(make([]byte, 0, size), version), sealed...), nil
}

// Open returns the body of an envelope for this mailbox.
func (m Mailbox) Open(e []byte) ([]byte, error) {
	if !Fits(len(e)) || e[0] != version {
		return nil, ErrEnvelope
	}
	plain, err := hpke.Open(m.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), e[1:])
	if err != nil || len(plain) < 4 {
		return nil, ErrEnvelope
	}
	n, plain := binary.BigEndian.Uint32(plain), plain[4:]
	if uint64(n) > uint64(len(plain)) || len(bytes.Trim(plain[n:], "\x00")) > 0 {
		return nil, ErrEnvelope
	}
	return plain[:n:n], nil
}
