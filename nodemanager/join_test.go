package nodemanager

import (
	"errors"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/store/storetest"
)

func TestClosedNetwork(t *testing.T) {
	given, later := newKey(t), newKey(t)
	m := newManager(t, secure.Addr{})
	m.stop()
	m.cfg.Join = Join{Closed: true, Members: []identity.PubKey{given.Public()}}
	m.start(t)
	a := newNode(t, m.addr, "a", withKey(given))
	waitFor(t, "the one on the list is in", func() bool { return a.Status().Connected })
	b := newNode(t, m.addr, "b", withKey(later))
	waitFor(t, "the other is told why not", func() bool {
		s := b.Status()
		return !s.Connected && strings.Contains(s.LastError, "not a member of this network") && strings.Contains(s.LastError, "allow")
	})
	b.stop() // it would knock again in half a minute
	wantCode(t, "a stranger", a.Member(deadline(t), later.Public()), control.CodeNotMember)
	if err := a.Member(deadline(t), given.Public()); err != nil {
		t.Error(err)
	}
	if err := m.Allow(deadline(t), later.Public()); err != nil {
		t.Fatal(err)
	}
	m.stop()
	m.start(t) // the word is kept
	b = newNode(t, m.addr, "b", withKey(later))
	waitFor(t, "it is in, once allowed", func() bool { return b.Status().Connected && a.Status().Connected })
	connectNodes(a, b)
	waitLinks(t, m, 1)
	if _, err := a.Route(deadline(t), control.RouteRequest{Dst: b.pub()}); err != nil {
		t.Fatal(err)
	}
	if err := m.Deny(deadline(t), later.Public()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is out again, with its routes", func() bool {
		return !b.Status().Connected && a.rules() == 0 && len(m.Routes()) == 0 && len(m.Links()) == 0
	})
	if p := m.Policy(); !p.Closed || len(p.Allowed) != 1 || p.Allowed[0] != given.Public() || len(p.Denied) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestOpenNetworkWithOneDenied(t *testing.T) {
	m := newManager(t, secure.Addr{})
	if m.roster.ask() {
		t.Error("an open network wants to be asked")
	}
	a, bad := newNode(t, m.addr, "a"), newKey(t)
	waitFor(t, "anybody is in", func() bool { return a.Status().Connected })
	if err := a.Member(deadline(t), bad.Public()); err != nil {
		t.Error(err)
	}
	if err := m.Deny(deadline(t), bad.Public()); err != nil {
		t.Fatal(err)
	}
	a.Kick() // the answer to a report says that there is somebody to ask about
	waitFor(t, "the node asks", func() bool { return control.CodeOf(a.Member(deadline(t), bad.Public())) == control.CodeNotMember })
	b := newNode(t, m.addr, "b", withKey(bad))
	waitFor(t, "the denied one is refused", func() bool { return strings.Contains(b.Status().LastError, "was denied") })
	b.stop()
	if err := m.Allow(deadline(t), bad.Public()); err != nil || m.roster.ask() {
		t.Errorf("%v; ask %v", err, m.roster.ask())
	}
}

func TestRosterKeepsItsWord(t *testing.T) {
	s := storetest.NewMemory()
	r, err := openRoster(t.Context(), s, Join{})
	if err != nil {
		t.Fatal(err)
	}
	k := newKey(t).Public()
	s.Fail(errors.New("disk full"))
	if err := r.say(t.Context(), k, false); err == nil || r.check(k) != nil {
		t.Errorf("a word that was not written: %v, %v", err, r.check(k))
	}
	s.Fail(nil)
	for range 2 {
		if err := r.say(t.Context(), k, false); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := openRoster(t.Context(), s, Join{Members: []identity.PubKey{k}}); err != nil || again.check(k) == nil || again.bars != 1 {
		t.Errorf("read back: %v", err)
	}
	if err := s.Put(t.Context(), joinPrefix+"zz", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := openRoster(t.Context(), s, Join{}); err == nil {
		t.Error("a broken entry was passed over")
	}
}

// TestAwayManager: nodes forward on, and register again when it is back; links and routes are as before.
func TestAwayManager(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 3)
	r, asked, err := nodes[0].route(deadline(t), control.RouteRequest{Dst: nodes[2].pub()})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		m.stop()
		waitFor(t, "all notice", func() bool {
			return !nodes[0].Status().Connected && !nodes[1].Status().Connected && !nodes[2].Status().Connected
		})
		for i, n := range nodes {
			if _, ok := n.hop(r.Key); !ok {
				t.Errorf("node %d lost its rule", i)
			}
		}
		m.start(t)
		waitLinks(t, m, 2)
		waitFor(t, "the route is known", func() bool { return len(m.Routes()) == 1 })
	}
	nodes[0].mu.Lock()
	defer nodes[0].mu.Unlock()
	if nodes[0].installs > asked || len(nodes[0].removed) > asked-1 {
		t.Errorf("%d installs, removed %v", nodes[0].installs, nodes[0].removed)
	}
}

