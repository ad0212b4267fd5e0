package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// TestNoteWords: what happened to a group is told by the names that we have, and the key is kept beside.
func TestNoteWords(t *testing.T) {
	keys := make([]*identity.Key, 3)
	for i := range keys {
		var err error
		if keys[i], err = identity.Generate(); err != nil {
			t.Fatal(err)
		}
	}
	me, ben, other := keys[0].Public(), keys[1].Public(), keys[2].Public()
	p := &chatRoom{}
	var err error
	if p.e, err = chat.Open(chat.Config{Key: keys[0], Dir: t.TempDir(), Post: chat.Offline{}}); err != nil {
		t.Fatal(err)
	}
	defer p.e.Close()
	names := map[identity.PubKey]string{ben: "Ben"}
	for _, c := range []struct {
		from  identity.PubKey
		text  string
		want  string
		about *identity.PubKey
	}{
		{ben, "add " + me.String(), "Ben added you", &me},
		{me, "add " + ben.String(), "you added Ben", &ben},
		{ben, "remove " + other.String(), "Ben removed " + other.Short(), &other},
		{ben, "promote " + me.String(), "Ben made you an admin", &me},
		{other, "create Sunday walks", other.Short() + " created the group Sunday walks", nil},
		{ben, "rename " + other.String(), "Ben named the group " + other.String(), nil},
		{ben, "leave", "Ben left", nil},
		{ben, "full 67108864", "Ben has left 64 MiB here today, as much as one contact may (--daily): more of today is not kept", nil},
		{ben, "guests 67108864", "Ben and others whom we know only from groups have left 64 MiB today, as much as they may together (--daily): more of theirs is not kept", nil},
		{ben, "invited 32", "Ben has brought us into 32 groups where we have not looked: more are not taken before we do, or leave", nil},
		{ben, "something new", "Ben something new", nil},
	} {
		m := chat.Message{N: 1, From: c.from, Note: true, Text: c.text}
		row := p.row(m, names)
		if got := lastWords(m, row); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
		if (row.About == nil) != (c.about == nil) || row.About != nil && *row.About != *c.about {
			t.Errorf("%q: it is about %v, want %v", c.text, row.About, c.about)
		}
	}
	m := chat.Message{N: 1, From: ben, Text: "* add " + me.String()}
	if got := lastWords(m, p.row(m, names)); !strings.HasPrefix(got, "Ben: * add") {
		t.Errorf("a text that looks like a note: %q", got)
	}
	long := chat.Message{N: 1, From: ben, Text: strings.Repeat("é", maxLast)}
	if got := lastWords(long, p.row(long, names)); got != "Ben: "+strings.Repeat("é", maxLast/2)+"…" {
		t.Errorf("a long text: %q", got)
	}
	if got := lastWords(chat.Message{}, p.row(chat.Message{}, names)); got != "" {
		t.Errorf("without a message: %q", got)
	}
}

// TestFitting: texts that are longer than an answer may be leave the rest of it readable.
func TestFitting(t *testing.T) {
	rows := make([]messageRow, 50)
	for i := range rows {
		rows[i] = messageRow{N: uint64(i), Text: strings.Repeat("\x01", chat.MaxText)} // six bytes each in JSON
	}
	got := fitting(rows)
	b, err := json.Marshal(got)
	if err != nil || len(b) > maxAnswer || len(got) != maxAnswer/(6*chat.MaxText+200) {
		t.Errorf("%d rows in %d bytes, %v", len(got), len(b), err)
	}
	if got := fitting(rows[:3]); len(got) != 3 {
		t.Errorf("%d of 3", len(got))
	}
}
