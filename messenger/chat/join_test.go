package chat

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// create makes a group with members who know its admin.
func (p *person) create(name string, members ...*person) group.Hash {
	p.t.Helper()
	g, err := p.e.CreateGroup(name)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range members {
		if err := m.e.AddContact(p.me(), ""); err != nil {
			p.t.Fatal(err)
		}
		p.change(g, group.Change{Kind: group.Add, Subject: m.me()})
	}
	for _, m := range members {
		await(p.t, "the group", func() bool { return m.members(g) == len(members)+1 })
	}
	return g
}

func (p *person) change(g group.Hash, c group.Change) {
	p.t.Helper()
	if err := p.e.Change(g, c); err != nil {
		p.t.Fatalf("%v: %v", c.Kind, err)
	}
}

func (p *person) link(g group.Hash, uses uint32, ask bool) *Link {
	p.t.Helper()
	l, err := p.e.CreateLink(g, time.Hour, uses, ask)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *person) join(l *Link) {
	p.t.Helper()
	if _, err := p.e.JoinLink(l.String()); err != nil {
		p.t.Fatal(err)
	}
}

// settled: all of a person's contents have left.
func (p *person) settled() {
	p.t.Helper()
	await(p.t, "an empty outbox", func() bool { n, err := p.e.Waiting(); return n == 0 && err == nil })
}

// TestJoinByLink: strangers come in by a link, as often as it says; they talk; nobody else comes.
func TestJoinByLink(t *testing.T) {
	m := newMemory()
	alice, bob, carol, dave := newPerson(t, m), newPerson(t, m), newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks")
	l := alice.link(g, 2, false)
	if list, err := alice.e.Links(g); err != nil || len(list) != 1 || list[0].Text != l.String() || list[0].Uses != 2 {
		t.Fatalf("links %+v, %v", list, err)
	}
	bob.join(l)
	await(t, "bob in the group", func() bool { return bob.members(g) == 2 })
	await(t, "bob waits for nothing", func() bool { list, err := bob.e.Joining(); return err == nil && len(list) == 0 })
	if _, err := bob.e.JoinLink(l.String()); !errors.Is(err, ErrJoined) {
		t.Errorf("joining again: %v", err)
	}
	carol.join(l)
	for _, p := range []*person{alice, bob, carol} {
		await(t, "three members", func() bool { return p.members(g) == 3 })
	}
	carol.send(In(g), "hello all")
	bob.awaitTexts(In(g), "hello all")
	alice.awaitTexts(In(g), "hello all")
	if list, err := alice.e.Contacts(); err != nil || len(list) != 2 || !list[0].Met {
		t.Errorf("contacts %+v, %v", list, err)
	}

	dave.join(l) // it is used up
	dave.settled()
	dave.send(To(alice.me()), "let me in")
	alice.awaitTexts(To(dave.me()), "let me in")
	if n := alice.members(g); n != 3 {
		t.Errorf("%d members", n)
	}
	if list, err := dave.e.Joining(); err != nil || len(list) != 1 || list[0].Inviter != alice.me() {
		t.Errorf("dave waits for %+v, %v", list, err)
	}
	if err := dave.e.CancelJoin(g); err != nil {
		t.Fatal(err)
	}

	// Whoever was removed does not come back by a link that is older.
	l = alice.link(g, 5, false)
	alice.change(g, group.Change{Kind: group.Remove, Subject: bob.me()})
	await(t, "the removal", func() bool { return bob.members(g) == 2 })
	bob.join(l)
	await(t, "the question", func() bool {
		list, err := alice.e.Asking()
		return err == nil && len(list) == 1 && list[0].Key == bob.me()
	})
	if n := alice.members(g); n != 2 {
		t.Errorf("%d members", n)
	}
}

// TestAskedToJoin: with a link that asks, the admin decides; a link that was revoked or has expired is void.
func TestAskedToJoin(t *testing.T) {
	m := newMemory()
	alice, bob, carol, dave := newPerson(t, m), newPerson(t, m), newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks")
	l := alice.link(g, 5, true)
	bob.join(l)
	carol.join(l)
	await(t, "two questions", func() bool { list, err := alice.e.Asking(); return err == nil && len(list) == 2 })
	if err := errors.Join(alice.e.Admit(g, bob.me()), alice.e.Refuse(g, carol.me())); err != nil {
		t.Fatal(err)
	}
	await(t, "bob in the group", func() bool { return bob.members(g) == 2 })
	if err := alice.e.Admit(g, carol.me()); !errors.Is(err, ErrUnknown) {
		t.Errorf("admitting after refusing: %v", err)
	}
	if _, err := bob.e.CreateLink(g, time.Hour, 5, false); !errors.Is(err, group.ErrRights) {
		t.Errorf("a link of somebody who is no admin: %v", err)
	}
	if err := alice.e.RevokeLink(g, l.Key()); err != nil {
		t.Fatal(err)
	}
	dave.join(l)
	dave.settled()
	dave.send(To(alice.me()), "may I?")
	alice.awaitTexts(To(dave.me()), "may I?")
	if list, err := alice.e.Asking(); err != nil || len(list) != 0 {
		t.Errorf("asking %+v, %v", list, err)
	}
	old := *l
	old.Expiry = time.Now().Add(-time.Second)
	if _, err := dave.e.JoinLink(old.String()); !errors.Is(err, ErrExpired) {
		t.Errorf("an invitation that has expired: %v", err)
	}
	if _, err := alice.e.JoinLink(l.String()); !errors.Is(err, ErrSelf) {
		t.Errorf("our own invitation: %v", err)
	}
}

