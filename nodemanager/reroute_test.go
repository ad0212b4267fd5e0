package nodemanager

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/setup"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// setRTT makes both ends of a link report that round trip; 0 takes the link away.
func setRTT(a, b *fakeNode, rtt time.Duration) {
	for _, n := range [][2]*fakeNode{{a, b}, {b, a}} {
		n[0].setLink(n[1], rtt)
	}
}

// diamond is a, b, c, d with a-b-d fast and a-c-d slower.
func diamond(t *testing.T, m *managerAt) (a, b, c, d *fakeNode) {
	t.Helper()
	a, b, c, d = newNode(t, m.addr, "a"), newNode(t, m.addr, "b"), newNode(t, m.addr, "c"), newNode(t, m.addr, "d")
	for _, l := range [][2]*fakeNode{{a, b}, {b, d}} {
		setRTT(l[0], l[1], 2*time.Millisecond)
	}
	for _, l := range [][2]*fakeNode{{a, c}, {c, d}} {
		setRTT(l[0], l[1], 10*time.Millisecond)
	}
	waitLinks(t, m, 4)
	return a, b, c, d
}

// waitCost waits until a link adds that round trip to paths.
func waitCost(t *testing.T, m *managerAt, a, b *fakeNode, rtt time.Duration) {
	t.Helper()
	waitFor(t, "the figures are in", func() bool {
		l, ok := m.links.Metrics(a.pub(), b.pub())
		return ok == (rtt > 0) && l.RTT == rtt || rtt == 0 && !ok
	})
}

func TestBesideAvoidInstead(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a, b, c, d := diamond(t, m)
	route := func(q control.RouteRequest) ([]identity.PubKey, error) {
		q.Dst = d.pub()
		r, err := a.Route(deadline(t), q)
		return r.Path, err
	}
	fast, slow := []identity.PubKey{a.pub(), b.pub(), d.pub()}, []identity.PubKey{a.pub(), c.pub(), d.pub()}
	stranger := newKey(t).Public()
	for name, tt := range map[string]struct {
		q    control.RouteRequest
		want []identity.PubKey
		code control.Code
		text string
	}{
		"plain":               {control.RouteRequest{}, fast, 0, ""},
		"beside":              {control.RouteRequest{Beside: fast}, slow, 0, ""},
		"beside strangers":    {control.RouteRequest{Beside: []identity.PubKey{stranger, newKey(t).Public()}}, fast, 0, ""},
		"avoid":               {control.RouteRequest{Avoid: fast[1:2]}, slow, 0, ""},
		"avoid both":          {control.RouteRequest{Avoid: []identity.PubKey{b.pub(), c.pub()}}, nil, control.CodeNoRoute, "avoids"},
		"avoid oneself":       {control.RouteRequest{Avoid: fast[:1]}, nil, control.CodeBadRequest, "cannot be avoided"},
		"one link":            {control.RouteRequest{MaxHops: 1}, nil, control.CodeNoRoute, "the shortest path has 2 links, at most 1"},
		"three links":         {control.RouteRequest{MinHops: 3, MaxHops: 3}, nil, control.CodeNoRoute, "no path has exactly 3 links"},
		"instead of itself":   {control.RouteRequest{Instead: fast}, nil, control.CodeNoBetter, ""},
		"instead of the slow": {control.RouteRequest{Instead: slow}, fast, 0, ""},
		"instead, beside":     {control.RouteRequest{Instead: fast, Beside: fast}, slow, 0, ""},
		"instead, beside it":  {control.RouteRequest{Instead: slow, Beside: fast}, nil, control.CodeNoBetter, ""},
		"instead, avoiding":   {control.RouteRequest{Instead: fast, Avoid: fast[1:2]}, slow, 0, ""},
		"instead of no path":  {control.RouteRequest{Instead: []identity.PubKey{a.pub(), stranger, d.pub()}}, fast, 0, ""},
		"instead of others'":  {control.RouteRequest{Instead: []identity.PubKey{b.pub(), d.pub()}}, nil, control.CodeBadRequest, "between others"},
		"instead of its half": {control.RouteRequest{Instead: []identity.PubKey{a.pub()}}, nil, control.CodeBadRequest, "between others"},
	} {
		p, err := route(tt.q)
		if !slices.Equal(p, tt.want) || control.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, %v; want %v, %v", name, p, err, tt.want, tt.code)
		}
	}
}

