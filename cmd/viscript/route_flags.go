package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
)

// routeFlags say what routes must meet: those of a node, or those of one app.
type routeFlags struct {
	hops, least, most uint8
	via, avoid        []string
}

// add defines the flags; routes is what they are about, such as "routes that begin here".
func (r *routeFlags) add(f *pflag.FlagSet, routes string) {
	f.Uint8Var(&r.hops, "hops", 0, routes+" have exactly `N` links")
	f.Uint8Var(&r.least, "min-hops", 0, routes+" have at least `N` links")
	f.Uint8Var(&r.most, "max-hops", 0, routes+" have at most `N` links")
	f.StringSliceVar(&r.via, "via", nil, routes+" pass the nodes `KEY,...`, in this order")
	f.StringSliceVar(&r.avoid, "avoid", nil, routes+" never pass the nodes `KEY,...`")
}

// terms reads them; an error names the flag and the value.
func (r *routeFlags) terms() (t route.Terms, err error) {
	t.MinHops, t.MaxHops = r.least, r.most
	if r.hops != 0 {
		if r.least != 0 || r.most != 0 {
			return t, fmt.Errorf("--hops %d beside --min-hops or --max-hops: give one or the other", r.hops)
		}
		t.MinHops, t.MaxHops = r.hops, r.hops
	}
	if t.Via, err = keysOf("--via", r.via); err == nil {
		t.Avoid, err = keysOf("--avoid", r.avoid)
	}
	if err == nil {
		err = t.Check()
	}
	return t, err
}

// over is client with the routes that the flags ask for, and those as text, keys in short; "" where they ask for nothing.
func (r *routeFlags) over(client *app.Client) (*app.Client, string, error) {
	t, err := r.terms()
	if err != nil || t.None() {
		return client, "", err
	}
	client, err = client.Over(t)
	return client, t.Brief(nil), err
}

func keysOf(flag string, texts []string) (keys []identity.PubKey, err error) {
	for _, t := range texts {
		k, err := identity.ParseHex(t)
		if err != nil {
			return nil, fmt.Errorf("%s %q: want public keys in hex, separated by commas: %w", flag, t, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
