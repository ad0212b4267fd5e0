package node

import (
	"errors"
	"slices"
	"testing"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

func keys(t *testing.T, n int) []identity.PubKey {
	t.Helper()
	list := make([]identity.PubKey, n)
	for i := range list {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		list[i] = k.Public()
	}
	return list
}

func TestRouteRequest(t *testing.T) {
	k := keys(t, 12)
	c := route.Terms{MinHops: 2, MaxHops: 5, Via: k[:2], Avoid: k[2:4]}
	q, err := routeRequest(c, session.Want{Dst: k[1], Avoid: append([]identity.PubKey{k[0], k[3]}, k[4:12]...), Beside: k[:3]})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(q.Via, k[:1]) || len(q.Avoid) != control.MaxVia || slices.Contains(q.Avoid, k[0]) || !slices.Equal(q.Avoid[:3], k[2:5]) ||
		q.MinHops != 2 || q.MaxHops != 5 || !slices.Equal(q.Beside, k[:3]) {
		t.Errorf("asked %+v", q)
	}
	if _, err := control.ParseRouteRequest(q.Append(nil)); err != nil {
		t.Error(err)
	}
	if _, err := routeRequest(c, session.Want{Dst: k[2]}); !errors.Is(err, &wire.Refused{Code: wire.CodeDenied}) {
		t.Errorf("a route to who is avoided: %v", err)
	}
	if len(c.Avoid) != 2 {
		t.Error("the terms have changed")
	}
}