// TestMovingHasHysteresis: with figures that wander by 12 % up and down a route never moves; it moves once when they change for good.
func TestMovingHasHysteresis(t *testing.T) {
	m := &Manager{links: topology.New()}
	a, b, c, d := identity.PubKey{2, 1}, identity.PubKey{2, 2}, identity.PubKey{2, 3}, identity.PubKey{2, 4}
	rnd := rand.New(rand.NewPCG(1, 2))
	base := map[identity.PubKey]time.Duration{b: 10 * time.Millisecond, c: 11 * time.Millisecond}
	report := func() {
		said := map[identity.PubKey][]topology.Link{}
		for mid, rtt := range base {
			for _, end := range []identity.PubKey{a, d} {
				noisy := rtt*88/100 + time.Duration(rnd.Int64N(int64(rtt)*24/100))
				said[mid] = append(said[mid], topology.Link{Peer: end, RTT: noisy})
				said[end] = append(said[end], topology.Link{Peer: mid, RTT: noisy})
			}
		}
		for n, links := range said {
			m.links.Report(n, links)
		}
	}
	q := control.RouteRequest{Dst: d}
	used := []identity.PubKey{a, b, d}
	moves := 0
	look := func(rounds int) {
		for range rounds {
			report()
			path, err := m.shortest(a, q, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m.better(q, path, used, moveAt) {
				used, moves = path, moves+1
			}
		}
	}
	look(5000)
	if moves != 0 {
		t.Errorf("moved %d times for noise", moves)
	}
	base[b] = 20 * time.Millisecond
	look(5000)
	if moves != 1 || used[1] != c {
		t.Errorf("moved %d times, to %v", moves, used)
	}
	base[b] = 10 * time.Millisecond // as it was: not worth moving back
	look(5000)
	if moves != 1 {
		t.Errorf("moved back: %d", moves)
	}
}

func TestSharedCounts(t *testing.T) {
	k := func(is ...byte) (p []identity.PubKey) {
		for _, i := range is {
			p = append(p, identity.PubKey{2, i})
		}
		return p
	}
	for _, tt := range []struct {
		other, path []identity.PubKey
		want        []int
	}{
		{k(1, 2, 3, 9), k(1, 2, 3, 9), []int{2, 3}},
		{k(1, 2, 3, 9), k(1, 3, 2, 9), []int{2, 1}},
		{k(1, 9), k(1, 9), []int{0, 1}},
		{k(1, 9), k(1, 2, 9), []int{0, 0}},
		{nil, k(1, 2, 9), []int{0, 0}},
		{k(9, 2, 1), k(1, 2, 9), []int{1, 2}},
	} {
		if got := shared(tt.other, tt.path); !slices.Equal(got, tt.want) {
			t.Errorf("%v with %v: %v, want %v", tt.path, tt.other, got, tt.want)
		}
	}
}

// fakePicture is a network of one number per route's second node.
type fakePicture struct {
	cost map[identity.PubKey]time.Duration // 0: the link is missing
	away map[identity.PubKey]bool
}

func (f fakePicture) Cost(p []identity.PubKey) (time.Duration, bool) {
	return f.cost[p[1]], f.cost[p[1]] > 0
}
func (f fakePicture) Has(k identity.PubKey) bool { return !f.away[k] }
func (f fakePicture) Missing(p []identity.PubKey) (a, b identity.PubKey, missing bool) {
	return p[0], p[1], f.cost[p[1]] == 0
}

func TestWatch(t *testing.T) {
	src, mid, dst := identity.PubKey{2, 1}, identity.PubKey{2, 2}, identity.PubKey{2, 3}
	f := fakePicture{map[identity.PubKey]time.Duration{mid: 10}, map[identity.PubKey]bool{}}
	better, asked := false, 0
	w := watch{links: f, better: func(setup.Info) bool { asked++; return better }}
	r := setup.Info{Key: control.RouteKey{1}, Path: []identity.PubKey{src, mid, dst}, Asked: control.RouteRequest{Dst: dst}}
	now := time.Now()
	var got []string
	run := func(seconds int) {
		got = nil
		for i := range seconds {
			now = now.Add(lookEvery)
			for _, h := range w.look(now, []setup.Info{r}) {
				got = append(got, fmt.Sprint(i, h.Reason == control.ReasonBroken))
			}
		}
	}
	want := func(what string, hints ...string) {
		t.Helper()
		if !slices.Equal(got, hints) {
			t.Errorf("%s: %v, want %v", what, got, hints)
		}
	}
	run(20)
	want("all is well")
	better = true
	run(15) // two looks in a row, then every 10 s
	want("another path is better", "1 false", "11 false")
	better = false
	run(20)
	want("not any more")
	f.cost[mid] = 0
	run(15)
	want("a link is gone", "2 true", "12 true")
	f.cost[mid] = 10
	run(20)
	f.cost[mid], f.away[mid] = 0, true
	run(15)
	want("a node is not connected to us")
	run(2)
	want("and stays away", "0 true")
	f.cost[mid], f.away[mid] = 10, false
	run(20)
	for i := range 20 { // a link that comes and goes every second
		f.cost[mid] = time.Duration(10 * (i % 2))
		run(1)
		want("a flapping link")
	}
	// A recalled route, of which is not known what it was asked to be, is compared with nothing.
	r.Asked, better, asked = control.RouteRequest{}, true, 0
	run(30)
	want("a recalled route")
	if asked > 0 || len(w.watched) != 1 {
		t.Errorf("asked %d times, %d watched", asked, len(w.watched))
	}
	w.look(now, nil)
	if len(w.watched) != 0 {
		t.Error("a route that is over is watched")
	}
}

// TestWatchIsBounded: no more than so many paths and hints for one look, and all routes have their turn.
func TestWatchIsBounded(t *testing.T) {
	f := fakePicture{map[identity.PubKey]time.Duration{}, nil}
	asked := map[control.RouteKey]int{}
	n := 0
	w := watch{links: f, better: func(r setup.Info) bool { asked[r.Key]++; n++; return false }}
	var routes []setup.Info
	for i := range 1000 {
		mid := identity.PubKey{3, byte(i >> 8), byte(i)}
		f.cost[mid] = 10
		routes = append(routes, setup.Info{
			Key: control.RouteKey{byte(i >> 8), byte(i)}, Path: []identity.PubKey{{2}, mid, {4}}, Asked: control.RouteRequest{Dst: identity.PubKey{4}},
		})
	}
	now := time.Now()
	for range 1000/pathsPerLook + 2 {
		n = 0
		w.look(now, routes)
		if n > pathsPerLook {
			t.Fatalf("%d paths in one look", n)
		}
	}
	if len(asked) != 1000 {
		t.Errorf("%d routes had their turn", len(asked))
	}
	for k := range f.cost {
		f.cost[k] = 0
	}
	w.look(now, routes)
	if hints := w.look(now.Add(time.Minute), routes); len(hints) != hintsPerLook {
		t.Errorf("%d hints", len(hints))
	}
}

// TestSourcesAreTold: of a link that is gone and of a path that got much better.
func TestSourcesAreTold(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a, b, c, d := diamond(t, m)
	r, err := a.Route(deadline(t), control.RouteRequest{Dst: d.pub()})
	if err != nil || r.Path[1] != b.pub() {
		t.Fatal(r, err)
	}
	told := func(k control.RouteKey) func() bool { // it may be told again after ten seconds
		return func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return slices.Contains(a.hints, k)
		}
	}
	setRTT(a, b, 100*time.Millisecond)
	waitFor(t, "the source is told that it has become slow", told(r.Key))
	moved, err := a.Route(deadline(t), control.RouteRequest{Dst: d.pub(), Instead: r.Path})
	if err != nil || moved.Path[1] != c.pub() {
		t.Fatal(moved.Path, err)
	}
	if err := a.CloseRoute(deadline(t), r.Key); err != nil {
		t.Error(err)
	}
	setRTT(c, d, 0)
	waitFor(t, "the source is told that a link is gone", told(moved.Key))
	a.mu.Lock()
	defer a.mu.Unlock()
	if both := slices.Compact(slices.Clone(a.hints)); len(both) != 2 || both[0] != r.Key || both[1] != moved.Key {
		t.Errorf("told of %v", a.hints)
	}
}

