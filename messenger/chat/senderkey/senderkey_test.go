package senderkey

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

var now = time.Unix(1_800_000_000, 0)

func newPlace(t testing.TB) Place {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return Place{Group: [32]byte{1}, Epoch: 4, Member: k.Public(), Device: 2}
}

func mustSeal(t testing.TB, s *Sending, text string) []byte {
	t.Helper()
	m, err := s.Seal(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustReceive(t testing.TB, s *Sending) *Receiving {
	t.Helper()
	r, err := Receive(s.Place(), s.Share())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustOpen(t testing.TB, r *Receiving, m []byte, want string) {
	t.Helper()
	if got, err := r.Open(nil, m); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestGroup(t *testing.T) {
	s := New(newPlace(t), now)
	old := mustSeal(t, s, "before anybody joined")
	bob, carol := mustReceive(t, s), mustReceive(t, s)
	m := mustSeal(t, s, "hello")
	if len(m) != Overhead+5 {
		t.Errorf("%d bytes", len(m))
	}
	mustOpen(t, bob, m, "hello")
	mustOpen(t, carol, m, "hello")
	if _, err := bob.Open(nil, m); !errors.Is(err, ErrUsed) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := bob.Open(nil, old); !errors.Is(err, ErrUsed) {
		t.Errorf("a message before the share: %v", err)
	}
}

// TestNobodyElse: a member who has the chain's key cannot write as its owner, nor move a message elsewhere.
func TestNobodyElse(t *testing.T) {
	place := newPlace(t)
	alice := New(place, now)
	bob := mustReceive(t, alice)
	mallory := New(place, now)
	mallory.key, mallory.n = alice.key, alice.n // all that a share gives
	forged := mustSeal(t, mallory, "forged")
	name := alice.Name()
	copy(forged[1:], name[:])
	if _, err := bob.Open(nil, forged); !errors.Is(err, ErrMessage) {
		t.Errorf("forged by a member: %v", err)
	}
	m := mustSeal(t, alice, "a text")
	for what, change := range map[string]func(*Place){
		"group":  func(p *Place) { p.Group[0]++ },
		"epoch":  func(p *Place) { p.Epoch++ },
		"member": func(p *Place) { p.Member = newPlace(t).Member },
		"device": func(p *Place) { p.Device++ },
	} {
		elsewhere := place
		change(&elsewhere)
		r, err := Receive(elsewhere, (&Sending{chain: bob.chain}).Share())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Open(nil, m); !errors.Is(err, ErrMessage) {
			t.Errorf("in another %s: %v", what, err)
		}
	}
	for i := range m {
		bad := bytes.Clone(m)
		bad[i] ^= 1
		if _, err := bob.Open(nil, bad); !errors.Is(err, ErrMessage) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	mustOpen(t, bob, m, "a text")
}

func TestSpent(t *testing.T) {
	s := New(newPlace(t), now)
	r := mustReceive(t, s)
	if s.Spent(now) || !s.Spent(now.Add(MaxAge)) {
		t.Error("age")
	}
	for range MaxMessages {
		mustSeal(t, s, "x")
	}
	if !s.Spent(now) {
		t.Error("not spent after its messages")
	}
	for range MaxSkip - MaxMessages - 1 {
		mustSeal(t, s, "x")
	}
	mustOpen(t, r, mustSeal(t, s, "the last"), "the last")
	if len(r.kept) != MaxSkip-1 {
		t.Errorf("%d keys are kept", len(r.kept))
	}
	if _, err := s.Seal(nil, nil); !errors.Is(err, ErrEnd) {
		t.Errorf("beyond the end: %v", err)
	}
	s.n = MaxSkip - 1
	m := mustSeal(t, s, "again")
	if _, err := r.Open(nil, m); err == nil {
		t.Error("a number used twice opened twice")
	}
}

func TestAnyOrder(t *testing.T) {
	for seed := range uint64(30) {
		order := rand.New(rand.NewPCG(seed, 3))
		s := New(newPlace(t), now)
		r := mustReceive(t, s)
		var all [][]byte
		for i := range 80 {
			all = append(all, mustSeal(t, s, fmt.Sprint(i)))
			again, err := ParseSending(s.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			s = again
		}
		for _, i := range order.Perm(len(all)) {
			if order.IntN(4) == 0 {
				continue // lost
			}
			mustOpen(t, r, all[i], fmt.Sprint(i))
			b := r.AppendTo(nil)
			again, err := ParseReceiving(b)
			if err != nil || !bytes.Equal(again.AppendTo(nil), b) {
				t.Fatalf("a state read again: %v", err)
			}
			r = again
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := New(newPlace(f), now)
	share := s.Share()
	m := mustSeal(f, s, "a text")
	f.Add(m, share)
	f.Add(s.AppendTo(nil), mustReceive(f, s).AppendTo(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, err := Receive(s.Place(), share)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Open(nil, a); err == nil && !bytes.Equal(a, m) {
			t.Fatal("a forged message opened")
		}
		if r, err := Receive(s.Place(), b); err == nil {
			_, _ = r.Open(nil, a)
		}
		if s, err := ParseSending(a); err == nil && !bytes.Equal(s.AppendTo(nil), a) {
			t.Fatal("another encoding of the same chain")
		}
		if r, err := ParseReceiving(b); err == nil && !bytes.Equal(r.AppendTo(nil), b) {
			t.Fatal("another encoding of the same chain")
		}
	})
}

func FuzzParseReceiving(f *testing.F) {
	s := New(newPlace(f), now)
	r := mustReceive(f, s)
	f.Add(r.AppendTo(nil))
	mustSeal(f, s, "late")
	mustSeal(f, s, "later")
	m := mustSeal(f, s, "first")
	mustOpen(f, r, m, "first")
	f.Add(r.AppendTo(nil))
	next := mustSeal(f, s, "next")
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceiving(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.AppendTo(nil), b) {
			t.Fatal("another encoding of the same chain")
		}
		for _, m := range [][]byte{next, m} {
			if _, err := r.Open(nil, m); err == nil {
				if _, err := r.Open(nil, m); !errors.Is(err, ErrUsed) {
					t.Fatalf("opened twice: %v", err)
				}
			}
		}
	})
}
