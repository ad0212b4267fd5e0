package nodemanager

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

func wantCode(t testing.TB, what string, err error, want control.Code) {
	t.Helper()
	if !errors.Is(err, &control.Error{Code: want}) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestRouteAlongALine(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 4)
	r, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[3].pub()})
	if err != nil {
		t.Fatal(err)
	}
	var hops []control.Hop
	for i, n := range nodes {
		if r.Path[i] != n.pub() {
			t.Fatalf("path %v", r.Path)
		}
		h, ok := n.hop(r.Key)
		if !ok {
			t.Fatalf("node %d has no rule although the route is open", i)
		}
		if h.Src != nodes[0].pub() || h.Dst != nodes[3].pub() || h.Idle != control.DefaultIdle {
			t.Errorf("node %d: %+v", i, h)
		}
		hops = append(hops, h)
	}
	for i := range 3 {
		a, b := hops[i], hops[i+1]
		if a.Next != b.Node || b.Prev != a.Node || a.NextOut != b.PrevIn || a.NextIn != b.PrevOut || a.NextOut == 0 || a.NextIn == 0 {
			t.Errorf("link %d does not fit: %+v %+v", i, a, b)
		}
	}
	if got := m.Routes(); len(got) != 1 || got[0].Key != r.Key {
		t.Errorf("table %v", got)
	}
	path, err := m.Paths(PathQuery{A: "node0", B: "node3.mysterious.network"})
	if err != nil || len(path) != 1 || len(path[0].Nodes) != 4 || path[0].Nodes[2].Name != "node2" || len(path[0].Links) != 3 {
		t.Errorf("Paths: %+v, %v", path, err)
	}
	wantCode(t, "closing by a relay", nodes[1].CloseRoute(deadline(t), r.Key), control.CodeNotAnEnd)
	if err := nodes[3].CloseRoute(deadline(t), r.Key); err != nil {
		t.Errorf("closing by the far end: %v", err)
	}
	for _, n := range nodes {
		waitFor(t, "the rules are gone", func() bool { return n.rules() == 0 })
	}
	wantCode(t, "closing again", nodes[0].CloseRoute(deadline(t), r.Key), control.CodeUnknownRoute)
	if len(m.Routes()) != 0 {
		t.Errorf("table %v", m.Routes())
	}
}

func TestLinkOfOneEndCountsForNothing(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a, b := newNode(t, m.addr, "a"), newNode(t, m.addr, "b")
	waitFor(t, "both are there", func() bool { return len(m.Nodes()) == 2 })
	a.linkTo(b, time.Millisecond)
	a.awaitReport(t)
	_, err := a.Route(deadline(t), control.RouteRequest{Dst: b.pub()})
	wantCode(t, "a route over an invented link", err, control.CodeNoRoute)
	b.linkTo(a, 3*time.Millisecond)
	waitLinks(t, m, 1)
	if l := m.Links()[0]; l.RTT != 3*time.Millisecond || l.Carrier != "tcp" || l.AToB != 10 {
		t.Errorf("link %+v", l)
	}
	if _, err := a.Route(deadline(t), control.RouteRequest{Dst: b.pub()}); err != nil {
		t.Error(err)
	}
}

func TestImpossibleRoutes(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	stranger, far := newKey(t).Public(), nodes[2].pub()
	for name, tt := range map[string]struct {
		q    control.RouteRequest
		want control.Code
	}{
		"unknown end":    {control.RouteRequest{Dst: stranger}, control.CodeUnknownKey},
		"unknown via":    {control.RouteRequest{Dst: far, Via: []identity.PubKey{stranger}}, control.CodeUnknownKey},
		"to itself":      {control.RouteRequest{Dst: nodes[0].pub()}, control.CodeBadRequest},
		"too few hops":   {control.RouteRequest{Dst: far, MaxHops: 1}, control.CodeNoRoute},
		"too many hops":  {control.RouteRequest{Dst: far, MinHops: 3}, control.CodeNoRoute},
		"min over max":   {control.RouteRequest{Dst: far, MinHops: 3, MaxHops: 2}, control.CodeBadRequest},
		"over the limit": {control.RouteRequest{Dst: far, MaxHops: 200}, control.CodeBadRequest},
	} {
		_, err := nodes[0].Route(deadline(t), tt.q)
		wantCode(t, name, err, tt.want)
	}
	if r, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: far, Via: []identity.PubKey{nodes[1].pub()}, MinHops: 2, MaxHops: 2}); err != nil {
		t.Errorf("%v, %v", r, err)
	}
}

func TestRefusalRollsBack(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	nodes[2].refuseWith(func(control.Hop) error { return control.Errorf(control.CodeNameTaken, "not today") })
	_, asked, err := nodes[0].route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	wantCode(t, "refused", err, control.CodeRefused)
	nodes[2].refuseWith(nil)
	for i, n := range nodes {
		waitFor(t, "rolled back", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.hops) == 0 && len(n.removed) == asked
		})
		if n.installs > asked {
			t.Errorf("node %d was asked %d times", i, n.installs)
		}
	}
	if len(m.Routes()) != 0 {
		t.Errorf("table %v", m.Routes())
	}
}

