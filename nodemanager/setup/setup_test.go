package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeNodes keep the rules of a whole network in memory.
type fakeNodes struct {
	mu      sync.Mutex // guards the following
	rules   map[identity.PubKey]map[control.RouteKey]control.Hop
	install func(ctx context.Context, h control.Hop) error // nil: all succeed
}

func (f *fakeNodes) Install(ctx context.Context, h control.Hop) error {
	if f.install != nil {
		if err := f.install(ctx, h); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rules[h.Node] == nil {
		f.rules[h.Node] = make(map[control.RouteKey]control.Hop)
	}
	f.rules[h.Node][h.Route] = h
	return nil
}

func (f *fakeNodes) Remove(_ context.Context, node identity.PubKey, r control.RouteKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rules[node], r)
	return nil
}

func (f *fakeNodes) count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rules := range f.rules {
		n += len(rules)
	}
	return n
}

func key(i int) identity.PubKey { return identity.PubKey{2, byte(i)} }

// newTable makes a table over a line of four nodes, 1 to 4.
func newTable(t *testing.T, f *fakeNodes) *Table {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	f.rules = make(map[identity.PubKey]map[control.RouteKey]control.Hop)
	tab := New(Config{Key: k, Network: "net", Quota: 3, Nodes: f, PerLink: 5, Path: func(_ context.Context, src identity.PubKey, q control.RouteRequest, full []Link) ([]identity.PubKey, error) {
		if q.Dst == key(9) {
			return nil, &control.Error{Code: control.CodeNoRoute}
		}
		middle := key(3)
		for _, l := range full {
			if l == linkOf(key(2), key(3)) {
				middle = key(5)
			}
			if l == linkOf(key(2), key(5)) {
				return nil, &control.Error{Code: control.CodeNoRoute}
			}
		}
		return []identity.PubKey{src, key(2), middle, q.Dst}, nil
	}})
	t.Cleanup(tab.Wait)
	return tab
}

func TestQuota(t *testing.T) {
	f := &fakeNodes{}
	tab := newTable(t, f)
	q := control.RouteRequest{Dst: key(4)}
	var last control.Route
	for range 3 {
		r, err := tab.Open(t.Context(), key(1), q)
		if err != nil {
			t.Fatal(err)
		}
		last = r
	}
	if _, err := tab.Open(t.Context(), key(1), q); control.CodeOf(err) != control.CodeQuota {
		t.Errorf("a fourth: %v", err)
	}
	if _, err := tab.Open(t.Context(), key(7), q); err != nil {
		t.Errorf("another source: %v", err)
	}
	if err := tab.Close(t.Context(), key(1), last.Key); err != nil {
		t.Fatal(err)
	}
	// Failures give their place back.
	for range 5 {
		if _, err := tab.Open(t.Context(), key(1), control.RouteRequest{Dst: key(9)}); control.CodeOf(err) != control.CodeNoRoute {
			t.Errorf("%v", err)
		}
	}
	if _, err := tab.Open(t.Context(), key(1), q); err != nil {
		t.Errorf("after closing one: %v", err)
	}
	if got := len(tab.Routes()); got != 4 {
		t.Errorf("%d routes", got)
	}
	tab.Vanished(key(2))
	if len(tab.Routes()) != 0 || len(tab.used) != 0 || len(tab.passes) != 0 || len(tab.onLink) != 0 {
		t.Errorf("left: %v %v %v", tab.routes, tab.used, tab.passes)
	}
}

// TestHopsAreSigned: each part verifies under the manager's key, and the numbers of both
// ends of a link agree.
func TestHopsAreSigned(t *testing.T) {
	tab := newTable(t, &fakeNodes{})
	for range 20 {
		nodes := make([]identity.PubKey, 5)
		for i := range nodes {
			k, err := identity.Generate()
			if err != nil {
				t.Fatal(err)
			}
			nodes[i] = k.Public()
		}
		_, hops, err := tab.draw(nodes)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range hops {
			if err := h.Verify("net", tab.cfg.Key.Public()); err != nil {
				t.Fatalf("hop %d: %v", i, err)
			}
			if i > 0 && (hops[i-1].NextOut != h.PrevIn || hops[i-1].NextIn != h.PrevOut) {
				t.Fatalf("link %d does not fit", i)
			}
		}
	}
}

