package chat

import (
	"bytes"
	"errors"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func TestExport(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	if err := alice.e.AddContact(bob.me(), "Bobby Tables"); err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "one")
	alice.send(To(bob.me()), "two")
	bob.awaitTexts(To(alice.me()), "one", "two")
	var out bytes.Buffer
	if err := alice.e.Export(&out, "short"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a short passphrase: %v", err)
	}
	if err := alice.e.Export(&out, "correct horse"); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte("Bobby Ta")) { // fewer bytes stand in what is sealed by chance
		t.Error("the export shows a name")
	}
	alice.stop()
	alice.dir = t.TempDir() // the same person on another machine
	alice.start()
	if _, err := alice.e.Import(bytes.NewReader(out.Bytes()), "another horse"); !errors.Is(err, ErrExport) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, err := alice.e.Import(bytes.NewReader(out.Bytes()[:out.Len()-1]), "correct horse"); !errors.Is(err, ErrExport) {
		t.Errorf("cut off: %v", err)
	}
	for want := range 2 { // the cut one has brought both
		if n, err := alice.e.Import(bytes.NewReader(out.Bytes()), "correct horse"); err != nil || n > 2*(1-want) {
			t.Errorf("%d messages, %v", n, err)
		}
	}
	alice.awaitTexts(To(bob.me()), "one", "two")
	if k, err := alice.e.Person("bobby tables"); err != nil || k != bob.me() {
		t.Errorf("bob: %v", err)
	}
	// The new device and bob talk.
	alice.send(To(bob.me()), "three")
	bob.awaitTexts(To(alice.me()), "one", "two", "three")
}

// TestExportOfGroups: groups come along, with the key if it is asked for; somebody else does not take it in.
func TestExportOfGroups(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks", bob)
	alice.send(In(g), "hello")
	bob.awaitTexts(In(g), "hello")
	before, err := bob.e.History(In(g), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.Repeat([]byte{7}, identity.SecKeyLen)
	var out bytes.Buffer
	if err := bob.e.ExportDevice(&out, "correct horse", secret); !errors.Is(err, ErrOwner) {
		t.Errorf("with another key: %v", err)
	}
	if err := bob.e.Export(&out, "correct horse"); err != nil {
		t.Fatal(err)
	}
	if _, err := ExportKey(bytes.NewReader(out.Bytes()), "correct horse"); !errors.Is(err, ErrNoKey) {
		t.Errorf("the key of an export without it: %v", err)
	}
	if _, err := alice.e.Import(bytes.NewReader(out.Bytes()), "correct horse"); !errors.Is(err, ErrOwner) {
		t.Errorf("the export of somebody else: %v", err)
	}
	bob.stop()
	bob.dir = t.TempDir()
	bob.start()
	if _, err := bob.e.Import(bytes.NewReader(out.Bytes()), "correct horse"); err != nil {
		t.Fatal(err)
	}
	after, err := bob.e.History(In(g), 0, 100)
	if err != nil || len(after) != len(before) || bob.members(g) != 2 {
		t.Errorf("%d lines, want %d; %d members, %v", len(after), len(before), bob.members(g), err)
	}
}

func TestExportKey(t *testing.T) {
	key, err := identity.FromSecret(bytes.Repeat([]byte{7}, identity.SecKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(Config{Key: key, Dir: t.TempDir(), Post: Offline{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var out bytes.Buffer
	if err := e.ExportDevice(&out, "correct horse", bytes.Repeat([]byte{7}, identity.SecKeyLen)); err != nil {
		t.Fatal(err)
	}
	if k, err := ExportKey(bytes.NewReader(out.Bytes()), "correct horse"); err != nil || k.Public() != key.Public() {
		t.Errorf("the key: %v", err)
	}
	if _, err := ExportKey(bytes.NewReader(out.Bytes()), "another horse"); !errors.Is(err, ErrExport) {
		t.Errorf("with another passphrase: %v", err)
	}
}
