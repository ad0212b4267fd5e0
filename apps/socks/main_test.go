package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; a loaded machine may need much of it.
const patience = time.Minute

// twinMesh stands in for the mesh: each stream is a loopback TCP connection whose opener
// waits for Confirm or Reject.
type twinMesh struct {
	key      identity.PubKey
	incoming chan Incoming
	fast     bool // streams are io.WriterTo and io.ReaderFrom
}

func (m *twinMesh) stream(c *net.TCPConn) Stream {
	if m.fast {
		return fastStream{c}
	}
	return twinStream{c, c, m.key}
}

func newTwinMesh(t *testing.T) *twinMesh {
	return &twinMesh{key: testKey(t), incoming: make(chan Incoming)}
}

func testKey(t *testing.T) identity.PubKey {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// twinStream has no WriteTo and ReadFrom; fastStream has.
type twinStream struct {
	net.Conn
	tcp  *net.TCPConn
	peer identity.PubKey
}

func (s twinStream) Peer() identity.PubKey { return s.peer }
func (s twinStream) CloseWrite() error     { return s.tcp.CloseWrite() }
func (s twinStream) Reset(wire.Code)       { resetTCP(s.tcp) }

type fastStream struct{ *net.TCPConn }

func (s fastStream) Reset(wire.Code) { resetTCP(s.TCPConn) }

func newTwinStream(c *net.TCPConn) twinStream { return twinStream{c, c, identity.PubKey{}} }

var _ Incoming = (*app.Conn)(nil)

// fastIncoming is a twinIncoming with the copying methods of its connection.
type fastIncoming struct {
	*twinIncoming
	io.WriterTo
	io.ReaderFrom
}

func (m *twinMesh) arrived(in *twinIncoming, far *net.TCPConn) Incoming {
	if m.fast {
		return fastIncoming{in, far, far}
	}
	return in
}

type twinIncoming struct {
	Stream
	peer   identity.PubKey
	target string
	answer chan *wire.Refused // nil: confirmed
}

func (s *twinIncoming) Peer() identity.PubKey { return s.peer }
func (s *twinIncoming) Target() string        { return s.target }

func (s *twinIncoming) Confirm() error {
	s.answer <- nil
	return nil
}

func (s *twinIncoming) Reject(c wire.Code) {
	s.answer <- &wire.Refused{Code: c}
	s.Close()
}

func (m *twinMesh) Accept(ctx context.Context) (Incoming, error) {
	select {
	case in := <-m.incoming:
		return in, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *twinMesh) DialMesh(ctx context.Context, target string, first []byte) (Stream, error) {
	near, far, err := tcpPair()
	if err != nil {
		return nil, err
	}
	in := &twinIncoming{Stream: m.stream(far), peer: m.key, target: target, answer: make(chan *wire.Refused, 1)}
	if _, err := near.Write(first); err != nil {
		return nil, err
	}
	select {
	case m.incoming <- m.arrived(in, far):
	case <-ctx.Done():
		near.Close()
		far.Close()
		return nil, ctx.Err()
	}
	select {
	case refused := <-in.answer:
		if refused != nil {
			near.Close()
			return nil, refused
		}
		return m.stream(near), nil
	case <-ctx.Done():
		near.Close()
		return nil, ctx.Err()
	}
}

// tcpPair returns both ends of a loopback connection.
func tcpPair() (near, far *net.TCPConn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	a, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	for {
		b, err := ln.Accept()
		if err != nil {
			a.Close()
			return nil, nil, err
		}
		if b.RemoteAddr().String() == a.LocalAddr().String() {
			return a.(*net.TCPConn), b.(*net.TCPConn), nil
		}
		b.Close() // of somebody who looked for another listener at this port
	}
}

// twinAir carries datagrams between the parts that opened it, all of one key.
type twinAir struct {
	key   identity.PubKey
	mu    sync.Mutex // guards the following
	next  uint16
	ports map[uint16]*twinPackets
}

type twinPackets struct {
	air  *twinAir
	port uint16
	in   chan []byte
	done chan struct{}
	once sync.Once
}

func (a *twinAir) open(context.Context) (Packets, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ports == nil {
		a.ports = map[uint16]*twinPackets{}
	}
	a.next++
	p := &twinPackets{air: a, port: a.next, in: make(chan []byte, 256), done: make(chan struct{})}
	a.ports[p.port] = p
	return p, nil
}

func (p *twinPackets) Port() uint16 { return p.port }

func (p *twinPackets) ReadPacket(b []byte) (int, identity.PubKey, error) {
	select {
	case data := <-p.in:
		return copy(b, data), p.air.key, nil
	case <-p.done:
		return 0, identity.PubKey{}, net.ErrClosed
	}
}

func (p *twinPackets) WritePacket(b []byte, _ identity.PubKey, port uint16) error {
	p.air.mu.Lock()
	to := p.air.ports[port]
	p.air.mu.Unlock()
	if to != nil {
		select {
		case to.in <- append([]byte(nil), b...):
		default:
		}
	}
	return nil
}

func (p *twinPackets) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// runner starts a service and, at the test's end, ends it and waits for it.
func runner(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

// startClient runs a client that has as much patience as the tests; change adapts its configuration.
func startClient(t *testing.T, dial Dialer, change func(*ClientConfig)) *Client {
	t.Helper()
	cfg := ClientConfig{Listen: "127.0.0.1:0", Dial: dial}
	if change != nil {
		change(&cfg)
	}
	cfg.Limits.negotiation = patience
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	runner(t, c.Run)
	return c
}

// startServer runs an exit on the mesh that may go anywhere on 127.0.0.1.
func startServer(t *testing.T, m *twinMesh, change func(*ServerConfig)) *Server {
	t.Helper()
	cfg := ServerConfig{Accept: m.Accept, Policy: Policy{Allow: []Rule{rule(t, "127.0.0.1:*")}}}
	if change != nil {
		change(&cfg)
	}
	cfg.Limits.DialTimeout = patience
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	runner(t, s.Run)
	return s
}

func rule(t *testing.T, s string) Rule {
	t.Helper()
	r, err := ParseRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// program connects to a client as a program would.
func program(t *testing.T, c *Client) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", c.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

func send(t *testing.T, c io.Writer, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

func expect(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("reading % x: %v", want, err)
	}
	if string(got) != string(want) {
		t.Fatalf("got % x, want % x", got, want)
	}
}

// through opens a connection to target through a client and fails the test unless the reply is code.
func through(t *testing.T, c *Client, target Target, code byte) *net.TCPConn {
	t.Helper()
	conn := program(t, c)
	send(t, conn, []byte{5, 1, 0})
	expect(t, conn, []byte{5, 0})
	send(t, conn, appendRequest(nil, cmdConnect, target))
	expect(t, conn, []byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	return conn
}

// listener runs serve on each connection to a loopback address and returns that address.
func listener(t *testing.T, address string, serve func(*net.TCPConn)) Target {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				serve(conn.(*net.TCPConn))
			})
		}
	})
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	return Target{Addr: at.Addr(), Port: at.Port()}
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(struct{ io.Writer }{c}, c)
}

