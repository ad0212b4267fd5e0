package chat

import (
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// TestBoxes: the mailbox's key changes each week; a former one opens what was sealed to it as long as something may come, and is gone then.
func TestBoxes(t *testing.T) {
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	now, dir := time.Now(), t.TempDir()
	open := func() *Engine {
		e, err := Open(Config{Key: key, Dir: dir, Post: Offline{}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	boxOf := func(e *Engine) envelope.Box {
		b, err := e.bundle(0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := mailbox.ParseCard(b.Card)
		if err != nil || c.Verify(key.Public(), now) != nil {
			t.Fatalf("the card: %v", err)
		}
		box, err := envelope.ParseBox(c.Box[:])
		if err != nil {
			t.Fatal(err)
		}
		return box
	}
	e := open()
	first := boxOf(e)
	sealed, err := envelope.Seal(first, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if string(boxOf(e).Bytes()) != string(first.Bytes()) {
		t.Error("another key at once")
	}
	device := e.Self()
	for range 9 { // 63 days
		now = now.Add(boxLife)
		if boxOf(e); len(e.boxes) < 2 {
			t.Fatal("the key stays")
		}
	}
	if string(boxOf(e).Bytes()) == string(first.Bytes()) {
		t.Error("the first key is published still")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open()
	defer func() { e.Close() }()
	if e.Self() != device {
		t.Error("the device has another number")
	}
	if b, err := e.openEnvelope(sealed); err != nil || string(b) != "hello" {
		t.Errorf("a letter that waited: %v", err)
	}
	now = now.Add(boxLife)
	boxOf(e)
	if _, err := e.openEnvelope(sealed); err == nil {
		t.Error("the first key opens still")
	}
	for range 100 {
		now = now.Add(boxLife)
		boxOf(e)
	}
	if n := len(e.boxes); n > int(boxKept/boxLife)+2 {
		t.Errorf("%d keys", n)
	}
	// A store from when there was one key.
	secret, err := e.box().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	old := append([]byte{0, 0, 0, 9}, secret...)
	err = e.v.update(func(t tx) error {
		for _, b := range []string{boxBucket} {
			c := t.Bucket([]byte(b)).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				if err := c.Delete(); err != nil {
					return err
				}
			}
		}
		return t.put(metaBucket, []byte("device"), old)
	})
	if err != nil {
		t.Fatal(err)
	}
	box := e.box()
	e.Close()
	e = open()
	if e.Self().Device != 9 || string(e.box().Box().Bytes()) != string(box.Box().Bytes()) {
		t.Error("the former store's device or key is lost")
	}
}
