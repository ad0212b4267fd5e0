package setup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// TestLinksAreNotOverfull: a route goes around a link that carries all it may, and is refused where there is no way around.
func TestLinksAreNotOverfull(t *testing.T) {
	tab := newTable(t, &fakeNodes{})
	var first control.Route
	for i := range 5 {
		r, err := tab.Open(t.Context(), key(20+i), control.RouteRequest{Dst: key(40 + i)})
		if err != nil || r.Path[2] != key(3) {
			t.Fatalf("%v, %v", r.Path, err)
		}
		if i == 0 {
			first = r
		}
	}
	for i := range 5 {
		r, err := tab.Open(t.Context(), key(30+i), control.RouteRequest{Dst: key(50 + i)})
		if err != nil || r.Path[2] != key(5) {
			t.Fatalf("around the full link: %v, %v", r.Path, err)
		}
	}
	if _, err := tab.Open(t.Context(), key(19), control.RouteRequest{Dst: key(60)}); control.CodeOf(err) != control.CodeNoRoute {
		t.Errorf("with all links full: %v", err)
	}
	if n := tab.OnLink(key(3), key(2)); n != 5 || tab.Through(key(2)) != 10 {
		t.Errorf("%d routes on the link, %d through the node", n, tab.Through(key(2)))
	}
	if err := tab.Close(t.Context(), key(20), first.Key); err != nil {
		t.Fatal(err)
	}
	if r, err := tab.Open(t.Context(), key(19), control.RouteRequest{Dst: key(60)}); err != nil || r.Path[2] != key(3) {
		t.Errorf("after one was closed: %v, %v", r.Path, err)
	}
}

// TestManyFullLinks: looking around them ends.
func TestManyFullLinks(t *testing.T) {
	calls := 0
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	tab := New(Config{Key: k, PerLink: 1, Nodes: &fakeNodes{}, Path: func(_ context.Context, src identity.PubKey, q control.RouteRequest, full []Link) ([]identity.PubKey, error) {
		calls++
		if len(full) != calls-1 {
			t.Errorf("call %d: %d full links", calls, len(full))
		}
		return []identity.PubKey{src, key(100 + calls), q.Dst}, nil
	}})
	for i := range maxFull + 2 {
		tab.load([]identity.PubKey{key(1), key(100 + i)})
	}
	if _, err := tab.Open(t.Context(), key(1), control.RouteRequest{Dst: key(2)}); control.CodeOf(err) != control.CodeQuota || calls != maxFull {
		t.Errorf("%v after %d paths", err, calls)
	}
	if len(tab.used) != 0 || len(tab.onLink) != maxFull+2 {
		t.Errorf("left: %v, %d links", tab.used, len(tab.onLink))
	}
}