// TestHostileRequests: none of them is answered with more than a code.
func TestHostileRequests(t *testing.T) {
	m := newManager(t, secure.Addr{})
	k := newKey(t)
	p := raw(t, m, k)
	call := func(typ control.Type, body []byte) error { _, err := p.Call(deadline(t), typ, body); return err }
	if err := call(control.TypeRegister, control.Register{Node: control.SignNode(k, network, control.NodeRecord{Seq: 1})}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	many := make([]identity.PubKey, control.MaxHops+1)
	for i := range many {
		many[i] = newKey(t).Public()
	}
	long := make([]byte, 2+16*(control.MaxKept+1))
	long[0], long[1] = byte((control.MaxKept+1)>>8), byte((control.MaxKept+1)&0xff)
	forged := control.SignRoute(k, network, control.Route{Key: control.RouteKey{1}, Path: []identity.PubKey{k.Public(), many[0]}})
	others := control.SignRoute(m.cfg.Key, network, control.Route{Key: control.RouteKey{1}, Path: many[:2]})
	dst := newKey(t).Public()
	for name, tt := range map[string]struct {
		typ  control.Type
		body []byte
		want control.Code
	}{
		"keep of too many":         {control.TypeKeep, long, control.CodeBadRequest},
		"keep that promises more":  {control.TypeKeep, []byte{1, 0, 5}, control.CodeBadRequest},
		"keep of what is unknown":  {control.TypeKeep, control.AppendRoutes(nil, make([]control.RouteKey, control.MaxKept)), 0},
		"recall, forged":           {control.TypeRecall, forged.Append(nil), control.CodeBadSignature},
		"recall, of others":        {control.TypeRecall, others.Append(nil), control.CodeNotAnEnd},
		"recall, garbage":          {control.TypeRecall, make([]byte, 300), control.CodeBadRequest},
		"member, no key":           {control.TypeMember, make([]byte, 33), control.CodeBadRequest},
		"member, too long":         {control.TypeMember, make([]byte, 34), control.CodeBadRequest},
		"beside strangers":         {control.TypeRoute, control.RouteRequest{Dst: dst, Beside: many}.Append(nil), control.CodeUnknownKey},
		"instead of strangers":     {control.TypeRoute, control.RouteRequest{Dst: dst, Instead: many}.Append(nil), control.CodeUnknownKey},
		"beside too many":          {control.TypeRoute, control.RouteRequest{Dst: dst, Beside: append(many, dst)}.Append(nil), control.CodeBadRequest},
		"avoid oneself":            {control.TypeRoute, control.RouteRequest{Dst: dst, Avoid: []identity.PubKey{k.Public()}}.Append(nil), control.CodeBadRequest},
		"a hint from a node":       {control.TypeReroute, make([]byte, 17), control.CodeBadRequest},
		"report, a link lost more": {control.TypeReport, make([]byte, 2000), control.CodeBadRequest},
	} {
		if err := call(tt.typ, tt.body); control.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if len(m.Routes()) != 0 {
		t.Errorf("routes %v", m.Routes())
	}
}

// TestPool compares with a set, and looks at what is picked.
func TestPool(t *testing.T) {
	p, seed, now := newPool(), maphash.MakeSeed(), time.Now()
	name := func(i int) identity.PubKey { return identity.PubKey{2, byte(i >> 8), byte(i)} }
	if p.set(name(1), false) || !p.set(name(1), true) || p.set(name(1), true) || !p.set(name(1), false) || len(p.keys) != 0 {
		t.Error("set")
	}
	var c choice
	p.pick(&c, name(0), nil, seed, now)
	if len(c.list) != 0 {
		t.Errorf("of nobody: %v", c.list)
	}
	for i := range 6 {
		p.set(name(i), true)
	}
	p.pick(&c, name(0), nil, seed, now)
	if len(c.list) != 5 {
		t.Errorf("of five others: %v", c.list)
	}
	for i := range 1000 {
		p.set(name(i), true)
	}
	p.pick(&c, name(0), nil, seed, now)
	before := append([]identity.PubKey(nil), c.list...)
	if len(before) != control.MaxNeighbours {
		t.Fatalf("of a thousand: %v", before)
	}
	p.set(before[7], false)
	p.set(before[0], false)
	p.pick(&c, name(0), nil, seed, now)
	kept := 0
	for _, k := range before {
		for _, o := range c.list {
			if o == k {
				kept++
			}
		}
	}
	if len(c.list) != control.MaxNeighbours || kept < control.MaxNeighbours-3 {
		t.Errorf("after two left: %v, before %v", c.list, before)
	}
	// A manager that starts anew proposes the links that are there.
	var fresh choice
	linked := []identity.PubKey{name(10), name(11), name(12), name(13), name(14), name(15), name(5000)}
	for _, k := range linked[:6] {
		p.set(k, true) // one of them may be among the two who left
	}
	p.pick(&fresh, name(0), linked, seed, now)
	for _, k := range linked[:6] {
		found := false
		for _, o := range fresh.list {
			found = found || o == k
		}
		if !found {
			t.Errorf("%v is linked and not proposed: %v", k, fresh.list)
		}
	}
}