// closedPort returns an address at which nobody listens, nor can while the test runs: it is the near end of a connection, bound
// before that was made, so that the kernel gives its port to nobody else.
func closedPort(t *testing.T) Target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	near, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	at := near.LocalAddr().(*net.TCPAddr).AddrPort()
	return Target{Addr: at.Addr(), Port: at.Port()}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// ended reads until the end and fails unless it is a reset (want) or a clean end.
func ended(t *testing.T, c io.Reader, reset bool) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("still open")
	}
	if (err != nil) != reset {
		t.Fatalf("ended with %v, want a reset: %v", err, reset)
	}
}

// names is a resolver that knows what is in it; each call moves on to the next answer.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	err     error
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.answers[host]
	if n.err != nil || len(answers) == 0 {
		return nil, errors.Join(n.err, &net.DNSError{Err: "no such host", Name: host, IsNotFound: n.err == nil})
	}
	if len(answers) > 1 {
		n.answers[host] = answers[1:]
	}
	return answers[0], nil
}

// appendRequest is a program's request.
func appendRequest(dst []byte, cmd byte, t Target) []byte {
	dst = append(dst, version, cmd, 0)
	switch {
	case t.Name != "":
		dst = append(append(dst, atypName, byte(len(t.Name))), t.Name...)
	case t.Addr.Is4():
		dst = append(append(dst, atypIPv4), t.Addr.AsSlice()...)
	default:
		dst = append(append(dst, atypIPv6), t.Addr.AsSlice()...)
	}
	return append(dst, byte(t.Port>>8), byte(t.Port))
}

func appendGreeting(dst []byte, methods ...byte) []byte {
	return append(append(dst, version, byte(len(methods))), methods...)
}

func appendAuth(dst []byte, user, password string) []byte {
	dst = append(append(dst, authVersion, byte(len(user))), user...)
	return append(append(dst, byte(len(password))), password...)
}
