package main

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// What an invitation is for, unless it says otherwise.
const (
	linkHours  = 7 * 24
	linkPeople = 20
)

// groupCommands are the commands about groups that are not for every day.
func (p *chatRoom) groupCommands() []chatCommand {
	return []chatCommand{
		{"rename", "GROUP NAME", "give a group another name", 2, -1, p.rename},
		{"demote", "GROUP KEY|NAME", "make an admin a member", 2, 2, p.member(group.Demote)},
		{"link", "GROUP [HOURS [PEOPLE]] [ask]", fmt.Sprintf("make an invitation: whoever has it joins, or with ask may ask to; for %d hours and %d people", linkHours, linkPeople), 1, 4, p.link},
		{"links", "GROUP", "a group's invitations", 1, 1, p.links},
		{"revoke", "GROUP LINK", "make an invitation void: its text, or its key as links shows it", 2, 2, p.revoke},
		{"join", "LINK", "join a group by an invitation, or ask to", 1, 1, p.join},
		{"joining", "", "groups that we have asked to join, and who asks to join ours", 0, 0, p.joining},
		{"admit", "GROUP KEY|NAME", "let somebody in who asks to join", 2, 2, p.decide(p.admitTo)},
		{"refuse", "GROUP KEY|NAME", "forget that somebody asks to join", 2, 2, p.decide(p.refuseTo)},
	}
}

func (p *chatRoom) rename(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	return "done", p.e.Change(t.Group, group.Change{Kind: group.Rename, Name: strings.Join(args[1:], " ")})
}

func (p *chatRoom) link(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	args = args[1:]
	ask := len(args) > 0 && args[len(args)-1] == "ask"
	if ask {
		args = args[:len(args)-1]
	}
	numbers := []int{linkHours, linkPeople}
	for i, a := range args {
		if i >= len(numbers) {
			return nil, fmt.Errorf("%q: want HOURS, PEOPLE and perhaps ask", a)
		}
		if numbers[i], err = strconv.Atoi(a); err != nil || numbers[i] < 1 || numbers[i] > 1<<20 {
			return nil, fmt.Errorf("%q: want a number from 1", a)
		}
	}
	l, err := p.e.CreateLink(t.Group, time.Duration(numbers[0])*time.Hour, uint32(numbers[1]), ask)
	if err != nil {
		return nil, err
	}
	return l.String(), nil
}

// inviteRow is an invitation.
type inviteRow struct {
	Key    identity.PubKey `json:"key"`
	Until  string          `json:"until"`
	Left   uint32          `json:"left"` // people whom it may still let in
	Ask    bool            `json:"ask"`
	Author string          `json:"author"`
	Link   string          `json:"link"`
}

func (p *chatRoom) links(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	list, err := p.e.Links(t.Group)
	rows := []inviteRow{}
	for _, l := range list {
		rows = append(rows, inviteRow{l.Key, l.Expiry.Format(time.DateTime), l.Uses, l.Ask, p.nameOf(l.Author, names), l.Text})
	}
	return rows, err
}

// nameOf is what we call somebody.
func (p *chatRoom) nameOf(k identity.PubKey, names map[identity.PubKey]string) string {
	switch {
	case k == p.e.Self().Owner:
		return "me"
	case names[k] == "":
		return k.Short()
	}
	return names[k]
}

func (p *chatRoom) revoke(args []string) (any, error) {
	t, err := p.talk(args[0])
	if err != nil {
		return nil, err
	}
	key, err := identity.ParseHex(args[1])
	if err != nil {
		l, err := chat.ParseLink(args[1])
		if err != nil {
			return nil, err
		}
		key = l.Key()
	}
	return "done", p.e.RevokeLink(t.Group, key)
}

func (p *chatRoom) join(args []string) (any, error) {
	id, err := p.e.JoinLink(args[0])
	if err != nil {
		return nil, err
	}
	return "asked to join group " + hex.EncodeToString(id[:]) + "; groups lists it when we are in", nil
}

// joinRow is a wish to join a group: ours, or somebody's.
type joinRow struct {
	Who   string           `json:"who"` // me, or who asks
	Group string           `json:"group"`
	Since string           `json:"since"`
	Key   *identity.PubKey `json:"key,omitempty"` // of who asks
}

func (p *chatRoom) joining([]string) (any, error) {
	rows := []joinRow{}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	ours, err := p.e.Joining()
	if err != nil {
		return nil, err
	}
	for _, j := range ours {
		rows = append(rows, joinRow{"me", hex.EncodeToString(j.Group[:]), j.Asked.Format(time.DateTime), nil})
	}
	asking, err := p.e.Asking()
	for _, a := range asking {
		rows = append(rows, joinRow{p.nameOf(a.Key, names), hex.EncodeToString(a.Group[:]), a.At.Format(time.DateTime), &a.Key})
	}
	return rows, err
}

func (p *chatRoom) admitTo(g group.Hash, k identity.PubKey) error  { return p.e.Admit(g, k) }
func (p *chatRoom) refuseTo(g group.Hash, k identity.PubKey) error { return p.e.Refuse(g, k) }

// decide is a command about somebody who asks to join a group.
func (p *chatRoom) decide(f func(group.Hash, identity.PubKey) error) func([]string) (any, error) {
	return func(args []string) (any, error) {
		t, err := p.talk(args[0])
		if err != nil {
			return nil, err
		}
		k, err := p.asker(t.Group, args[1])
		if err != nil {
			return nil, err
		}
		return "done", f(t.Group, k)
	}
}

// asker is who asks to join a group, by key, by the key's short form or by name.
func (p *chatRoom) asker(g group.Hash, s string) (identity.PubKey, error) {
	list, err := p.e.Asking()
	if err != nil {
		return identity.PubKey{}, err
	}
	for _, a := range list {
		if a.Group == g && a.Key.Short() == strings.ToLower(s) {
			return a.Key, nil
		}
	}
	return p.e.Person(s)
}
