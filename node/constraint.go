package node

import (
	"fmt"
	"slices"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

// Constraint is what every route that begins at a node must meet. It is met or the route is refused. The zero value asks for
// nothing.
type Constraint struct {
	MinHops, MaxHops uint8             // links; 0: any
	Via              []identity.PubKey // nodes to pass, in this order; at most control.MaxVia
	Avoid            []identity.PubKey // nodes never to pass; at most control.MaxVia
}

// None reports whether it asks for nothing.
func (c Constraint) None() bool {
	return c.MinHops == 0 && c.MaxHops == 0 && len(c.Via) == 0 && len(c.Avoid) == 0
}

// Check reports what cannot be met by any network.
func (c Constraint) Check() error {
	switch {
	case c.MinHops > control.MaxHops || c.MaxHops > control.MaxHops:
		return fmt.Errorf("a route has at most %d links", control.MaxHops)
	case c.MaxHops != 0 && c.MinHops > c.MaxHops:
		return fmt.Errorf("at least %d and at most %d links", c.MinHops, c.MaxHops)
	case c.MaxHops != 0 && len(c.Via) >= int(c.MaxHops):
		return fmt.Errorf("the links allowed, %d, are too few for the nodes to pass, %d", c.MaxHops, len(c.Via))
	case len(c.Via) > control.MaxVia || len(c.Avoid) > control.MaxVia:
		return fmt.Errorf("more than %d nodes to pass or to avoid", control.MaxVia)
	}
	for i, k := range c.Via {
		if slices.Contains(c.Via[:i], k) || slices.Contains(c.Avoid, k) {
			return fmt.Errorf("node %s is to be passed, and again or not at all", k.Short())
		}
	}
	return nil
}

// request is what the manager is asked for a wanted route. Nodes that a session would rather avoid come after those that must
// be avoided, and never against those that must be passed.
func (c Constraint) request(want session.Want) (control.RouteRequest, error) {
	if slices.Contains(c.Avoid, want.Dst) {
		return control.RouteRequest{}, &wire.Refused{Code: wire.CodeDenied, Text: fmt.Sprintf("routes of this node avoid %s", want.Dst.Short())}
	}
	q := control.RouteRequest{
		Dst: want.Dst, MinHops: c.MinHops, MaxHops: c.MaxHops, Avoid: slices.Clone(c.Avoid), Beside: want.Beside, Instead: want.Instead,
	}
	for _, k := range c.Via {
		if k != want.Dst {
			q.Via = append(q.Via, k)
		}
	}
	for _, k := range want.Avoid {
		if len(q.Avoid) < control.MaxVia && !slices.Contains(c.Via, k) && !slices.Contains(q.Avoid, k) {
			q.Avoid = append(q.Avoid, k)
		}
	}
	return q, nil
}