// TestRestartedManagerLearnsRoutes: from their sources, with the quota and the right to close.
func TestRestartedManagerLearnsRoutes(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	r, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	if err != nil {
		t.Fatal(err)
	}
	m.stop()
	m.start(t)
	waitFor(t, "the route is in the table again", func() bool {
		got := m.Routes()
		return len(got) == 1 && got[0].Key == r.Key && slices.Equal(got[0].Path, r.Path) && !got[0].Open.After(got[0].Kept)
	})
	waitLinks(t, m, 2) // all are here to be told
	if err := nodes[2].CloseRoute(deadline(t), r.Key); err != nil {
		t.Errorf("its far end cannot close it: %v", err)
	}
	for _, n := range nodes {
		waitFor(t, "the rules are gone", func() bool { return n.rules() == 0 })
	}
	// A source that does not use a route any more, and never said so.
	if _, err = nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()}); err != nil {
		t.Fatal(err)
	}
	m.expireOnce(t.Context(), time.Now().Add(control.RouteLife/2))
	if len(m.Routes()) != 1 {
		t.Error("taken back too early")
	}
	m.routes.Expire(t.Context(), time.Now().Add(2*control.RouteLife), func(identity.PubKey) bool { return true })
	for _, n := range nodes {
		waitFor(t, "the rules of the idle route are gone", func() bool { return n.rules() == 0 })
	}
}
