package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// shownMessages is how many lines of a conversation the console shows unless it is told otherwise; at most maxShown.
const (
	shownMessages = 20
	maxShown      = 1000
	maxFound      = 50
)

// chatCommand is one of the person's commands, with from least to most arguments (-1: any number).
type chatCommand struct {
	name, args, help string
	least, most      int
	run              func(args []string) (any, error)
}

func (p *chatRoom) commands() []signal.Command {
	var list []signal.Command
	for _, c := range append([]chatCommand{
		{"msg", "KEY|NAME|GROUP TEXT", "write to a person or a group", 2, -1, p.msg},
		{"chat", "KEY|NAME|GROUP [COUNT]", "show a conversation; it counts as read", 1, 2, p.chat},
		{"inbox", "", "conversations, the newest first, with what has not been read; requests too", 0, 0, p.inbox},
		{"contacts", "", "people", 0, 0, p.contacts},
		{"add", "KEY|ADDRESS [NAME]", "make somebody a contact, under a name of ours; accepts a request", 1, 2, p.add},
		{"block", "KEY|NAME", "refuse all that somebody sends", 1, 1, p.person(p.e.Block)},
		{"unblock", "KEY|NAME", "undo block", 1, 1, p.person(p.e.Unblock)},
		{"forget", "KEY|NAME", "forget a person and the conversation with them", 1, 1, p.person(p.e.Remove)},
		{"safety", "KEY|NAME", "the 60 digits that both of you see if nobody is between", 1, 1, p.safety},
		{"verified", "KEY|NAME", "note that the safety number was compared", 1, 1, p.person(func(k identity.PubKey) error { return p.e.SetVerified(k, true) })},
		{"send", "KEY|NAME|GROUP FILE", "offer a file of this machine, by its whole path; a copy is kept, encrypted", 2, 2, p.send},
		{"fetch", "KEY|NAME|GROUP N FILE", "get the file of message N; asked again it says how far that is, and at the end writes FILE, a new one", 3, 3, p.fetch},
		{"search", "WORDS", "find messages that contain the words", 1, -1, p.search},
		{"web", "", "an address of our page for a browser on this machine; it opens once, for 15 minutes", 0, 0, p.webLink},
		{"groups", "", "groups and who is in them", 0, 0, p.groups},
		{"group", "NAME", "begin a group", 1, -1, p.group},
		{"invite", "GROUP KEY|NAME", "add somebody to a group", 2, 2, p.member(group.Add)},
		{"remove", "GROUP KEY|NAME", "remove somebody from a group: they read nothing newer", 2, 2, p.member(group.Remove)},
		{"promote", "GROUP KEY|NAME", "make a member an admin", 2, 2, p.member(group.Promote)},
		{"leave", "GROUP", "leave a group", 1, 1, p.leave},
		{"address", "", "our key and messengers, to give to people who use other messengers", 0, 0, func([]string) (any, error) { return p.e.Address(), nil }},
		{"names", "", "the names that WHO may be", 0, 0, p.knownNames},
		{"key", "", "our public key, to give to others", 0, 0, func([]string) (any, error) { return p.e.Self().Owner.String(), nil }},
	}, slices.Concat(p.groupCommands(), p.deviceCommands(), p.transferCommands())...) {
		list = append(list, signal.Command{Name: c.name, Args: c.args, Help: c.help, Run: c.call})
	}
	return offerWords(list)
}

func (c chatCommand) call(_ context.Context, args []string) (any, error) {
	if len(args) < c.least || (c.most >= 0 && len(args) > c.most) {
		return nil, fmt.Errorf("usage: %s %s", c.name, c.args)
	}
	return c.run(args)
}

