// Package route says what a route must meet: how many links it has, which nodes it passes and which never. It is a value that a
// person gives by flags, an app to its node, and a node to its sessions; who finds routes is the node manager.
//
//	t := route.Terms{MinHops: 2, MaxHops: 2, Avoid: []identity.PubKey{key}}
//	err := t.Check()                  // what no network can meet
//	all, err := route.Join(own, t)    // both; an error where they contradict each other
//	err = all.Met(path)
package route

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits.
const (
	MaxHops  = 16 // links in one route
	MaxNodes = 8  // to pass, and to avoid
)

// Terms are what a route must meet, both ways. The zero value asks for nothing.
type Terms struct {
	MinHops, MaxHops uint8             // links; 0: any
	Via              []identity.PubKey // nodes to pass, in this order; at most MaxNodes
	Avoid            []identity.PubKey // nodes never to pass; at most MaxNodes
}

// None reports whether they ask for nothing.
func (t Terms) None() bool {
	return t.MinHops == 0 && t.MaxHops == 0 && len(t.Via) == 0 && len(t.Avoid) == 0
}

// Check reports what cannot be met by any network.
func (t Terms) Check() error {
	switch {
	case t.MinHops > MaxHops || t.MaxHops > MaxHops:
		return fmt.Errorf("a route has at most %d links", MaxHops)
	case t.MaxHops != 0 && t.MinHops > t.MaxHops:
		return fmt.Errorf("at least %d and at most %d links", t.MinHops, t.MaxHops)
	case t.MaxHops != 0 && len(t.Via) >= int(t.MaxHops):
		return fmt.Errorf("%s to pass need more than %s", count(len(t.Via), "node"), count(int(t.MaxHops), "link"))
	case len(t.Via) > MaxNodes || len(t.Avoid) > MaxNodes:
		return fmt.Errorf("more than %d nodes to pass or to avoid", MaxNodes)
	}
	for i, k := range t.Via {
		if slices.Contains(t.Via[:i], k) || slices.Contains(t.Avoid, k) {
			return fmt.Errorf("node %s is to be passed, and again or not at all", k.Short())
		}
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Met reports, as an error, what of the terms a path, ends included, does not meet. A node to pass that is the end is passed.
func (t Terms) Met(path []identity.PubKey) error {
	if len(path) < 2 {
		return fmt.Errorf("a path of %s", count(len(path), "node"))
	}
	hops := len(path) - 1
	switch {
	case hops < int(t.MinHops):
		return fmt.Errorf("%s, and not at least %d", count(hops, "link"), t.MinHops)
	case t.MaxHops != 0 && hops > int(t.MaxHops):
		return fmt.Errorf("%s, and not at most %d", count(hops, "link"), t.MaxHops)
	}
	inner := path[1:hops]
	for _, k := range t.Via {
		if k == path[hops] {
			continue
		}
		i := slices.Index(inner, k)
		if i < 0 {
			return fmt.Errorf("node %s is not passed, or not in its turn", k.Short())
		}
		inner = inner[i+1:]
	}
	for _, k := range t.Avoid {
		if slices.Contains(path[1:], k) {
			return fmt.Errorf("node %s is not avoided", k.Short())
		}
	}
	return nil
}

// sorted are the nodes to avoid as they are written: each once, ascending.
func (t Terms) sorted() []identity.PubKey {
	list := slices.Clone(t.Avoid)
	slices.SortFunc(list, func(a, b identity.PubKey) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(list)
}

// Append appends the terms, which Check accepts, as Read reads them: min:u8 max:u8 n:u8 { key:33 } n:u8 { key:33 }, of which the
// first list are the nodes to pass.
func (t Terms) Append(b []byte) []byte {
	b = append(b, t.MinHops, t.MaxHops)
	for _, list := range [...][]identity.PubKey{t.Via, t.sorted()} {
		b = append(b, byte(len(list)))
		for _, k := range list {
			b = append(b, k[:]...)
		}
	}
	return b
}

// Read takes terms off r. It fails where Check does, and takes one encoding only: nodes to avoid ascend.
func Read(r *wire.Reader) (t Terms, err error) {
	t.MinHops, t.MaxHops = r.U8(), r.U8()
	for _, list := range [...]*[]identity.PubKey{&t.Via, &t.Avoid} {
		n := int(r.U8())
		if r.Err() != nil || n > MaxNodes || r.Len() < n*identity.PubKeyLen {
			return Terms{}, wire.ErrMalformed
		}
		for range n {
			*list = append(*list, r.Key())
		}
	}
	if r.Err() != nil || !slices.Equal(t.sorted(), t.Avoid) {
		return Terms{}, wire.ErrMalformed
	}
	return t, t.Check()
}
