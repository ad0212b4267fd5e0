package nodemanager

import (
	"context"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/setup"
)

// How routes in place are watched.
const (
	lookEvery    = time.Second
	hintEvery    = 10 * time.Second // at most, for one route
	goneFor      = 2 * time.Second  // a link that both its nodes no longer report
	awayFor      = 15 * time.Second // a link of which a node is not connected to us, as while it or we start anew
	pathsPerLook = 16               // paths computed for comparison, some 3 ms each in a network of 10,000 nodes
	hintsPerLook = 256
)

// watch notices routes that should move. Its methods are called by one goroutine.
type watch struct {
	links   picture
	better  func(r setup.Info) bool // another path is so much better that its source should know
	watched map[control.RouteKey]*watched
	next    int // where the comparing in turn goes on
}

// picture is what watch needs of the topology.
type picture interface {
	Cost(path []identity.PubKey) (time.Duration, bool)
	Missing(path []identity.PubKey) (a, b identity.PubKey, missing bool)
	Has(node identity.PubKey) bool
}

// watched is what is known of one route.
type watched struct {
	base    time.Duration // the least it has cost
	gone    time.Time     // since when a link is missing; zero: none is
	suspect bool          // another path was better at the last comparison
	hinted  time.Time
}

// hint is that a route should move.
type hint struct {
	src identity.PubKey
	control.Reroute
}

// look judges the routes that are in place, in an order that stays, and returns the hints that are due.
func (w *watch) look(now time.Time, routes []setup.Info) (hints []hint) {
	seen := make(map[control.RouteKey]*watched, len(routes))
	left := pathsPerLook
	for i, r := range routes {
		s := w.watched[r.Key]
		if s == nil {
			s = &watched{}
		}
		seen[r.Key] = s
		compare := (i == w.next || s.suspect) && left > 0
		if compare {
			left--
		}
		if compare && i == w.next {
			w.next++
		}
		reason := w.judge(s, r, now, compare)
		if reason != 0 && now.Sub(s.hinted) >= hintEvery && len(hints) < hintsPerLook {
			s.hinted = now
			hints = append(hints, hint{r.Path[0], control.Reroute{Route: r.Key, Reason: reason}})
		}
	}
	if w.next >= len(routes) {
		w.next = 0
	}
	w.watched = seen
	return hints
}

// judge says why a route should move, 0 when it should not. A path is computed only if compare, or where the route has become
// dearer; another one must be better at two looks in a row.
func (w *watch) judge(s *watched, r setup.Info, now time.Time, compare bool) control.Reason {
	cost, whole := w.links.Cost(r.Path)
	if !whole {
		s.suspect = false
		return w.broken(s, r, now)
	}
	s.gone = time.Time{}
	if s.base == 0 || cost < s.base {
		s.base = cost
	}
	if r.Asked.Dst.IsZero() || !compare { // what a recalled route was asked to be is not known
		s.suspect = s.suspect || cost*hintAt >= s.base*100
		return 0
	}
	before := s.suspect
	s.suspect = w.better(r)
	if !s.suspect {
		s.base = cost // as good as it gets
	}
	if s.suspect && before {
		return control.ReasonBetter
	}
	return 0
}

func (w *watch) broken(s *watched, r setup.Info, now time.Time) control.Reason {
	if s.gone.IsZero() {
		s.gone = now
	}
	patience := goneFor
	if a, b, missing := w.links.Missing(r.Path); missing && !(w.links.Has(a) && w.links.Has(b)) {
		patience = awayFor
	}
	if now.Sub(s.gone) < patience {
		return 0
	}
	return control.ReasonBroken
}

// watchRoutes tells the sources of routes when these should move, until ctx ends.
func (m *Manager) watchRoutes(ctx context.Context) {
	w := watch{links: m.links, better: func(r setup.Info) bool { return m.dearer(ctx, r) }}
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, h := range w.look(time.Now(), m.routes.Routes()) {
			wg.Go(func() { m.hint(ctx, h) })
		}
	}
}

// dearer reports whether a route costs twice what its source could have instead.
func (m *Manager) dearer(ctx context.Context, r setup.Info) bool {
	q := r.Asked
	q.Instead = nil
	path, err := m.path(ctx, r.Path[0], q, nil)
	return err == nil && m.better(q, path, r.Path, hintAt)
}

// hint tells one source.
func (m *Manager) hint(ctx context.Context, h hint) {
	who, ok := m.member(h.src)
	if !ok {
		return
	}
	m.cfg.Log.Debug("a route should move", "route", h.Route.String(), "peer", h.src.Short(), "reason", h.Reason.String())
	if _, err := who.peer.Call(ctx, control.TypeReroute, h.Append(nil)); err != nil {
		m.cfg.Log.Debug("its source was not told", "route", h.Route.String(), "err", err)
	}
}
