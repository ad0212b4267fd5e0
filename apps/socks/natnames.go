package socks

import (
	"context"
	"net/netip"
	"time"
)

// Limits of the names of one UDP association.
const (
	maxNames     = 64 // that are remembered
	nameLife     = time.Minute
	nameFailure  = 5 * time.Second // until a name that failed is tried again
	maxLookups   = 8               // at a time
	maxNameWaits = 8               // datagrams that wait for one name
)

// naming is what is known of a name.
type naming struct {
	at      netip.AddrPort // invalid: it failed
	until   time.Time      // when that is forgotten
	pending bool
	waiting [][]byte
}

type resolution struct {
	name string
	at   netip.AddrPort
	err  error
}

// sendNamed sends to a name, now or when it is resolved.
func (n *nat) sendNamed(ctx context.Context, t Target, data []byte) {
	text := t.String()
	name := n.names[text]
	switch {
	case name != nil && name.pending:
		if len(name.waiting) >= maxNameWaits {
			n.drop(Busy)
			return
		}
		name.waiting = append(name.waiting, data)
		return
	case name != nil && time.Now().Before(name.until):
		if !name.at.IsValid() {
			n.drop(NoSuchName)
			return
		}
		n.sendTo(name.at, data, true)
		return
	}
	if len(n.names) >= maxNames {
		n.expire(time.Now())
	}
	if len(n.names) >= maxNames || n.lookups >= maxLookups {
		n.drop(Busy)
		return
	}
	n.names[text] = &naming{pending: true, waiting: [][]byte{data}}
	n.lookups++
	n.wg.Go(func() { n.resolved <- n.resolve(ctx, t) }) // room for every lookup
}

// resolve finds the first address of a name that the policy admits.
func (n *nat) resolve(ctx context.Context, t Target) resolution {
	r := resolution{name: t.String()}
	all, err := n.s.resolve(ctx, t, n.e)
	if r.err = err; err == nil {
		r.at = all[0]
		for _, at := range all {
			if at.Addr().Is4() { // every exit has it; of IPv6 we would not hear that there is none
				r.at = at
				break
			}
		}
	}
	return r
}

// named sends what waited for a name.
func (n *nat) named(r resolution) {
	n.lookups--
	name := n.names[r.name]
	if name == nil {
		return
	}
	waiting := name.waiting
	name.pending, name.waiting, name.at, name.until = false, nil, r.at, time.Now().Add(nameLife)
	if r.err != nil {
		name.until = time.Now().Add(nameFailure)
	}
	for _, data := range waiting {
		if r.err != nil {
			n.drop(ReasonOf(r.err))
			continue
		}
		n.sendTo(r.at, data, true)
	}
}
