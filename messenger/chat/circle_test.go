package chat

import (
	"errors"
	"fmt"
	"testing"

	"github.com/skycoin/viscript/messenger/chat/group"
)

func (p *person) members(g group.Hash) int {
	s, err := p.e.Group(g)
	if err != nil {
		return 0
	}
	return len(s.Members())
}

// TestFiveInAGroup: five people, a removal, somebody new, a leave.
func TestFiveInAGroup(t *testing.T) {
	m := newMemory()
	var all []*person
	for range 5 {
		all = append(all, newPerson(t, m))
	}
	admin := all[0]
	g, err := admin.e.CreateGroup("Walks")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all[1:4] {
		if err := p.e.AddContact(admin.me(), ""); err != nil {
			t.Fatal(err)
		}
		if err := admin.e.Change(g, group.Change{Kind: group.Add, Subject: p.me()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range all[:4] {
		await(t, "four members", func() bool { return p.members(g) == 4 })
	}
	var want []string
	for i, p := range all[:4] {
		text := fmt.Sprint("hello from ", i)
		want = append(want, text)
		p.send(In(g), text)
		for _, other := range all[:4] {
			other.awaitTexts(In(g), want...)
		}
	}
	await(t, "delivered to all", func() bool { return admin.history(In(g))[0].Status == Delivered })

	// Whoever is removed reads nothing newer; whoever is added nothing older.
	gone, late := all[3], all[4]
	if err := admin.e.Change(g, group.Change{Kind: group.Remove, Subject: gone.me()}); err != nil {
		t.Fatal(err)
	}
	for _, p := range all[:4] {
		await(t, "three members", func() bool { return p.members(g) == 3 })
	}
	if err := late.e.AddContact(admin.me(), ""); err != nil {
		t.Fatal(err)
	}
	if err := admin.e.Change(g, group.Change{Kind: group.Add, Subject: late.me()}); err != nil {
		t.Fatal(err)
	}
	await(t, "the new member", func() bool { return late.members(g) == 4 && all[1].members(g) == 4 })
	all[1].send(In(g), "without you")
	late.awaitTexts(In(g), "without you")
	admin.awaitTexts(In(g), append(want, "without you")...)
	if n := len(gone.history(In(g))); n != 4 {
		t.Errorf("the removed member has %d messages", n)
	}
	if _, err := gone.e.Send(In(g), "still here", MessageID{}); !errors.Is(err, ErrNotMember) {
		t.Errorf("the removed member writes: %v", err)
	}

	if err := late.e.Change(g, group.Change{Kind: group.Leave}); err != nil {
		t.Fatal(err)
	}
	await(t, "the leave", func() bool { return admin.members(g) == 3 })
	// Rotation: more messages than one chain has.
	for i := range 120 {
		admin.send(In(g), fmt.Sprint("n", i))
	}
	await(t, "all of them", func() bool { return len(all[2].history(In(g))) == 5+120 })
	if n := len(late.history(In(g))); n != 1 {
		t.Errorf("who has left has %d messages", n)
	}
}

// TestStrangersBringNoGroups: a group of somebody whom we do not know does not appear.
func TestStrangersBringNoGroups(t *testing.T) {
	m := newMemory()
	alice, bob := newPerson(t, m), newPerson(t, m)
	g, err := alice.e.CreateGroup("Spam")
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.e.Change(g, group.Change{Kind: group.Add, Subject: bob.me()}); err != nil {
		t.Fatal(err)
	}
	alice.send(To(bob.me()), "look")
	bob.awaitTexts(To(alice.me()), "look")
	if list, err := bob.e.Groups(); err != nil || len(list) != 0 {
		t.Errorf("groups %v, %v", list, err)
	}
}