// TestHostileKnocks: made up invitations of strangers leave nothing behind.
func TestHostileKnocks(t *testing.T) {
	m := newMemory()
	alice, eve := newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks")
	l := alice.link(g, 5, false)
	forged := *l
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	forged.key = key
	if err := eve.e.v.update(func(t tx) error { return eve.e.knock(t, &forged) }); err != nil {
		t.Fatal(err)
	}
	eve.e.kick()
	eve.settled()
	other := newPerson(t, m)
	other.send(To(alice.me()), "after it")
	alice.awaitTexts(To(other.me()), "after it")
	err = alice.e.v.view(func(tx tx) error {
		k := deviceKey(tx.v, eve.e.Self())
		if _, found, err := tx.contact(eve.me()); err != nil || found || tx.has(sessionBucket, k[:]) {
			t.Errorf("something is kept of a forged knock: %v, %v", found, err)
		}
		return nil
	})
	if err != nil || alice.members(g) != 1 {
		t.Errorf("%d members, %v", alice.members(g), err)
	}
}

// TestAdminsAtOnce: two admins who do not hear of each other both change the group; everybody ends with the same.
func TestAdminsAtOnce(t *testing.T) {
	m := newMemory()
	alice, bob, carol, dave := newPerson(t, m), newPerson(t, m), newPerson(t, m), newPerson(t, m)
	g := alice.create("Walks", bob, carol)
	alice.change(g, group.Change{Kind: group.Promote, Subject: bob.me()})
	all := []*person{alice, bob, carol}
	same := func(len uint64) func() bool {
		return func() bool {
			var heads []group.Hash
			for _, p := range all {
				s, err := p.e.Group(g)
				if err != nil || s.Len() < len {
					return false
				}
				heads = append(heads, s.Head())
			}
			return heads[0] == heads[1] && heads[1] == heads[2]
		}
	}
	await(t, "the promotion", same(4))
	if err := dave.e.AddContact(bob.me(), ""); err != nil {
		t.Fatal(err)
	}
	m.setDown(true)
	alice.change(g, group.Change{Kind: group.Rename, Name: "Long walks"})
	alice.change(g, group.Change{Kind: group.Demote, Subject: bob.me()})
	bob.change(g, group.Change{Kind: group.Rename, Name: "Short walks"})
	bob.change(g, group.Change{Kind: group.Add, Subject: dave.me()})
	m.setDown(false)
	await(t, "the same log", same(6))
	s, err := carol.e.Group(g)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := s.Member(bob.me())
	if _, in := s.Member(dave.me()); in || b.Admin() || s.Name() != "Long walks" {
		t.Errorf("%q, bob is admin: %v, dave is in: %v", s.Name(), b.Admin(), in)
	}
	carol.send(In(g), "still here?")
	for _, p := range all {
		p.awaitTexts(In(g), "still here?")
	}
	if err := alice.e.Change(g, group.Change{Kind: group.Rename, Name: "a\u202eb"}); !errors.Is(err, ErrName) {
		t.Errorf("a name that is not visible: %v", err)
	}
}

func testLink(t testing.TB) *Link {
	t.Helper()
	l := &Link{Group: group.Hash{1}, Inviter: aKey(), Expiry: time.Unix(1_800_000_000, 0), Homes: []mailbox.Home{{Key: aKey(), HostPort: "post.example:5997"}}}
	copy(l.secret[:], strings.Repeat("s", len(l.secret)))
	var err error
	if l.key, err = identity.FromSecret(l.secret[:]); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLinkText(t *testing.T) {
	l := testLink(t)
	got, err := ParseLink(" " + l.String() + "\n")
	if err != nil || got.String() != l.String() || got.Key() != l.Key() || !got.Expiry.Equal(l.Expiry) {
		t.Fatalf("%+v, %v", got, err)
	}
	b := l.append(nil)
	const golden = "01" + "0100000000000000000000000000000000000000000000000000000000000000" +
		"02989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f" +
		"7373737373737373737373737373737373737373737373737373737373737373" + "000000006b49d200" +
		"0001" + "02989c0b76cb563971fdc9bef31ec06c3560f3249d6ee9e5d83c57625596e05f6f" + "0011" + "706f73742e6578616d706c653a35393937"
	if hex.EncodeToString(b) != golden {
		t.Errorf("a link is\n%x, want\n%s", b, golden)
	}
	for n := range b {
		if _, err := parseLink(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(b))
		}
	}
	text := l.String()
	for name, bad := range map[string]string{
		"nothing": "", "prefix": LinkPrefix, "no prefix": text[1:], "http": "https://example/" + text, "long": text + strings.Repeat("A", 4000),
		"more": text + "AAAA", "padding": text + "=", "line": text[:40] + "\n" + text[40:], "spaces": text[:40] + " " + text[40:],
	} {
		if _, err := ParseLink(bad); !errors.Is(err, ErrLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	zero := *l
	zero.secret = [identity.SecKeyLen]byte{}
	if _, err := ParseLink(zero.String()); !errors.Is(err, ErrLink) {
		t.Errorf("a secret that is no key: %v", err)
	}
}

func FuzzLink(f *testing.F) {
	f.Add(testLink(f).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLink(b)
		if err != nil {
			return
		}
		if string(l.append(nil)) != string(b) {
			t.Errorf("%x is read as something else", b)
		}
		if again, err := ParseLink(l.String()); err != nil || again.Key() != l.Key() {
			t.Errorf("the text of %x: %v", b, err)
		}
	})
}
