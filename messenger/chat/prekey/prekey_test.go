package prekey

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

var now = time.Unix(1_800_000_000, 0)

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newSecret(t testing.TB, owner *identity.Key, number uint32) *Secret {
	t.Helper()
	s, err := New(owner, 3, number, now.Add(7*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFirstMessage: alice writes while bob is away; bob reads after a restart, and answers.
func TestFirstMessage(t *testing.T) {
	alice, bob := newKey(t), newKey(t)
	secret := newSecret(t, bob, 1)
	public, err := Parse(secret.Public().Append(nil)) // by way of the messenger
	if err != nil {
		t.Fatal(err)
	}
	opening, hers, err := Greet(alice, 9, bob.Public(), public, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(opening) != OpeningLen {
		t.Errorf("an opening of %d bytes", len(opening))
	}
	m, err := hers.Seal(nil, []byte("hello"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if device, number, err := Wanted(opening); device != 3 || number != 1 || err != nil {
		t.Fatalf("wants prekey %d of device %d: %v", number, device, err)
	}
	again, err := ParseSecret(secret.AppendSecret(nil)) // from his disk
	if err != nil {
		t.Fatal(err)
	}
	from, his, err := again.Meet(bob.Public(), opening)
	if err != nil {
		t.Fatal(err)
	}
	if from != (Sender{alice.Public(), 9}) {
		t.Errorf("from %v", from)
	}
	text, err := his.Open(nil, m, nil)
	if err != nil || string(text) != "hello" {
		t.Fatalf("got %q, %v", text, err)
	}
	answer, err := his.Seal(nil, []byte("hello to you"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := hers.Open(nil, answer, nil); err != nil || string(text) != "hello to you" {
		t.Fatalf("got %q, %v", text, err)
	}
}

func TestOpeningRefused(t *testing.T) {
	alice, bob := newKey(t), newKey(t)
	secret, other := newSecret(t, bob, 1), newSecret(t, bob, 2)
	opening, _, err := Greet(alice, 9, bob.Public(), secret.Public(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := secret.Meet(alice.Public(), opening); !errors.Is(err, ErrOpening) {
		t.Errorf("for another owner: %v", err)
	}
	if _, _, err := other.Meet(bob.Public(), opening); !errors.Is(err, ErrOpening) {
		t.Errorf("with another prekey: %v", err)
	}
	for i := 0; i < len(opening); i += 7 {
		bad := bytes.Clone(opening)
		bad[i] ^= 1
		if _, _, err := secret.Meet(bob.Public(), bad); !errors.Is(err, ErrOpening) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, openingHead, len(opening) - 1} {
		if _, _, err := secret.Meet(bob.Public(), opening[:n]); !errors.Is(err, ErrOpening) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
}

func TestVerify(t *testing.T) {
	alice, bob := newKey(t), newKey(t)
	p := newSecret(t, bob, 0).Public()
	for _, c := range []struct {
		name  string
		owner identity.PubKey
		now   time.Time
		want  error
	}{
		{"valid", bob.Public(), now, nil},
		{"another owner's", alice.Public(), now, ErrSignature},
		{"expired", bob.Public(), p.Expiry, ErrExpired},
		{"valid for too long", bob.Public(), now.Add(-100 * 24 * time.Hour), ErrExpired},
	} {
		if err := p.Verify(c.owner, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	b := p.Append(nil)
	b[4]++ // the device
	altered, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := altered.Verify(bob.Public(), now); !errors.Is(err, ErrSignature) {
		t.Errorf("altered: %v", err)
	}
	if _, _, err := Greet(alice, 1, bob.Public(), altered, now); !errors.Is(err, ErrSignature) {
		t.Errorf("greeted with an altered prekey: %v", err)
	}
}

func TestParseMalformed(t *testing.T) {
	b := newSecret(t, newKey(t), 1).Public().Append(nil)
	for n := range b {
		if _, err := Parse(b[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	secret := newSecret(t, newKey(t), 1).AppendSecret(nil)
	secret[len(secret)-1] ^= 1
	if _, err := ParseSecret(secret); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("a secret half of another key: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	bob := newKey(f)
	secret := newSecret(f, bob, 1)
	f.Add(secret.Public().Append(nil))
	f.Add(secret.AppendSecret(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && !bytes.Equal(p.Append(nil), b) {
			t.Fatal("another encoding of the same prekey")
		}
		if s, err := ParseSecret(b); err == nil && !bytes.Equal(s.AppendSecret(nil), b) {
			t.Fatal("another encoding of the same secret")
		}
	})
}

func FuzzMeet(f *testing.F) {
	alice, bob := newKey(f), newKey(f)
	secret := newSecret(f, bob, 1)
	opening, _, err := Greet(alice, 9, bob.Public(), secret.Public(), now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(opening)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := secret.Meet(bob.Public(), b); err == nil && !bytes.Equal(b, opening) {
			t.Fatal("a forged opening opened")
		}
	})
}
