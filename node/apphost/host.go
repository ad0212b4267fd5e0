package apphost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of one node's app socket.
const (
	maxConns       = 16384
	maxListeners   = 256
	maxPending     = 4096 // streams that wait for an app's ACCEPT or CARRYON
	incomingQueue  = 256  // of one listener
	firstAutoPort  = 49152
	requestTimeout = 5 * time.Second
	acceptTimeout  = 10 * time.Second
	dialTimeout    = 60 * time.Second
	findTimeout    = 15 * time.Second
)

// Stream is a stream of a session, as apps see it.
type Stream interface {
	Pipe
	Remote() identity.PubKey
	Port() uint16
	Target() string
	Confirm()
}

// Mesh is what apps ask the node for.
type Mesh interface {
	// Over returns the mesh for an app whose streams and datagrams go over routes that meet t, or are refused; an error says why
	// that can never be.
	Over(t route.Terms) (Mesh, error)
	// Terms is all that Over was asked for, and what else holds then, as one text; "" where it was not. A port that is taken over
	// terms gets the datagrams that came over the same ones.
	Terms() string
	Dial(ctx context.Context, to identity.PubKey, port uint16, target string, first []byte) (Stream, error)
	Find(ctx context.Context, name, kind string, node identity.PubKey) ([]app.App, error)
	Resolve(ctx context.Context, name string) (app.NodeInfo, error)
	Self() app.NodeInfo
	// SendDatagram sends b, which it does not keep, to a port of another node, or drops it; from is our port. It does not wait for
	// the network: while there is no session it drops, and has one made. An error is for the log only.
	SendDatagram(to identity.PubKey, port, from uint16, b []byte) error
	// SendRoomy is SendDatagram of rec without the room at its ends that DatagramRoom tells, which it does not keep but may overwrite.
	SendRoomy(to identity.PubKey, port, from uint16, rec []byte) error
	DatagramRoom() (head, tail int)
	// Publish keeps an app in the tracker until the returned function is called. It does not block; an error that
	// will not pass (the name is another's) goes to failed.
	Publish(a app.App, failed func(error)) (withdraw func())
}

// Host serves the app socket of one node.
type Host struct {
	mesh Mesh
	log  *slog.Logger
	lns  []net.Listener
	port app.Port
	runs chan struct{} // closed by Run, after ctx is set
	ctx  context.Context

	mu        sync.Mutex // guards the following
	conns     map[net.Conn]struct{}
	listeners map[app.Port]*listener
	pending   map[uint64]waiting
	nextID    uint64
	carries   int // streams that need no connection: see carrier
	closed    bool
	wg        sync.WaitGroup

	portsMu sync.RWMutex // guards the following
	packets map[app.Port]taker
}

// waiting is a stream that waits for its app.
type waiting struct {
	Stream
	l    *listener
	late *time.Timer // refuses it
}

// listener is an app that takes streams on a port.
type listener struct {
	app.App
	in    chan uint64 // ids of pending streams; full: the stream is refused
	fail  chan error  // at most one
	carry bool        // it has streams carried
}

// Listen opens the app socket on a port of this host: loopback TCP, and the abstract Unix socket. Port 0 opens
// nothing: only Connect leads in.
func Listen(port app.Port, mesh Mesh, log *slog.Logger) (*Host, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Host{
		mesh: mesh, log: log, port: port, runs: make(chan struct{}),
		conns: map[net.Conn]struct{}{}, listeners: map[app.Port]*listener{}, packets: map[app.Port]taker{}, pending: map[uint64]waiting{},
	}
	if port == 0 {
		return h, nil
	}
	tcp, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return nil, fmt.Errorf("opening the app port %d: %w", port, err)
	}
	unix, err := net.Listen("unix", app.SocketName(port))
	if err != nil {
		tcp.Close()
		return nil, fmt.Errorf("opening the app socket %s: %w", app.SocketName(port), err)
	}
	h.lns = []net.Listener{tcp, unix}
	return h, nil
}

