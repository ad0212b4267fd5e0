// Package identity holds the keys that name nodes and the signatures they make.
//
// A key is a Skycoin key on secp256k1. Its public half, 33 bytes compressed, is
// the name of a node everywhere in the mesh; its text form is 66 lower-case hex
// digits. Foreign bytes become a [PubKey] only through [ParsePubKey], which is
// decred's parser: the cipher library panics on some encodings of points off the
// curve (x ≥ p) and takes several times as long. What decred takes, cipher takes (a test and
// a fuzz target compare them).
//
// Signatures cover SHA256(len(tag)‖tag‖len(body)‖body), never a hash that
// somebody else computed: a Skycoin transaction input is signed as a bare hash,
// so a signer of foreign hashes would give its coins away.
package identity

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/skycoin/skycoin/src/cipher"
)

// Sizes in bytes.
const (
	PubKeyLen = 33
	SecKeyLen = 32
	SigLen    = 65 // R ‖ S ‖ recovery id, as Skycoin writes it
)

// Errors of this package, for callers that branch.
var (
	ErrPubKey    = errors.New("identity: not a public key: want 33 bytes (66 hex digits) of a compressed point on secp256k1")
	ErrSecKey    = errors.New("identity: not a secret key: want 32 bytes (64 hex digits) in the range of the group order")
	ErrSignature = errors.New("identity: signature does not verify")
)

// PubKey is a public key as a compressed point. The zero value is no key. Values
// that came from outside are made by ParsePubKey, ParseHex or UnmarshalText only.
type PubKey [PubKeyLen]byte

// ParsePubKey checks foreign bytes and returns the key they are. It never panics.
func ParsePubKey(b []byte) (PubKey, error) {
	if len(b) != PubKeyLen {
		return PubKey{}, ErrPubKey
	}
	if _, err := secp256k1.ParsePubKey(b); err != nil {
		return PubKey{}, ErrPubKey
	}
	return PubKey(b), nil
}

// ParseHex reads the text form, 66 hex digits in either case.
func ParseHex(s string) (PubKey, error) {
	if len(s) != 2*PubKeyLen {
		return PubKey{}, fmt.Errorf("%w: %d characters", ErrPubKey, len(s))
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return PubKey{}, fmt.Errorf("%w: %w", ErrPubKey, err)
	}
	return ParsePubKey(b)
}

// IsZero reports whether k is no key at all.
func (k PubKey) IsZero() bool { return k == PubKey{} }

// String returns 66 lower-case hex digits.
func (k PubKey) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first 8 hex digits of the x coordinate, for logs and tables only.
func (k PubKey) Short() string { return hex.EncodeToString(k[1:5]) }

// Address returns the Skycoin address of the key, in base58.
func (k PubKey) Address() string { return cipher.AddressFromPubKey(cipher.PubKey(k)).String() }

// MarshalText implements encoding.TextMarshaler.
func (k PubKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts what ParseHex accepts.
func (k *PubKey) UnmarshalText(b []byte) error {
	p, err := ParseHex(string(b))
	if err == nil {
		*k = p
	}
	return err
}

// point returns the key as a curve point.
func (k PubKey) point() (secp256k1.JacobianPoint, error) {
	var p secp256k1.JacobianPoint
	pk, err := secp256k1.ParsePubKey(k[:])
	if err != nil {
		return p, ErrPubKey
	}
	pk.AsJacobian(&p)
	return p, nil
}

// Sig is a recoverable signature in Skycoin's layout: R ‖ S ‖ recovery id (0 to 3), low S.
type Sig [SigLen]byte

// compactBase is what decred's compact form adds to the recovery id of a compressed key.
const compactBase = 31

// Verify checks that k signed body under tag. Errors: ErrSignature.
func (k PubKey) Verify(tag string, body []byte, sig Sig) error {
	if sig[64] > 3 {
		return ErrSignature
	}
	var compact [SigLen]byte
	compact[0] = sig[64] + compactBase
	copy(compact[1:], sig[:64])
	var s secp256k1.ModNScalar
	if s.SetByteSlice(sig[32:64]) || s.IsOverHalfOrder() {
		return ErrSignature
	}
	hash := digest(tag, body)
	got, _, err := ecdsa.RecoverCompact(compact[:], hash[:])
	if err != nil || subtle.ConstantTimeCompare(got.SerializeCompressed(), k[:]) != 1 {
		return ErrSignature
	}
	return nil
}

// digest is SHA256(u32 len(tag) ‖ tag ‖ u32 len(body) ‖ body).
func digest(tag string, body []byte) [32]byte {
	h := sha256.New()
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(tag)))
	h.Write(n[:])
	h.Write([]byte(tag))
	binary.BigEndian.PutUint32(n[:], uint32(len(body)))
	h.Write(n[:])
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// Key is a key pair. It is immutable and safe for concurrent use. It has no
// String method that shows the secret; do not log it.
type Key struct {
	sec secp256k1.PrivateKey
	pub PubKey
}

