package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

// closeRouteTimeout bounds telling the manager that a route is not needed any more.
const closeRouteTimeout = 10 * time.Second

// handler carries out what the manager asks; it implements control.Handler.
type handler struct{ n *Node }

// Install lays our part of a route. The client has verified that the manager signed it for us.
func (h handler) Install(ctx context.Context, hop control.Hop) error {
	n := h.n
	spec := forward.Route{Key: forward.Key(hop.Route), Src: hop.Src, Dst: hop.Dst, Idle: hop.Idle}
	var err error
	if spec.Prev, err = n.side(hop.Prev, hop.PrevIn, hop.PrevOut); err != nil {
		return err
	}
	if spec.Next, err = n.side(hop.Next, hop.NextIn, hop.NextOut); err != nil {
		return err
	}
	if !hop.Prev.IsZero() && !hop.Next.IsZero() {
		_, err = n.table.Install(spec)
		return refusal(err)
	}
	return n.installEnd(ctx, hop, spec)
}

// installEnd lays a route that begins or ends here, with a path for a session on top.
func (n *Node) installEnd(ctx context.Context, hop control.Hop, spec forward.Route) error {
	initiator := hop.Prev.IsZero()
	remote := hop.Src
	if initiator {
		remote = hop.Dst
	}
	p, err := n.sessions.New(remote, spec.Key, initiator)
	if err != nil {
		return control.Errorf(control.CodeQuota, "%s", err)
	}
	spec.Upper = p
	end, err := n.table.Install(spec)
	if err != nil {
		n.sessions.Abandon(p)
		return refusal(err)
	}
	n.sessions.Attach(ctx, p, end)
	return nil
}

// side is one neighbour of a hop; no key, no side.
func (n *Node) side(peer identity.PubKey, in, out wire.RouteID) (forward.Side, error) {
	if peer.IsZero() {
		return forward.Side{}, nil
	}
	l := n.links.Link(peer)
	if l == nil {
		return forward.Side{}, control.Errorf(control.CodeNoRoute, noLink+"%s", peer.Short())
	}
	return forward.Side{Link: l, In: in, Out: out}, nil
}

// refusal is what the manager gets for an error of the table.
func refusal(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, forward.ErrCollision):
		return control.Errorf(control.CodeCollision, "%s", err)
	case errors.Is(err, forward.ErrFull):
		return control.Errorf(control.CodeQuota, "%s", err)
	}
	return control.Errorf(control.CodeNoRoute, "%s", err)
}

// Remove takes a route back.
func (h handler) Remove(_ context.Context, r control.RouteKey) { h.n.table.Remove(forward.Key(r)) }

// Reroute is the manager's hint that a route which begins here should move.
func (h handler) Reroute(_ context.Context, r control.RouteKey) {
	h.n.log.Debug("a route should move", "route", r.String())
	h.n.sessions.Improve(forward.Key(r))
}

// Neighbours replaces the neighbours that the manager names.
func (h handler) Neighbours(_ context.Context, list []control.Neighbour) {
	if !h.n.cfg.Connect {
		return
	}
	peers := make([]link.Peer, len(list))
	for i, p := range list {
		peers[i] = link.Peer{Key: p.Key, Addrs: p.Addrs}
	}
	h.n.setNamed(peers)
}

// lay has the manager lay a route and returns the path at its end; it is session.Config.Lay.
func (n *Node) lay(ctx context.Context, want session.Want) (session.Laid, error) {
	terms, err := route.Parse(string(want.Terms))
	if err != nil {
		return session.Laid{}, err
	}
	q, err := routeRequest(terms, want)
	if err != nil {
		return session.Laid{}, err
	}
	laid, err := n.manager.Route(ctx, q)
	switch {
	case control.CodeOf(err) == control.CodeNoBetter:
		return session.Laid{}, session.ErrNoBetter
	case err != nil:
		return session.Laid{}, refused(err, "the node manager did not answer: no route")
	}
	p := n.sessions.Path(forward.Key(laid.Key))
	if p == nil {
		return session.Laid{}, &wire.Refused{Code: wire.CodeGone, Text: "the route broke while it was laid"}
	}
	if err := terms.Met(laid.Path); err != nil {
		n.sessions.Abandon(p) // which closes the route
		return session.Laid{}, &wire.Refused{Code: wire.CodeNoRoute, Text: fmt.Sprintf("the node manager laid a route that is not what was asked for, %s: %s", terms.Brief(nil), err)}
	}
	return session.Laid{Path: p, Nodes: laid.Path}, nil
}

// routeOver tells the manager that a route of ours has ended; it is session.Config.Over.
func (n *Node) routeOver(key forward.Key, initiator bool) {
	if !initiator {
		return
	}
	n.work.do(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, closeRouteTimeout)
		defer cancel()
		if err := n.manager.CloseRoute(ctx, control.RouteKey(key)); err != nil && control.CodeOf(err) != control.CodeUnknownRoute {
			n.log.Debug("closing a route", "err", err)
		}
	})
}

// linksChanged tells those whom a new or lost link concerns; it is link.Config.Changed.
func (n *Node) linksChanged() {
	n.manager.Kick()
	n.sessions.Retry()
}

// moved is called after this host's addresses changed or it woke up; it is link.Config.Moved.
func (n *Node) moved(here []netip.Addr) {
	if addrs, err := advertised(n.cfg.Public, n.links.Addr()); err != nil {
		n.log.Warn("finding our addresses again", "err", err)
	} else {
		n.addrs.Store(&addrs)
	}
	n.manager.Reconnect()
	if n.relay != nil {
		n.relay.Moved(here)
	}
	n.kickMapping()
	n.lookAround()
	n.sessions.Retry()
}

// refused turns what the manager or ctx says into a refusal for apps; late is the text of a timeout.
func refused(err error, late string) error {
	if errors.As(err, new(*wire.Refused)) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &because{Refused: wire.Refused{Code: wire.CodeTimeout, Text: late}, cause: err}
	}
	code := wire.CodeInternal
	switch control.CodeOf(err) {
	case control.CodeNoRoute, control.CodeUnknownKey, control.CodeRefused:
		code = wire.CodeNoRoute
	case control.CodeUnknownName, control.CodeUnknownAddr:
		code = wire.CodeNoName
	case control.CodeQuota, control.CodeBusy:
		code = wire.CodeBusy
	case control.CodeUnavailable:
		code = wire.CodeTimeout
	case control.CodeNameTaken:
		code = wire.CodeDenied
	}
	return &because{Refused: wire.Refused{Code: code, Text: err.Error()}, cause: err}
}

// because is what apps get for an error of the manager, which it wraps for us.
type because struct {
	wire.Refused
	cause error
}

// Unwrap lets errors.As find both.
func (b *because) Unwrap() []error { return []error{&b.Refused, b.cause} }

// work is a set of goroutines that end with Run.
type work struct {
	mu  sync.Mutex // guards the following
	ctx context.Context
	wg  sync.WaitGroup
}

func (w *work) begin(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	w.mu.Unlock()
}

// do runs f on a goroutine of its own; not before begin, nor after its ctx has ended.
func (w *work) do(f func(ctx context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil || w.ctx.Err() != nil {
		return
	}
	ctx := w.ctx
	w.wg.Go(func() { f(ctx) })
}

func (w *work) wait() { w.wg.Wait() }
