package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/apps/socks"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Patience of the SOCKS apps with a mesh that is starting or healing.
const (
	relisten   = time.Second            // until the node is asked again
	dialFirst  = 100 * time.Millisecond // between tries, doubling: the manager counts them
	dialLast   = time.Second
	dialWithin = 8 * time.Second        // while there is no route, exit or node
	probeFirst = 250 * time.Millisecond // between looks for an exit, doubling; each may cost the manager a search
	probeLast  = 2 * time.Second
)

// meshListener takes streams from the node, and takes the port again when the node went and came back.
type meshListener struct {
	client  *app.Client
	env     roleEnv
	options app.ListenOptions

	ln   *app.Listener                // of the accepting goroutine
	node atomic.Pointer[app.NodeInfo] // as of the last listen
	once sync.Once
	up   chan struct{} // closed when we listened for the first time
}

// ready waits until the node has us.
func (m *meshListener) ready(ctx context.Context, say func(string)) error {
	moment := time.After(time.Second)
	for {
		select {
		case <-m.up:
			return nil
		case <-moment:
			say("waiting for the node")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// accept is socks.ServerConfig.Accept: it fails for good only when the name or port is another's.
func (m *meshListener) accept(ctx context.Context) (socks.Incoming, error) {
	for {
		if m.ln == nil {
			if err := m.listen(ctx); err != nil {
				return nil, err
			}
		}
		conn, err := m.next(ctx)
		if err == nil && conn.Target() == "" { // somebody's probe
			conn.Reject(wire.CodeBadRequest)
			continue
		}
		if err == nil {
			return conn, nil
		}
		m.ln.Close()
		m.ln = nil
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
			return nil, fmt.Errorf("the app tracker refuses the name %q: %w", m.options.Name, err)
		}
		m.env.log.Warn("the node went away", "err", err)
	}
}

// next waits for a stream; it is an offer where they may be carried, else an *app.Conn.
func (m *meshListener) next(ctx context.Context) (socks.Incoming, error) {
	if m.options.Carry {
		offer, err := m.ln.Offer(ctx)
		if err != nil {
			return nil, err
		}
		return offered{offer}, nil
	}
	conn, err := m.ln.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// offered is a stream from the node as a socks.CarryIncoming.
type offered struct{ *app.Offer }

// CarryOn implements socks.CarryIncoming.
func (o offered) CarryOn(socket *socks.Socket) (socks.Carried, error) {
	c, err := o.Carry(socket)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// closed is socks.Policy.Closed: the ports of our node, and every node's app port on this host.
func (m *meshListener) closed(port uint16) bool {
	n := m.node.Load()
	return n == nil || slices.Contains(n.Ports, app.Port(port)) || app.OwnPort(port)
}

// listen takes the port, waiting for a node that is not there yet.
func (m *meshListener) listen(ctx context.Context) error {
	said := ""
	for {
		ln, err := m.client.Listen(ctx, m.options)
		switch {
		case err == nil:
			m.ln = ln
			if n, err := m.client.Node(ctx); err == nil {
				m.node.Store(&n)
			}
			m.once.Do(func() { close(m.up) })
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, new(*app.Refused)):
			return fmt.Errorf("the node refuses mesh port %d: %w", m.options.Port, err)
		case err.Error() != said:
			said = err.Error()
			m.env.log.Warn("waiting for the node", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(relisten):
		}
	}
}

// entry dials the exit; it implements socks.CarryDialer.
type entry struct {
	client *app.Client
	exits  *exits
	pins   *secure.Pins
	log    *slog.Logger
	terms  string // of the routes, for people
	waits  waits
}

// DialMesh opens a stream at the exit.
func (e *entry) DialMesh(ctx context.Context, target string, first []byte) (socks.Stream, error) {
	var conn *app.Conn
	err := e.reach(ctx, target, len(first) > 0, func(ctx context.Context, key identity.PubKey, port app.Port, o app.DialOptions) (err error) {
		o.First = first
		conn, err = e.client.Dial(ctx, key, port, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Carries implements socks.CarryDialer.
func (e *entry) Carries(ctx context.Context) bool { return e.client.Carries(ctx) }

// DialCarried implements socks.CarryDialer.
func (e *entry) DialCarried(ctx context.Context, target string, first, hello []byte, socket *socks.Socket) (socks.Carried, error) {
	var carried *app.Carried
	err := e.reach(ctx, target, len(first) > 0, func(ctx context.Context, key identity.PubKey, port app.Port, o app.DialOptions) (err error) {
		o.First = first
		carried, err = e.client.DialCarried(ctx, key, port, o, socket, hello)
		return err
	})
	if err != nil {
		return nil, err
	}
	return carried, nil
}

// opener opens a stream to an app, with the options' target.
type opener func(context.Context, identity.PubKey, app.Port, app.DialOptions) error

// reach opens a stream at the exit. While the mesh has no route or no exit it tries again for a while:
// nodes may be starting, or healing. An exit that fails is replaced by the next one at once.
// A name of the mesh leads to the app itself. early: open sends the beginning too.
func (e *entry) reach(ctx context.Context, target string, early bool, open opener) error {
	name, ok, err := socks.ParseMesh(target)
	if err != nil {
		return err
	}
	dial, passing, to := e.dial, passing, e.exits.name()
	if ok {
		dial, passing, to = e.dialName(name), noRoute, target
	}
	w := e.waits.begin(to, time.Now())
	defer e.waits.end(w)
	for pause := dialFirst; ; {
		another, err := dial(ctx, target, open)
		e.waits.tried(w, err)
		if err == nil {
			return nil
		}
		if errors.Is(err, errExitLost) && early {
			return &app.Refused{Code: wire.CodeNoRoute, Text: "the exit was lost when it may have passed on the beginning"}
		}
		if !passing(err) || time.Since(w.began) > dialWithin || ctx.Err() != nil {
			e.waits.gaveUp(ctx, e.log, w, err)
			return err
		}
		if another {
			continue
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(2*pause, dialLast)
	}
}

// dial dials at the exit in use. another says that it failed and that the next one may work.
func (e *entry) dial(ctx context.Context, target string, open opener) (another bool, err error) {
	exit, err := e.exits.pick(ctx)
	if err != nil {
		return false, err
	}
	err = e.exits.through(ctx, exit, func(ctx context.Context) error {
		return open(ctx, exit.Node, exit.Port, app.DialOptions{Target: target})
	})
	if err == nil || !passing(err) || ctx.Err() != nil || !errors.Is(err, errExitLost) && !errors.As(err, new(*app.Refused)) {
		return false, err
	}
	return e.exits.fail(exit, err), err
}

// dialName makes a dial of an app on the mesh, whatever the target's text.
func (e *entry) dialName(name socks.MeshName) func(context.Context, string, opener) (bool, error) {
	return func(ctx context.Context, _ string, open opener) (bool, error) {
		key, port, err := e.resolve(ctx, name)
		if err != nil {
			return false, err
		}
		err = open(ctx, key, port, app.DialOptions{})
		if errors.Is(err, &app.Refused{Code: wire.CodeNoListener}) {
			err = &socks.Error{Reason: socks.Refused, Err: err} // what TCP says of a port without a listener
		}
		return false, err
	}
}

// resolve finds an app on the mesh, and keeps to the key that a name had when we saw it first.
func (e *entry) resolve(ctx context.Context, name socks.MeshName) (identity.PubKey, app.Port, error) {
	switch {
	case !name.Key.IsZero():
		return name.Key, app.Port(name.Port), nil
	case name.App != "":
		apps, err := e.client.Find(ctx, app.Query{Name: name.App})
		if err != nil {
			return identity.PubKey{}, 0, noSuchName(err)
		}
		if len(apps) == 0 {
			return identity.PubKey{}, 0, &socks.Error{Reason: socks.NoSuchName, Err: fmt.Errorf("the app tracker knows no app %q", name.App)}
		}
		return apps[0].Node, apps[0].Port, e.pins.Pin("app:"+apps[0].Name, apps[0].Node)
	default:
		key, err := e.client.Resolve(ctx, name.Node)
		if err != nil {
			return identity.PubKey{}, 0, noSuchName(err)
		}
		return key, app.Port(name.Port), e.pins.Pin("node:"+name.Node, key)
	}
}

// noSuchName gives the mesh's refusal of a name the reason that it has for a program.
func noSuchName(err error) error {
	if errors.Is(err, &app.Refused{Code: wire.CodeNoName}) {
		return &socks.Error{Reason: socks.NoSuchName, Err: err}
	}
	return err
}

// noRoute reports whether err is that there is no way to the node, or ours is away: that may be gone in a moment.
func noRoute(err error) bool {
	return passing(err) && !errors.As(err, new(*socks.Error))
}

// passing reports whether err may be gone in a moment, and the target has certainly not been asked.
func passing(err error) bool {
	var refused *app.Refused
	if !errors.As(err, &refused) {
		return errors.Is(err, errExitLost) || !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*secure.PinChanged)) // our own node is away
	}
	switch refused.Code {
	case wire.CodeNoRoute, wire.CodeNoListener, wire.CodeNoName:
		return true
	}
	return false
}

// probe waits until an exit answers over the mesh.
func (e *entry) probe(ctx context.Context, say func(string)) error {
	began, pause := time.Now(), probeFirst
	for {
		exit, err := e.exits.pick(ctx)
		another := false
		if err == nil {
			if err = e.exits.knock(ctx, exit); err != nil && ctx.Err() == nil {
				another = e.exits.fail(exit, err)
			}
		}
		if err == nil {
			return nil
		}
		if time.Since(began) > time.Second {
			say("waiting for an exit: " + err.Error())
		}
		if another {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, probeLast)
	}
}

// meshPackets is the node's way for datagrams as socks.Packets.
type meshPackets struct{ *app.PacketConn }

// openPackets is the Packets of socks.ClientConfig and socks.ServerConfig.
func openPackets(client *app.Client) func(context.Context) (socks.Packets, error) {
	return func(ctx context.Context) (socks.Packets, error) {
		conn, err := client.ListenPacket(ctx, 0)
		if err != nil {
			return nil, err
		}
		return meshPackets{conn}, nil
	}
}

// Port implements socks.Packets.
func (p meshPackets) Port() uint16 { return uint16(p.LocalAddr().(app.Addr).Port) }

// ReadPacket implements socks.Packets.
func (p meshPackets) ReadPacket(b []byte) (int, identity.PubKey, error) {
	n, from, err := p.ReadFrom(b)
	if err != nil {
		return 0, identity.PubKey{}, err
	}
	return n, from.(app.Addr).Key, nil
}

// WritePacket implements socks.Packets.
func (p meshPackets) WritePacket(b []byte, to identity.PubKey, port uint16) error {
	_, err := p.WriteTo(b, app.Addr{Key: to, Port: app.Port(port)})
	return err
}
