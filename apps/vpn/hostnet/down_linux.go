package hostnet

import (
	"bytes"
	"os"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
)

// Down undoes what the journal of a state folder says, as Undo does for a process that is no more. If the process still
// runs, os.ErrExist is in the chain and nothing is done.
func Down(cfg Config) (Report, error) {
	h, err := Open(cfg)
	if err != nil {
		return Report{}, err
	}
	return h.Undo()
}

// Leftovers lists what is in this network namespace and carries our name or number, whoever made it.
func Leftovers() (list []string, err error) {
	names, err := firewall.Names(TablePrefix)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		list = append(list, step{Table: &table{Name: n}}.String())
	}
	rules, err := route.Rules()
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		list = append(list, r.String())
	}
	routes, err := route.Routes(0)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		list = append(list, r.String())
	}
	if b, err := os.ReadFile(resolver.DefaultPath); err == nil && bytes.HasPrefix(b, []byte(resolver.Heading)) {
		list = append(list, "resolvers in "+resolver.DefaultPath)
	}
	return list, nil
}

// Sweep removes all of [Leftovers] without a journal, whatever VPN they belong to; what a resolv.conf of ours replaced
// is not known then, and it is left.
func Sweep() (r Report, err error) {
	rules, err := route.Rules()
	if err != nil {
		return r, err
	}
	routes, err := route.Routes(0)
	if err != nil {
		return r, err
	}
	names, err := firewall.Names(TablePrefix)
	if err != nil {
		return r, err
	}
	note := func(text string, err error) {
		if err != nil {
			r.Failed = append(r.Failed, err.Error())
			return
		}
		r.Undone = append(r.Undone, text)
	}
	for _, x := range rules {
		_, err := x.Remove()
		note(x.String(), err)
	}
	for _, x := range routes {
		_, err := x.Remove()
		note(x.String(), err)
	}
	for _, n := range names {
		_, err := firewall.Remove(n)
		note("firewall table "+n, err)
	}
	if b, err := os.ReadFile(resolver.DefaultPath); err == nil && bytes.HasPrefix(b, []byte(resolver.Heading)) {
		r.Left = append(r.Left, resolver.DefaultPath+" is ours, but nobody knows what was there before: write your own")
	}
	return r, r.Err()
}
