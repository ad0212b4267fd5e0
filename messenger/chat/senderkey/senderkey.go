package senderkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Limits.
const (
	// MaxMessages and MaxAge are when a chain has to be replaced.
	MaxMessages = 100
	MaxAge      = 7 * 24 * time.Hour
	// MaxSkip is how many messages may be missing in front of the one that is opened. (A chain has
	// some more than MaxMessages where its owner was offline.)
	MaxSkip = 1000

	// Overhead is how much longer a message is than its text, in bytes.
	Overhead = headLen + tagLen + ed25519.SignatureSize
	// ShareLen is the length of a share in bytes.
	ShareLen = 1 + 32 + 4 + ed25519.PublicKeySize

	version = 1
	nameLen = 8
	headLen = 1 + nameLen + 4
	tagLen  = 16
)

// Errors of Seal, Open and Receive. After one, the chain is as before.
var (
	ErrMessage = errors.New("senderkey: not a message of this chain, or altered")
	ErrUsed    = errors.New("senderkey: the message's key is gone: it was opened before, or is older than the share")
	ErrGap     = fmt.Errorf("senderkey: more than %d messages are missing before this one", MaxSkip)
	ErrShare   = errors.New("senderkey: not a share")
	ErrState   = errors.New("senderkey: not the state of a chain")
	ErrEnd     = errors.New("senderkey: the chain is at its end; a new one has to be shared")
)

// Place is whose chain it is, and when: everything in it is bound to every message.
type Place struct {
	Group  [32]byte
	Epoch  uint64
	Member identity.PubKey
	Device uint32
}

func (p Place) context() []byte {
	b := append([]byte("viscript sender/1"), p.Group[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Epoch)
	b = append(b, p.Member[:]...)
	return binary.BigEndian.AppendUint32(b, p.Device)
}

// Name is what a message says of its chain.
type Name [nameLen]byte

func (p Place) name(verify ed25519.PublicKey) (n Name) {
	sum := sha256.Sum256(append(p.context(), verify...))
	copy(n[:], sum[:])
	return n
}

// NameOf is the name of a message's chain.
func NameOf(message []byte) (Name, error) {
	if len(message) < Overhead || message[0] != version {
		return Name{}, ErrMessage
	}
	return Name(message[1:]), nil
}

// chain is where the message keys come from.
type chain struct {
	place  Place
	verify ed25519.PublicKey
	key    [32]byte
	n      uint32 // number of the next message
}

func (c *chain) advance() (message [32]byte) {
	h := hmac.New(sha256.New, c.key[:])
	h.Write([]byte{1})
	h.Sum(message[:0])
	h.Reset()
	h.Write([]byte{2})
	h.Sum(c.key[:0])
	c.n++
	return message
}

// Name is what messages of the chain carry.
func (c *chain) Name() Name { return c.place.name(c.verify) }

// Place is what the chain was made for.
func (c *chain) Place() Place { return c.place }

// messageCipher is the AEAD of one message and its nonce.
func messageCipher(message [32]byte) (cipher.AEAD, []byte) {
	out, err := hkdf.Key(sha256.New, message[:], nil, "viscript sender message", 44)
	if err == nil {
		var block cipher.Block
		if block, err = aes.NewCipher(out[:32]); err == nil {
			var aead cipher.AEAD
			if aead, err = cipher.NewGCM(block); err == nil {
				return aead, out[32:]
			}
		}
	}
	panic("senderkey: AES-256-GCM with derived keys: " + err.Error())
}

// Sending is the chain of this device. Not safe for concurrent use.
type Sending struct {
	chain
	sign ed25519.PrivateKey
	born time.Time
}

// New makes a chain; now is when it is born.
func New(place Place, now time.Time) *Sending {
	verify, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic("senderkey: the system's random source: " + err.Error())
	}
	s := &Sending{chain: chain{place: place, verify: verify}, sign: sign, born: time.Unix(now.Unix(), 0)}
	rand.Read(s.key[:]) // never fails
	return s
}

// Spent reports whether it is time to make and share a new chain.
func (s *Sending) Spent(now time.Time) bool { return s.n >= MaxMessages || now.Sub(s.born) >= MaxAge }

// Share is what the others need to open what is sealed from now on, ShareLen bytes. It is secret.
func (s *Sending) Share() []byte {
	b := append([]byte{version}, s.key[:]...)
	return append(binary.BigEndian.AppendUint32(b, s.n), s.verify...)
}

// Seal appends the message that carries text. It works a while beyond Spent, for who is away from the others; ErrEnd ends that.
func (s *Sending) Seal(dst, text []byte) ([]byte, error) {
	if s.n >= MaxSkip {
		return nil, ErrEnd
	}
	start, name := len(dst), s.Name()
	dst = append(append(dst, version), name[:]...)
	dst = binary.BigEndian.AppendUint32(dst, s.n)
	aead, nonce := messageCipher(s.advance())
	context := s.place.context()
	dst = aead.Seal(dst, nonce, text, slices.Concat(context, dst[start:]))
	return append(dst, ed25519.Sign(s.sign, slices.Concat(context, dst[start:]))...), nil
}

// Receiving is the chain of another device. Not safe for concurrent use.
type Receiving struct {
	chain
	kept map[uint32][32]byte // keys of messages that have not come yet, at most MaxSkip
}

// Receive takes what the device at place has shared: the caller knows from whom the share came.
func Receive(place Place, share []byte) (*Receiving, error) {
	if len(share) != ShareLen || share[0] != version {
		return nil, ErrShare
	}
	r := &Receiving{chain: chain{place: place}, kept: map[uint32][32]byte{}}
	copy(r.key[:], share[1:])
	r.n = binary.BigEndian.Uint32(share[33:])
	r.verify = slices.Clone(ed25519.PublicKey(share[37:]))
	if r.n > MaxSkip {
		return nil, ErrShare
	}
	return r, nil
}

// Open appends the text of a message. Messages may be lost, late and out of order; each opens once.
func (r *Receiving) Open(dst, message []byte) ([]byte, error) {
	name, err := NameOf(message)
	if err != nil || name != r.Name() {
		return nil, ErrMessage
	}
	signed, sig := message[:len(message)-ed25519.SignatureSize], message[len(message)-ed25519.SignatureSize:]
	context := r.place.context()
	if !ed25519.Verify(r.verify, slices.Concat(context, signed), sig) {
		return nil, ErrMessage
	}
	next, missing, key, err := r.keyOf(binary.BigEndian.Uint32(message[1+nameLen:]))
	if err != nil {
		return nil, err
	}
	aead, nonce := messageCipher(key)
	text, err := aead.Open(dst, nonce, signed[headLen:], slices.Concat(context, signed[:headLen]))
	if err != nil {
		return nil, ErrMessage
	}
	delete(r.kept, binary.BigEndian.Uint32(message[1+nameLen:]))
	r.chain = next
	maps.Copy(r.kept, missing)
	return text, nil
}

// keyOf is the key of message n, and the chain and the missing keys as they are after it.
func (r *Receiving) keyOf(n uint32) (next chain, missing map[uint32][32]byte, key [32]byte, err error) {
	next = r.chain
	if n < next.n {
		key, ok := r.kept[n]
		if !ok {
			return next, nil, key, ErrUsed
		}
		return next, nil, key, nil
	}
	if n >= MaxSkip { // no chain is longer, so no more keys are ever kept
		return next, nil, key, ErrGap
	}
	missing = map[uint32][32]byte{}
	for next.n < n {
		at := next.n
		missing[at] = next.advance()
	}
	return next, missing, next.advance(), nil
}
