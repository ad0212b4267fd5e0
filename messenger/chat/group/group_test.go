package group

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

var now = time.Unix(1_800_000_000, 0)

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// world is a group's log with the keys of people.
type world struct {
	t   testing.TB
	log *Log
}

func newWorld(t testing.TB, admin *identity.Key) *world {
	t.Helper()
	_, first, err := New(admin, "Walks", now)
	if err != nil {
		t.Fatal(err)
	}
	log, err := NewLog([]*Entry{first})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, log}
}

func (w *world) propose(author *identity.Key, c Change) *Entry {
	w.t.Helper()
	e, err := w.log.Group().Propose(author, c, now)
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := ParseEntry(e.Append(nil)) // by way of others
	if err != nil || !bytes.Equal(again.Append(nil), e.Append(nil)) {
		w.t.Fatalf("%v read again: %v", c.Kind, err)
	}
	return again
}

func (w *world) do(author *identity.Key, c Change) {
	w.t.Helper()
	if err := w.log.Add(w.propose(author, c)); err != nil {
		w.t.Fatalf("%v: %v", c.Kind, err)
	}
}

func (w *world) refuse(author *identity.Key, c Change, want error) {
	w.t.Helper()
	before := w.log.Group()
	if err := w.log.Add(w.propose(author, c)); !errors.Is(err, want) {
		w.t.Errorf("%v: %v, want %v", c.Kind, err, want)
	}
	if w.log.Group() != before {
		w.t.Errorf("%v was refused and has changed the group", c.Kind)
	}
}

func (w *world) clone() *world {
	log, err := NewLog(slices.Clone(w.log.Entries(0)))
	if err != nil {
		w.t.Fatal(err)
	}
	return &world{w.t, log}
}

func about(kind Kind, who *identity.Key) Change { return Change{Kind: kind, Subject: who.Public()} }

func TestLife(t *testing.T) {
	alice, bob, carol := newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	w.do(alice, about(Add, bob))
	w.refuse(bob, about(Add, carol), ErrRights)
	w.refuse(carol, about(Add, carol), ErrRights)
	w.refuse(alice, about(Add, bob), ErrSubject)
	w.refuse(alice, Change{Kind: Leave}, ErrLastAdmin)
	w.refuse(alice, about(Demote, alice), ErrLastAdmin)
	w.refuse(alice, about(Promote, carol), ErrSubject)
	w.do(alice, about(Promote, bob))
	w.do(bob, about(Add, carol))
	w.do(bob, Change{Kind: Rename, Name: "Long walks"})
	if g := w.log.Group(); g.Name() != "Long walks" || len(g.Members()) != 3 || g.Epoch() != 0 {
		t.Errorf("%q, %d members, epoch %d", g.Name(), len(g.Members()), g.Epoch())
	}
	w.do(carol, Change{Kind: Leave})
	w.do(bob, about(Remove, alice))
	w.refuse(alice, Change{Kind: Rename, Name: "Mine"}, ErrRights)
	g := w.log.Group()
	if m := g.Members(); len(m) != 1 || m[0].Key != bob.Public() || !m[0].Admin() || g.Epoch() != 2 {
		t.Errorf("members %v, epoch %d", m, g.Epoch())
	}
	w.do(bob, Change{Kind: Leave}) // the last one switches off the light
}

