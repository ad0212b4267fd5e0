package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/secure"
)

// A node whose name is given may still be starting, and so may ours.
const (
	nameWait  = 20 * time.Second
	nameEvery = 250 * time.Millisecond
)

// routeFlags say what routes must meet: those of a node, or those of one app.
type routeFlags struct {
	hops, least, most uint8
	via, avoid        []string
}

// add defines the flags; routes is what they are about, such as "routes that begin here", nodes how nodes are written.
func (r *routeFlags) add(f *pflag.FlagSet, routes, nodes string) {
	f.Uint8Var(&r.hops, "hops", 0, routes+" have exactly `N` links")
	f.Uint8Var(&r.least, "min-hops", 0, routes+" have at least `N` links")
	f.Uint8Var(&r.most, "max-hops", 0, routes+" have at most `N` links")
	f.StringSliceVar(&r.via, "via", nil, routes+" pass the nodes `"+nodes+",...`, in this order")
	f.StringSliceVar(&r.avoid, "avoid", nil, routes+" never pass the nodes `"+nodes+",...`")
}

// nodeOf turns what was written for a node into its key.
type nodeOf func(text string) (identity.PubKey, error)

// terms reads them; an error names the flag and the value.
func (r *routeFlags) terms(of nodeOf) (t route.Terms, err error) {
	t.MinHops, t.MaxHops = r.least, r.most
	if r.hops != 0 {
		if r.least != 0 || r.most != 0 {
			return t, fmt.Errorf("--hops %d beside --min-hops or --max-hops: give one or the other", r.hops)
		}
		t.MinHops, t.MaxHops = r.hops, r.hops
	}
	if t.Via, err = keysOf("--via", r.via, of); err == nil {
		t.Avoid, err = keysOf("--avoid", r.avoid, of)
	}
	if err == nil {
		err = t.Check()
	}
	return t, err
}

// over is client with the routes that the flags ask for, and those as text, keys in short; "" where they ask for nothing.
// It waits, for nameWait each, until the mesh knows names that it has not been asked for before.
func (r *routeFlags) over(ctx context.Context, client *app.Client, e roleEnv) (*app.Client, string, error) {
	names := nodeNames{client: client, pins: e.pins, log: e.log}
	t, err := r.terms(func(text string) (identity.PubKey, error) { return names.key(ctx, text) })
	if err != nil || t.None() {
		return client, "", err
	}
	client, err = client.Over(t)
	return client, t.Brief(nil), err
}

func keysOf(flag string, texts []string, of nodeOf) (keys []identity.PubKey, err error) {
	for _, t := range texts {
		k, err := of(t)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", flag, t, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// byKey takes keys alone: a node has nobody to ask for names before it is on the mesh.
func byKey(text string) (identity.PubKey, error) {
	k, err := identity.ParseHex(text)
	if err != nil {
		err = fmt.Errorf("want public keys in hex, separated by commas: %w", err)
	}
	return k, err
}

// nodeNames turns names of nodes into keys. A name keeps the key that it had when it was asked for first: that is used while nobody
// can say, and another one is an error.
type nodeNames struct {
	client *app.Client
	pins   *secure.Pins
	log    *slog.Logger
}

func (n nodeNames) key(ctx context.Context, text string) (identity.PubKey, error) {
	if k, err := identity.ParseHex(text); err == nil {
		return k, nil
	}
	name := strings.TrimSuffix(control.FoldName(text), ".mesh")
	if err := control.CheckName(name); err != nil {
		return identity.PubKey{}, fmt.Errorf("neither a public key in hex nor a name: %w", err)
	}
	pin := "node:" + name
	known, asked := n.pins.Lookup(pin)
	ctx, cancel := context.WithTimeout(ctx, nameWait)
	defer cancel()
	var why error // that the name is not known; not that the time was up
	for first := true; ; first = false {
		k, err := n.client.Resolve(ctx, name)
		if err == nil {
			return k, n.pins.Pin(pin, k)
		}
		if asked {
			return known, nil
		}
		if first {
			n.log.Info("waiting for a node of that name", "node", name, "for", nameWait, "reason", err)
		}
		if why == nil || ctx.Err() == nil {
			why = err
		}
		select {
		case <-ctx.Done():
			return k, fmt.Errorf("%w, after %v; give a node's key, or the name of one that is on the mesh", why, nameWait)
		case <-time.After(nameEvery):
		}
	}
}
