package chat

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
)

// others is how many other devices of theirs a person's device knows that are not gone.
func (p *person) others() (n int) {
	p.t.Helper()
	list, err := p.e.Devices()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, d := range list {
		if !d.This && !d.Gone {
			n++
		}
	}
	return n
}

// twoDevices are two of one person, which know each other: the second one begins with what the first has exported.
func twoDevices(t *testing.T, first *person, ms ...*memory) *person {
	t.Helper()
	var out bytes.Buffer
	if err := first.e.Export(&out, "correct horse"); err != nil {
		t.Fatal(err)
	}
	second := newDevice(t, first.key, ms...)
	if _, err := second.e.Import(bytes.NewReader(out.Bytes()), "correct horse"); err != nil {
		t.Fatal(err)
	}
	await(t, "both devices know each other", func() bool { return first.others() == 1 && second.others() == 1 })
	first.settled() // people have been told
	return second
}

// knows waits until p knows so many devices of somebody.
func (p *person) knows(of *person, n int) {
	p.t.Helper()
	await(p.t, "devices", func() bool {
		known, err := p.e.knownDevices(of.me())
		return err == nil && len(known.alive(p.e.now())) == n
	})
}

func (p *person) unread(of Talk) int {
	p.t.Helper()
	list, err := p.e.Conversations(false)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range list {
		if c.Talk == of {
			return c.Unread
		}
	}
	return -1
}

