package route

import (
	"fmt"
	"slices"

	"github.com/skycoin/viscript/node/identity"
)

// Join is what a route must meet that has to meet both a and b: the larger number of links at least, the smaller one at most, the
// nodes of both to pass, each list in its order (where nothing else orders them those of a come first), and all to avoid. Where
// that cannot be, the error names both, b first.
func Join(a, b Terms) (Terms, error) {
	switch {
	case b.None():
		return a, nil
	case a.None():
		return b, b.Check()
	}
	t := Terms{MinHops: max(a.MinHops, b.MinHops), MaxHops: a.MaxHops, Avoid: Terms{Avoid: slices.Concat(a.Avoid, b.Avoid)}.sorted()}
	if b.MaxHops != 0 && (t.MaxHops == 0 || b.MaxHops < t.MaxHops) {
		t.MaxHops = b.MaxHops
	}
	var err error
	if t.Via, err = merge(a.Via, b.Via); err == nil {
		err = t.Check()
	}
	if err != nil {
		return Terms{}, fmt.Errorf("%s against %s: %w", b.Brief(nil), a.Brief(nil), err)
	}
	return t, nil
}

// merge joins two lists without repetitions so that both orders hold.
func merge(a, b []identity.PubKey) (all []identity.PubKey, err error) {
	for _, k := range b {
		i := slices.Index(a, k)
		if i < 0 {
			continue
		}
		j := slices.Index(b, k)
		all = append(append(append(all, a[:i]...), b[:j]...), k)
		a, b = a[i+1:], b[j+1:]
	}
	all = slices.Concat(all, a, b)
	for i, k := range all {
		if slices.Contains(all[:i], k) { // it was left of one list when the other had passed it
			return nil, fmt.Errorf("node %s is to be passed before another node, and after it", k.Short())
		}
	}
	return all, nil
}
