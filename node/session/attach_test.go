package session

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// counted is the end of a route that counts how often it is closed.
type counted struct{ closed atomic.Int32 }

func (*counted) Number() wire.RouteID { return 1 }
func (*counted) Send([]byte)          {}
func (*counted) SendKept([]byte)      {}
func (c *counted) Close()             { c.closed.Add(1) }

// TestRouteEndsWhileItIsAttached: a link may close between the laying of a route and the moment when its path gets it. Whoever comes
// first, the route is given back, and who had it laid hears of it once.
func TestRouteEndsWhileItIsAttached(t *testing.T) {
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Int32
	h := NewHost(Config{Key: k, Over: func(forward.Key, bool) { over.Add(1) }})
	defer h.Close()
	begin := func(n int) (*Path, *counted) {
		over.Store(0)
		p, err := h.New(identity.PubKey{2}, forward.Key{byte(n >> 8), byte(n), 1}, true)
		if err != nil {
			t.Fatal(err)
		}
		return p, new(counted)
	}
	p, e := begin(0)
	p.Down(forward.ReasonLink)
	if over.Load() != 0 {
		t.Error("told of the end of a path that never was")
	}
	h.attach(t.Context(), p, e)
	if over.Load() != 1 || e.closed.Load() != 1 {
		t.Errorf("told %d times, closed %d times", over.Load(), e.closed.Load())
	}
	for n := range 200 {
		p, e := begin(n + 1)
		var both sync.WaitGroup
		both.Go(func() { p.Down(forward.ReasonLink) })
		both.Go(func() { h.attach(t.Context(), p, e) })
		both.Wait()
		if over.Load() != 1 || e.closed.Load() > 1 || h.Path(p.key) != nil {
			t.Fatalf("round %d: told %d times, closed %d times", n, over.Load(), e.closed.Load())
		}
	}
}