// talk finds a conversation: a person's by name or key, or a group's by name or the beginning of its id.
func (p *chatRoom) talk(s string) (chat.Talk, error) {
	if k, err := p.e.Person(s); err == nil {
		return chat.To(k), nil
	}
	groups, err := p.e.Groups()
	if err != nil {
		return chat.Talk{}, err
	}
	var found []chat.Talk
	for _, g := range groups {
		id := g.ID()
		if strings.EqualFold(g.Name(), s) || (len(s) >= 8 && strings.HasPrefix(hex.EncodeToString(id[:]), strings.ToLower(s))) {
			found = append(found, chat.In(id))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return chat.Talk{}, fmt.Errorf("no person or group %q: give a key, or a name that contacts or groups lists", s)
	}
	return chat.Talk{}, fmt.Errorf("%d groups are called %q: give the beginning of the id", len(found), s)
}

func (p *chatRoom) msg(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	id, err := p.e.Send(t, strings.Join(args[1:], " "), chat.MessageID{})
	if err != nil {
		return nil, err
	}
	return "queued " + id.String(), nil
}

// messageRow is a line of a conversation.
type messageRow struct {
	N      uint64 `json:"n"`
	Time   string `json:"time"`
	From   string `json:"from"`
	Text   string `json:"text"`
	Status string `json:"status"`
	ID     string `json:"id"`
	// About is the key of whom a note is about.
	About *identity.PubKey `json:"about,omitempty"`
}

func (p *chatRoom) row(m chat.Message, names map[identity.PubKey]string) messageRow {
	from := names[m.From]
	switch {
	case m.From == p.e.Self().Owner:
		from = "me"
	case from == "":
		from = m.From.Short()
	}
	text := m.Text
	var about *identity.PubKey
	switch {
	case m.File != nil:
		text = fmt.Sprintf("[file %s, %d bytes]", m.File.Name, m.File.Size)
	case m.Note:
		text, about = p.noteWords(m, names)
		text = "* " + text
	}
	return messageRow{m.N, m.At.Format("2006-01-02 15:04:05"), from, text, m.Status.String(), m.ID.String(), about}
}

func (p *chatRoom) names() (map[identity.PubKey]string, error) {
	list, err := p.e.Contacts()
	names := map[identity.PubKey]string{}
	for _, c := range list {
		names[c.Key] = c.Name
	}
	return names, err
}

func (p *chatRoom) chat(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	n := shownMessages
	if len(args) == 2 {
		if n, err = strconv.Atoi(args[1]); err != nil || n < 1 || n > maxShown {
			return nil, fmt.Errorf("COUNT is 1 to %d", maxShown)
		}
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	list, err := p.e.History(t, 0, n)
	if err != nil {
		return nil, err
	}
	rows := []messageRow{}
	for _, m := range slices.Backward(list) {
		rows = append(rows, p.row(m, names))
	}
	rows = fitting(rows)
	slices.Reverse(rows)
	p.tell.read(t)
	if len(list) > 0 {
		err = p.e.MarkRead(t, list[len(list)-1].N)
	}
	return rows, err
}

// inboxRow is a conversation.
type inboxRow struct {
	With    string `json:"with"`
	Unread  int    `json:"unread"`
	Time    string `json:"time"`
	Last    string `json:"last"`
	Request bool   `json:"request"`
	ID      string `json:"id"`
	// About is the key of whom the last line is about, when that is a note.
	About *identity.PubKey `json:"about,omitempty"`
}

func (p *chatRoom) inbox([]string) (any, error) {
	rows := []inboxRow{}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	for _, requests := range []bool{false, true} {
		list, err := p.e.Conversations(requests)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			with := c.Name
			if with == "" {
				with = c.Talk.Key.Short()
			}
			last := p.row(c.Last, names)
			rows = append(rows, inboxRow{with, c.Unread, last.Time, lastWords(c.Last, last), requests, c.Talk.String(), last.About})
		}
	}
	return rows, nil
}

// contactRow is a person.
type contactRow struct {
	Name  string          `json:"name"`
	Heard string          `json:"heard"` // when a device of theirs was last heard of, to the minute
	State string          `json:"state"` // contact, verified, request, member (of a group only), blocked
	Key   identity.PubKey `json:"key"`
}

func (p *chatRoom) contacts([]string) (any, error) {
	list, err := p.e.Contacts()
	rows := []contactRow{}
	for _, c := range list {
		state := "contact"
		switch {
		case c.Blocked:
			state = "blocked"
		case c.Request:
			state = "request"
		case c.Met:
			state = "member"
		case c.Verified:
			state = "verified"
		}
		rows = append(rows, contactRow{c.Name, toTheMinute(c.Heard), state, c.Key})
	}
	return rows, err
}

func (p *chatRoom) add(args []string) (any, error) {
	k, homes, err := chat.ParseAddress(args[0])
	if err != nil {
		if k, err = p.e.Person(args[0]); err != nil {
			return nil, err
		}
	}
	name := ""
	if len(args) == 2 {
		name = args[1]
	}
	return "done", p.e.AddContactAt(k, name, homes)
}

// person is a command about one.
func (p *chatRoom) person(f func(identity.PubKey) error) func([]string) (any, error) {
	return func(args []string) (any, error) {
		k, err := p.e.Person(args[0])
		if err != nil {
			return nil, err
		}
		return "done", f(k)
	}
}

func (p *chatRoom) safety(args []string) (any, error) {
	k, err := p.e.Person(args[0])
	if err != nil {
		return nil, err
	}
	return p.e.SafetyNumber(k), nil
}

func (p *chatRoom) search(args []string) (any, error) {
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	list, err := p.e.Search(strings.Join(args, " "), maxFound)
	rows := []messageRow{}
	for _, f := range list {
		rows = append(rows, p.row(f.Message, names))
	}
	return fitting(rows), err
}

func (p *chatRoom) send(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(args[1]) {
		return nil, errors.New("FILE is a whole path: this app runs in a folder of its own")
	}
	f, err := os.Open(args[1])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a file", args[1]))
	}
	id, err := p.e.SendFile(t, filepath.Base(args[1]), f)
	if err != nil {
		return nil, err
	}
	return "queued " + id.String(), nil
}

