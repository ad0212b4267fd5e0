package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

// Cause is what is in the way to a node, or that nothing is. Append-only: scripts read it.
type Cause string

// The causes.
const (
	CauseNone        Cause = "reachable"
	CauseSelf        Cause = "self"              // it is this very node
	CauseSilent      Cause = "silent"            // the session's route does not answer, and there is no other yet
	CauseManagerAway Cause = "manager-away"      // no connection to the node manager, and no session
	CauseUnknown     Cause = "unknown-key"       // the node manager knows no live node of that key
	CauseNotMember   Cause = "not-a-member"      // the network is closed to one of the two
	CauseNoLinks     Cause = "no-links"          // this node has no link to anybody
	CauseNoPath      Cause = "no-path"           // the node manager finds no path
	CauseFirstLink   Cause = "link-down"         // the link to the path's first node is down
	CauseRefused     Cause = "refused"           // a node on the path refused the route
	CauseNodeAway    Cause = "node-away"         // a node on the path is not connected to the manager
	CauseGreeting    Cause = "handshake-timeout" // the route is there, but the far node did not greet in time
	CauseGreetFailed Cause = "handshake-failed"  // it greeted wrongly, or the route broke meanwhile
	CauseBusy        Cause = "busy"              // a limit is reached
	CauseBroke       Cause = "route-broke"       // the route or the session was lost
	CauseSlow        Cause = "timeout"           // nobody said why
	CauseOther       Cause = "failed"
)

// Diagnosis is what this node can tell of its way to another one.
type Diagnosis struct {
	Peer    identity.PubKey
	Cause   Cause
	Err     error            // of Cause, nearest to its origin; nil where there is nothing to say
	Node    string           // whom Err blames, in short form: the node that refused, or the neighbour without a link
	Manager control.Status   // of the connection to it
	Links   int              // that are up
	Down    []link.PeerInfo  // neighbours that should be, but are not
	With    session.Relation // as far as the node's own terms go
	Apart   []Apart          // the same for other terms that apps asked for
	RTT     time.Duration    // just measured; 0: no answer
}

// Apart is how a node stands with another one as far as some terms of routes go.
type Apart struct {
	Terms session.Terms
	With  session.Relation
}

// slow is the error of what took too long, where nobody said more.
type slow struct {
	took  time.Duration
	asked bool // the manager is connected
}

