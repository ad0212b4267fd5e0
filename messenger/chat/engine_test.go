package chat

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTwoPeopleTalk(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	id := alice.send(To(bob.me()), "are you there?")
	bob.awaitTexts(To(alice.me()), "are you there?")

	// Unknown: a request, without a receipt, until bob answers.
	if list, err := bob.e.Conversations(true); err != nil || len(list) != 1 || list[0].Unread != 1 {
		t.Fatalf("requests: %+v, %v", list, err)
	}
	if list, err := bob.e.Conversations(false); err != nil || len(list) != 0 {
		t.Fatalf("conversations: %+v, %v", list, err)
	}
	if got := alice.history(To(bob.me()))[0].Status; got > Sent {
		t.Errorf("the status of a request is %v", got)
	}
	if _, err := bob.e.Send(To(alice.me()), "yes", id); err != nil {
		t.Fatal(err)
	}
	alice.awaitTexts(To(bob.me()), "are you there?", "yes")
	if got := alice.history(To(bob.me()))[1].Reply; got != id {
		t.Errorf("the answer is to %v, want %v", got, id)
	}
	await(t, "delivered", func() bool { return alice.history(To(bob.me()))[0].Status == Delivered })
	if err := bob.e.MarkRead(To(alice.me()), 1); err != nil {
		t.Fatal(err)
	}
	await(t, "read", func() bool { return alice.history(To(bob.me()))[0].Status == Read })
	await(t, "empty outboxes", func() bool {
		a, err := alice.e.Waiting()
		b, err2 := bob.e.Waiting()
		return a+b == 0 && err == nil && err2 == nil
	})
}

func TestBothGreetAtOnce(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	await(t, "cards", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.cards) == 2 })
	m.setDown(true)
	for i := range 3 {
		alice.send(To(bob.me()), fmt.Sprint("a", i))
		bob.send(To(alice.me()), fmt.Sprint("b", i))
	}
	m.setDown(false)
	await(t, "six messages each", func() bool {
		return len(alice.history(To(bob.me()))) == 6 && len(bob.history(To(alice.me()))) == 6
	})
	for i := range 3 {
		alice.send(To(bob.me()), fmt.Sprint("c", i))
		await(t, "the next", func() bool { return len(bob.history(To(alice.me()))) == 7+2*i })
		bob.send(To(alice.me()), fmt.Sprint("d", i))
		await(t, "the answer", func() bool { return len(alice.history(To(bob.me()))) == 8+2*i })
	}
	for _, msg := range bob.history(To(alice.me())) {
		if msg.Gap {
			t.Errorf("message %q seems to have a gap before it", msg.Text)
		}
	}
}

