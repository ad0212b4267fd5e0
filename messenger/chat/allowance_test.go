package chat

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/chat/senderkey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// size is how many bytes the store's keys and values have, without what is free in its file.
func (e *Engine) size(t *testing.T) (n int) {
	t.Helper()
	err := e.v.view(func(t tx) error {
		for _, name := range buckets() {
			c := t.Bucket([]byte(name)).Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				n += len(k) + len(v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// notes are the notes of a conversation that begin with a word.
func (e *Engine) notes(t *testing.T, of Talk, word string) (list []string) {
	t.Helper()
	history, err := e.History(of, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range history {
		if m.Note && strings.HasPrefix(m.Text, word+" ") {
			list = append(list, m.Text)
		}
	}
	return list
}

// logOf is a group's log by an author: it has these people, and then so many names, one after the other.
func logOf(t *testing.T, author *identity.Key, people []identity.PubKey, names int) []*group.Entry {
	t.Helper()
	g, first, err := group.New(author, "Crowd", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	list := []*group.Entry{first}
	add := func(c group.Change) {
		e, err := g.Propose(author, c, time.Now())
		if err == nil {
			g, err = g.Apply(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	for _, k := range people {
		add(group.Change{Kind: group.Add, Subject: k})
	}
	for i := range names {
		add(group.Change{Kind: group.Rename, Name: fmt.Sprintf("%064d", i)})
	}
	return list
}

// entries are the letters that carry a log.
func (a *attacker) entries(list []*group.Entry) (letters []mailbox.Letter) {
	a.t.Helper()
	for len(list) > 0 {
		part := list[:min(len(list), maxEntries)]
		list = list[len(part):]
		c := &content{kind: entriesKind}
		for _, entry := range part {
			c.entries = append(c.entries, entry.Append(nil))
		}
		letters = append(letters, a.letter(c))
	}
	return letters
}

// eve is a contact of an engine's who means harm.
func eve(t *testing.T, e *Engine, name string) *attacker {
	t.Helper()
	key := newIdentity(t)
	if err := e.AddContact(key.Public(), name); err != nil {
		t.Fatal(err)
	}
	return attack(t, key, 1, e)
}

// TestInvitationsFlood: a contact brings groups without end. So many wait, and no more, until the person looks at some.
func TestInvitationsFlood(t *testing.T) {
	e := victim(t)
	e.bounds.invited, e.bounds.invitedOf = 20, 12
	a := eve(t, e, "eve")
	invite := func(a *attacker, n int) (last group.Hash) {
		var letters []mailbox.Letter
		for range n {
			list := logOf(t, a.key, []identity.PubKey{e.Self().Owner}, 0)
			letters, last = append(letters, a.entries(list)...), list[0].ID()
		}
		e.give(t, letters...)
		return last
	}
	invite(a, e.bounds.invitedOf+1)
	before := e.size(t)
	invite(a, 2*e.bounds.invitedOf)
	if n := e.count(t, groupBucket); n != e.bounds.invitedOf {
		t.Errorf("%d groups of one contact", n)
	}
	if grown := e.size(t) - before; grown > 4<<10 {
		t.Errorf("refused groups leave %d bytes", grown)
	}
	if notes := e.notes(t, To(a.at.Owner), invitedNote); len(notes) != 1 || notes[0] != "invited 12" {
		t.Errorf("the person is told %q", notes)
	}
	// Looking at one makes room for one.
	list, err := e.Invitations()
	if err != nil || len(list) != e.bounds.invitedOf || list[0].By != a.at.Owner || list[0].At.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := e.MarkRead(In(list[0].Group), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Send(In(list[1].Group), "who is here?", MessageID{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Change(list[2].Group, group.Change{Kind: group.Leave}); err != nil {
		t.Fatal(err)
	}
	invite(a, 5)
	if n := e.count(t, groupBucket); n != e.bounds.invitedOf+3 {
		t.Errorf("%d groups after three were looked at", n)
	}
	// Another one fills what is for all; who has brought nothing still brings one.
	b, c := eve(t, e, "eve's friend"), eve(t, e, "mother")
	invite(b, e.bounds.invited)
	if list, err = e.Invitations(); err != nil || len(list) != e.bounds.invited {
		t.Errorf("%d groups wait, %v", len(list), err)
	}
	last := invite(c, 1)
	invite(c, 1)
	if _, err := e.Group(last); err != nil {
		t.Errorf("a group of somebody else: %v", err)
	}
	if list, err = e.Invitations(); err != nil || len(list) != e.bounds.invited+1 {
		t.Errorf("%d groups wait, %v", len(list), err)
	}
}

// TestInvitedLog: the log of a group that nobody has looked at takes so much and no more; the rest is asked for then.
func TestInvitedLog(t *testing.T) {
	e := victim(t)
	e.bounds.invitedLog = 64 << 10
	a := eve(t, e, "eve")
	list := logOf(t, a.key, []identity.PubKey{e.Self().Owner}, 500)
	before := e.size(t)
	e.give(t, a.entries(list)...)
	if grown := e.size(t) - before; grown > 64<<10*4 {
		t.Errorf("%d bytes of a group that nobody has looked at", grown)
	}
	id := list[0].ID()
	g, err := e.Group(id)
	if err != nil || g.Len() >= 250 || g.Len() < 100 {
		t.Fatalf("%d of %d entries, %v", g.Len(), len(list), err)
	}
	for range 10 { // nor by several groups
		e.give(t, a.entries(logOf(t, a.key, []identity.PubKey{e.Self().Owner}, 100))...)
	}
	if grown := e.size(t) - before; grown > 64<<10*4 {
		t.Errorf("%d bytes of groups that nobody has looked at", grown)
	}
	if err := e.MarkRead(In(id), 1); err != nil {
		t.Fatal(err)
	}
	e.give(t, a.entries(list)...)
	if g, err = e.Group(id); err != nil || int(g.Len()) != len(list) {
		t.Errorf("%d of %d entries after somebody has looked, %v", g.Len(), len(list), err)
	}
}

// TestDailyAllowance: what one contact leaves in a day is bounded, whatever it is; the person is told once, and the next day it goes on.
func TestDailyAllowance(t *testing.T) {
	long := strings.Repeat("x", MaxText)
	for name, flood := range map[string]func(a *attacker, i int) []mailbox.Letter{
		"texts": func(a *attacker, i int) []mailbox.Letter {
			return []mailbox.Letter{a.letter(&content{kind: textKind, seq: uint64(i), text: long})}
		},
		"short texts": func(a *attacker, i int) []mailbox.Letter { return many(a, 20, &content{kind: textKind, text: "x"}) },
		"offers": func(a *attacker, i int) []mailbox.Letter {
			return many(a, 20, &content{kind: fileKind, text: "x", length: 1})
		},
		"greetings": func(a *attacker, i int) (list []mailbox.Letter) {
			for range 4 {
				list = append(list, attack(a.t, a.key, uint32(i+2), a.e).letter(&content{kind: receiptKind, what: readReceipt}))
			}
			return list
		},
		"asks": func(a *attacker, i int) []mailbox.Letter {
			return many(a, 20, &content{kind: shareKind, group: group.Hash{byte(i), 1}, share: make([]byte, 69)})
		},
		"groups": func(a *attacker, i int) []mailbox.Letter {
			return a.entries(logOf(a.t, a.key, []identity.PubKey{a.to.Owner}, 60))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := victim(t)
			now := time.Now()
			e.cfg.Now = func() time.Time { return now }
			e.bounds.daily, e.bounds.invitedOf, e.bounds.invitedLog = 128<<10, 1000, 1<<30
			a := eve(t, e, "eve")
			e.give(t, a.letter(&content{kind: textKind, text: "hello"}))
			before, file := e.size(t), fileSize(t, e)
			var letters []mailbox.Letter
			for i := range 40 {
				letters = append(letters, flood(a, i)...)
			}
			for part := range slices.Chunk(letters, 200) { // one wait for the disk each
				e.give(t, part...)
			}
			left, grown := e.size(t)-before, fileSize(t, e)-file
			if left > int(e.bounds.daily)+64<<10 || grown > 1<<20 {
				t.Errorf("eve leaves %d bytes in a day, and the file grows by %d", left, grown)
			}
			t.Logf("%d bytes are left of %d allowed; the file was %d bytes and grew by %d", left, e.bounds.daily, file, grown)
			full := len(e.notes(t, To(a.at.Owner), fullNote))
			for _, i := range e.groups(t) {
				full += len(e.notes(t, i, fullNote))
			}
			if name != "asks" && full != 1 {
				t.Errorf("the person is told %d times", full)
			}
			now = now.Add(24 * time.Hour)
			e.give(t, attack(t, a.key, 1, e).letter(&content{kind: textKind, text: "good morning"}))
			list, err := e.History(To(a.at.Owner), 0, 1)
			if err != nil || len(list) != 1 || list[0].Text != "good morning" {
				t.Errorf("the next day: %+v, %v", list, err)
			}
		})
	}
}

func fileSize(t *testing.T, e *Engine) int64 {
	t.Helper()
	info, err := os.Stat(e.v.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func (e *Engine) groups(t *testing.T) (list []Talk) {
	t.Helper()
	groups, err := e.Groups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		list = append(list, In(g.ID()))
	}
	return list
}

// many are letters with the same content under ids of their own.
func many(a *attacker, n int, c *content) (list []mailbox.Letter) {
	for range n {
		one := *c
		list = append(list, a.letter(&one))
	}
	return list
}

// TestLetInUnseen: that our engine lets somebody into a group does not count as our having looked at it.
func TestLetInUnseen(t *testing.T) {
	e := victim(t)
	a, sybil, link := eve(t, e, "eve"), newIdentity(t), newIdentity(t)
	list := logOf(t, a.key, []identity.PubKey{e.Self().Owner}, 0)
	l, err := group.NewLog(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []group.Change{
		{Kind: group.Promote, Subject: e.Self().Owner},
		{Kind: group.Invite, Subject: link.Public(), Expiry: time.Now().Add(time.Hour), Uses: 10},
	} {
		entry, err := l.Group().Propose(a.key, c, time.Now())
		if err == nil {
			err = l.Add(entry)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	id := l.Group().ID()
	e.give(t, a.entries(l.Entries(0))...)
	e.give(t, attack(t, sybil, 1, e).letter(&content{kind: knockKind, group: id, key: link.Public(), sig: group.Invitation(link, id, sybil.Public())}))
	g, err := e.Group(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, in := g.Member(sybil.Public()); !in {
		t.Error("the engine has not let anybody in")
	}
	if list, err := e.Invitations(); err != nil || len(list) != 1 {
		t.Errorf("%d groups wait, %v", len(list), err)
	}
}

// TestUnaskedFiles: pictures that are fetched unasked count, those that the person asks for do not.
func TestUnaskedFiles(t *testing.T) {
	e := victim(t)
	e.bounds.daily = 1 << 20
	a := eve(t, e, "eve")
	var ids []MessageID
	for range 3 {
		offer := &content{kind: fileKind, id: newID(), length: 400 << 10, text: "lake.png"}
		ids = append(ids, offer.id)
		e.give(t, a.letter(offer))
	}
	talk := To(a.at.Owner)
	for i, want := range []error{nil, nil, ErrAllowance} {
		if err := e.FetchUnasked(talk, a.at.Owner, ids[i]); !errors.Is(err, want) {
			t.Errorf("picture %d: %v, want %v", i, err, want)
		}
	}
	if err := e.FetchFile(talk, a.at.Owner, ids[2]); err != nil {
		t.Errorf("asked for: %v", err)
	}
	if err := e.FetchUnasked(talk, a.at.Owner, ids[0]); err != nil {
		t.Errorf("once more: %v", err) // it is coming
	}
}

// TestMadeUpMembers: people made up for groups get one room together, take nobody's place among the contacts, and leave that of who brought them alone.
func TestMadeUpMembers(t *testing.T) {
	e := victim(t)
	e.bounds.daily = 256 << 10
	a := eve(t, e, "eve")
	first := crowd(t, e, a)
	before := e.size(t)
	first.flood(t, e)
	if left := e.size(t) - before; left > int(e.bounds.daily)+256<<10 {
		t.Errorf("made up people leave %d bytes", left)
	}
	if notes := e.notes(t, first.talk, guestsNote); len(notes) != 1 {
		t.Errorf("the person is told %q", notes)
	}
	second := crowd(t, e, a)
	before = e.size(t)
	second.flood(t, e)
	if left := e.size(t) - before; left > 256<<10 {
		t.Errorf("those of another group leave %d bytes more", left)
	}
	e.give(t, a.letter(&content{kind: textKind, text: "I do not know them either"}))
	if history, err := e.History(To(a.at.Owner), 0, 10); err != nil || len(history) != 1 {
		t.Errorf("who has brought them is not heard: %+v, %v", history, err)
	}
}

// people are members of a group that nobody knows.
type people struct {
	keys []*identity.Key
	talk Talk
	log  []*group.Entry
}

// crowd is a group that somebody has brought an engine into, with eight people.
func crowd(t *testing.T, e *Engine, by *attacker) people {
	t.Helper()
	var p people
	members := []identity.PubKey{e.Self().Owner}
	for range 8 {
		p.keys = append(p.keys, newIdentity(t))
		members = append(members, p.keys[len(p.keys)-1].Public())
	}
	p.log = logOf(t, by.key, members, 0)
	p.talk = In(p.log[0].ID())
	e.give(t, by.entries(p.log)...)
	return p
}

// flood has each of them write much.
func (p people) flood(t *testing.T, e *Engine) {
	t.Helper()
	id := p.talk.Group
	for _, k := range p.keys {
		m := attack(t, k, 1, e)
		chain := senderkey.New(senderkey.Place{Group: id, Member: k.Public(), Device: 1}, time.Now())
		e.give(t, m.letter(&content{kind: shareKind, group: id, length: uint64(len(p.log)), share: chain.Share()}))
		var letters []mailbox.Letter
		for i := range 20 {
			letters = append(letters, m.groupLetter(chain, &content{kind: textKind, group: id, seq: uint64(i + 1), text: strings.Repeat("x", MaxText)}))
		}
		e.give(t, letters...)
	}
}

// TestInvitedOnce: who has left a group is not told again and again that they were added to it.
func TestInvitedOnce(t *testing.T) {
	e := victim(t)
	told := 0
	e.cfg.Notify = func(ev Event) {
		if ev.Kind == GroupInvited {
			told++
		}
	}
	a := eve(t, e, "eve")
	list := logOf(t, a.key, []identity.PubKey{e.Self().Owner}, 0)
	again := func() { e.give(t, a.entries(list)...) }
	again()
	again()
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	if err := e.Change(list[0].ID(), group.Change{Kind: group.Leave}); err != nil {
		t.Fatal(err)
	}
	again()
	again()
	if told != 1 {
		t.Errorf("told %d times after leaving, want once", told)
	}
}
