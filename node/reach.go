package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/session"
)

// Patience of what people ask for: all of it ends within the 30 s that the console waits.
const (
	reachTime = 15 * time.Second // for a route and a session, the handshake's 10 s included
	pongTime  = 3 * time.Second  // for one answer
	pingPause = 100 * time.Millisecond
	// MaxPings is the most that one Ping sends, and tracePings what Trace sends to each node.
	MaxPings   = 50
	pingsTime  = 10 * time.Second // for all of them
	tracePings = 3
)

// RoundTrips is what some PINGs over a session found.
type RoundTrips struct {
	Peer          identity.PubKey
	Found         time.Duration // how long it took to find a route and greet the far node; 0: a session was there
	Sent, Lost    int
	Min, Avg, Max time.Duration     // of those that were answered
	Path          []identity.PubKey // of the route in use, ends included; nil where the far node had it laid
}

// add counts one answer.
func (r *RoundTrips) add(d time.Duration) {
	n := time.Duration(r.Sent - r.Lost) // this one included
	if n == 1 {
		r.Min, r.Max = d, d
	}
	r.Min, r.Max = min(r.Min, d), max(r.Max, d)
	r.Avg += (d - r.Avg) / n
}

// Ping measures the round trip to a node, end to end over a session, count times (1 to MaxPings), one after the other. It
// makes a session where there is none, and blocks for 25 s at most. Answers that do not come count as lost; an error
// is that there was no session.
func (n *Node) Ping(ctx context.Context, peer identity.PubKey, count int) (RoundTrips, error) {
	s, took, err := n.reach(ctx, peer, false)
	if err != nil {
		return RoundTrips{Peer: peer}, err
	}
	r := roundTrips(ctx, s, count)
	r.Found = took
	return r, nil
}

// roundTrips pings over a session, for 10 s at most.
func roundTrips(ctx context.Context, s *session.Session, count int) RoundTrips {
	ctx, cancel := context.WithTimeout(ctx, pingsTime)
	defer cancel()
	r := RoundTrips{Peer: s.Remote()}
	for i := range min(max(count, 1), MaxPings) {
		if i > 0 {
			select {
			case <-ctx.Done():
			case <-s.Done():
			case <-time.After(pingPause):
			}
		}
		if ctx.Err() != nil || s.Err() != nil {
			break
		}
		r.Sent++
		one, stop := context.WithTimeout(ctx, pongTime)
		d, err := s.Ping(one)
		stop()
		if err != nil {
			r.Lost++
			continue
		}
		r.add(d)
	}
	r.Path = pathInUse(s.Info())
	return r
}

// pathInUse are the nodes of a session's active path, nil where they are not known.
func pathInUse(i session.Info) []identity.PubKey {
	for _, p := range i.Paths {
		if p.State == "active" || p.State == "silent" {
			return p.Nodes
		}
	}
	return nil
}

// reach returns a session to a node and how long it took to make it; own: one whose route we asked for. An error is
// the one nearest to the cause.
func (n *Node) reach(ctx context.Context, peer identity.PubKey, own bool) (*session.Session, time.Duration, error) {
	if s := n.sessions.Standing(peer, n.mesh().terms); s != nil && (s.Initiator() || !own) {
		return s, 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	began := time.Now()
	s, err := n.sessions.Connect(ctx, peer, n.mesh().terms, own)
	took := time.Since(began)
	if err == nil {
		return s, max(took, 1), nil
	}
	if past := n.sessions.With(peer, n.mesh().terms); past.Err != nil && !past.Ended.Before(began) {
		err = past.Err
	} else if errors.Is(err, context.DeadlineExceeded) {
		err = &slow{took, n.manager.Status().Connected}
	}
	return nil, took, err
}

// Hop is one node of a path.
type Hop struct {
	Node identity.PubKey
	RoundTrips
	// Apart: the measurement went another way than along the path, over RoundTrips.Path.
	Apart bool
	Err   error // why it could not be measured
}

// Trace lists the nodes of the path in use to a node, ours first, each with its round trip from here, which a session of its own
// measures: a node on the way answers for itself. It makes sessions where there are none and blocks for 25 s at most.
func (n *Node) Trace(ctx context.Context, peer identity.PubKey) ([]Hop, error) {
	s, _, err := n.reach(ctx, peer, true)
	if err != nil {
		return nil, err
	}
	path := pathInUse(s.Info())
	hops := []Hop{{Node: n.cfg.Key.Public()}}
	if peer == n.cfg.Key.Public() {
		return hops, nil
	}
	if len(path) == 0 {
		return nil, errors.New("the session has no route at the moment")
	}
	for _, k := range path[1:] {
		hops = append(hops, Hop{Node: k})
	}
	ctx, cancel := context.WithTimeout(ctx, pingsTime)
	defer cancel()
	var asking sync.WaitGroup
	for i := range hops[1:] {
		h := &hops[i+1]
		asking.Go(func() { n.measure(ctx, h, path[:i+2]) })
	}
	asking.Wait()
	return hops, nil
}

// measure pings a node of a path, whose nodes up to that one are given.
func (n *Node) measure(ctx context.Context, h *Hop, along []identity.PubKey) {
	s, _, err := n.reach(ctx, h.Node, false)
	if err != nil {
		h.Err = err
		return
	}
	h.RoundTrips = roundTrips(ctx, s, tracePings)
	h.Apart = h.Path != nil && !slices.Equal(h.Path, along)
}
