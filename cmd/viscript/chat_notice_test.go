package main

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

func TestBeginning(t *testing.T) {
	for text, want := range map[string]string{
		"see you at eight":                       "see you at eight",
		"  two\n\tlines\r\n":                     "two lines",
		"\x1b[2J\x1b]0;x\x07cleared\u202e\u200b": "[2J]0;xcleared",
		"bad\xff":                                "bad",
		strings.Repeat("é", noticeText):          strings.Repeat("é", noticeText),
		strings.Repeat("é", noticeText+1):        strings.Repeat("é", noticeText-1) + "…",
		strings.Repeat("\u200b", 1<<20) + "x":    "",
	} {
		if got := beginning(text); got != want || !utf8.ValidString(got) {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func TestNoticeLines(t *testing.T) {
	ben, someone := identity.PubKey{2, 1}, identity.PubKey{2, 9}
	names := map[identity.PubKey]string{ben: "Ben"}
	one, many := chat.Conversation{Talk: chat.To(ben), Name: "Ben"}, chat.Conversation{Talk: chat.In(group.Hash{7}), Name: "Walks"}
	text, file := chat.Message{From: ben, Text: "the secret"}, chat.Message{From: ben, File: &chat.File{Name: "secret.png"}}
	for _, c := range []struct {
		mode string
		in   chat.Conversation
		what arrived
		want string
	}{
		{noticesNames, one, arrived{1, text}, "Ben wrote"},
		{noticesNames, one, arrived{3, text}, "Ben wrote 3 messages"},
		{noticesNames, one, arrived{1, file}, "Ben sent a file"},
		{noticesNames, many, arrived{1, text}, "Ben wrote in Walks"},
		{noticesNames, many, arrived{9, text}, "9 messages in Walks"},
		{noticesNames, many, arrived{1, chat.Message{From: someone, Text: "x"}}, someone.Short() + " wrote in Walks"},
		{noticesNames, many, arrived{1, chat.Message{From: ben, Note: true, Text: "add " + someone.String()}}, "Ben added you to Walks"},
		{noticesNames, one, arrived{1, chat.Message{From: ben, Note: true, Text: "invited 1"}}, "Ben has brought us into 1 group where we have not looked: more are not taken before we do, or leave"},
		{noticesText, one, arrived{3, text}, "Ben: the secret"},
		{noticesText, many, arrived{1, text}, "Ben in Walks: the secret"},
		{noticesText, one, arrived{1, file}, "Ben sent a file"},
	} {
		n, err := newTeller(c.mode)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.line(c.in, &c.what, names); got != c.want {
			t.Errorf("%s %+v: %q, want %q", c.mode, c.what, got, c.want)
		}
	}
	if _, err := newTeller("all"); err == nil {
		t.Error("--notices all")
	}
}

// TestNotices: what is told, by an engine that has no messenger.
func TestNotices(t *testing.T) {
	p := &chatRoom{}
	var err error
	if p.tell, err = newTeller(noticesNames); err != nil {
		t.Fatal(err)
	}
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	p.self = key.Public()
	if p.e, err = chat.Open(chat.Config{Key: key, Dir: t.TempDir(), Post: struct{ chat.Post }{}}); err != nil {
		t.Fatal(err)
	}
	defer p.e.Close()
	var people []identity.PubKey
	for i := range noticeTalks + 1 {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		people = append(people, k.Public())
		if err := p.e.AddContact(k.Public(), string(rune('A'+i))); err != nil {
			t.Fatal(err)
		}
		if _, err := p.e.Send(chat.To(k.Public()), "hi", chat.MessageID{}); err != nil {
			t.Fatal(err)
		}
	}
	comes := func(from identity.PubKey) {
		p.tell.hear(chat.Event{Kind: chat.MessageAdded, Talk: chat.To(from), Message: &chat.Message{From: from, Text: "x"}}, p.self)
	}
	told, now := map[chat.Talk]time.Time{}, time.Now()
	expect := func(more bool, want ...string) {
		t.Helper()
		got, left := p.notices(told, now)
		if !slices.Equal(got, want) || left != more {
			t.Errorf("%q %v, want %q %v", got, left, want, more)
		}
	}
	expect(false)
	comes(people[0])
	p.tell.hear(chat.Event{Kind: chat.MessageAdded, Talk: chat.To(people[0]), Message: &chat.Message{From: p.self}}, p.self)
	expect(false, "A wrote")
	comes(people[0])
	comes(people[0])
	expect(true) // it was told of just now
	now = now.Add(noticeQuiet)
	expect(false, "A wrote 2 messages")
	now = now.Add(noticeQuiet)
	for _, k := range people {
		comes(k)
		comes(k)
	}
	expect(false, "8 messages in 4 conversations")
	now = now.Add(noticeQuiet)
	comes(people[1])
	p.tell.read(chat.To(people[1])) // it was looked at before
	comes(identity.PubKey{2, 3})    // a stranger: only that somebody is there is told
	p.tell.hear(chat.Event{Kind: chat.RequestAdded}, p.self)
	expect(false, "1 unknown person writes (inbox)")
}
