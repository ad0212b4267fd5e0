package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/identity"
)

// routeFlags say what routes of a node must meet.
type routeFlags struct {
	hops, least, most uint8
	via, avoid        []string
}

func (r *routeFlags) add(f *pflag.FlagSet) {
	f.Uint8Var(&r.hops, "hops", 0, "routes that begin here have exactly `N` links")
	f.Uint8Var(&r.least, "min-hops", 0, "routes that begin here have at least `N` links")
	f.Uint8Var(&r.most, "max-hops", 0, "routes that begin here have at most `N` links")
	f.StringSliceVar(&r.via, "via", nil, "routes that begin here pass the nodes `KEY,...`, in this order")
	f.StringSliceVar(&r.avoid, "avoid", nil, "routes that begin here never pass the nodes `KEY,...`")
}

// constraint reads them; an error names the flag and the value.
func (r *routeFlags) constraint() (c node.Constraint, err error) {
	c.MinHops, c.MaxHops = r.least, r.most
	if r.hops != 0 {
		if r.least != 0 || r.most != 0 {
			return c, fmt.Errorf("--hops %d beside --min-hops or --max-hops: give one or the other", r.hops)
		}
		c.MinHops, c.MaxHops = r.hops, r.hops
	}
	if c.Via, err = keysOf("--via", r.via); err == nil {
		c.Avoid, err = keysOf("--avoid", r.avoid)
	}
	if err == nil {
		err = c.Check()
	}
	return c, err
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