// Run serves until ctx ends, then ends every connection and returns nil when all is quiet.
func (h *Host) Run(ctx context.Context) error {
	h.ctx = ctx
	close(h.runs)
	stop := context.AfterFunc(ctx, h.closeAll)
	defer stop()
	var accepting sync.WaitGroup
	for _, ln := range h.lns {
		accepting.Go(func() { h.accept(ctx, ln) })
	}
	accepting.Wait()
	<-ctx.Done()
	h.closeAll()
	h.wg.Wait()
	return nil
}

func (h *Host) closeAll() {
	for _, ln := range h.lns {
		ln.Close()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.conns {
		c.Close()
	}
}

func (h *Host) accept(ctx context.Context, ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			return
		}
		if err != nil {
			h.log.Warn("accepting apps", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		h.mu.Lock()
		if h.closed || len(h.conns)+h.carries >= maxConns {
			nc.Close()
		} else {
			h.conns[nc] = struct{}{}
			h.wg.Go(func() { h.serve(ctx, nc) })
		}
		h.mu.Unlock()
	}
}

// Connect makes a connection for an app in this process; it is app.NewClient's dial. It waits for Run. Errors: ctx's, or
// that Run has ended, or too many connections.
func (h *Host) Connect(ctx context.Context) (net.Conn, error) {
	select {
	case <-h.runs:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.conns)+h.carries >= maxConns {
		return nil, &wire.Refused{Code: wire.CodeGone, Text: "the node takes no more apps"}
	}
	theirs, ours := net.Pipe()
	h.conns[ours] = struct{}{}
	h.wg.Go(func() {
		defer h.leave(ours)
		h.attend(h.ctx, ours)
	})
	return theirs, nil
}

func (h *Host) leave(nc net.Conn) {
	nc.Close()
	h.mu.Lock()
	delete(h.conns, nc)
	h.mu.Unlock()
}

// serve handles one connection of an app of our own user.
func (h *Host) serve(ctx context.Context, nc net.Conn) {
	defer h.leave(nc)
	if uid, err := app.PeerUID(nc); err != nil || uid != os.Getuid() {
		h.log.Warn("refusing an app of another user", "uid", uid, "err", err)
		return
	}
	h.attend(ctx, nc)
}

// attend reads a connection's request and acts on it.
func (h *Host) attend(ctx context.Context, nc net.Conn) {
	nc.SetReadDeadline(time.Now().Add(requestTimeout))
	in := app.NewInbox(nc)
	defer in.Close()
	r, w := app.NewReader(in), app.NewWriter(nc)
	q, err := readRequest(r)
	var refused *wire.Refused
	if errors.As(err, &refused) {
		w.Fail(refused)
	}
	if err != nil {
		return
	}
	nc.SetReadDeadline(time.Time{})
	if err := h.answer(ctx, &pump{nc: nc, in: in, r: r, w: w}, q); err != nil {
		w.Fail(err)
	}
}

// readRequest reads a request, and what its routes must meet before it. An error that is a *wire.Refused goes back.
func readRequest(r *app.Reader) (q app.Request, err error) {
	var over route.Terms
	for {
		kind, body, err := r.Next()
		if err != nil {
			return q, err
		}
		if q, err = app.ParseRequest(kind, body); err != nil {
			return q, &wire.Refused{Code: wire.CodeBadRequest, Text: err.Error()}
		}
		switch {
		case over.None() && q.Kind == app.Over && !q.Routes.None():
			over = q.Routes
		case q.Kind == app.Over || !over.None() && !q.HasRoutes():
			return q, &wire.Refused{Code: wire.CodeBadRequest, Text: "what routes must meet belongs before a request that has some, once"}
		default:
			q.Routes = over
			return q, nil
		}
	}
}

// over is the mesh as a request asks for it.
func (h *Host) over(q app.Request) (Mesh, error) {
	if q.Routes.None() {
		return h.mesh, nil
	}
	return h.mesh.Over(q.Routes)
}

// answer acts on a request; an error goes back as ERR.
func (h *Host) answer(ctx context.Context, p *pump, q app.Request) error {
	w := p.w
	switch q.Kind {
	case app.Dial:
		return h.dial(ctx, p, q)
	case app.Listen, app.ListenCarry:
		return h.listen(ctx, p, q)
	case app.Carry:
		return h.carry(ctx, p, q)
	case app.ListenPacket:
		return h.listenPacket(p.nc, p.r, w, q)
	case app.Tunnel:
		return h.tunnelTo(p, q)
	case app.Accept:
		return h.take(p, q.ID)
	case app.Find:
		ctx, cancel := context.WithTimeout(ctx, findTimeout)
		defer cancel()
		apps, err := h.mesh.Find(ctx, q.Name, q.Type, q.Key)
		if err != nil {
			return err
		}
		return w.Frame(app.Apps, app.AppendApps(nil, apps[:min(len(apps), app.MaxApps)]))
	case app.Info:
		return writeNode(w, h.mesh.Self())
	case app.Resolve:
		ctx, cancel := context.WithTimeout(ctx, findTimeout)
		defer cancel()
		n, err := h.mesh.Resolve(ctx, q.Name)
		if err != nil {
			return err
		}
		return writeNode(w, n)
	}
	return &wire.Refused{Code: wire.CodeBadRequest, Text: "unknown request"}
}

// dial opens a stream and pumps it.
func (h *Host) dial(ctx context.Context, p *pump, q app.Request) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	m, err := h.over(q)
	if err != nil {
		return err
	}
	st, err := m.Dial(ctx, q.Key, uint16(q.Port), q.Target, q.First)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &wire.Refused{Code: wire.CodeTimeout, Text: "the far node did not answer"}
	}
	if err != nil {
		return err
	}
	if err := p.w.Frame(app.OK, nil); err != nil {
		st.Reset(wire.CodeCancelled)
		return nil
	}
	p.st = st
	p.run()
	return nil
}