func (e *slow) Error() string {
	if !e.asked {
		return fmt.Sprintf("no route after %s: the node manager is away", e.took.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("no session after %s", e.took.Round(100*time.Millisecond))
}

// Unwrap makes it a deadline.
func (e *slow) Unwrap() error { return context.DeadlineExceeded }

// Diagnose finds out why there is, or is not, a way to a node. Where there is no session it tries to make one, unless
// the reason why that must fail is known already. It blocks for 25 s at most.
func (n *Node) Diagnose(ctx context.Context, peer identity.PubKey) Diagnosis {
	d := Diagnosis{Peer: peer}
	if peer == n.cfg.Key.Public() {
		d.Cause = CauseSelf
	} else {
		d.Cause, d.Err = n.seek(ctx, peer, &d)
	}
	d.Manager, d.With, d.Links = n.manager.Status(), n.sessions.With(peer, n.mesh().terms), len(n.links.Links())
	for _, t := range n.sessions.Terms(peer) {
		if t != n.mesh().terms {
			d.Apart = append(d.Apart, Apart{t, n.sessions.With(peer, t)})
		}
	}
	for _, p := range n.links.Peers() {
		if !p.Up {
			d.Down = append(d.Down, p)
		}
	}
	if c, node := n.blames(d.Err); node != "" {
		d.Node = node
		if c != "" && d.Cause == CauseRefused {
			d.Cause = c
		}
	}
	return d
}

// seek tries to reach a node.
func (n *Node) seek(ctx context.Context, peer identity.PubKey, d *Diagnosis) (Cause, error) {
	if s := n.sessions.Standing(peer, n.mesh().terms); s != nil {
		return n.alive(ctx, s, d)
	}
	m := n.manager.Status()
	if !m.Connected {
		var err error
		if m.LastError != "" {
			err = errors.New(m.LastError)
		}
		return CauseManagerAway, err
	}
	asking, cancel := context.WithTimeout(ctx, pongTime)
	name, err := n.manager.NodeName(asking, peer)
	cancel()
	if err == nil {
		n.names.put(peer, name, time.Now())
	}
	if control.CodeOf(err) == control.CodeUnknownKey {
		return CauseUnknown, err
	}
	if len(n.links.Links()) == 0 {
		return CauseNoLinks, nil
	}
	s, _, err := n.reach(ctx, peer, false)
	if err != nil {
		return causeOf(err), err
	}
	return n.alive(ctx, s, d)
}

// alive asks the far node of a session for a sign of life.
func (n *Node) alive(ctx context.Context, s *session.Session, d *Diagnosis) (Cause, error) {
	ctx, cancel := context.WithTimeout(ctx, pongTime)
	defer cancel()
	var err error
	if d.RTT, err = s.Ping(ctx); err == nil {
		return CauseNone, nil
	}
	if s.Err() != nil {
		return CauseBroke, err
	}
	if i := s.Info(); i.Outage != "" {
		return CauseSilent, errors.New(i.Outage)
	}
	return CauseSilent, fmt.Errorf("no answer for %s", pongTime)
}

// causeOf reads why a session could not be made.
func causeOf(err error) Cause {
	late := errors.Is(err, context.DeadlineExceeded)
	switch control.CodeOf(err) {
	case 0:
	case control.CodeUnknownKey, control.CodeUnknownName:
		return CauseUnknown
	case control.CodeNotMember:
		return CauseNotMember
	case control.CodeNoRoute:
		return CauseNoPath
	case control.CodeRefused:
		return CauseRefused
	case control.CodeBusy, control.CodeQuota:
		return CauseBusy
	case control.CodeUnavailable:
		if late {
			return CauseManagerAway
		}
		return CauseNodeAway
	default:
		return CauseOther
	}
	var r *wire.Refused
	switch {
	case errors.Is(err, session.ErrGreeting) && late:
		return CauseGreeting
	case errors.Is(err, session.ErrGreeting):
		return CauseGreetFailed
	case errors.Is(err, session.ErrFull):
		return CauseBusy
	case late:
		return CauseSlow
	case errors.As(err, &r) && r.Code == wire.CodeNoRoute:
		return CauseNoPath
	case errors.As(err, &r) && r.Code == wire.CodeBusy:
		return CauseBusy
	case errors.As(err, &r) && r.Code == wire.CodeGone:
		return CauseBroke
	}
	return CauseOther
}

// blames reads which node a refusal of the manager names, "node SHORT: REASON"; where that is ourselves and the reason
// is a neighbour without a link, it is the neighbour, and the cause is that link.
func (n *Node) blames(err error) (Cause, string) {
	var e *control.Error
	if !errors.As(err, &e) {
		return "", ""
	}
	return blames(e.Text, n.cfg.Key.Public().Short())
}

func blames(text, us string) (Cause, string) {
	node, why, ok := strings.Cut(strings.TrimPrefix(text, "node "), ": ")
	if !ok || len(node) != shortLen || !strings.HasPrefix(text, "node ") {
		return "", ""
	}
	if _, far, ok := strings.Cut(why, noLink); ok && node == us && len(far) == shortLen {
		return CauseFirstLink, far
	}
	return "", node
}

// noLink precedes a neighbour's short key in the refusal of a route that we cannot lay.
const noLink = "no link to "

// Finding lists the nodes to whom a session is being made, and since when.
func (n *Node) Finding() map[identity.PubKey]time.Time { return n.sessions.Finding() }

// Peers lists the neighbours that this node keeps links to, and why some of them have none.
func (n *Node) Peers() []link.PeerInfo { return n.links.Peers() }
