package ratchet

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

var testAD = []byte("alice to bob")

// counted makes ratchet keys that a seed decides.
func counted(seed string) func() (*ecdh.PrivateKey, error) {
	n := 0
	return func() (*ecdh.PrivateKey, error) {
		n++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, n))
		return ecdh.X25519().NewPrivateKey(sum[:])
	}
}

// pair is both ends of a new conversation; alice has started it.
func pair(t testing.TB) (alice, bob *Session) {
	t.Helper()
	root := sha256.Sum256([]byte("a root"))
	prekey, err := counted("prekey")()
	if err != nil {
		t.Fatal(err)
	}
	if alice, err = start(root, prekey.PublicKey(), counted("alice")); err != nil {
		t.Fatal(err)
	}
	if bob, err = accept(root, prekey, counted("bob")); err != nil {
		t.Fatal(err)
	}
	return alice, bob
}

func mustSeal(t testing.TB, s *Session, text string) []byte {
	t.Helper()
	m, err := s.Seal(nil, []byte(text), testAD)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustOpen(t testing.TB, s *Session, m []byte, want string) {
	t.Helper()
	got, err := s.Open(nil, m, testAD)
	if err != nil {
		t.Fatalf("opening %q: %v", want, err)
	}
	if string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestBothWays(t *testing.T) {
	alice, bob := pair(t)
	if _, err := bob.Seal(nil, nil, nil); !errors.Is(err, ErrSilent) {
		t.Fatalf("who has heard nothing yet: %v", err)
	}
	for i := range 20 {
		text := fmt.Sprintf("message %d", i)
		mustOpen(t, bob, mustSeal(t, alice, text), text)
		if i%3 == 0 {
			mustOpen(t, alice, mustSeal(t, bob, "re: "+text), "re: "+text)
		}
	}
	mustOpen(t, bob, mustSeal(t, alice, ""), "")
}

func TestOverhead(t *testing.T) {
	alice, _ := pair(t)
	if m := mustSeal(t, alice, "four"); len(m) != Overhead+4 {
		t.Errorf("%d bytes", len(m))
	}
}

func TestLateAndLost(t *testing.T) {
	alice, bob := pair(t)
	var first [5][]byte
	for i := range first {
		first[i] = mustSeal(t, alice, fmt.Sprint("first ", i))
	}
	mustOpen(t, bob, first[3], "first 3")
	mustOpen(t, alice, mustSeal(t, bob, "answer"), "answer")
	second := mustSeal(t, alice, "second 0")
	mustOpen(t, bob, second, "second 0")
	for _, i := range []int{4, 0, 2} { // of the chain before, 4 after its end was known
		mustOpen(t, bob, first[i], fmt.Sprint("first ", i))
	}
	if bob.Kept() != 1 {
		t.Errorf("%d keys are kept for the one message that is missing", bob.Kept())
	}
	for name, m := range map[string][]byte{"kept": first[0], "new": second, "late": first[4]} {
		if _, err := bob.Open(nil, m, testAD); err == nil {
			t.Errorf("a %s message opened twice", name)
		}
	}
}

func TestAlteredChangesNothing(t *testing.T) {
	alice, bob := pair(t)
	lost := mustSeal(t, alice, "late")
	m := mustSeal(t, alice, "a text")
	before := bob.AppendTo(nil)
	for i := range m {
		bad := bytes.Clone(m)
		bad[i] ^= 1
		if _, err := bob.Open(nil, bad, testAD); !errors.Is(err, ErrMessage) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	for n := range m {
		if _, err := bob.Open(nil, m[:n], testAD); !errors.Is(err, ErrMessage) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	if _, err := bob.Open(nil, m, []byte("bob to alice")); !errors.Is(err, ErrMessage) {
		t.Fatalf("other additional data: %v", err)
	}
	if !bytes.Equal(bob.AppendTo(nil), before) {
		t.Fatal("what did not open has left a trace")
	}
	mustOpen(t, bob, m, "a text")
	altered := bytes.Clone(lost)
	altered[len(altered)-1] ^= 1
	if _, err := bob.Open(nil, altered, testAD); !errors.Is(err, ErrMessage) {
		t.Fatal(err)
	}
	mustOpen(t, bob, lost, "late") // its key was not spent on the altered one
}

func TestGap(t *testing.T) {
	alice, bob := pair(t)
	for range MaxSkip {
		mustSeal(t, alice, "lost")
	}
	within := mustSeal(t, alice, "within")
	beyond := mustSeal(t, alice, "beyond")
	if _, err := bob.Open(nil, beyond, testAD); !errors.Is(err, ErrGap) {
		t.Fatalf("%d missing: %v", MaxSkip+1, err)
	}
	mustOpen(t, bob, within, "within")
	mustOpen(t, bob, beyond, "beyond")
}

// TestKeptIsBounded: whatever the other side claims to have sent, the keys of missing messages stay few.
func TestKeptIsBounded(t *testing.T) {
	alice, bob := pair(t)
	mustOpen(t, bob, mustSeal(t, alice, "begin"), "begin")
	var oldest []byte
	for round := range 12 {
		mustOpen(t, alice, mustSeal(t, bob, "turn"), "turn")
		for i := range 500 {
			if m := mustSeal(t, alice, "lost"); round == 0 && i == 0 {
				oldest = m
			}
		}
		mustOpen(t, bob, mustSeal(t, alice, "heard"), "heard")
		if bob.Kept() > MaxKept || len(bob.kept.chains) > maxChains {
			t.Fatalf("%d keys of %d chains", bob.Kept(), len(bob.kept.chains))
		}
	}
	if bob.Kept() != MaxKept {
		t.Errorf("%d keys kept, want %d", bob.Kept(), MaxKept)
	}
	if _, err := bob.Open(nil, oldest, testAD); err == nil {
		t.Error("the oldest message opened although its key should have given way")
	}
}

// TestHealing: who copied all of bob's keys reads on only until both have spoken twice.
func TestHealing(t *testing.T) {
	alice, bob := pair(t)
	mustOpen(t, bob, mustSeal(t, alice, "begin"), "begin")
	thief, err := Parse(bob.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	seen := mustSeal(t, alice, "stolen")
	mustOpen(t, thief, seen, "stolen")
	mustOpen(t, bob, seen, "stolen")
	for range 2 { // the key that bob sends first was made before the theft
		mustOpen(t, alice, mustSeal(t, bob, "a new key"), "a new key")
		mustOpen(t, bob, mustSeal(t, alice, "and another"), "and another")
	}
	m := mustSeal(t, alice, "private again")
	if _, err := thief.Open(nil, m, testAD); err == nil {
		t.Fatal("stolen keys read on after the ratchet has turned")
	}
	mustOpen(t, bob, m, "private again")
}

// TestNothingInCommon: no two messages share a stretch of bytes, not even of the same text and chain.
func TestNothingInCommon(t *testing.T) {
	alice, _ := pair(t)
	seen := map[string]bool{}
	for range 200 {
		m := mustSeal(t, alice, "the same text")
		for i := 1; i+8 <= len(m); i++ {
			if seen[string(m[i:i+8])] {
				t.Fatalf("eight bytes at %d of a message stood in one before", i)
			}
		}
		for i := 1; i+8 <= len(m); i++ {
			seen[string(m[i:i+8])] = true
		}
	}
}

// TestAnySchedule: messages that are lost, late, repeated and out of order, states that are written and
// read again at any moment, against what a list remembers.
func TestAnySchedule(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		alice, bob := pair(t)
		ends := [2]*Session{alice, bob}
		type sent struct {
			to   int
			m    []byte
			text string
			read bool
		}
		var all []*sent
		for step := range 300 {
			switch who := r.IntN(2); r.IntN(8) {
			case 0, 1, 2:
				if ends[who].CanSeal() {
					text := fmt.Sprintf("%d from %d", step, who)
					all = append(all, &sent{to: 1 - who, m: mustSeal(t, ends[who], text), text: text})
				}
			case 3:
				b := ends[who].AppendTo(nil)
				again, err := Parse(b)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(again.AppendTo(nil), b) {
					t.Fatal("a state read again is not the same")
				}
				again.generate, ends[who] = ends[who].generate, again
			default:
				if len(all) == 0 {
					continue
				}
				s := all[max(0, len(all)-1-r.IntN(10))] // older ones may have lost their keys
				got, err := ends[s.to].Open(nil, s.m, testAD)
				if s.read && err == nil {
					t.Fatalf("seed %d: %q opened twice", seed, s.text)
				}
				if !s.read && (err != nil || string(got) != s.text) {
					t.Fatalf("seed %d: %q: got %q, %v", seed, s.text, got, err)
				}
				s.read = true
			}
		}
	}
}

func TestBadPrekeys(t *testing.T) {
	p256, err := ecdh.P256().GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Accept([32]byte{}, p256); err == nil {
		t.Error("a prekey of another curve was accepted")
	}
	if _, err := Start([32]byte{}, p256.PublicKey()); err == nil {
		t.Error("a prekey of another curve was used")
	}
	low, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start([32]byte{}, low); !errors.Is(err, ErrMessage) {
		t.Errorf("a prekey of low order: %v", err)
	}
}

// TestGolden holds the derivation of keys still; it was checked against an independent Double Ratchet (oracle_test.go).
func TestGolden(t *testing.T) {
	alice, bob := pair(t)
	mustOpen(t, bob, mustSeal(t, alice, "0"), "0")
	mustOpen(t, alice, mustSeal(t, bob, "1"), "1")
	sum := sha256.Sum256(append(alice.AppendTo(nil), bob.AppendTo(nil)...))
	const want = "c762ca3013d5363aea8f72d95078fbfede2a400d7cf8e84bcf11a65e40271e23"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the states after two messages have hash %s, want %s", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	// The third of five messages begins, so that two are late, two are next, and the sixth is of another turn.
	begin := func(t testing.TB) (bob *Session, others [][]byte) {
		alice, bob := pair(t)
		for i := range 5 {
			others = append(others, mustSeal(t, alice, fmt.Sprint(i)))
		}
		mustOpen(t, bob, others[2], "2")
		_, twin := pair(t)
		mustOpen(t, twin, others[0], "0")
		mustOpen(t, alice, mustSeal(t, twin, "an answer"), "an answer")
		return bob, append(others, mustSeal(t, alice, "5"))
	}
	_, others := begin(f)
	for _, m := range others {
		// All but the tag, which is read last, is genuine. No mutation brings that back, as it would a bit: what is genuine in one process is
		// so in the others, whose keys are the same.
		clear(m[len(m)-tagLen:])
		f.Add(m)
	}
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, m []byte) {
		bob, _ := begin(t)
		before := bob.AppendTo(nil)
		if _, err := bob.Open(nil, m, testAD); err == nil {
			t.Fatal("a forged message opened")
		}
		if !bytes.Equal(bob.AppendTo(nil), before) {
			t.Fatal("a forged message left a trace")
		}
	})
}

func FuzzParse(f *testing.F) {
	alice, bob := pair(f)
	f.Add(bob.AppendTo(nil))
	mustSeal(f, alice, "lost")
	mustOpen(f, bob, mustSeal(f, alice, "read"), "read")
	f.Add(alice.AppendTo(nil))
	f.Add(bob.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.AppendTo(nil), b) {
			t.Fatal("another encoding of the same state")
		}
		_, _ = s.Open(nil, make([]byte, 200), nil)
		if s.CanSeal() {
			_, _ = s.Seal(nil, []byte("text"), nil)
		}
	})
}

func BenchmarkBothWays(b *testing.B) {
	alice, bob := pair(b)
	text := make([]byte, 200)
	var m, got []byte
	for b.Loop() {
		var err error
		if m, err = alice.Seal(m[:0], text, testAD); err != nil {
			b.Fatal(err)
		}
		if got, err = bob.Open(got[:0], m, testAD); err != nil {
			b.Fatal(err)
		}
	}
}