// listen keeps a port for an app until it hangs up.
func (h *Host) listen(ctx context.Context, p *pump, q app.Request) error {
	l := &listener{
		App: app.App{Name: q.Name, Type: q.Type, Node: h.mesh.Self().Key},
		in:  make(chan uint64, incomingQueue), fail: make(chan error, 1), carry: q.Kind == app.ListenCarry,
	}
	if l.carry && !canCarry(p.nc) {
		return errNoCarry
	}
	if err := h.takePort(l, q.Port); err != nil {
		return err
	}
	defer h.freePort(l)
	if err := p.w.Frame(app.OK, binary.BigEndian.AppendUint16(nil, uint16(l.Port))); err != nil {
		return nil
	}
	if l.Name != "" {
		withdraw := h.mesh.Publish(l.App, func(err error) {
			select {
			case l.fail <- err:
			default:
			}
		})
		defer withdraw()
	}
	gone := make(chan struct{})
	if l.carry {
		k := newCarrier(h, h.mesh, p, l)
		defer k.end()
		defer func() {
			p.nc.Close()
			<-gone
		}()
		h.wg.Go(func() {
			k.read(ctx)
			close(gone)
		})
	} else {
		h.wg.Go(func() { // an app says nothing more on this connection: any byte or the end ends it
			p.r.Next()
			close(gone)
		})
	}
	h.offerAll(p, l, gone)
	return nil
}

// offerAll tells an app of its streams until it hangs up, or its name turns out to be another's, which it is told.
func (h *Host) offerAll(p *pump, l *listener, gone <-chan struct{}) {
	for {
		select {
		case id := <-l.in:
			if h.offer(p.nc, p.w, l, id) != nil {
				return
			}
		case err := <-l.fail:
			p.w.Fail(err)
			return
		case <-gone:
			return
		}
	}
}

func (h *Host) takePort(l *listener, port app.Port) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= maxListeners {
		return &wire.Refused{Code: wire.CodeBusy, Text: "too many apps listen on this node"}
	}
	if port == 0 {
		for port = firstAutoPort; h.listeners[port] != nil; port++ {
		}
	}
	if other := h.listeners[port]; other != nil {
		return &wire.Refused{Code: wire.CodeBusy, Text: fmt.Sprintf("port %d of this node is taken by app %q", port, other.Name)}
	}
	l.Port = port
	h.listeners[port] = l
	return nil
}

// freePort gives a listener's port back and refuses the streams that wait for it.
func (h *Host) freePort(l *listener) {
	var left []uint64
	h.mu.Lock()
	delete(h.listeners, l.Port)
	for id, w := range h.pending {
		if w.l == l {
			left = append(left, id)
		}
	}
	h.mu.Unlock()
	for _, id := range left {
		h.refuse(id, wire.CodeNoListener)
	}
}

