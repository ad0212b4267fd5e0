package chat

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// town is messengers with names, which everybody can reach.
type town struct {
	t  *testing.T
	ms []*memory
}

func newTown(t *testing.T, n int) *town {
	w := &town{t: t}
	for i := range n {
		w.ms = append(w.ms, newMemory().named(t, fmt.Sprintf("post%d.example:1", i)))
	}
	return w
}

// person lives at some of the messengers.
func (w *town) person(wait time.Duration, at ...int) *person {
	w.t.Helper()
	key, err := identity.Generate()
	if err != nil {
		w.t.Fatal(err)
	}
	p := &person{t: w.t, key: key, dir: w.t.TempDir(), wait: wait}
	for _, i := range at {
		p.more = append(p.more, w.ms[i].of(key.Public()))
	}
	p.dial = func(h mailbox.Home) (Post, error) {
		for _, m := range w.ms {
			if m.home.Key == h.Key {
				return m.of(key.Public()), nil
			}
		}
		return nil, errors.New("no such messenger")
	}
	p.start()
	w.t.Cleanup(func() { p.stop() })
	return p
}

// TestOtherMessengers: two people who use different messengers talk; only the first one's address is given to the other.
func TestOtherMessengers(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.person(0, 0), w.person(0, 1)
	k, homes, err := ParseAddress(bob.e.Address())
	if err != nil || k != bob.me() || len(homes) != 1 {
		t.Fatalf("address %s: %v", bob.e.Address(), err)
	}
	if err := alice.e.AddContactAt(k, "bob", homes); err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "hello")
	bob.awaitTexts(To(alice.me()), "hello")
	bob.send(To(alice.me()), "hello yourself")
	alice.awaitTexts(To(bob.me()), "hello", "hello yourself")
	w.ms[0].mu.Lock()
	defer w.ms[0].mu.Unlock()
	if n := len(w.ms[0].cards); n != 1 {
		t.Errorf("the first messenger has %d cards", n)
	}
}

// TestMessengerDies: of two messengers one dies for good, with letters that nobody has fetched; nothing is lost, nothing comes twice, in order.
func TestMessengerDies(t *testing.T) {
	w := newTown(t, 3)
	alice, bob := w.person(2*time.Second, 2), w.person(2*time.Second, 0, 1)
	await(t, "cards that name both", func() bool {
		w.ms[0].mu.Lock()
		defer w.ms[0].mu.Unlock()
		for _, b := range w.ms[0].cards {
			c, err := mailbox.ParseCard(b)
			return err == nil && len(c.Homes) == 2
		}
		return false
	})
	if err := alice.e.AddContactAt(bob.me(), "bob", bob.e.Homes()); err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "0")
	bob.awaitTexts(To(alice.me()), "0")
	bob.send(To(alice.me()), "yes?")
	alice.awaitTexts(To(bob.me()), "0", "yes?")
	bob.stop()
	want := []string{"0", "yes?"}
	for i := range 20 {
		alice.send(To(bob.me()), fmt.Sprint("a", i))
		want = append(want, fmt.Sprint("a", i))
	}
	sent := func() bool { n, err := alice.e.Waiting(); return n == 0 && err == nil }
	await(t, "all at the first messenger", sent)
	w.ms[0].setDown(true) // for good
	alice.send(To(bob.me()), "last")
	await(t, "the last one at the second messenger", sent)
	bob.start()
	bob.awaitTexts(To(alice.me()), append(want, "last")...)
	for i, m := range bob.history(To(alice.me())) {
		if m.Gap {
			t.Errorf("message %d seems to have a gap before it", i)
		}
	}
	await(t, "nothing is kept", func() bool {
		list, err := alice.e.keptOf(bob.me(), func(*kept) bool { return true })
		return err == nil && len(list) == 0
	})
	bob.send(To(alice.me()), "still there")
	alice.awaitTexts(To(bob.me()), append(want, "last", "still there")...)
}