func TestZeroIsNoNumber(t *testing.T) {
	var a, b control.Hop
	link(&a, &b, make([]byte, 8))
	if a.NextOut != 1 || a.NextIn != 1 || b.PrevIn != 1 || b.PrevOut != 1 {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestVerdict(t *testing.T) {
	hops := make([]control.Hop, 3)
	collision, refused := &control.Error{Code: control.CodeCollision}, &control.Error{Code: control.CodeQuota}
	for name, tt := range map[string]struct {
		errs []error
		want control.Code
	}{
		"none":                  {[]error{nil, nil, nil}, 0},
		"collision and others":  {[]error{context.Canceled, collision, context.Canceled}, control.CodeCollision},
		"refusal wins":          {[]error{collision, refused, nil}, control.CodeRefused},
		"refusal wins, earlier": {[]error{refused, collision, nil}, control.CodeRefused},
		"unreachable":           {[]error{nil, context.DeadlineExceeded, context.Canceled}, control.CodeUnavailable},
		"connection lost":       {[]error{nil, nil, control.ErrClosed}, control.CodeUnavailable},
	} {
		if got := control.CodeOf(verdict(hops, tt.errs)); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if err := verdict(hops, []error{nil, context.Canceled, nil}); !errors.Is(err, context.Canceled) {
		t.Errorf("the asker went away: %v", err)
	}
}

func TestAskerGoesAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeNodes{install: func(context.Context, control.Hop) error { cancel(); return nil }}
	tab := newTable(t, f)
	if r, err := tab.Open(ctx, key(1), control.RouteRequest{Dst: key(4)}); err == nil {
		t.Fatalf("laid %v for nobody", r)
	}
	tab.Wait()
	if f.count() != 0 || len(tab.Routes()) != 0 {
		t.Errorf("%d rules, %v", f.count(), tab.Routes())
	}
}

// TestNodeRestartsMeanwhile: its part is lost between its answer and the end of the set-up.
func TestNodeRestartsMeanwhile(t *testing.T) {
	f := &fakeNodes{}
	tab := newTable(t, f)
	f.install = func(ctx context.Context, h control.Hop) error {
		if h.Node == key(3) {
			tab.Restarted(ctx, key(2))
		}
		return nil
	}
	_, err := tab.Open(t.Context(), key(1), control.RouteRequest{Dst: key(4)})
	if control.CodeOf(err) != control.CodeUnavailable {
		t.Fatalf("%v", err)
	}
	tab.Wait()
	if f.count() != 0 || len(tab.epoch) != 0 || len(tab.used) != 0 {
		t.Errorf("left: %d rules, %v, %v", f.count(), tab.epoch, tab.used)
	}
}

// TestOneRefusalCancelsTheOthers: a node that hangs does not make the others wait when the
// route has failed anyway.
func TestOneRefusalCancelsTheOthers(t *testing.T) {
	f := &fakeNodes{install: func(ctx context.Context, h control.Hop) error {
		if h.Node == key(4) {
			return control.Errorf(control.CodeRefused, "no")
		}
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("node %v waited until %v", h.Node, ctx.Err())
		}
		return ctx.Err()
	}}
	tab := newTable(t, f)
	if _, err := tab.Open(t.Context(), key(1), control.RouteRequest{Dst: key(4)}); control.CodeOf(err) != control.CodeRefused {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	f := &fakeNodes{}
	tab := newTable(t, f)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			src := key(20 + i)
			for range 20 {
				r, err := tab.Open(t.Context(), src, control.RouteRequest{Dst: key(4)})
				if err != nil && control.CodeOf(err) != control.CodeUnavailable {
					t.Error(err)
					return
				}
				if err == nil && !slices.Contains(r.Path, src) {
					t.Error("path")
				}
				if i == 0 {
					tab.Restarted(t.Context(), key(3))
				}
				if err == nil {
					tab.Close(t.Context(), src, r.Key)
				}
			}
		})
	}
	wg.Wait()
	tab.Wait()
	if f.count() > 0 || len(tab.routes)+len(tab.used)+len(tab.passes)+len(tab.epoch) > 0 {
		// Restarted tells everybody but the restarted node, whose rules the fake keeps.
		f.mu.Lock()
		delete(f.rules, key(3))
		f.mu.Unlock()
		if f.count() > 0 {
			t.Error(fmt.Sprint("left: ", f.count(), tab.routes, tab.used, tab.passes, tab.epoch))
		}
	}
}