func TestCollisionIsTriedAgain(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	var mu sync.Mutex
	var seen []control.Hop
	nodes[1].refuseWith(func(h control.Hop) error {
		mu.Lock()
		defer mu.Unlock()
		if seen = append(seen, h); len(seen) < 3 {
			return &control.Error{Code: control.CodeCollision}
		}
		return nil
	})
	r, asked, err := nodes[0].route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	got := slices.Clone(seen)
	mu.Unlock()
	if len(got) < 3 || len(got) > 3 && asked == 1 || got[0].Route == got[2].Route || got[len(got)-1].Route != r.Key {
		t.Fatalf("asked %d times, numbers %+v", asked, got)
	}
	if got[0].PrevIn == got[1].PrevIn && got[1].PrevIn == got[2].PrevIn { // two may be the same by chance
		t.Errorf("the same numbers each time: %+v", got)
	}
	for _, n := range nodes {
		waitFor(t, "one rule is left", func() bool { return n.rules() == 1 })
		if _, ok := n.hop(r.Key); !ok {
			t.Error("the wrong one")
		}
	}
	nodes[1].refuseWith(func(control.Hop) error { return &control.Error{Code: control.CodeCollision} })
	_, err = nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	wantCode(t, "collisions without end", err, control.CodeCollision)
}

func TestRestartedNodeLosesItsRoutes(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	r, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].stop()
	waitFor(t, "the relay is gone", func() bool { return len(m.Links()) == 0 })
	if _, ok := nodes[0].hop(r.Key); !ok || len(m.Routes()) != 1 {
		t.Error("a lost connection took the route along")
	}
	_, err = nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	wantCode(t, "a route through a node that is away", err, control.CodeNoRoute)

	again := newNode(t, m.addr, "node1", withKey(nodes[1].key))
	connectNodes(again, nodes[0])
	connectNodes(again, nodes[2])
	for _, n := range []*fakeNode{nodes[0], nodes[2]} {
		waitFor(t, "the ends were told", func() bool { return n.rules() == 0 })
	}
	if len(m.Routes()) != 0 {
		t.Errorf("table %v", m.Routes())
	}
}

func TestManagerRestartLeavesRoutesAlone(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	r, tries, err := nodes[0].route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	if err != nil {
		t.Fatal(err)
	}
	m.stop()
	waitFor(t, "the loss is noticed", func() bool { return !nodes[0].Status().Connected })
	type result struct {
		key identity.PubKey
		err error
	}
	asked := make(chan result, 1) // a request made meanwhile waits
	go func() {
		k, err := nodes[0].ResolveName(deadline(t), "node2")
		asked <- result{k, err}
	}()
	m.start(t)
	if got := <-asked; got.err != nil || got.key != nodes[2].pub() {
		t.Errorf("the request that waited: %v, %v", got.key, got.err)
	}
	waitLinks(t, m, 2)
	for i, n := range nodes {
		if _, ok := n.hop(r.Key); !ok || n.taken() > tries-1 {
			t.Errorf("node %d lost its rule", i)
		}
	}
	if _, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()}); err != nil {
		t.Errorf("a new route: %v", err)
	}
}

func TestSlowNodeDelaysNobody(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 4)
	hold := make(chan struct{})
	defer close(hold)
	nodes[3].refuseWith(func(control.Hop) error { nodes[3].mu.Unlock(); <-hold; nodes[3].mu.Lock(); return nil })
	slow := make(chan error, 1)
	go func() {
		_, err := nodes[0].Client.Route(deadline(t), control.RouteRequest{Dst: nodes[3].pub()})
		slow <- err
	}()
	waitFor(t, "the slow node was asked", func() bool {
		nodes[3].mu.Lock()
		defer nodes[3].mu.Unlock()
		return nodes[3].installs > 0
	})
	if _, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()}); err != nil {
		t.Errorf("another route meanwhile: %v", err)
	}
	select {
	case err := <-slow:
		wantCode(t, "the slow route", err, control.CodeUnavailable)
	case <-time.After(patience):
		t.Error("the slow route never ends")
	}
}

func TestNeighbours(t *testing.T) {
	m := newManager(t, secure.Addr{})
	quiet := newNode(t, m.addr, "quiet", withAddr("10.0.0.1:1"))
	a := newNode(t, m.addr, "a", withConnect, withAddr("10.0.0.2:1"))
	b := newNode(t, m.addr, "b", withConnect, withAddr("10.0.0.3:1"))
	nowhere := newNode(t, m.addr, "nowhere", withConnect)
	named := func(n *fakeNode) []identity.PubKey {
		n.mu.Lock()
		defer n.mu.Unlock()
		var keys []identity.PubKey
		for _, x := range n.neighbours {
			keys = append(keys, x.Key)
		}
		slices.SortFunc(keys, compareKeys)
		return keys
	}
	both := []identity.PubKey{a.pub(), b.pub()}
	slices.SortFunc(both, compareKeys)
	waitFor(t, "a is told of b", func() bool { return slices.Equal(named(a), []identity.PubKey{b.pub()}) })
	waitFor(t, "b is told of a", func() bool { return slices.Equal(named(b), []identity.PubKey{a.pub()}) })
	waitFor(t, "the one without an address is told of both", func() bool { return slices.Equal(named(nowhere), both) })
	if len(named(quiet)) != 0 {
		t.Error("a node without Connect was told neighbours")
	}
	a.stop()
	b.Kick()
	waitFor(t, "a is not proposed any more", func() bool { b.Kick(); return len(named(b)) == 0 })
}