// Generate makes a new random key pair.
func Generate() (*Key, error) {
	sec, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, fmt.Errorf("identity: generating a key: %w", err)
	}
	return newKey(sec), nil
}

// FromSecret makes the pair of a secret key. Zero and values beyond the group order are refused.
func FromSecret(b []byte) (*Key, error) {
	var s secp256k1.ModNScalar
	if len(b) != SecKeyLen || s.SetByteSlice(b) || s.IsZero() {
		return nil, ErrSecKey
	}
	return newKey(secp256k1.NewPrivateKey(&s)), nil
}

func newKey(sec *secp256k1.PrivateKey) *Key {
	return &Key{sec: *sec, pub: PubKey(sec.PubKey().SerializeCompressed())}
}

// Public returns the public half.
func (k *Key) Public() PubKey { return k.pub }

// String returns the public half only, so that a key in a log tells nothing.
func (k *Key) String() string { return k.pub.String() }

// Sign signs body under tag; the signature is deterministic (RFC 6979).
func (k *Key) Sign(tag string, body []byte) Sig {
	hash := digest(tag, body)
	c := ecdsa.SignCompact(&k.sec, hash[:], true)
	var sig Sig
	copy(sig[:64], c[1:])
	sig[64] = c[0] - compactBase
	return sig
}

// Derive returns 32 secret bytes that belong to this key and label: HKDF-SHA256 (RFC 5869) of the secret key, without
// salt, info "viscript derived/1 " ‖ label. Different labels give bytes that tell nothing of each other or of the key.
func (k *Key) Derive(label string) [32]byte {
	sec := k.sec.Serialize()
	defer clear(sec)
	b, err := hkdf.Key(sha256.New, sec, nil, "viscript derived/1 "+label, 32)
	if err != nil {
		panic("identity: HKDF of a fixed length failed: " + err.Error())
	}
	return [32]byte(b)
}

// ECDH returns SHA256(compressed shared point), byte for byte what cipher.ECDH returns.
// The multiplication is blinded (k = a + (k−a) for a random a), because the peer picks
// the point and neither library multiplies in constant time. About 0.24 ms.
func (k *Key) ECDH(peer PubKey) ([32]byte, error) {
	p, err := peer.point()
	if err != nil {
		return [32]byte{}, err
	}
	var rnd [32]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return [32]byte{}, fmt.Errorf("identity: blinding: %w", err)
	}
	var a, rest secp256k1.ModNScalar
	a.SetBytes(&rnd)
	rest.NegateVal(&a).Add(&k.sec.Key)
	var left, right, sum secp256k1.JacobianPoint
	secp256k1.ScalarMultNonConst(&a, &p, &left)
	secp256k1.ScalarMultNonConst(&rest, &p, &right)
	secp256k1.AddNonConst(&left, &right, &sum)
	return hashPoint(&sum), nil
}

// ECDHOnce is ECDH without blinding, for a key that is used a single time. About 0.12 ms.
func (k *Key) ECDHOnce(peer PubKey) ([32]byte, error) {
	p, err := peer.point()
	if err != nil {
		return [32]byte{}, err
	}
	var shared secp256k1.JacobianPoint
	secp256k1.ScalarMultNonConst(&k.sec.Key, &p, &shared)
	return hashPoint(&shared), nil
}

func hashPoint(p *secp256k1.JacobianPoint) [32]byte {
	p.ToAffine()
	return sha256.Sum256(secp256k1.NewPublicKey(&p.X, &p.Y).SerializeCompressed())
}
