package apphost_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/apphost"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// half is one end of a stream in memory, in place of a session's.
type half struct {
	key    identity.PubKey
	port   uint16
	target string
	first  []byte // comes before what is in in
	in     *io.PipeReader
	out    *io.PipeWriter
	far    *half
	once   sync.Once
	answer chan error // at the dialing end: nil is confirmed
	moved  atomic.Uint64
}

// newPair makes a stream; what its far end reads begins with first.
func newPair(key identity.PubKey, port uint16, target string, first []byte) (near, far *half) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	near = &half{key: key, port: port, target: target, in: ar, out: aw, answer: make(chan error, 1)}
	far = &half{key: key, port: port, target: target, first: first, in: br, out: bw, far: near}
	near.far = far
	return near, far
}

func (h *half) Write(p []byte) (int, error) { return h.out.Write(p) }
func (h *half) WriteTo(w io.Writer) (int64, error) {
	k, err := w.Write(h.first)
	if err != nil {
		return int64(k), err
	}
	n, err := io.Copy(struct{ io.Writer }{w}, h.in)
	return int64(k) + n, err
}
func (h *half) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(struct{ io.Writer }{h.out}, r)
	h.moved.Add(uint64(n))
	return n, err
}
func (h *half) Moved() uint64     { return h.moved.Load() }
func (h *half) CloseWrite() error { return h.out.Close() }
func (h *half) Close() error      { h.out.Close(); return h.in.Close() }
func (h *half) Reset(c wire.Code) {
	e := &wire.Refused{Code: c}
	h.out.CloseWithError(e)
	h.in.CloseWithError(e)
	if h.far.answer != nil {
		h.far.settle(e)
	}
}
func (h *half) settle(err error)        { h.once.Do(func() { h.answer <- err }) }
func (h *half) Confirm()                { h.far.settle(nil) }
func (h *half) Remote() identity.PubKey { return h.key }
func (h *half) Port() uint16            { return h.port }
func (h *half) Target() string          { return h.target }

// mesh joins apps of one host with each other; it stands for the rest of the network.
type mesh struct {
	key  identity.PubKey
	host *apphost.Host
	port app.Port

	mu        sync.Mutex
	published map[string]app.App
	taken     string   // a name that belongs to somebody else
	asked     []string // of Over
	dialed    []string // the terms of each Dial over some
}

// over is a mesh with terms.
type over struct {
	*mesh
	terms string
}

func (m *mesh) Over(t route.Terms) (apphost.Mesh, error) {
	if t.MinHops > 3 {
		return nil, &wire.Refused{Code: wire.CodeDenied, Text: "its node allows three links"}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, t.String())
	return over{m, t.String()}, nil
}

// heard is what Over was asked for, and the terms that streams were opened over.
func (m *mesh) heard() (asked, dialed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked), slices.Clone(m.dialed)
}

func (m *mesh) Terms() string { return "" }

func (o over) Terms() string { return o.terms }

func (o over) SendDatagram(to identity.PubKey, port, from uint16, b []byte) error {
	if to == o.key {
		o.host.Datagram(o.key, port, from, o.terms, b)
	}
	return nil
}

func (o over) Dial(ctx context.Context, to identity.PubKey, port uint16, target string, first []byte) (apphost.Stream, error) {
	o.mu.Lock()
	o.dialed = append(o.dialed, o.terms)
	o.mu.Unlock()
	return o.mesh.Dial(ctx, to, port, target, first)
}

func (m *mesh) Dial(ctx context.Context, to identity.PubKey, port uint16, target string, first []byte) (apphost.Stream, error) {
	if to != m.key {
		return nil, &wire.Refused{Code: wire.CodeNoRoute}
	}
	near, far := newPair(m.key, port, target, bytes.Clone(first))
	m.host.Incoming(far)
	select {
	case err := <-near.answer:
		return near, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *mesh) Find(_ context.Context, name, _ string, _ identity.PubKey) ([]app.App, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var apps []app.App
	for n, a := range m.published {
		if name == "" || n == name {
			apps = append(apps, a)
		}
	}
	return apps, nil
}

func (m *mesh) Resolve(_ context.Context, name string) (app.NodeInfo, error) {
	if name != "node0" {
		return app.NodeInfo{}, &wire.Refused{Code: wire.CodeNoName, Text: name}
	}
	return app.NodeInfo{Key: m.key, Name: name}, nil
}
func (m *mesh) Self() app.NodeInfo {
	return app.NodeInfo{Key: m.key, Name: "node0", Ports: []app.Port{5}}
}

func (m *mesh) SendRoomy(to identity.PubKey, port, from uint16, rec []byte) error {
	return m.SendDatagram(to, port, from, rec[8:len(rec)-4])
}

func (m *mesh) DatagramRoom() (head, tail int) { return 8, 4 }

func (m *mesh) SendDatagram(to identity.PubKey, port, from uint16, b []byte) error {
	if to != m.key {
		return &wire.Refused{Code: wire.CodeNoRoute}
	}
	m.host.Datagram(m.key, port, from, "", b)
	return nil
}

func (m *mesh) Publish(a app.App, failed func(error)) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.Name == m.taken {
		failed(&wire.Refused{Code: wire.CodeDenied, Text: "the name is taken"})
		return func() {}
	}
	m.published[a.Name] = a
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.published, a.Name)
	}
}