func TestKeepRecallExpire(t *testing.T) {
	f := &fakeNodes{}
	tab := newTable(t, f)
	q := control.RouteRequest{Dst: key(4)}
	r, err := tab.Open(t.Context(), key(1), q)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := tab.Open(t.Context(), key(1), q)
	if err != nil {
		t.Fatal(err)
	}
	away, err := tab.Open(t.Context(), key(8), q)
	if err != nil {
		t.Fatal(err)
	}
	here := func(k identity.PubKey) bool { return k != key(8) }
	later := time.Now().Add(control.RouteLife * 2 / 3)
	if unknown := tab.Keep(key(1), []control.RouteKey{r.Key, {77}, away.Key}, later); len(unknown) != 1 || unknown[0] != (control.RouteKey{77}) {
		t.Errorf("unknown: %v", unknown)
	}
	if n := tab.Expire(t.Context(), later, here); n != 0 {
		t.Errorf("%d routes were taken back too early", n)
	}
	if n := tab.Expire(t.Context(), later.Add(control.RouteLife*2/3), here); n != 2 || len(tab.Routes()) != 1 {
		t.Errorf("%d routes were taken back, left %v", n, tab.Routes())
	}
	tab.Wait()
	f.mu.Lock()
	_, still := f.rules[key(2)][idle.Key]
	_, stays := f.rules[key(2)][away.Key]
	f.mu.Unlock()
	if still || !stays {
		t.Errorf("the idle route is at its nodes: %v; that of a source which is away: %v", still, stays)
	}

	// Another manager with the same key, and one with another.
	again := newTable(t, &fakeNodes{})
	if err := again.Recall(key(1), r, later); control.CodeOf(err) != control.CodeBadSignature {
		t.Errorf("a route of another manager: %v", err)
	}
	again.cfg = tab.cfg
	for name, tt := range map[string]struct {
		who  identity.PubKey
		r    control.Route
		want control.Code
	}{
		"by another":      {key(2), r, control.CodeNotAnEnd},
		"a changed path":  {key(1), control.Route{Key: r.Key, Path: []identity.PubKey{key(1), key(4)}, Issued: r.Issued, Sig: r.Sig}, control.CodeBadSignature},
		"the real one":    {key(1), r, 0},
		"the same again":  {key(1), r, 0},
		"another of ours": {key(8), away, 0},
	} {
		if err := again.Recall(tt.who, tt.r, later); control.CodeOf(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := again.Routes(); len(got) != 2 || again.used[key(1)] != 1 || again.OnLink(key(2), key(3)) != 2 {
		t.Errorf("%v, %v", got, again.used)
	}
	if err := again.Close(t.Context(), key(1), r.Key); err != nil {
		t.Error(err)
	}
	again.Vanished(key(8))
	if len(again.used)+len(again.onLink)+len(again.passes) != 0 {
		t.Errorf("left: %v %v %v", again.used, again.onLink, again.passes)
	}
}

func TestRecallHasAQuota(t *testing.T) {
	tab := newTable(t, &fakeNodes{})
	for i := range 4 {
		r, _, err := tab.draw([]identity.PubKey{key(1), key(2)})
		if err != nil {
			t.Fatal(err)
		}
		if err := tab.Recall(key(1), r, time.Now()); (control.CodeOf(err) == control.CodeQuota) != (i == 3) {
			t.Errorf("recall %d: %v", i, err)
		}
	}
}

// TestOddNodes: one that answers late, one that answers another thing the second time, one that never answers. What was
// installed is taken back, and nothing stays counted.
func TestOddNodes(t *testing.T) {
	short := func(t *testing.T) (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), 50*time.Millisecond)
	}
	t.Run("never", func(t *testing.T) {
		f := &fakeNodes{install: func(ctx context.Context, h control.Hop) error {
			if h.Node == key(3) {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		tab := newTable(t, f)
		ctx, cancel := short(t)
		defer cancel()
		if _, err := tab.Open(ctx, key(1), control.RouteRequest{Dst: key(4)}); control.CodeOf(err) != control.CodeUnavailable {
			t.Errorf("%v", err)
		}
		nothingLeft(t, tab, f)
	})
	t.Run("late", func(t *testing.T) {
		// Its rule is placed after the asker gave up; the removal comes behind it, as on one connection.
		placed := make(chan struct{})
		f := &lateNodes{late: key(3), placed: placed}
		tab := newTable(t, &f.fakeNodes)
		tab.cfg.Nodes = f
		ctx, cancel := short(t)
		defer cancel()
		if _, err := tab.Open(ctx, key(1), control.RouteRequest{Dst: key(4)}); control.CodeOf(err) != control.CodeUnavailable {
			t.Errorf("%v", err)
		}
		close(placed)
		nothingLeft(t, tab, &f.fakeNodes)
	})
	t.Run("twice", func(t *testing.T) {
		var mu sync.Mutex
		asked := map[identity.PubKey]int{}
		f := &fakeNodes{install: func(_ context.Context, h control.Hop) error {
			mu.Lock()
			defer mu.Unlock()
			asked[h.Node]++
			if h.Node == key(3) && asked[h.Node] == 1 {
				return &control.Error{Code: control.CodeCollision}
			}
			if h.Node == key(3) {
				return errors.New("not again")
			}
			return nil
		}}
		tab := newTable(t, f)
		if _, err := tab.Open(t.Context(), key(1), control.RouteRequest{Dst: key(4)}); control.CodeOf(err) != control.CodeUnavailable {
			t.Errorf("%v", err)
		}
		nothingLeft(t, tab, f)
	})
}

func nothingLeft(t *testing.T, tab *Table, f *fakeNodes) {
	t.Helper()
	tab.Wait()
	if n := f.count(); n != 0 || len(tab.routes)+len(tab.used)+len(tab.onLink)+len(tab.passes)+len(tab.epoch) != 0 {
		t.Errorf("left: %d rules, %v %v %v", n, tab.routes, tab.used, tab.onLink)
	}
}

// lateNodes carries out what one node is asked in order, but only when placed is closed.
type lateNodes struct {
	fakeNodes
	late   identity.PubKey
	placed chan struct{}
}

func (f *lateNodes) Install(ctx context.Context, h control.Hop) error {
	if h.Node == f.late {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.fakeNodes.Install(ctx, h)
}

func (f *lateNodes) Remove(ctx context.Context, node identity.PubKey, r control.RouteKey) error {
	if node == f.late {
		<-f.placed
		f.fakeNodes.Install(ctx, control.Hop{Node: node, Route: r})
	}
	return f.fakeNodes.Remove(ctx, node, r)
}
