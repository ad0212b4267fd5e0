package node

import (
	"fmt"
	"slices"

	"github.com/skycoin/viscript/node/apphost"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

// termsOf are the terms of sessions whose routes must meet t.
func termsOf(t route.Terms) session.Terms { return session.Terms(t.String()) }

// routeRequest is what the manager is asked for a wanted route that must meet t. Nodes that a session would rather avoid come after those
// that must be avoided, and never against those that must be passed.
func routeRequest(t route.Terms, want session.Want) (control.RouteRequest, error) {
	if slices.Contains(t.Avoid, want.Dst) {
		return control.RouteRequest{}, &wire.Refused{Code: wire.CodeDenied, Text: fmt.Sprintf("a route that avoids its end %s is asked for: %s", want.Dst.Short(), t.Brief(nil))}
	}
	q := control.RouteRequest{
		Dst: want.Dst, MinHops: t.MinHops, MaxHops: t.MaxHops, Avoid: slices.Clone(t.Avoid), Beside: want.Beside, Instead: want.Instead,
	}
	for _, k := range t.Via {
		if k != want.Dst {
			q.Via = append(q.Via, k)
		}
	}
	for _, k := range want.Avoid {
		if len(q.Avoid) < control.MaxVia && !slices.Contains(t.Via, k) && !slices.Contains(q.Avoid, k) {
			q.Avoid = append(q.Avoid, k)
		}
	}
	return q, nil
}

// Over implements apphost.Mesh: what the app asks for and what the node was told hold both.
func (m mesh) Over(t route.Terms) (apphost.Mesh, error) {
	self := m.n.cfg.Key.Public()
	if slices.Contains(t.Via, self) || slices.Contains(t.Avoid, self) {
		return nil, &wire.Refused{Code: wire.CodeBadRequest, Text: fmt.Sprintf("%s: %s is the node where the routes begin", t.Brief(nil), self.Short())}
	}
	all, err := route.Join(m.n.cfg.Routes, t)
	if err != nil {
		return nil, &wire.Refused{Code: wire.CodeDenied, Text: "what the app asks of its routes contradicts what its node was told: " + err.Error()}
	}
	return mesh{n: m.n, terms: termsOf(all), asked: t}, nil
}

// Terms implements apphost.Mesh.
func (m mesh) Terms() string {
	if m.asked.None() {
		return ""
	}
	return string(m.terms)
}

// within reports, as a refusal, that the app cannot have what it asks for without leaving this node.
func (m mesh) within() error {
	if m.asked.MinHops == 0 && len(m.asked.Via) == 0 {
		return nil
	}
	return &wire.Refused{Code: wire.CodeNoRoute, Text: "the far app is on this very node: no route leads to it, and none can meet " + m.asked.Brief(nil)}
}