// listen opens the app socket of a mesh at a port that is free. Nobody keeps that one free until then, so there is another try.
func (m *mesh) listen(t *testing.T) {
	t.Helper()
	for try := 0; ; try++ {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.port = app.Port(ln.Addr().(*net.TCPAddr).Port)
		ln.Close()
		if m.host, err = apphost.Listen(m.port, m, nil); err == nil {
			return
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try == 20 {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T) (*app.Client, *mesh, string) {
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh{key: key.Public(), published: map[string]app.App{}, taken: "taken"}
	m.listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.host.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(m.port)))
	c, err := app.Connect(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c, m, addr
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestEcho(t *testing.T) {
	c, m, _ := start(t)
	ctx := within(t)
	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7, Name: "echo", Type: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := ln.Accept(ctx)
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		if conn.Target() != "shout" || conn.Peer() != m.key {
			t.Errorf("target %q from %s", conn.Target(), conn.Peer())
		}
		conn.Confirm()
		_, err = io.Copy(conn, conn)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
		served <- err
	}()
	conn, err := c.Dial(ctx, m.key, 7, app.DialOptions{Target: "shout", First: []byte("first ")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := make([]byte, 1<<20)
	rand.Read(want)
	go func() {
		conn.ReadFrom(bytes.NewReader(want))
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, append([]byte("first "), want...)) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	if err := <-served; err != nil {
		t.Error("serving:", err)
	}
	apps, err := c.Find(ctx, app.Query{Name: "echo"})
	if err != nil || len(apps) != 1 || apps[0].Port != 7 || apps[0].Node != m.key {
		t.Errorf("found %+v, %v", apps, err)
	}
	if n, err := c.Node(ctx); err != nil || n.Name != "node0" || len(n.Ports) != 1 {
		t.Errorf("node %+v, %v", n, err)
	}
	if _, err := c.Resolve(ctx, "nobody"); !errors.Is(err, &app.Refused{Code: wire.CodeNoName}) {
		t.Errorf("resolving nobody: %v", err)
	}
}

func TestRefusalsAndResets(t *testing.T) {
	c, m, _ := start(t)
	ctx := within(t)
	if _, err := c.Dial(ctx, m.key, 9, app.DialOptions{}); !errors.Is(err, &app.Refused{Code: wire.CodeNoListener}) {
		t.Errorf("dialing a port without an app: %v", err)
	}
	ln, err := c.Listen(ctx, app.ListenOptions{})
	if err != nil || ln.Port() < 49152 {
		t.Fatalf("listening on any port: %v, %v", ln, err)
	}
	defer ln.Close()
	if _, err := c.Listen(ctx, app.ListenOptions{Port: ln.Port()}); !errors.Is(err, &app.Refused{Code: wire.CodeBusy}) {
		t.Errorf("listening on a port that is taken: %v", err)
	}
	go func() {
		if conn, err := ln.Accept(ctx); err == nil {
			conn.Reject(wire.CodeDenied)
		}
		if conn, err := ln.Accept(ctx); err == nil {
			conn.Confirm()
			conn.Write([]byte("half of it"))
			conn.Reset(wire.CodeInternal)
		}
		if conn, err := ln.Accept(ctx); err == nil {
			conn.Confirm()
			conn.Write([]byte("all of it"))
			conn.Close()
		}
	}()
	if _, err := c.Dial(ctx, m.key, ln.Port(), app.DialOptions{}); !errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
		t.Errorf("a rejected stream: %v", err)
	}
	conn, err := c.Dial(ctx, m.key, ln.Port(), app.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); !errors.As(err, new(*app.Refused)) {
		t.Errorf("a reset stream looks complete: %q, %v", b, err)
	}
	conn.Close()
	if conn, err = c.Dial(ctx, m.key, ln.Port(), app.DialOptions{}); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "all of it" {
		t.Errorf("a closed stream: %q, %v", b, err)
	}
	conn.Close()
}

func TestNameTakenEndsListener(t *testing.T) {
	c, _, _ := start(t)
	ln, err := c.Listen(within(t), app.ListenOptions{Name: "taken"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(within(t)); !errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
		t.Errorf("accept: %v", err)
	}
}

func TestHangUpIsAReset(t *testing.T) {
	_, m, addr := start(t)
	c, _ := app.Connect(addr)
	ctx := within(t)
	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", addr) // a program that dies in the middle
	if err != nil {
		t.Fatal(err)
	}
	nc.Write(app.AppendFrame(nil, app.Dial, app.Request{Kind: app.Dial, Key: m.key, Port: 7}.AppendBody(nil)))
	conn, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Confirm()
	nc.SetReadDeadline(time.Now().Add(patience))
	if k, _, err := app.NewReader(nc).Next(); k != app.OK || err != nil {
		t.Fatalf("answer %d, %v", k, err)
	}
	nc.Write(app.AppendFrame(nil, app.Data, []byte("cut ")))
	nc.Close()
	if b, err := io.ReadAll(conn); !errors.As(err, new(*app.Refused)) {
		t.Errorf("a stream whose program died looks complete: %q, %v", b, err)
	}
}

func TestHostilePrograms(t *testing.T) {
	c, _, addr := start(t)
	for name, bytes := range map[string][]byte{
		"garbage": []byte("GET / HTTP/1.1\r\n\r\n"), "huge": {1, 0xff, 0xff, 0xff}, "no such request": {99, 0, 0, 1, 1},
		"bad key": app.AppendFrame(nil, app.Dial, append([]byte{app.Version, 2}, make([]byte, 40)...)),
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(bytes)
		nc.SetReadDeadline(time.Now().Add(patience))
		r := app.NewReader(nc)
		if k, _, err := r.Next(); err == nil && k != app.Err {
			t.Errorf("%s was answered by kind %d", name, k)
		}
		if _, _, err := r.Next(); err == nil || isTimeout(err) {
			t.Errorf("%s: the connection goes on: %v", name, err)
		}
		nc.Close()
	}
	if _, err := c.Node(within(t)); err != nil {
		t.Error("after that:", err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestNodeGone(t *testing.T) {
	near, _ := tcpPair(t) // whose port is in use, but nobody listens there, nor can
	c, err := app.Connect(near.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Node(within(t)); err == nil || errors.As(err, new(*app.Refused)) {
		t.Errorf("asking a node that is not there: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	_, m, addr := start(t)
	port, err := app.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apphost.Listen(port, m, nil); err == nil {
		t.Error("two nodes share an app port")
	}
}

// tcpPair is both ends of a loopback TCP connection.
func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if b.RemoteAddr().String() != a.LocalAddr().String() { // who looks for somebody that had the port before
			b.Close()
			continue
		}
		t.Cleanup(func() { a.Close(); b.Close() })
		return a.(*net.TCPConn), b.(*net.TCPConn)
	}
}

// relayed is a stream between two programs that both hand a TCP connection to the node: user talks through near, the
// server through far.
func relayed(t *testing.T) (user, server *net.TCPConn, near, far chan error) {
	c, m, _ := start(t)
	ctx := within(t)
	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	near, far = make(chan error, 1), make(chan error, 1)
	user, nearTCP := tcpPair(t)
	farTCP, server := tcpPair(t)
	go func() {
		conn, err := ln.Accept(ctx)
		if err != nil {
			far <- err
			return
		}
		defer conn.Close()
		conn.Confirm()
		err = conn.Relay(farTCP, nil)
		farTCP.Close()
		far <- err
	}()
	conn, err := c.Dial(ctx, m.key, 7, app.DialOptions{First: []byte("early ")})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer conn.Close()
		var up, down uint64
		err := conn.Relay(nearTCP, func(u, d uint64) { up, down = u, d })
		nearTCP.Close()
		if err == nil && (up != 1<<20 || down != 2<<20) {
			t.Errorf("told of %d bytes up and %d down", up, down)
		}
		near <- err
	}()
	return user, server, near, far
}

func TestRelayMovesBothWays(t *testing.T) {
	user, server, near, far := relayed(t)
	go func() {
		user.Write(make([]byte, 1<<20))
		user.CloseWrite()
	}()
	go func() {
		b, err := io.ReadAll(server)
		if err != nil || len(b) != 6+(1<<20) || string(b[:6]) != "early " {
			t.Errorf("the server read %d bytes, %v", len(b), err)
		}
		server.Write(make([]byte, 2<<20))
		server.CloseWrite()
	}()
	if b, err := io.ReadAll(user); err != nil || len(b) != 2<<20 {
		t.Errorf("the user read %d bytes, %v", len(b), err)
	}
	for _, end := range []chan error{near, far} {
		if err := <-end; err != nil {
			t.Error("relaying:", err)
		}
	}
}

func TestRelayPassesResetsOn(t *testing.T) {
	user, server, near, far := relayed(t)
	server.Write([]byte("half"))
	io.ReadFull(user, make([]byte, 4))
	server.SetLinger(0)
	server.Close()
	if b, err := io.ReadAll(user); err == nil {
		t.Errorf("a connection that the server reset looks complete to the user: %q", b)
	}
	for name, end := range map[string]chan error{"near": near, "far": far} {
		if err := <-end; !errors.As(err, new(*app.Refused)) {
			t.Errorf("the %s program hears %v", name, err)
		}
	}
}

func TestRelayNeedsTheUnixSocket(t *testing.T) {
	c, m, _ := start(t)
	ctx := within(t)
	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(ctx); err == nil {
			conn.Confirm()
			io.Copy(conn, conn)
			conn.Close()
		}
	}()
	conn, err := c.Dial(ctx, m.key, 7, app.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("x"))
	conn.Read(make([]byte, 1))
	tcp, _ := tcpPair(t)
	if err := conn.Relay(tcp, nil); !errors.Is(err, app.ErrNoRelay) {
		t.Errorf("a relay after a read: %v", err)
	}
}
