package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/skycoin/skycoin/src/cipher"
)

// offCurve are 33 bytes of the right shape that are no key. The first makes
// cipher.NewPubKey panic.
var offCurve = []string{
	"02" + strings.Repeat("ff", 32),
	"03" + strings.Repeat("ff", 32),
	"02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", // x = p
	"02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30", // x = p+1, which is 1 mod p
	"02" + strings.Repeat("00", 32),
	"020000000000000000000000000000000000000000000000000000000000000005", // not on the curve
	"00" + strings.Repeat("00", 32),
	"04" + strings.Repeat("79", 32),
	"0579be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
}

func generate(t testing.TB) *Key {
	t.Helper()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func secretOf(k *Key) cipher.SecKey { return cipher.MustNewSecKey(k.sec.Serialize()) }

func TestParsePubKeyRefuses(t *testing.T) {
	for _, s := range offCurve {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := ParsePubKey(b); !errors.Is(err, ErrPubKey) || !k.IsZero() {
			t.Errorf("ParsePubKey(%s) = %v, %v, want ErrPubKey", s, k, err)
		}
		if _, err := ParseHex(s); !errors.Is(err, ErrPubKey) {
			t.Errorf("ParseHex(%s): %v, want ErrPubKey", s, err)
		}
	}
	good := generate(t).Public()
	for n := range len(good) {
		if _, err := ParsePubKey(good[:n]); !errors.Is(err, ErrPubKey) {
			t.Errorf("ParsePubKey of %d bytes: %v, want ErrPubKey", n, err)
		}
	}
	if _, err := ParsePubKey(append(good[:], 0)); !errors.Is(err, ErrPubKey) {
		t.Errorf("ParsePubKey of 34 bytes: %v, want ErrPubKey", err)
	}
}

// cipherAccepts asks the cipher library, whose panics count as a refusal.
func cipherAccepts(b []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	p, err := cipher.NewPubKey(b)
	return err == nil && p.Verify() == nil
}

func TestParsePubKeyAgreesWithCipher(t *testing.T) {
	accepted := 0
	for range 120 {
		b := make([]byte, PubKeyLen)
		rand.Read(b)
		b[0] = 2 + b[0]&1
		_, err := ParsePubKey(b)
		if got, want := err == nil, cipherAccepts(b); got != want {
			t.Fatalf("ParsePubKey(%x) accepts: %v, cipher: %v", b, got, want)
		}
		if err == nil {
			accepted++
		}
	}
	if accepted == 0 || accepted == 120 {
		t.Errorf("%d of 120 random x are on the curve, want about half", accepted)
	}
}

func TestText(t *testing.T) {
	k := generate(t).Public()
	for _, s := range []string{k.String(), strings.ToUpper(k.String())} {
		if got, err := ParseHex(s); err != nil || got != k {
			t.Errorf("ParseHex(%s) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "02", k.String()[1:], k.String() + "0", k.String()[:65] + "g", " " + k.String()[1:]} {
		if _, err := ParseHex(s); !errors.Is(err, ErrPubKey) {
			t.Errorf("ParseHex(%q): %v, want ErrPubKey", s, err)
		}
	}
	if want := k.String()[2:10]; k.Short() != want {
		t.Errorf("Short() = %s, want %s", k.Short(), want)
	}
	if want := cipher.AddressFromPubKey(cipher.PubKey(k)).String(); k.Address() != want {
		t.Errorf("Address() = %s, want %s", k.Address(), want)
	}
	b, err := json.Marshal(map[PubKey]PubKey{k: k})
	if err != nil {
		t.Fatal(err)
	}
	var back map[PubKey]PubKey
	if err := json.Unmarshal(b, &back); err != nil || back[k] != k {
		t.Errorf("JSON there and back: %v, %v", back, err)
	}
	old := k
	if err := k.UnmarshalText([]byte(offCurve[0])); err == nil || k != old {
		t.Errorf("UnmarshalText of no key: %v, key changed: %v", err, k != old)
	}
}

func TestSecretStaysIn(t *testing.T) {
	k := generate(t)
	sec := hex.EncodeToString(k.sec.Serialize())
	for _, format := range []string{"%v", "%s", "%+v"} {
		if s := fmt.Sprintf(format, k); strings.Contains(s, sec) || s != k.Public().String() {
			t.Errorf("Sprintf(%q) of a key = %s", format, s)
		}
	}
}

func TestFromSecret(t *testing.T) {
	order, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	last := bytes.Clone(order)
	last[31]--
	tests := []struct {
		name string
		sec  []byte
		ok   bool
	}{
		{"one", append(make([]byte, 31), 1), true},
		{"order minus one", last, true},
		{"zero", make([]byte, 32), false},
		{"order", order, false},
		{"all ones", bytes.Repeat([]byte{0xff}, 32), false},
		{"short", make([]byte, 31), false},
		{"long", bytes.Repeat([]byte{1}, 33), false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		k, err := FromSecret(tt.sec)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrSecKey)) {
			t.Errorf("%s: %v, want ok %v", tt.name, err, tt.ok)
		}
		if err != nil {
			continue
		}
		want := cipher.MustPubKeyFromSecKey(cipher.MustNewSecKey(tt.sec))
		if k.Public() != PubKey(want) {
			t.Errorf("%s: public key %v, cipher says %v", tt.name, k.Public(), want)
		}
	}
}

func TestECDHEqualsCipher(t *testing.T) {
	for range 12 {
		a, b := generate(t), generate(t)
		want := cipher.MustECDH(cipher.PubKey(b.Public()), secretOf(a))
		for name, ecdh := range map[string]func(PubKey) ([32]byte, error){"ECDH": a.ECDH, "ECDHOnce": a.ECDHOnce} {
			got, err := ecdh(b.Public())
			if err != nil || !bytes.Equal(got[:], want) {
				t.Fatalf("%s = %x, %v, cipher.ECDH = %x", name, got, err, want)
			}
		}
		if back, err := b.ECDH(a.Public()); err != nil || !bytes.Equal(back[:], want) {
			t.Fatalf("the other side's ECDH = %x, %v, want %x", back, err, want)
		}
	}
}

func TestECDHOwnKeyAndSmallSecrets(t *testing.T) {
	for _, last := range []byte{1, 2, 3} {
		k, err := FromSecret(append(make([]byte, 31), last))
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.ECDH(k.Public())
		want := cipher.MustECDH(cipher.PubKey(k.Public()), secretOf(k))
		if err != nil || !bytes.Equal(got[:], want) {
			t.Errorf("ECDH of secret %d with itself = %x, %v, want %x", last, got, err, want)
		}
	}
}

func TestECDHRefusesNoKey(t *testing.T) {
	k := generate(t)
	points := []PubKey{{}}
	for _, s := range offCurve {
		b, _ := hex.DecodeString(s)
		points = append(points, PubKey(b))
	}
	for _, p := range points {
		if _, err := k.ECDH(p); !errors.Is(err, ErrPubKey) {
			t.Errorf("ECDH(%v): %v, want ErrPubKey", p, err)
		}
		if _, err := k.ECDHOnce(p); !errors.Is(err, ErrPubKey) {
			t.Errorf("ECDHOnce(%v): %v, want ErrPubKey", p, err)
		}
	}
}

func TestSignGolden(t *testing.T) {
	k, err := FromSecret(bytes.Repeat([]byte{0x11}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sig := k.Sign("tag", []byte("body"))
	sum := sha256.Sum256([]byte("\x00\x00\x00\x03tag\x00\x00\x00\x04body"))
	if got := digest("tag", []byte("body")); got != sum {
		t.Errorf("digest = %x, want %x", got, sum)
	}
	if again := k.Sign("tag", []byte("body")); again != sig {
		t.Error("two signatures of one body differ")
	}
	// The cipher library accepts what we sign, so a record can be checked by any Skycoin tool.
	err = cipher.VerifyPubKeySignedHash(cipher.PubKey(k.Public()), cipher.Sig(sig), cipher.SHA256(sum))
	if err != nil {
		t.Errorf("cipher does not verify: %v", err)
	}
	theirs, err := cipher.SignHash(cipher.SHA256(sum), secretOf(k))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Verify("tag", []byte("body"), Sig(theirs)); err != nil {
		t.Errorf("we do not verify cipher's signature: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	k := generate(t)
	body := []byte("the body")
	sig := k.Sign("tag", body)
	pub := k.Public()
	if err := pub.Verify("tag", body, sig); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
	refused("another body", pub.Verify("tag", []byte("the bodz"), sig))
	refused("another tag", pub.Verify("tagt", []byte("he body"), sig)) // same concatenation
	refused("another key", generate(t).Public().Verify("tag", body, sig))
	refused("no key", PubKey{}.Verify("tag", body, sig))
	refused("no signature", pub.Verify("tag", body, Sig{}))
	for i := range sig {
		bad := sig
		bad[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), pub.Verify("tag", body, bad))
	}
	for recid := range 256 {
		bad := sig
		bad[64] = byte(recid)
		if recid != int(sig[64]) {
			refused(fmt.Sprintf("recovery id %d", recid), pub.Verify("tag", body, bad))
		}
	}
	refused("high S", pub.Verify("tag", body, highS(sig)))
}

// highS is the other signature of the same hash: s' = n - s, with the other recovery id.
func highS(sig Sig) Sig {
	var s secp256k1.ModNScalar
	s.SetByteSlice(sig[32:64])
	b := s.Negate().Bytes()
	copy(sig[32:64], b[:])
	sig[64] ^= 1
	return sig
}

func TestHighSIsTheSameSignature(t *testing.T) {
	k := generate(t)
	sig := highS(k.Sign("tag", nil))
	hash := digest("tag", nil)
	compact := append([]byte{sig[64] + compactBase}, sig[:64]...)
	got, _, err := ecdsa.RecoverCompact(compact, hash[:])
	if err != nil || PubKey(got.SerializeCompressed()) != k.Public() {
		t.Fatalf("the high S signature recovers %v, %v: it would not test the refusal", got, err)
	}
}

func FuzzParsePubKey(f *testing.F) {
	k, err := FromSecret(bytes.Repeat([]byte{0x11}, 32))
	if err != nil {
		f.Fatal(err)
	}
	pub := k.Public()
	f.Add(pub[:])
	f.Add(pub[:32])
	for _, s := range offCurve {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParsePubKey(b)
		if (err == nil) != cipherAccepts(b) {
			t.Fatalf("ParsePubKey(%x): %v, cipher accepts: %v", b, err, err != nil)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(k[:], b) {
			t.Fatalf("ParsePubKey(%x) = %v", b, k)
		}
		if again, err := ParseHex(k.String()); err != nil || again != k {
			t.Fatalf("ParseHex(%s) = %v, %v", k, again, err)
		}
		if k.Address() == "" {
			t.Fatal("a key without an address")
		}
	})
}

func FuzzVerify(f *testing.F) {
	k, err := FromSecret(bytes.Repeat([]byte{0x11}, 32))
	if err != nil {
		f.Fatal(err)
	}
	pub := k.Public()
	sig := k.Sign("tag", []byte("body"))
	f.Add(pub[:], []byte("body"), sig[:])
	f.Fuzz(func(t *testing.T, key, body, b []byte) {
		if len(b) != SigLen || len(key) != PubKeyLen {
			return
		}
		err := PubKey(key).Verify("tag", body, Sig(b))
		genuine := bytes.Equal(key, pub[:]) && string(body) == "body" && Sig(b) == sig
		if bytes.Equal(key, pub[:]) && err == nil && !genuine {
			t.Fatalf("a forged signature verifies: %x over %q", b, body)
		}
		if genuine && err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkECDH(b *testing.B) {
	k, peer := generate(b), generate(b).Public()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.ECDH(peer)
	}
}

func BenchmarkECDHOnce(b *testing.B) {
	k, peer := generate(b), generate(b).Public()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = k.ECDHOnce(peer)
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Generate()
	}
}

func BenchmarkParsePubKey(b *testing.B) {
	pub := generate(b).Public()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ParsePubKey(pub[:])
	}
}

func BenchmarkSign(b *testing.B) {
	k := generate(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = k.Sign("tag", []byte("body"))
	}
}

func BenchmarkVerify(b *testing.B) {
	k := generate(b)
	sig := k.Sign("tag", []byte("body"))
	b.ReportAllocs()
	for b.Loop() {
		_ = k.Public().Verify("tag", []byte("body"), sig)
	}
}

// The bytes that Derive gives are on people's disks: they stay the same for ever.
func TestDerive(t *testing.T) {
	k, err := FromSecret(bytes.Repeat([]byte{7}, SecKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(sliceOf(k.Derive("store"))), "4002608205fc3ee9b6bfa9211e9a47bb1d4c59b35d3a56beeffd9301a4e659f6"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if k.Derive("store") == k.Derive("index") {
		t.Error("two labels give the same bytes")
	}
}

func sliceOf(b [32]byte) []byte { return b[:] }
