package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	skycipher "github.com/skycoin/skycoin/src/cipher"
	"github.com/skycoin/viscript/node/identity"
)

// oracle is an initiator written from the specification in doc.go and the Noise
// specification, sharing nothing with the code under test: HMAC, SHA-256 and AES-GCM of the
// standard library, ML-KEM, and cipher.ECDH.
type oracle struct {
	h, ck, k []byte
	n        uint64
}

func sum(parts ...[]byte) []byte {
	s := sha256.Sum256(bytes.Join(parts, nil))
	return s[:]
}

func hmacOf(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(bytes.Join(parts, nil))
	return m.Sum(nil)
}

// expand is Noise's HKDF with three outputs.
func (o *oracle) expand(ikm []byte) (a, b, c []byte) {
	temp := hmacOf(o.ck, ikm)
	a = hmacOf(temp, []byte{1})
	b = hmacOf(temp, a, []byte{2})
	c = hmacOf(temp, b, []byte{3})
	return a, b, c
}

func (o *oracle) mixHash(b []byte) { o.h = sum(o.h, b) }

func (o *oracle) mixKey(ikm []byte) {
	o.ck, o.k, _ = o.expand(ikm)
	o.n = 0
}

func (o *oracle) mixKeyAndHash(ikm []byte) {
	ck, temp, k := o.expand(ikm)
	o.mixHash(temp)
	o.ck, o.k, o.n = ck, k, 0
}

func (o *oracle) gcm() (cipher.AEAD, []byte) {
	block, _ := aes.NewCipher(o.k)
	aead, _ := cipher.NewGCM(block)
	nonce := binary.BigEndian.AppendUint64(make([]byte, 4), o.n)
	o.n++
	return aead, nonce
}

func (o *oracle) seal(b []byte) []byte {
	aead, nonce := o.gcm()
	out := aead.Seal(nil, nonce, b, o.h)
	o.mixHash(out)
	return out
}

func (o *oracle) open(b []byte) ([]byte, error) {
	aead, nonce := o.gcm()
	out, err := aead.Open(nil, nonce, b, o.h)
	o.mixHash(b)
	return out, err
}

func oracleDH(sec skycipher.SecKey, point []byte) []byte {
	return skycipher.MustECDH(skycipher.MustNewPubKey(point), sec)
}

func TestAgainstOracle(t *testing.T) {
	responder := newKey(t)
	rs := responder.Public()
	staticPub, static := skycipher.GenerateKeyPair()
	ephPub, eph := skycipher.GenerateKeyPair()
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}

	o := &oracle{h: sum([]byte("Noise_XKpsk3_secp256k1_AESGCM_SHA256"))}
	o.ck = o.h
	o.mixHash([]byte("\x00\x09skymesh/1\x00\x07control\x00\x00\x00\x00"))
	o.mixHash(rs[:])

	// message 1: e, es, payload; e is mixed into the key as well, because a psk follows
	o.mixHash(ephPub[:])
	o.mixKey(ephPub[:])
	o.mixKey(oracleDH(eph, rs[:]))
	msg1 := append(bytes.Clone(ephPub[:]), o.seal(kem.EncapsulationKey().Bytes())...)
	mac := hmacOf(sum([]byte("mac1"), rs[:]), msg1)[:16]

	h, err := NewResponder(Config{Local: responder, Kind: KindControl})
	if err != nil {
		t.Fatal(err)
	}
	msg2 := next(t, h, append(msg1, mac...))

	// message 2: e, ee, payload
	re := msg2[:33]
	o.mixHash(re)
	o.mixKey(re)
	o.mixKey(oracleDH(eph, re))
	ciphertext, err := o.open(msg2[33:])
	if err != nil {
		t.Fatalf("message 2 does not open: %v", err)
	}
	psk, err := kem.Decapsulate(ciphertext)
	if err != nil {
		t.Fatal(err)
	}

	// message 3: s, se, psk, empty payload
	msg3 := o.seal(staticPub[:])
	o.mixKey(oracleDH(static, re))
	o.mixKeyAndHash(psk)
	msg3 = append(msg3, o.seal(nil)...)
	if _, done, err := h.Next(msg3); err != nil || !done {
		t.Fatalf("message 3: done %v, %v", done, err)
	}
	first, second, _ := o.expand(nil)
	r := h.Result()
	if !bytes.Equal(r.Recv[:], first) || !bytes.Equal(r.Send[:], second) || !bytes.Equal(r.Transcript[:], o.h) {
		t.Error("the oracle has other keys")
	}
	if r.Remote != identity.PubKey(staticPub) {
		t.Errorf("remote %v, want %v", r.Remote, staticPub)
	}
}

// An initiator who sends a static key it does not hold, or none, is refused.
func TestInitiatorKeyProved(t *testing.T) {
	a, b := newKey(t), newKey(t)
	for _, claim := range []identity.PubKey{newKey(t).Public(), b.Public(), panicking, {}} {
		_, r := pair(t, a, b)
		i := claimant(t, a, claim, b.Public())
		msg3 := next(t, i, next(t, r, start(t, i)))
		if _, done, err := r.Next(msg3); !errors.Is(err, ErrHandshake) || done {
			t.Errorf("claiming %v: done %v, %v, want ErrHandshake", claim, done, err)
		}
	}
}

// claimant is an initiator that holds k and says it is claim.
func claimant(t *testing.T, k *identity.Key, claim, remote identity.PubKey) *Handshake {
	return &Handshake{step: stepStart, noise: fixedNoise(t, k, claim, 0x12, remote), macKey: macKey(remote)}
}
