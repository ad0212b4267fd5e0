package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager"
	"github.com/skycoin/viscript/signal"
)

// joinOptions are the manager's flags about who may be in the network.
type joinOptions struct {
	join  string
	allow []string
}

func (o *joinOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.join, "join", "open", "who may be in the network: open, or a `FILE` with one public key a line (# begins a comment)")
	f.StringArrayVar(&o.allow, "allow", nil, "a public `KEY` that may be in the network, which is closed to others then; may be given again")
}

// policy reads the options.
func (o *joinOptions) policy() (j nodemanager.Join, err error) {
	j.Closed = o.join != "open" || len(o.allow) > 0
	for _, s := range o.allow {
		key, err := identity.ParseHex(s)
		if err != nil {
			return j, fmt.Errorf("--allow %q: %w", s, err)
		}
		j.Members = append(j.Members, key)
	}
	if o.join == "open" {
		return j, nil
	}
	listed, err := readKeyList(o.join)
	j.Members = append(j.Members, listed...)
	return j, err
}

// readKeyList reads a file of public keys.
func readKeyList(path string) ([]identity.PubKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--join: %w; want open, or a file of public keys", err)
	}
	defer f.Close()
	var keys []identity.PubKey
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		key, err := identity.ParseHex(text)
		if err != nil {
			return nil, fmt.Errorf("--join: %s:%d: %q: %w", path, n, text, err)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--join: %s: %w", path, err)
	}
	return keys, nil
}

// admission makes the commands allow and deny.
func admission(name, help, done string, f func(context.Context, identity.PubKey) error) signal.Command {
	return signal.Command{Name: name, Args: "KEY", Help: help, Run: func(ctx context.Context, args []string) (any, error) {
		if len(args) != 1 {
			return nil, errors.New(name + " takes one public key")
		}
		key, err := identity.ParseHex(args[0])
		if err != nil {
			return nil, err
		}
		if err := f(ctx, key); err != nil {
			return nil, err
		}
		return fmt.Sprintf("%s %s", key.Short(), done), nil
	}}
}

// readPathQuery reads the words after `path`.
func readPathQuery(args []string) (q nodemanager.PathQuery, err error) {
	var hops int
	f := pflag.NewFlagSet("path", pflag.ContinueOnError)
	f.Usage = func() {}
	f.IntVar(&hops, "hops", 0, "exactly so many links")
	f.IntVar(&q.MinHops, "min-hops", 0, "at least so many links")
	f.IntVar(&q.MaxHops, "max-hops", 0, "at most so many links")
	f.StringSliceVar(&q.Via, "via", nil, "nodes to pass, in this order")
	f.StringSliceVar(&q.Avoid, "avoid", nil, "nodes not to pass")
	f.IntVar(&q.Disjoint, "disjoint", 1, "so many paths without a common link")
	if err := f.Parse(args); err != nil {
		return q, fmt.Errorf("path: %w", err)
	}
	if f.NArg() != 2 {
		return q, errors.New("path takes two nodes, by name or key")
	}
	if f.Changed("hops") {
		if f.Changed("min-hops") || f.Changed("max-hops") {
			return q, errors.New("path: --hops says both --min-hops and --max-hops")
		}
		if hops < 1 {
			return q, fmt.Errorf("path: --hops %d: want 1 or more", hops)
		}
		q.MinHops, q.MaxHops = hops, hops
	}
	q.A, q.B = f.Arg(0), f.Arg(1)
	return q, nil
}
