package main

import (
	"slices"

	"github.com/skycoin/viscript/signal"
)

// offerWords marks the person's commands that are words of the console, and those whose first argument is a name.
func offerWords(list []signal.Command) []signal.Command {
	words := []string{"msg", "chat", "inbox", "contacts", "groups"}
	named := []string{"msg", "chat", "add", "block", "unblock", "forget", "safety", "verified", "send", "fetch", "invite", "remove", "promote", "leave"}
	for i := range list {
		c := &list[i]
		c.Word = slices.Contains(words, c.Name)
		if slices.Contains(named, c.Name) {
			c.Names = "names"
		}
		if c.Name == "msg" {
			c.Rest = 2
		}
	}
	return list
}

// knownNames are the names of people and groups, for completion.
func (p *chatRoom) knownNames([]string) (any, error) {
	people, err := p.e.Contacts()
	if err != nil {
		return nil, err
	}
	groups, err := p.e.Groups()
	names := []string{}
	for _, c := range people {
		if c.Name != "" && !c.Blocked {
			names = append(names, c.Name)
		}
	}
	for _, g := range groups {
		names = append(names, g.Name())
	}
	return names, err
}
