package secure

import (
	"bytes"
	"errors"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func newTestKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLetter(t *testing.T) {
	alice, bob, psk := newTestKey(t), newTestKey(t), [32]byte{7}
	letter, sent, err := SealLetter(alice, bob.Public(), psk, []byte("prologue"), []byte("a text"))
	if err != nil {
		t.Fatal(err)
	}
	if len(letter) != LetterOverhead+len("a text") {
		t.Errorf("%d bytes", len(letter))
	}
	alicesKey := alice.Public()
	if bytes.Contains(letter, alicesKey[1:9]) || bytes.Contains(letter, []byte("a text")) {
		t.Error("the letter shows its sender or its text")
	}
	text, got, err := OpenLetter(bob, psk, []byte("prologue"), letter)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != "a text" || got != sent || got.Sender != alice.Public() || got.Secret == [32]byte{} {
		t.Errorf("got %q from %v", text, got.Sender)
	}
	again, other, err := SealLetter(alice, bob.Public(), psk, []byte("prologue"), []byte("a text"))
	if err != nil || bytes.Equal(again, letter) || other.Secret == sent.Secret {
		t.Error("two letters have bytes or the secret in common", err)
	}
}

func TestLetterRefused(t *testing.T) {
	alice, bob, psk := newTestKey(t), newTestKey(t), [32]byte{7}
	letter, _, err := SealLetter(alice, bob.Public(), psk, []byte("prologue"), []byte("a text"))
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(name string, key *identity.Key, psk [32]byte, prologue string, letter []byte) {
		t.Helper()
		if _, _, err := OpenLetter(key, psk, []byte(prologue), letter); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refuse("another reader", alice, psk, "prologue", letter)
	refuse("another secret", bob, [32]byte{8}, "prologue", letter)
	refuse("another prologue", bob, psk, "epilogue", letter)
	for i := range letter {
		bad := bytes.Clone(letter)
		bad[i] ^= 1
		refuse("altered", bob, psk, "prologue", bad)
	}
	for n := range letter {
		refuse("cut", bob, psk, "prologue", letter[:n])
	}
	if _, _, err := SealLetter(alice, identity.PubKey{2}, psk, nil, nil); err == nil {
		t.Error("a letter to a key that is none")
	}
}

func FuzzLetter(f *testing.F) {
	alice, bob := newTestKey(f), newTestKey(f)
	letter, _, err := SealLetter(alice, bob.Public(), [32]byte{}, nil, []byte("a text"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(letter)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := OpenLetter(bob, [32]byte{}, nil, b); err == nil && !bytes.Equal(b, letter) {
			t.Fatal("a forged letter opened")
		}
	})
}
