package chat

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// TestFile: a file comes in chunks, while either end restarts; others get nothing.
func TestFile(t *testing.T) {
	m := newMemory()
	alice, bob, eve := newPerson(t, m), newPerson(t, m), newPerson(t, m)
	data := noise(20*ChunkLen + 123)
	id, err := alice.e.SendFile(To(bob.me()), `C:\pictures\cat.png`, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the offer", func() bool { return len(bob.history(To(alice.me()))) == 1 })
	f := bob.history(To(alice.me()))[0].File
	if f == nil || f.Name != "cat.png" && f.Name != `C:\pictures\cat.png` || f.Size != uint64(len(data)) {
		t.Fatalf("offered: %+v", f)
	}
	if err := bob.e.FetchFile(To(alice.me()), alice.me(), MessageID{9}); !errors.Is(err, ErrFile) {
		t.Errorf("a file that was not offered: %v", err)
	}
	alice.stop()
	if err := bob.e.FetchFile(To(alice.me()), alice.me(), id); err != nil {
		t.Fatal(err)
	}
	alice.start()
	await(t, "some of it", func() bool { n, _, _ := bob.e.Progress(alice.me(), id); return n > 0 })
	bob.stop()
	bob.start()
	await(t, "all of it", func() bool { _, done, _ := bob.e.Progress(alice.me(), id); return done })
	var got bytes.Buffer
	if err := bob.e.ReadFile(alice.me(), id, &got); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes came, %v", got.Len(), err)
	}

	// Somebody else knows the id and asks.
	want := content{kind: wantKind, id: newID(), time: eve.e.now(), file: id, count: 2}
	err = eve.e.v.update(func(t tx) error { return t.pushOut(outItem{to: alice.me(), bytes: want.append(nil)}) })
	if err != nil {
		t.Fatal(err)
	}
	eve.send(To(alice.me()), "give me that")
	alice.awaitTexts(To(eve.me()), "give me that")
	alice.send(To(eve.me()), "no")
	eve.awaitTexts(To(alice.me()), "give me that", "no")
	if _, _, err := eve.e.Progress(alice.me(), id); !errors.Is(err, ErrFile) {
		t.Errorf("somebody else has the file: %v", err)
	}
	if err := alice.e.DropFile(alice.me(), id); err != nil {
		t.Fatal(err)
	}
	if err := alice.e.ReadFile(alice.me(), id, &got); !errors.Is(err, ErrFile) {
		t.Errorf("a file that was dropped: %v", err)
	}
}

// TestEmptyFile: it is whole at once.
func TestEmptyFile(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	id, err := alice.e.SendFile(To(bob.me()), "nothing", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the offer", func() bool { return len(bob.history(To(alice.me()))) == 1 })
	if err := bob.e.FetchFile(To(alice.me()), alice.me(), id); err != nil {
		t.Fatal(err)
	}
	if _, done, err := bob.e.Progress(alice.me(), id); !done || err != nil {
		t.Errorf("not there: %v", err)
	}
}
