package secure

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
)

var testKey = [32]byte(bytes.Repeat([]byte{7}, 32))

// The Noise library numbers and seals as we do.
func TestSealAsNoise(t *testing.T) {
	s := NewSealer(testKey)
	suite := noise.NewCipherSuite(&curve{static: keyOf(t, 1)}, noise.CipherAESGCM, noise.HashSHA256)
	oracle := noise.UnsafeNewCipherState(suite, testKey, 0)
	for n := range 3 {
		msg, aad := fmt.Appendf(nil, "message %d", n), []byte{byte(n)}
		want, err := oracle.Encrypt(nil, aad, msg)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Seal(nil, msg, aad); !bytes.Equal(got, want) {
			t.Errorf("number %d: %x, Noise says %x", n, got, want)
		}
	}
}

func TestSealOpen(t *testing.T) {
	s, o := NewSealer(testKey), NewOpener(testKey)
	for n, size := range []int{0, 1, 100, 16 << 10, 64 << 10} {
		msg, aad := bytes.Repeat([]byte{byte(n)}, size), []byte("aad")
		sealed := s.Seal([]byte("head"), msg, aad)
		if len(sealed) != 4+size+Overhead || string(sealed[:4]) != "head" {
			t.Fatalf("sealed %d bytes, want %d", len(sealed), 4+size+Overhead)
		}
		got, err := o.Open([]byte("head"), sealed[4:], aad)
		if err != nil || string(got[:4]) != "head" || !bytes.Equal(got[4:], msg) {
			t.Fatalf("opened %d bytes, %v", len(got), err)
		}
	}
}

func TestInPlace(t *testing.T) {
	s, o := NewSealer(testKey), NewOpener(testKey)
	buf := make([]byte, 3+1000+Overhead)
	aad, body := buf[:3], buf[3:3+1000]
	copy(body, "in place")
	sealed := s.Seal(body[:0], body, aad)
	if &sealed[0] != &buf[3] {
		t.Fatal("sealing moved the record")
	}
	opened, err := o.Open(sealed[:0], sealed, aad)
	if err != nil || &opened[0] != &buf[3] || !bytes.HasPrefix(opened, []byte("in place")) || len(opened) != 1000 {
		t.Fatalf("opened %d bytes, %v", len(opened), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	s, o := NewSealer(testKey), NewOpener(testKey)
	msg, aad := []byte("message"), []byte("aad")
	first := s.Seal(nil, msg, aad)
	second := s.Seal(nil, msg, aad)
	if bytes.Equal(first, second) {
		t.Fatal("two numbers gave the same bytes")
	}
	refused := func(name string, sealed, aad []byte) {
		t.Helper()
		if got, err := o.Open(nil, sealed, aad); !errors.Is(err, ErrOpen) || got != nil {
			t.Fatalf("%s: %q, %v, want ErrOpen", name, got, err)
		}
	}
	for n := range first {
		bad := bytes.Clone(first)
		bad[n] ^= 1
		refused(fmt.Sprintf("byte %d changed", n), bad, aad)
		refused(fmt.Sprintf("%d bytes", n), first[:n], aad)
	}
	refused("a byte more", append(bytes.Clone(first), 0), aad)
	refused("other aad", first, []byte("aae"))
	refused("no aad", first, nil)
	refused("the next record", second, aad)
	if _, err := o.Open(nil, first, aad); err != nil {
		t.Fatalf("refusals moved the counter: %v", err)
	}
	refused("the same record again", first, aad)
	if _, err := o.Open(nil, second, aad); err != nil {
		t.Fatal(err)
	}
	if _, err := NewOpener([32]byte{1}).Open(nil, first, aad); !errors.Is(err, ErrOpen) {
		t.Errorf("another key: %v", err)
	}
}

func TestSealAt(t *testing.T) {
	s, o := NewSealer(testKey), NewOpener(testKey)
	third := s.SealAt(2, nil, []byte("third"), nil)
	last := s.SealAt(1<<64-1, nil, []byte("last"), nil)
	zero := s.Seal(nil, []byte("zero"), nil)
	for _, tt := range []struct {
		seq    uint64
		sealed []byte
		want   string
	}{{1<<64 - 1, last, "last"}, {2, third, "third"}, {2, third, "third"}, {0, zero, "zero"}} {
		if got, err := o.OpenAt(tt.seq, nil, tt.sealed, nil); err != nil || string(got) != tt.want {
			t.Errorf("OpenAt(%d) = %q, %v", tt.seq, got, err)
		}
		if _, err := o.OpenAt(tt.seq^1, nil, tt.sealed, nil); !errors.Is(err, ErrOpen) {
			t.Errorf("OpenAt(%d) of number %d: %v", tt.seq^1, tt.seq, err)
		}
	}
	if got, err := o.Open(nil, zero, nil); err != nil || string(got) != "zero" {
		t.Errorf("explicit numbers moved a counter: %q, %v", got, err)
	}
}

func TestSealOpenAllocateNothing(t *testing.T) {
	s, o := NewSealer(testKey), NewOpener(testKey)
	buf := make([]byte, 3+4096+Overhead)
	bad := make([]byte, 64)
	n := testing.AllocsPerRun(100, func() {
		sealed := s.Seal(buf[3:3], buf[3:3+4096], buf[:3])
		if _, err := o.Open(sealed[:0], sealed, buf[:3]); err != nil {
			t.Fatal(err)
		}
		sealed = s.SealAt(1<<40, buf[3:3], buf[3:3+4096], buf[:3])
		if _, err := o.OpenAt(1<<40, sealed[:0], sealed, buf[:3]); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Open(bad[:0], bad, nil); err == nil {
			t.Fatal("garbage opened")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestGoldenBytes(t *testing.T) {
	sealed := NewSealer(testKey).SealAt(5, nil, []byte("golden"), []byte{0, 0, 22})
	if got := hex.EncodeToString(sealed); got != goldenSealed {
		t.Errorf("sealed %s, want %s", got, goldenSealed)
	}
	mac := mac1(macKey(keyOf(t, 0x21).Public()), []byte("message"))
	if got := hex.EncodeToString(mac); got != goldenMac {
		t.Errorf("mac1 %s, want %s", got, goldenMac)
	}
	sig := keyOf(t, 0x21).Sign(whoTag, bytes.Repeat([]byte{9}, whoNonceLen))
	if got := hex.EncodeToString(sig[:]); got != goldenWhoSig {
		t.Errorf("WHO signature %s, want %s", got, goldenWhoSig)
	}
	if err := keyOf(t, 0x21).Public().Verify("skymesh/1 who", bytes.Repeat([]byte{9}, 32), identity.Sig(sig)); err != nil {
		t.Error(err)
	}
}

const (
	goldenSealed = "c3cdf063f6238594f730aa30e5736a2e39343abe5bc1"
	goldenMac    = "77a9a1e598f36a8fe4b6bec37ea781e6"
	goldenWhoSig = "5b89e9e11187c646e4251e0707584c05d53cfa1752865c4fe6e912bc1d40ca880bd1f82a61468b2f2e22d1fb9cc4128dd3134b5eecdd119bb8a1fbd96f26f64c00"
)
