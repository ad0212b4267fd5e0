package chat

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// personAt is a person with mailboxes at some servers, who reaches all others.
func personAt(t *testing.T, servers ...*served) *person {
	t.Helper()
	key := newIdentity(t)
	p := &person{t: t, key: key, dir: t.TempDir(), wait: 2 * time.Second}
	pins, err := secure.OpenPins(filepath.Join(p.dir, "pins"))
	if err != nil {
		t.Fatal(err)
	}
	client := func(at secure.Addr, key *identity.Key) (*mailbox.Client, error) {
		return mailbox.NewClient(mailbox.ClientConfig{Server: at, Key: key, Pins: pins})
	}
	for _, s := range servers {
		c, err := client(secure.Addr{HostPort: s.addr}, key)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		p.more = append(p.more, c)
	}
	p.dial = func(h mailbox.Home) (Post, error) {
		return client(secure.Addr{Key: h.Key, HostPort: h.HostPort}, newIdentity(t))
	}
	p.start()
	t.Cleanup(func() { p.stop() })
	return p
}

// TestServers: two people at different servers, one of them at two, of which one dies for good with letters in it; then a device more, and one removed.
func TestServers(t *testing.T) {
	first, second, third := newServed(t), newServed(t), newServed(t)
	alice, bob := personAt(t, first), personAt(t, second, third)
	await(t, "bob's servers have told their keys", func() bool { return len(bob.e.Homes()) == 2 })
	k, homes, err := ParseAddress(bob.e.Address())
	if err == nil {
		err = alice.e.AddContactAt(k, "bob", homes)
	}
	if err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "hello")
	bob.awaitTexts(To(alice.me()), "hello")
	bob.send(To(alice.me()), "yes?")
	alice.awaitTexts(To(bob.me()), "hello", "yes?")
	want := []string{"hello", "yes?"}
	bob.stop()
	for i := range 10 {
		want = append(want, fmt.Sprint("n", i))
		alice.send(To(bob.me()), want[len(want)-1])
	}
	alice.settled()
	second.stop()
	alice.send(To(bob.me()), "last")
	bob.start()
	bob.awaitTexts(To(alice.me()), append(want, "last")...)
	for _, m := range bob.history(To(alice.me())) {
		if m.Gap {
			t.Errorf("%q seems to have a gap before it", m.Text)
		}
	}
	bob.send(To(alice.me()), "all here")
	alice.awaitTexts(To(bob.me()), append(want, "last", "all here")...)

	await(t, "alice's server is reached", func() bool { up, all := alice.e.Reachable(); return up == 1 && all == 1 })
	two := newDeviceAt(t, alice, first)
	await(t, "two devices", func() bool { return alice.others() == 1 && two.others() == 1 })
	alice.send(To(bob.me()), "copied")
	await(t, "the copy", func() bool { return len(two.history(To(bob.me()))) == 1 })
	if err := alice.e.RemoveDevice(two.e.Self().Device); err != nil {
		t.Fatal(err)
	}
	await(t, "the device knows that it is gone", func() bool { return two.e.Removed() })
}

// newDeviceAt is another device of a person at a server.
func newDeviceAt(t *testing.T, of *person, s *served) *person {
	t.Helper()
	p := &person{t: t, key: of.key, dir: t.TempDir()}
	pins, err := secure.OpenPins(filepath.Join(p.dir, "pins"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: s.addr}, Key: of.key, Pins: pins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p.post = c
	p.start()
	t.Cleanup(func() { p.stop() })
	return p
}
