package ratchet

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/status-im/doubleratchet"
)

// oracle lets another Double Ratchet run with our derivations and keys. What it "encrypts" is the message
// secret itself, so that the secrets of both can be compared.
type oracle struct {
	generate func() (*ecdh.PrivateKey, error)
}

type oraclePair struct{ key *ecdh.PrivateKey }

func (p oraclePair) PrivateKey() doubleratchet.Key { return p.key.Bytes() }
func (p oraclePair) PublicKey() doubleratchet.Key  { return p.key.PublicKey().Bytes() }

func (o oracle) GenerateDH() (doubleratchet.DHPair, error) {
	k, err := o.generate()
	return oraclePair{k}, err
}

func (o oracle) DH(own doubleratchet.DHPair, theirs doubleratchet.Key) (doubleratchet.Key, error) {
	key, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return nil, err
	}
	return own.(oraclePair).key.ECDH(key)
}

func (o oracle) KdfRK(rk, dh doubleratchet.Key) (root, chainKey, header doubleratchet.Key) {
	var a, b, c secret
	derive(dh, rk, infoStep, &a, &b, &c)
	return a[:], b[:], c[:]
}

func (o oracle) KdfCK(ck doubleratchet.Key) (chainKey, message doubleratchet.Key) {
	c := chain{key: secret(ck)}
	m := c.advance()
	return c.key[:], m[:]
}

func (o oracle) Encrypt(mk doubleratchet.Key, _, _ []byte) ([]byte, error) {
	return bytes.Clone(mk), nil
}

func (o oracle) Decrypt(mk doubleratchet.Key, sealed, _ []byte) ([]byte, error) {
	if !bytes.Equal(mk, sealed) {
		return nil, fmt.Errorf("another key")
	}
	return mk, nil
}

// TestAgainstOracle: for any schedule of messages both implementations use the same secret for each, and
// open the same ones.
func TestAgainstOracle(t *testing.T) {
	for seed := range uint64(40) {
		againstOracle(t, rand.New(rand.NewPCG(seed, 2)))
	}
}

func againstOracle(t *testing.T, r *rand.Rand) {
	alice, bob := pair(t)
	ours := [2]*Session{alice, bob}
	prekey, _ := counted("prekey")()
	shared, _, _ := begin(sha256.Sum256([]byte("a root")))
	theirBob, err := doubleratchet.New([]byte("bob"), shared[:], oraclePair{prekey}, nil, doubleratchet.WithCrypto(oracle{counted("bob")}))
	if err != nil {
		t.Fatal(err)
	}
	theirAlice, err := doubleratchet.NewWithRemoteKey([]byte("alice"), shared[:], prekey.PublicKey().Bytes(), nil, doubleratchet.WithCrypto(oracle{counted("alice")}))
	if err != nil {
		t.Fatal(err)
	}
	theirs := [2]doubleratchet.Session{theirAlice, theirBob}
	type sent struct {
		to    int
		ours  []byte
		their doubleratchet.Message
	}
	var waiting []sent
	for range 400 {
		who := r.IntN(2)
		if r.IntN(2) == 0 && ours[who].CanSeal() {
			next := ours[who].send
			want := next.advance()
			m := mustSeal(t, ours[who], "text")
			their, err := theirs[who].RatchetEncrypt([]byte("text"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(their.Ciphertext, want[:]) {
				t.Fatal("the secrets of a message differ")
			}
			waiting = append(waiting, sent{1 - who, m, their})
			continue
		}
		if len(waiting) == 0 {
			continue
		}
		i := r.IntN(min(len(waiting), 12))
		s := waiting[i]
		waiting = append(waiting[:i], waiting[i+1:]...)
		_, theirErr := theirs[s.to].RatchetDecrypt(s.their, nil)
		_, err := ours[s.to].Open(nil, s.ours, testAD)
		if err != nil || theirErr != nil {
			t.Fatalf("opening: ours %v, the other's %v", err, theirErr)
		}
	}
}
