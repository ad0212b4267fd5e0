package chat

import (
	"bytes"
	"errors"
	"testing"
)

func TestExport(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	if err := alice.e.AddContact(bob.me(), "Bob"); err != nil {
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
	if bytes.Contains(out.Bytes(), []byte("Bob")) {
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
	if k, err := alice.e.Person("bob"); err != nil || k != bob.me() {
		t.Errorf("bob: %v", err)
	}
	// The new device and bob talk.
	alice.send(To(bob.me()), "three")
	bob.awaitTexts(To(alice.me()), "one", "two", "three")
}
