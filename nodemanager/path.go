package nodemanager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/setup"
	"github.com/skycoin/viscript/nodemanager/topology"
)

// A route moves when another path costs at most so many hundredths of its own. Both leave room for figures that come and go:
// a route that moved moves back only when the figures have changed by as much again.
const (
	moveAt = 70 // when its source asks
	hintAt = 50 // for the manager to tell its source
)

// path finds a path for setup, a bounded number of them at a time.
func (m *Manager) path(ctx context.Context, src identity.PubKey, q control.RouteRequest, full []setup.Link) ([]identity.PubKey, error) {
	select {
	case m.cores <- struct{}{}:
		defer func() { <-m.cores }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	path, err := m.shortest(src, q, full)
	if err != nil || len(q.Instead) == 0 {
		return path, err
	}
	if q.Instead[0] != src || q.Instead[len(q.Instead)-1] != q.Dst {
		return nil, control.Errorf(control.CodeBadRequest, "a route instead of one between others")
	}
	if !m.better(q, path, q.Instead, moveAt) {
		return nil, &control.Error{Code: control.CodeNoBetter}
	}
	return path, nil
}

// shortest is path without the wait.
func (m *Manager) shortest(src identity.PubKey, q control.RouteRequest, full []setup.Link) ([]identity.PubKey, error) {
	path, err := m.links.Path(query(src, q, full))
	return path, m.reason(q, err)
}

func query(src identity.PubKey, q control.RouteRequest, full []setup.Link) topology.Query {
	return topology.Query{
		Src: src, Dst: q.Dst, MinHops: int(q.MinHops), MaxHops: int(q.MaxHops), Via: q.Via, Avoid: q.Avoid, Beside: q.Beside, Without: full,
	}
}

// reason is an error of topology in the protocol's words.
func (m *Manager) reason(q control.RouteRequest, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, kind := range []error{topology.ErrQuery, topology.ErrUnknown, topology.ErrNoPath} { // the code says that
		text = strings.TrimPrefix(text, kind.Error()+": ")
	}
	switch {
	case errors.Is(err, topology.ErrQuery):
		return control.Errorf(control.CodeBadRequest, "%s", text)
	case errors.Is(err, topology.ErrUnknown) && !m.knows(append(slices.Clone(q.Via), q.Dst)):
		return control.Errorf(control.CodeUnknownKey, "%s", text)
	default:
		return control.Errorf(control.CodeNoRoute, "%s", text)
	}
}

func (m *Manager) knows(keys []identity.PubKey) bool {
	for _, k := range keys {
		if _, live := m.book.Get(k); !live {
			return false
		}
	}
	return true
}

// better reports whether path is worth leaving old for: old is broken or breaks the conditions of q, path shares less with
// q.Beside, or as little and costs at most percent hundredths of what old costs now.
func (m *Manager) better(q control.RouteRequest, path, old []identity.PubKey, percent time.Duration) bool {
	now, whole := m.links.Cost(old)
	if !whole || !fits(q, old) {
		return true
	}
	if slices.Equal(path, old) {
		return false
	}
	if c := slices.Compare(shared(q.Beside, path), shared(q.Beside, old)); c != 0 {
		return c < 0
	}
	cost, ok := m.links.Cost(path)
	return ok && cost*100 <= now*percent
}

// fits reports whether a path meets the conditions of a request.
func fits(q control.RouteRequest, path []identity.PubKey) bool {
	n := len(path) - 1
	if n < int(q.MinHops) || q.MaxHops > 0 && n > int(q.MaxHops) {
		return false
	}
	var met []identity.PubKey
	for _, k := range path {
		if slices.Contains(q.Avoid, k) {
			return false
		}
		if slices.Contains(q.Via, k) {
			met = append(met, k)
		}
	}
	return slices.Equal(met, q.Via)
}

// shared counts the inner nodes and the links that a path has in common with another.
func shared(other, path []identity.PubKey) []int {
	nodes, links := 0, 0
	for i, k := range path {
		at := slices.Index(other, k)
		if at < 0 {
			continue
		}
		if i > 0 && i < len(path)-1 {
			nodes++
		}
		if i > 0 && (at > 0 && other[at-1] == path[i-1] || at+1 < len(other) && other[at+1] == path[i-1]) {
			links++
		}
	}
	return []int{nodes, links}
}