func (p *chatRoom) fetch(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil || n == 0 || !filepath.IsAbs(args[2]) {
		return nil, errors.New("want a number N that chat shows, and a whole path FILE")
	}
	list, err := p.e.History(t, n+1, 1)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 || list[0].N != n || list[0].File == nil {
		return nil, chat.ErrFile
	}
	m := list[0]
	have, done, err := p.e.Progress(m.From, m.ID)
	switch {
	case done:
		return p.write(m, args[2])
	case err != nil && !errors.Is(err, chat.ErrFile):
		return nil, err
	}
	if err := p.e.FetchFile(t, m.From, m.ID); err != nil {
		return nil, err
	}
	return fmt.Sprintf("%d of %d bytes are here; ask again", have, m.File.Size), nil
}

// write puts a file that has come where the person wants it; it replaces nothing.
func (p *chatRoom) write(m chat.Message, path string) (any, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.e.ReadFile(m.From, m.ID, f), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return fmt.Sprintf("%d bytes are in %s", m.File.Size, path), nil
}

// groupRow is a group.
type groupRow struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
	State   string   `json:"state"` // admin, member, left; invited: we have neither looked nor written there
	ID      string   `json:"id"`
	From    string   `json:"from,omitempty"` // who has brought us into one where we are invited
	// Key is that of who has.
	Key *identity.PubKey `json:"key,omitempty"`
}

func (p *chatRoom) groups([]string) (any, error) {
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	waiting, err := p.e.Invitations()
	if err != nil {
		return nil, err
	}
	by := map[group.Hash]identity.PubKey{}
	for _, i := range waiting {
		by[i.Group] = i.By
	}
	list, err := p.e.Groups()
	rows := []groupRow{}
	for _, g := range list {
		id := g.ID()
		row := groupRow{Name: g.Name(), State: "left", Members: []string{}, ID: hex.EncodeToString(id[:])}
		for _, m := range g.Members() {
			name := names[m.Key]
			switch {
			case m.Key == p.e.Self().Owner && m.Admin():
				name, row.State = "me", "admin"
			case m.Key == p.e.Self().Owner:
				name, row.State = "me", "member"
			case name == "":
				name = m.Key.Short()
			}
			row.Members = append(row.Members, name)
		}
		if k, ok := by[id]; ok {
			row.State, row.From, row.Key = "invited", p.nameOf(k, names), &k
		}
		rows = append(rows, row)
	}
	return rows, err
}

func (p *chatRoom) group(args []string) (any, error) {
	id, err := p.e.CreateGroup(strings.Join(args, " "))
	if err != nil {
		return nil, err
	}
	return "group " + hex.EncodeToString(id[:]), nil
}

// member is a command about somebody in a group.
func (p *chatRoom) member(kind group.Kind) func([]string) (any, error) {
	return func(args []string) (any, error) {
		t, err := p.talk(args[0])
		if err != nil {
			return nil, err
		}
		k, err := p.e.Person(args[1])
		if err != nil {
			return nil, err
		}
		return "done", p.e.Change(t.Group, group.Change{Kind: kind, Subject: k})
	}
}

func (p *chatRoom) leave(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	return "done", p.e.Change(t.Group, group.Change{Kind: group.Leave})
}