// TestUnconfirmed: letters that wait at a messenger which has died go to the other one without anything new being said.
func TestUnconfirmed(t *testing.T) {
	w := newTown(t, 3)
	alice, bob := w.person(300*time.Millisecond, 2), w.person(300*time.Millisecond, 0, 1)
	if err := alice.e.AddContactAt(bob.me(), "bob", bob.e.Homes()); err != nil {
		t.Fatal(err)
	}
	for _, m := range w.ms[:2] {
		await(t, "cards", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.cards) == 1 })
	}
	bob.stop()
	alice.send(To(bob.me()), "one")
	alice.send(To(bob.me()), "two")
	await(t, "both at the second messenger too", func() bool {
		w.ms[1].mu.Lock()
		defer w.ms[1].mu.Unlock()
		return len(w.ms[1].boxes[bob.e.Self()]) >= 2
	})
	w.ms[0].setDown(true)
	bob.start()
	bob.awaitTexts(To(alice.me()), "one", "two")
	w.ms[0].setDown(false) // it is back, with the same letters
	alice.send(To(bob.me()), "three")
	bob.awaitTexts(To(alice.me()), "one", "two", "three")
}

// TestHostileCards: what somebody says of others' devices, or of too many, is not believed.
func TestHostileCards(t *testing.T) {
	w := newTown(t, 2)
	alice, eve := w.person(0, 0), w.person(0, 0)
	await(t, "cards", func() bool { w.ms[0].mu.Lock(); defer w.ms[0].mu.Unlock(); return len(w.ms[0].cards) == 2 })
	now := time.Now()
	card := func(key *identity.Key, device uint32, issued, expiry time.Time) mailbox.Card {
		return mailbox.Card{Device: device, Issued: issued, Expiry: expiry, Homes: []mailbox.Home{w.ms[1].home}}.Sign(key)
	}
	var list []device
	list = newest(list, alice.me(), card(eve.key, 1, now, now.Add(time.Hour)), now)
	list = newest(list, alice.me(), card(alice.key, 1, now.Add(-2*time.Hour), now.Add(-time.Hour)), now)
	if len(list) != 0 {
		t.Fatalf("taken: %+v", list)
	}
	list = newest(list, alice.me(), card(alice.key, 1, now, now.Add(time.Hour)), now)
	list = newest(list, alice.me(), card(alice.key, 1, now.Add(-time.Minute), now.Add(time.Hour)), now)
	if len(list) != 1 || list[0].Issued.Unix() != now.Unix() {
		t.Fatalf("an older card is taken: %+v", list)
	}
	list = newest(list, alice.me(), card(alice.key, 1, now, now), now)
	list = newest(list, alice.me(), card(alice.key, 1, now.Add(time.Minute), now.Add(time.Hour)), now)
	if !list[0].Gone {
		t.Fatal("a device that is gone came back")
	}
	for i := range uint32(20) {
		list = newest(list, alice.me(), card(alice.key, 2+i, now, now.Add(time.Hour)), now)
	}
	if len(list) != mailbox.MaxDevices {
		t.Errorf("%d devices", len(list))
	}
	merged := alice.e.merge(list, []device{{Device: 1, Issued: now.Add(time.Hour), Expiry: now.Add(2 * time.Hour)}}, nil, now)
	if i := slices.IndexFunc(merged, func(d device) bool { return d.Device == 1 }); !merged[i].Gone {
		t.Error("a messenger has brought a device back that is gone")
	}
}

func TestAddress(t *testing.T) {
	w := newTown(t, 2)
	p := w.person(0, 0, 1)
	k, homes, err := ParseAddress(p.e.Address())
	if err != nil || k != p.me() || !slices.Equal(homes, p.e.Homes()) || FormatAddress(k, homes) != p.e.Address() {
		t.Errorf("%v, %v", homes, err)
	}
	if k, homes, err := ParseAddress(p.me().String()); err != nil || k != p.me() || homes != nil {
		t.Errorf("a key alone: %v", err)
	}
	for _, bad := range []string{"", "x", "/", p.me().String() + "/", p.me().String() + "/post:1", p.e.Address() + "," + p.e.Address(), p.me().String() + "/" + homes[0].String() + ",,"} {
		if _, _, err := ParseAddress(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzAddress(f *testing.F) {
	key, err := identity.Generate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(FormatAddress(key.Public(), []mailbox.Home{{Key: key.Public(), HostPort: "post.example:5997"}}))
	f.Fuzz(func(t *testing.T, s string) {
		k, homes, err := ParseAddress(s)
		if err != nil {
			return
		}
		text := FormatAddress(k, homes)
		k2, homes2, err := ParseAddress(text)
		if err != nil || k2 != k || !slices.Equal(homes, homes2) {
			t.Errorf("%q is read as %q", s, text)
		}
	})
}
