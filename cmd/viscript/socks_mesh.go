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
	exitFresh  = 30 * time.Second       // an exit that was found is used so long before the tracker is asked again
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
		conn, err := m.ln.Accept(ctx)
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

// entry dials the exit; it implements socks.Dialer.
type entry struct {
	client *app.Client
	server string // name, key, or "" for any
	pins   *secure.Pins
	log    *slog.Logger
	waits  waits

	mu    sync.Mutex // guards the following
	exit  app.App
	found time.Time
}

// DialMesh opens a stream at the exit. While the mesh has no route or no exit it tries again for a while:
// nodes may be starting, or healing.
// A name of the mesh leads to the app itself.
func (e *entry) DialMesh(ctx context.Context, target string, first []byte) (socks.Stream, error) {
	name, ok, err := socks.ParseMesh(target)
	if err != nil {
		return nil, err
	}
	dial, passing, to := e.dial, passing, e.exitName()
	if ok {
		dial, passing, to = e.dialName(name), noRoute, target
	}
	w := e.waits.begin(to, time.Now())
	defer e.waits.end(w)
	for pause := dialFirst; ; pause = min(2*pause, dialLast) {
		conn, err := dial(ctx, target, first)
		e.waits.tried(w, err)
		if err == nil {
			return conn, nil
		}
		if !passing(err) || time.Since(w.began) > dialWithin || ctx.Err() != nil {
			e.waits.gaveUp(ctx, e.log, w, err)
			return nil, err
		}
		e.forget()
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

func (e *entry) dial(ctx context.Context, target string, first []byte) (*app.Conn, error) {
	exit, err := e.find(ctx)
	if err != nil {
		return nil, err
	}
	return e.client.Dial(ctx, exit.Node, exit.Port, app.DialOptions{Target: target, First: first})
}

// dialName makes a dial of an app on the mesh, whatever the target's text.
func (e *entry) dialName(name socks.MeshName) func(context.Context, string, []byte) (*app.Conn, error) {
	return func(ctx context.Context, _ string, first []byte) (*app.Conn, error) {
		key, port, err := e.resolve(ctx, name)
		if err != nil {
			return nil, err
		}
		conn, err := e.client.Dial(ctx, key, port, app.DialOptions{First: first})
		if errors.Is(err, &app.Refused{Code: wire.CodeNoListener}) {
			err = &socks.Error{Reason: socks.Refused, Err: err} // what TCP says of a port without a listener
		}
		return conn, err
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

// exitName is what to call the exit.
func (e *entry) exitName() string {
	if e.server != "" {
		return e.server
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.exit.Name != "" {
		return e.exit.Name
	}
	return "an exit"
}

// passing reports whether err may be gone in a moment, and the target has certainly not been asked.
func passing(err error) bool {
	var refused *app.Refused
	if !errors.As(err, &refused) {
		return !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*secure.PinChanged)) // our own node is away
	}
	switch refused.Code {
	case wire.CodeNoRoute, wire.CodeNoListener, wire.CodeNoName:
		return true
	}
	return false
}

func (e *entry) forget() {
	e.mu.Lock()
	e.found = time.Time{}
	e.mu.Unlock()
}

// find returns the exit to use.
func (e *entry) find(ctx context.Context) (app.App, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.found) < exitFresh {
		return e.exit, nil
	}
	a, err := e.ask(ctx)
	if err != nil {
		if e.exit.Port != 0 && (errors.Is(err, &app.Refused{Code: wire.CodeTimeout}) || errors.Is(err, &app.Refused{Code: wire.CodeNoName})) {
			return e.exit, nil // the manager is away, or the tracker has started again: the exit we know is as good as any
		}
		return app.App{}, err
	}
	e.exit, e.found = a, time.Now()
	return a, nil
}

// ask looks the exit up in the tracker, and keeps to the key that a name had when we saw it first.
func (e *entry) ask(ctx context.Context) (app.App, error) {
	q := app.Query{Type: socksType, Name: e.server}
	if key, err := identity.ParseHex(e.server); err == nil {
		q.Name, q.Node = "", key
	}
	apps, err := e.client.Find(ctx, q)
	if err != nil {
		return app.App{}, err
	}
	if len(apps) == 0 {
		what := "the app tracker knows no socks-server"
		if e.server != "" {
			what += fmt.Sprintf(" %q", e.server)
		}
		return app.App{}, &app.Refused{Code: wire.CodeNoName, Text: what}
	}
	a := apps[0]
	if q.Name != "" {
		if err := e.pins.Pin("app:"+a.Name, a.Node); err != nil {
			return app.App{}, err
		}
	}
	return a, nil
}

// probe waits until the exit answers over the mesh: a request without a target is refused by the exit itself.
func (e *entry) probe(ctx context.Context, say func(string)) error {
	began, pause := time.Now(), probeFirst
	for {
		conn, err := e.dial(ctx, "", nil)
		if err == nil {
			conn.Reset(wire.CodeCancelled)
		}
		if refused := (*app.Refused)(nil); err == nil || errors.As(err, &refused) && (refused.Code == wire.CodeBadRequest || refused.Code == wire.CodeDenied) {
			return nil
		}
		if time.Since(began) > time.Second {
			say("waiting for an exit: " + err.Error())
		}
		e.forget()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, probeLast)
	}
}