// TestMany: many messages each way, with both ends and the messenger away from time to time.
func TestMany(t *testing.T) {
	n := 200
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	for part := range 10 {
		var a, b []string
		for i := range n / 10 {
			a, b = append(a, fmt.Sprintf("a%d", part*n/10+i)), append(b, fmt.Sprintf("b%d", part*n/10+i))
		}
		switch part {
		case 2:
			m.setDown(true)
		case 3:
			m.setDown(false)
		case 4:
			bob.stop()
		case 5:
			bob.start()
		case 7:
			alice.stop()
			alice.start()
		}
		if _, err := alice.e.SendAll(To(bob.me()), a, MessageID{}); err != nil {
			t.Fatal(err)
		}
		if part == 4 {
			continue
		}
		if _, err := bob.e.SendAll(To(alice.me()), b, MessageID{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(p, from *person, prefix string, want int) {
		await(t, "all messages", func() bool { return count(p.history(To(from.me())), from) >= want })
		i := -1
		for _, msg := range p.history(To(from.me())) {
			if msg.From != from.me() {
				continue
			}
			var at int
			if _, err := fmt.Sscanf(msg.Text, prefix+"%d", &at); err != nil || at <= i {
				t.Fatalf("%q after %d", msg.Text, i)
			}
			i = at
			if msg.Gap {
				t.Errorf("%q seems to have a gap before it", msg.Text)
			}
		}
		if got := count(p.history(To(from.me())), from); got != want {
			t.Errorf("%d messages, want %d", got, want)
		}
	}
	check(bob, alice, "a", n)
	check(alice, bob, "b", n-n/10)
}

func count(list []Message, from *person) (n int) {
	for _, m := range list {
		if m.From == from.me() {
			n++
		}
	}
	return n
}

func TestBlockedAndFlood(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	for i := range MaxRequestTexts + 5 {
		alice.send(To(bob.me()), fmt.Sprint(i))
	}
	await(t, "the request", func() bool { return len(bob.history(To(alice.me()))) == MaxRequestTexts })
	await(t, "all sent", func() bool { n, err := alice.e.Waiting(); return n == 0 && err == nil })
	if n := len(bob.history(To(alice.me()))); n != MaxRequestTexts {
		t.Errorf("%d messages of somebody unknown", n)
	}
	if err := bob.e.Block(alice.me()); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.e.Send(To(alice.me()), "x", MessageID{}); !errors.Is(err, ErrBlocked) {
		t.Errorf("writing to somebody blocked: %v", err)
	}
}

func TestStoreShowsNothing(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	if err := alice.e.AddContact(bob.me(), "Bobby Tables"); err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "meet me at the windmill")
	bob.awaitTexts(To(alice.me()), "meet me at the windmill")
	if found, err := bob.e.Search("WINDmill", 10); err != nil || len(found) != 1 || found[0].Talk != To(alice.me()) {
		t.Errorf("search: %+v, %v", found, err)
	}
	alice.stop()
	b, err := os.ReadFile(filepath.Join(alice.dir, StoreFile))
	if err != nil {
		t.Fatal(err)
	}
	bobKey := bob.me()
	// Eight bytes at least: fewer stand in what is sealed by chance.
	for _, secret := range [][]byte{[]byte("windmill"), []byte("Bobby Ta"), bobKey[:], []byte(bobKey.String())} {
		if bytes.Contains(b, secret) {
			t.Errorf("the store shows %q", secret)
		}
	}
	if info, err := os.Stat(filepath.Join(alice.dir, StoreFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the store: %v, %v", info.Mode(), err)
	}
	if _, err := Open(Config{Key: bob.key, Dir: alice.dir, Post: alice.post}); !errors.Is(err, ErrKey) {
		t.Errorf("opened with another key: %v", err)
	}
}

func TestSafetyNumber(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	n := alice.e.SafetyNumber(bob.me())
	if n != bob.e.SafetyNumber(alice.me()) || len(n) != 60+11 || n == alice.e.SafetyNumber(alice.me()) {
		t.Errorf("safety number %q", n)
	}
	if err := alice.e.AddContact(bob.me(), "bob"); err != nil {
		t.Fatal(err)
	}
	other := newPerson(t, m)
	if err := alice.e.AddContact(other.me(), "BOB"); !errors.Is(err, ErrNameTaken) {
		t.Errorf("another key of that name: %v", err)
	}
}

// TestRequestBox: a crowd of unknown people fills the box, and no more; contacts still get through.
func TestRequestBox(t *testing.T) {
	m := newMemory()
	bob, friend := newPerson(t, m), newPerson(t, m)
	if err := bob.e.AddContact(friend.me(), "friend"); err != nil {
		t.Fatal(err)
	}
	err := bob.e.v.update(func(t tx) error { // all but two places are taken
		for range MaxRequests - 2 {
			k, err := identity.Generate()
			if err != nil {
				return err
			}
			if err := t.saveContact(&Contact{Key: k.Public(), Request: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		p := newPerson(t, m)
		p.send(To(bob.me()), "buy")
		await(t, "sent", func() bool { n, err := p.e.Waiting(); return n == 0 && err == nil })
	}
	friend.send(To(bob.me()), "hello")
	bob.awaitTexts(To(friend.me()), "hello")
	if list, err := bob.e.Conversations(true); err != nil || len(list) != 2 {
		t.Errorf("%d requests with texts, %v", len(list), err)
	}
}
