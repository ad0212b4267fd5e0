package prekey

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

const (
	// Len is the length of a prekey in bytes.
	Len = signedLen + identity.SigLen
	// MaxLife is how far in the future a prekey may expire.
	MaxLife = 90 * 24 * time.Hour

	version    = 1
	ratchetLen = 32
	signedLen  = 1 + 4 + 4 + 8 + identity.PubKeyLen + mlkem.EncapsulationKeySize768 + ratchetLen
	tag        = "viscript prekey"
)

// Errors of Verify and Greet.
var (
	ErrSignature = errors.New("prekey: not signed by its owner")
	ErrExpired   = errors.New("prekey: expired, or valid for too long")
)

// Public is the half of a prekey that others get.
type Public struct {
	Device  uint32
	Number  uint32 // 0: may be used again
	Expiry  time.Time
	curve   identity.PubKey
	kem     *mlkem.EncapsulationKey768
	ratchet *ecdh.PublicKey
	sig     identity.Sig
}

// Append appends the prekey, Len bytes.
func (p *Public) Append(dst []byte) []byte { return append(p.appendSigned(dst), p.sig[:]...) }

func (p *Public) appendSigned(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.BigEndian.AppendUint32(dst, p.Device)
	dst = binary.BigEndian.AppendUint32(dst, p.Number)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Expiry.Unix()))
	dst = append(append(dst, p.curve[:]...), p.kem.Bytes()...)
	return append(dst, p.ratchet.Bytes()...)
}

// Parse reads a prekey, all of b. It is nobody's until Verify has said whose.
func Parse(b []byte) (*Public, error) {
	if len(b) != Len || b[0] != version {
		return nil, wire.ErrMalformed
	}
	in := wire.NewReader(b[1:])
	p := &Public{Device: in.U32(), Number: in.U32()}
	expiry := in.U64()
	p.curve = in.Key()
	var kem [mlkem.EncapsulationKeySize768]byte
	in.Fixed(kem[:])
	var ratchet [ratchetLen]byte
	in.Fixed(ratchet[:])
	p.sig = in.Sig()
	if err := in.Done(); err != nil || expiry > 1<<40 {
		return nil, wire.ErrMalformed
	}
	p.Expiry = time.Unix(int64(expiry), 0)
	var err error
	if p.kem, err = mlkem.NewEncapsulationKey768(kem[:]); err != nil {
		return nil, wire.ErrMalformed
	}
	if p.ratchet, err = ecdh.X25519().NewPublicKey(ratchet[:]); err != nil {
		return nil, wire.ErrMalformed
	}
	return p, nil
}

// Verify reports whether owner signed p and it is valid now.
func (p *Public) Verify(owner identity.PubKey, now time.Time) error {
	if owner.Verify(tag, p.appendSigned(nil), p.sig) != nil {
		return ErrSignature
	}
	if !now.Before(p.Expiry) || p.Expiry.Sub(now) > MaxLife+24*time.Hour {
		return ErrExpired
	}
	return nil
}

// Secret is the half of a prekey that stays on its device.
type Secret struct {
	public  Public
	curve   *identity.Key
	bytes   [identity.SecKeyLen]byte // of curve
	kem     *mlkem.DecapsulationKey768
	ratchet *ecdh.PrivateKey
}

// New makes a prekey of a device of owner.
func New(owner *identity.Key, device, number uint32, expiry time.Time) (*Secret, error) {
	var s Secret
	var err error
	for s.curve == nil { // a draw is no key once in 2^127
		rand.Read(s.bytes[:]) // never fails
		s.curve, _ = identity.FromSecret(s.bytes[:])
	}
	if s.kem, err = mlkem.GenerateKey768(); err != nil {
		return nil, fmt.Errorf("prekey: making an ML-KEM key: %w", err)
	}
	if s.ratchet, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return nil, fmt.Errorf("prekey: making an X25519 key: %w", err)
	}
	s.public = Public{
		Device: device, Number: number, Expiry: time.Unix(expiry.Unix(), 0),
		curve: s.curve.Public(), kem: s.kem.EncapsulationKey(), ratchet: s.ratchet.PublicKey(),
	}
	s.public.sig = owner.Sign(tag, s.public.appendSigned(nil))
	return &s, nil
}

// Public is the half for others.
func (s *Secret) Public() *Public { return &s.public }

// secretLen is the length of what AppendSecret writes.
const secretLen = Len + identity.SecKeyLen + mlkem.SeedSize + ratchetLen

// AppendSecret appends both halves, for the owner's disk.
func (s *Secret) AppendSecret(dst []byte) []byte {
	dst = s.public.Append(dst)
	dst = append(dst, s.bytes[:]...)
	return append(append(dst, s.kem.Bytes()...), s.ratchet.Bytes()...)
}

// ParseSecret reads what AppendSecret wrote, all of b.
func ParseSecret(b []byte) (*Secret, error) {
	if len(b) != secretLen {
		return nil, wire.ErrMalformed
	}
	p, err := Parse(b[:Len])
	if err != nil {
		return nil, err
	}
	s := &Secret{public: *p}
	b = b[Len:]
	copy(s.bytes[:], b)
	if s.curve, err = identity.FromSecret(b[:identity.SecKeyLen]); err != nil {
		return nil, wire.ErrMalformed
	}
	b = b[identity.SecKeyLen:]
	if s.kem, err = mlkem.NewDecapsulationKey768(b[:mlkem.SeedSize]); err != nil {
		return nil, wire.ErrMalformed
	}
	if s.ratchet, err = ecdh.X25519().NewPrivateKey(b[mlkem.SeedSize:]); err != nil {
		return nil, wire.ErrMalformed
	}
	if s.curve.Public() != p.curve || !bytes.Equal(s.kem.EncapsulationKey().Bytes(), p.kem.Bytes()) || !s.ratchet.PublicKey().Equal(p.ratchet) {
		return nil, wire.ErrMalformed
	}
	return s, nil
}