func TestInvitation(t *testing.T) {
	alice, bob, carol, link := newKey(t), newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	join := func(who, with *identity.Key) Change {
		return Change{Kind: Join, Subject: link.Public(), Proof: Invitation(with, w.log.Group().ID(), who.Public())}
	}
	w.refuse(bob, join(bob, link), ErrInvited)
	w.do(alice, Change{Kind: Invite, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 1})
	w.refuse(bob, join(bob, bob), ErrInvited)
	w.refuse(bob, join(carol, link), ErrInvited) // carol's proof
	w.do(bob, join(bob, link))
	w.refuse(carol, join(carol, link), ErrInvited) // used up

	w.do(alice, Change{Kind: Invite, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 5})
	w.do(alice, about(Revoke, link))
	w.refuse(carol, join(carol, link), ErrInvited)

	w.do(alice, Change{Kind: Invite, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 5})
	late, err := w.log.Group().Propose(alice, Change{Kind: Rename, Name: "Later"}, now.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Add(late); err != nil {
		t.Fatal(err)
	}
	w.refuse(carol, join(carol, link), ErrInvited) // expired, though the joiner says it is early
}

// TestOffer: with an offer nobody gets in by themselves; admins admit as often as it says.
func TestOffer(t *testing.T) {
	alice, bob, carol, dave, link := newKey(t), newKey(t), newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	id := w.log.Group().ID()
	admit := func(who, with *identity.Key) Change {
		return Change{Kind: Admit, Subject: who.Public(), Proof: Invitation(with, id, who.Public())}
	}
	w.refuse(alice, admit(bob, link), ErrInvited)
	w.do(alice, Change{Kind: Offer, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 2})
	w.refuse(bob, Change{Kind: Join, Subject: link.Public(), Proof: Invitation(link, id, bob.Public())}, ErrInvited)
	w.refuse(bob, admit(bob, link), ErrRights)
	w.refuse(alice, admit(bob, bob), ErrInvited)
	w.do(alice, admit(bob, link))
	w.refuse(bob, admit(carol, link), ErrRights)
	w.refuse(alice, admit(bob, link), ErrSubject)
	if l := w.log.Group().Links(now); len(l) != 1 || l[0].Uses != 1 || !l[0].Ask || l[0].Author != alice.Public() {
		t.Errorf("links %+v", l)
	}
	if len(w.log.Group().Links(now.Add(time.Hour))) != 0 {
		t.Error("a link that has expired is listed")
	}
	g := w.log.Group()
	if _, err := g.CheckInvitation(link.Public(), carol.Public(), Invitation(link, id, carol.Public()), now); err != nil {
		t.Error(err)
	}
	if _, err := g.CheckInvitation(link.Public(), carol.Public(), Invitation(link, id, dave.Public()), now); !errors.Is(err, ErrInvited) {
		t.Errorf("somebody else's proof: %v", err)
	}
	w.do(alice, admit(carol, link))
	w.refuse(alice, admit(dave, link), ErrInvited) // used up
	// Whoever is no admin does not move the time on.
	w.do(alice, Change{Kind: Offer, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 2})
	late, err := w.log.Group().Propose(bob, Change{Kind: Leave}, now.Add(100*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Add(late); err != nil {
		t.Fatal(err)
	}
	w.do(alice, admit(dave, link))
}

// TestDemoted: who was demoted does nothing any more; two admins who demote each other at once end with one of them.
func TestDemoted(t *testing.T) {
	alice, bob, carol := newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	w.do(alice, about(Add, bob))
	w.do(alice, about(Promote, bob))
	a, b := w.clone(), w.clone()
	a.do(alice, about(Demote, bob))
	b.do(bob, about(Demote, alice))
	if _, err := a.log.Merge(b.log.Entries(0)); err != nil {
		t.Fatal(err)
	}
	if dropped, err := b.log.Merge(a.log.Entries(0)); err != nil || len(dropped) != 1 {
		t.Fatalf("%d dropped, %v", len(dropped), err)
	}
	if a.log.Group().Head() != b.log.Group().Head() {
		t.Fatal("they do not agree")
	}
	b.refuse(bob, about(Add, carol), ErrRights)
	a.do(alice, about(Promote, bob))
}

func TestForged(t *testing.T) {
	alice, bob := newKey(t), newKey(t)
	w := newWorld(t, alice)
	good := w.propose(alice, about(Add, bob)).Append(nil)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		e, err := ParseEntry(bad)
		if err != nil {
			continue
		}
		if err := w.log.Add(e); err == nil {
			t.Fatalf("byte %d altered: accepted", i)
		}
	}
	for n := range good {
		if _, err := ParseEntry(good[:n]); !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("cut to %d: %v", n, err)
		}
	}
	other := newWorld(t, alice)
	if err := other.log.Add(w.propose(alice, about(Add, bob))); !errors.Is(err, ErrOrder) {
		t.Errorf("an entry of another group: %v", err)
	}
	if _, err := other.log.Merge(w.log.Entries(0)); !errors.Is(err, ErrOther) {
		t.Errorf("the log of another group: %v", err)
	}
}

// TestApart: two admins write at the same time; whoever merges what, in whatever order, has the same group after it.
func TestApart(t *testing.T) {
	alice, bob, carol, dave := newKey(t), newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	w.do(alice, about(Add, bob))
	w.do(alice, about(Promote, bob))
	w.do(alice, about(Add, carol))
	a, b := w.clone(), w.clone()
	a.do(alice, about(Remove, bob))
	a.do(alice, Change{Kind: Rename, Name: "Without bob"})
	b.do(bob, about(Add, dave)) // bob, who has not heard, or will not
	b.do(bob, about(Remove, alice))

	dropped, err := a.log.Merge(b.log.Entries(0))
	if err != nil || len(dropped) != 0 {
		t.Fatalf("alice dropped %d: %v", len(dropped), err)
	}
	dropped, err = b.log.Merge(a.log.Entries(0))
	if err != nil || len(dropped) != 2 {
		t.Fatalf("bob dropped %d: %v", len(dropped), err)
	}
	if a.log.Group().Head() != b.log.Group().Head() {
		t.Fatal("they do not agree")
	}
	if _, ok := b.log.Group().Member(bob.Public()); ok {
		t.Error("bob has written himself back in")
	}
	if again, err := b.log.Merge(a.log.Entries(2)); err != nil || len(again) != 0 {
		t.Errorf("merging the same again: %v", err)
	}
}

// TestFull: nobody is added, admitted or joins beyond the limit; whoever goes makes room.
func TestFull(t *testing.T) {
	alice, link, late := newKey(t), newKey(t), newKey(t)
	w := newWorld(t, alice)
	w.do(alice, Change{Kind: Invite, Subject: link.Public(), Expiry: now.Add(time.Hour), Uses: 5})
	g := *w.log.Group() // a crowd, without its signatures
	g.members = maps.Clone(g.members)
	var last *identity.Key
	for len(g.members) < MaxMembers {
		last = newKey(t)
		g.members[last.Public()] = Member{Key: last.Public(), Since: 1}
	}
	proof := func(k *identity.Key) identity.Sig { return Invitation(link, g.id, k.Public()) }
	apply := func(g *Group, author *identity.Key, c Change) (*Group, error) {
		t.Helper()
		e, err := g.Propose(author, c, now)
		if err != nil {
			t.Fatal(err)
		}
		return g.Apply(e)
	}
	for name, e := range map[string]struct {
		author *identity.Key
		c      Change
	}{
		"add":   {alice, about(Add, late)},
		"admit": {alice, Change{Kind: Admit, Subject: late.Public(), Proof: proof(late)}},
		"join":  {late, Change{Kind: Join, Subject: link.Public(), Proof: proof(late)}},
	} {
		if _, err := apply(&g, e.author, e.c); !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fewer, err := apply(&g, last, Change{Kind: Leave})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apply(fewer, alice, about(Add, late)); err != nil {
		t.Error(err)
	}
	for range MaxLinks - 1 {
		w.do(alice, Change{Kind: Invite, Subject: newKey(t).Public(), Expiry: now.Add(time.Hour), Uses: 5})
	}
	w.refuse(alice, Change{Kind: Invite, Subject: newKey(t).Public(), Expiry: now.Add(time.Hour), Uses: 5}, ErrFull)
}

// TestFinal: what stands for more than MaxFork entries is not replaced.
func TestFinal(t *testing.T) {
	alice := newKey(t)
	w := newWorld(t, alice)
	fork := w.clone()
	for i := range MaxFork + 1 {
		w.do(alice, Change{Kind: Rename, Name: string(rune('a' + i%26))})
	}
	fork.do(alice, Change{Kind: Rename, Name: "another past"})
	head := w.log.Group().Head()
	if _, err := w.log.Merge(fork.log.Entries(0)); !errors.Is(err, ErrFinal) {
		t.Errorf("%v", err)
	}
	if w.log.Group().Head() != head {
		t.Error("the past has changed")
	}
}

// TestConverge: people apply changes to logs of their own at random and merge at random; in the end all agree.
func TestConverge(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 4))
		keys := []*identity.Key{newKey(t), newKey(t), newKey(t), newKey(t)}
		w := newWorld(t, keys[0])
		for _, k := range keys[1:3] {
			w.do(keys[0], about(Add, k))
			w.do(keys[0], about(Promote, k))
		}
		logs := []*world{w.clone(), w.clone(), w.clone()}
		kinds := []Kind{Add, Remove, Promote, Demote, Rename, Leave}
		for range 40 {
			i := r.IntN(len(logs))
			c := Change{Kind: kinds[r.IntN(len(kinds))]}
			switch c.Kind {
			case Rename:
				c.Name = string(rune('a' + r.IntN(26)))
			case Leave:
			default:
				c.Subject = keys[r.IntN(len(keys))].Public()
			}
			_ = logs[i].log.Add(logs[i].propose(keys[i], c)) // it may be refused
			if r.IntN(3) == 0 {
				_, _ = logs[r.IntN(len(logs))].log.Merge(logs[i].log.Entries(0))
			}
		}
		for range logs {
			for _, from := range logs {
				for _, to := range logs {
					if _, err := to.log.Merge(from.log.Entries(0)); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				}
			}
		}
		for _, l := range logs[1:] {
			if l.log.Group().Head() != logs[0].log.Group().Head() {
				t.Fatalf("seed %d: they do not agree", seed)
			}
		}
	}
}

func FuzzEntry(f *testing.F) {
	alice, bob := newKey(f), newKey(f)
	w := newWorld(f, alice)
	f.Add(w.log.Entries(0)[0].Append(nil))
	f.Add(w.propose(alice, about(Add, bob)).Append(nil))
	f.Add(w.propose(alice, Change{Kind: Admit, Subject: bob.Public(), Proof: Invitation(alice, w.log.Group().ID(), bob.Public())}).Append(nil))
	f.Add(w.propose(alice, Change{Kind: Invite, Subject: bob.Public(), Expiry: now, Uses: 3}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Append(nil), b) {
			t.Fatal("another encoding of the same entry")
		}
		if g, err := w.log.Group().Apply(e); err == nil && g.Len() != 2 {
			t.Fatal("a group that did not grow")
		}
		_, _ = Open(e)
	})
}