// TestTwoDevices: what one device of a person says, reads or decides, the other one knows.
func TestTwoDevices(t *testing.T) {
	m := newMemory()
	one, bob, eve := newPerson(t, m), newPerson(t, m), newPerson(t, m)
	if err := errors.Join(one.e.AddContact(bob.me(), "Bob"), bob.e.AddContact(one.me(), "Alice")); err != nil {
		t.Fatal(err)
	}
	one.send(To(bob.me()), "before")
	bob.awaitTexts(To(one.me()), "before")
	two := twoDevices(t, one, m)
	two.awaitTexts(To(bob.me()), "before")
	bob.knows(one, 2)
	bob.send(To(one.me()), "to both")
	one.awaitTexts(To(bob.me()), "before", "to both")
	two.awaitTexts(To(bob.me()), "before", "to both")
	one.send(To(bob.me()), "from one")
	bob.awaitTexts(To(one.me()), "before", "to both", "from one")
	two.awaitTexts(To(bob.me()), "before", "to both", "from one")
	two.send(To(bob.me()), "from two")
	for _, p := range []*person{one, two} {
		p.awaitTexts(To(bob.me()), "before", "to both", "from one", "from two")
	}
	bob.awaitTexts(To(one.me()), "before", "to both", "from one", "from two")
	for _, p := range []*person{one, two} {
		await(t, "delivered, as both know", func() bool {
			h := p.history(To(bob.me()))
			return h[2].Status == Delivered && h[3].Status == Delivered
		})
	}
	if err := two.e.MarkRead(To(bob.me()), 2); err != nil {
		t.Fatal(err)
	}
	await(t, "read on the other one", func() bool { return one.unread(To(bob.me())) == 0 && two.unread(To(bob.me())) == 0 })
	await(t, "read, as bob knows", func() bool { return bob.history(To(one.me()))[1].Status == Read })

	eve.send(To(one.me()), "buy")
	await(t, "the request", func() bool { return len(two.history(To(eve.me()))) == 1 && len(one.history(To(eve.me()))) == 1 })
	if err := errors.Join(two.e.AddContact(bob.me(), "Robert"), one.e.Block(eve.me())); err != nil {
		t.Fatal(err)
	}
	await(t, "the contacts in step", func() bool {
		k, err := one.e.Person("robert")
		c, err2 := two.e.Contacts()
		blocked := 0
		for _, p := range c {
			if p.Key == eve.me() && p.Blocked {
				blocked++
			}
		}
		return err == nil && err2 == nil && k == bob.me() && blocked == 1
	})

	g := one.create("Walks", bob)
	await(t, "the group", func() bool { return two.members(g) == 2 })
	two.send(In(g), "hello group")
	bob.awaitTexts(In(g), "hello group")
	one.awaitTexts(In(g), "hello group")
	bob.send(In(g), "hello Alice")
	one.awaitTexts(In(g), "hello group", "hello Alice")
	two.awaitTexts(In(g), "hello group", "hello Alice")

	// A file of one device is fetched by the other one, too.
	data := noise(3 * ChunkLen)
	id, err := one.e.SendFile(To(bob.me()), "cat.png", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the file's copy", func() bool { h := two.history(To(bob.me())); return len(h) == 5 && h[4].File != nil })
	if err := two.e.FetchFile(To(bob.me()), one.me(), id); err != nil {
		t.Fatal(err)
	}
	await(t, "the file", func() bool { _, done, _ := two.e.Progress(one.me(), id); return done })
	if err := two.e.Remove(eve.me()); err != nil {
		t.Fatal(err)
	}
	await(t, "eve forgotten", func() bool { return len(one.history(To(eve.me()))) == 0 })
}

// TestRemovedDevice: a device that was removed hears nothing more, alone or in groups, and knows that it was removed.
func TestRemovedDevice(t *testing.T) {
	m := newMemory()
	one, bob := newPerson(t, m), newPerson(t, m)
	g := one.create("Walks", bob)
	bob.send(To(one.me()), "zero")
	one.awaitTexts(To(bob.me()), "zero")
	two := twoDevices(t, one, m)
	bob.knows(one, 2)
	bob.send(In(g), "one")
	bob.send(To(one.me()), "two")
	for _, p := range []*person{one, two} {
		p.awaitTexts(In(g), "one")
		p.awaitTexts(To(bob.me()), "zero", "two")
	}
	if err := one.e.RemoveDevice(one.e.Self().Device); !errors.Is(err, ErrDevice) {
		t.Errorf("removing itself: %v", err)
	}
	if err := one.e.RemoveDevice(12345); !errors.Is(err, ErrDevice) {
		t.Errorf("removing a device that is not there: %v", err)
	}
	if err := one.e.RemoveDevice(two.e.Self().Device); err != nil {
		t.Fatal(err)
	}
	await(t, "it knows", func() bool { return two.e.Removed() })
	if one.e.Removed() || one.others() != 0 {
		t.Errorf("the other one: removed %v, %d others", one.e.Removed(), one.others())
	}
	bob.send(To(one.me()), "three") // bob is told that nobody is there, and asks
	bob.settled()
	bob.send(In(g), "four")
	bob.send(To(one.me()), "five")
	one.awaitTexts(In(g), "one", "four")
	one.awaitTexts(To(bob.me()), "zero", "two", "three", "five")
	if a, b := len(two.history(To(bob.me()))), len(two.history(In(g))); a != 2 || b != 1 {
		t.Errorf("the removed device has %d and %d messages", a, b)
	}
	// What it says still is not believed by the other one.
	two.send(To(bob.me()), "I am gone")
	one.change(g, group.Change{Kind: group.Rename, Name: "Long walks"})
	await(t, "the name", func() bool { s, err := bob.e.Group(g); return err == nil && s.Name() == "Long walks" })
	if n := len(one.history(To(bob.me()))); n != 4 {
		t.Errorf("%d messages", n)
	}
}

// TestNewDeviceReads: a device that joins later reads what is said in groups from then on.
func TestNewDeviceReads(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks", bob)
	alice.send(In(g), "before")
	bob.awaitTexts(In(g), "before")
	two := twoDevices(t, bob, m)
	bob.send(To(alice.me()), "I have two")
	alice.awaitTexts(To(bob.me()), "I have two")
	two.send(To(alice.me()), "indeed") // so that alice hears of it
	alice.awaitTexts(To(bob.me()), "I have two", "indeed")
	alice.knows(bob, 2)
	alice.send(In(g), "after")
	for _, p := range []*person{bob, two} {
		p.awaitTexts(In(g), "before", "after")
	}
}

func TestFileNames(t *testing.T) {
	for name, want := range map[string]string{
		"cat.png": "cat.png", "../../etc/passwd": "passwd", `C:\windows\x.exe`: "x.exe", "..": "file", ".bashrc": "bashrc", "a/": "file",
		"gpj\u202egnp.exe": "gpj\ufffdgnp.exe", "a\x00b\n": "a\ufffdb\ufffd", " . ": "file",
	} {
		if got := cleanFileName(name); got != want {
			t.Errorf("%q is kept as %q, want %q", name, got, want)
		}
	}
	if n := len(cleanFileName(string(bytes.Repeat([]byte("é"), 200)))); n > MaxFileName {
		t.Errorf("%d bytes", n)
	}
}

// TestKnownDevices: what a person sees of their devices: since when, when each was there last, and a name that stays here.
func TestKnownDevices(t *testing.T) {
	e := victim(t)
	now := time.Now().Truncate(time.Minute).Add(10 * time.Second)
	e.cfg.Now = func() time.Time { return now }
	list, err := e.Devices()
	if err != nil || len(list) != 1 || !list[0].This || list[0].Since.IsZero() || list[0].Seen.Before(list[0].Since) {
		t.Fatalf("%+v, %v", list, err)
	}
	const other = 77
	card := mailbox.Card{Device: other, Issued: now, Expiry: now.Add(time.Hour)}.Sign(e.cfg.Key)
	a := attack(t, e.cfg.Key, other, e)
	e.give(t, a.letter(&content{kind: cardKind, bytes: card.Append(nil)}))
	began := now.Truncate(time.Minute)
	now = now.Add(time.Hour)
	e.give(t, a.letter(&content{kind: seenKind, key: aKey(), author: aKey()}))
	if err := e.NameDevice(other, " the laptop "); err != nil {
		t.Fatal(err)
	}
	list, err = e.Devices()
	if err != nil || len(list) != 2 || list[1].Device != other || list[1].Name != "the laptop" {
		t.Fatalf("%+v, %v", list, err)
	}
	if d := list[1]; !d.Since.Equal(began) || !d.Seen.Equal(now.Truncate(time.Minute)) {
		t.Errorf("since %v, seen %v; want %v, %v", d.Since, d.Seen, began, now.Truncate(time.Minute))
	}
	if err := e.NameDevice(78, "x"); !errors.Is(err, ErrDevice) {
		t.Errorf("a device that is not there: %v", err)
	}
	if err := e.NameDevice(other, "a\nb"); !errors.Is(err, ErrName) {
		t.Errorf("a name of two lines: %v", err)
	}
	if err := e.NameDevice(other, ""); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := e.RemoveDevice(other); err != nil {
		t.Fatal(err)
	}
	list, err = e.Devices()
	if err != nil || len(list) != 2 || !list[1].Gone || list[1].Name != "" || list[1].Seen.After(now.Add(-30*time.Minute)) {
		t.Errorf("%+v, %v", list, err)
	}
}