// Incoming hands a stream that a peer opened to the app on its port. It does not block; without
// an app, or when too many wait, the stream is refused.
func (h *Host) Incoming(st Stream) {
	h.mu.Lock()
	l := h.listeners[app.Port(st.Port())]
	if l == nil || h.closed {
		h.mu.Unlock()
		st.Reset(wire.CodeNoListener)
		return
	}
	if len(h.pending) >= maxPending {
		h.mu.Unlock()
		st.Reset(wire.CodeBusy)
		return
	}
	h.nextID++
	id := h.nextID
	within := acceptTimeout
	if l.carry {
		within = carryTimeout
	}
	h.pending[id] = waiting{st, l, time.AfterFunc(within, func() { h.refuse(id, wire.CodeTimeout) })}
	h.mu.Unlock()
	select {
	case l.in <- id:
	default:
		h.refuse(id, wire.CodeBusy)
	}
}

// offer tells a listening app of a stream. Over the Unix socket the connection for it comes along, unless the app may have
// the stream carried; otherwise the app makes one, with ACCEPT.
func (h *Host) offer(nc net.Conn, w *app.Writer, l *listener, id uint64) error {
	h.mu.Lock()
	st := h.pending[id].Stream
	h.mu.Unlock()
	if st == nil {
		return nil // the time for it has passed
	}
	unix, ok := nc.(*net.UnixConn)
	if !ok || !havePairs || l.carry {
		return w.Frame(app.Incoming, app.AppendIncoming(nil, id, st.Remote(), st.Target()))
	}
	ours, theirs, err := socketPair()
	if err != nil {
		h.log.Warn("making a connection for an app", "err", err)
		h.refuse(id, wire.CodeBusy)
		return nil
	}
	defer closePair(theirs)
	if h.unpend(id) == nil || !h.adopt(ours, st) {
		ours.Close()
		return nil
	}
	return app.Pass(unix, app.Incoming, app.AppendIncoming(nil, 0, st.Remote(), st.Target()), theirs)
}

// adopt pumps a stream over a connection that an app is given.
func (h *Host) adopt(nc net.Conn, st Stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.conns)+h.carries >= maxConns {
		st.Reset(wire.CodeBusy)
		return false
	}
	h.conns[nc] = struct{}{}
	h.wg.Go(func() {
		defer h.leave(nc)
		in := app.NewInbox(nc)
		defer in.Close()
		p := &pump{nc: nc, in: in, r: app.NewReader(in), w: app.NewWriter(nc), st: st, confirm: st.Confirm}
		p.run()
	})
	return true
}

// refuse resets a stream that still waits for its app.
func (h *Host) refuse(id uint64, code wire.Code) {
	if st := h.unpend(id); st != nil {
		st.Reset(code)
	}
}

func (h *Host) unpend(id uint64) Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	w, ok := h.pending[id]
	if !ok {
		return nil
	}
	w.late.Stop()
	delete(h.pending, id)
	return w.Stream
}

// unpendOf is unpend of a stream that waits for this listener.
func (h *Host) unpendOf(l *listener, id uint64) Stream {
	h.mu.Lock()
	ours := h.pending[id].l == l
	h.mu.Unlock()
	if !ours {
		return nil
	}
	return h.unpend(id)
}

// take gives a waiting stream to the app that asks for it.
func (h *Host) take(p *pump, id uint64) error {
	st := h.unpend(id)
	if st == nil {
		return &wire.Refused{Code: wire.CodeGone, Text: "that stream waits no more"}
	}
	if err := p.w.Frame(app.OK, nil); err != nil {
		st.Reset(wire.CodeInternal)
		return nil
	}
	p.st, p.confirm = st, st.Confirm
	p.run()
	return nil
}

// Listening lists the apps that listen.
func (h *Host) Listening() []app.App {
	h.mu.Lock()
	defer h.mu.Unlock()
	apps := make([]app.App, 0, len(h.listeners))
	for _, l := range h.listeners {
		apps = append(apps, l.App)
	}
	return apps
}

func writeNode(w *app.Writer, n app.NodeInfo) error {
	return w.Frame(app.Node, app.AppendNode(nil, n))
}
