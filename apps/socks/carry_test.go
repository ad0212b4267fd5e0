package socks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// carryingTwin is a twinMesh that carries streams, each over a stream of its own.
type carryingTwin struct {
	*twinMesh
	under  sync.WaitGroup // streams under way
	count  atomic.Int64   // carried at the entry
	cannot atomic.Bool    // CarryOn is refused
}

// carriedTwin is a stream on its way.
type carriedTwin struct {
	stop     context.CancelFunc
	over     chan struct{}
	err      error
	up, down atomic.Uint64
}

func (c *carriedTwin) Wait(progress func(toMesh, fromMesh uint64)) error {
	<-c.over
	progress(c.up.Load(), c.down.Load())
	return c.err
}

func (c *carriedTwin) Reset(wire.Code) { c.stop() }

// move joins a copy of a socket and a stream.
func (m *carryingTwin) move(socket *Socket, stream Stream, hello []byte) (Carried, error) {
	var copied *Socket
	var err error
	socket.Control(func(fd uintptr) { copied, err = dupFD(fd) })
	if err != nil {
		return nil, err
	}
	conn, err := copied.attach()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &carriedTwin{stop: cancel, over: make(chan struct{})}
	m.under.Go(func() {
		defer cancel()
		c.err = pipe(ctx, conn, stream, half{count: &c.up}, half{count: &c.down}, &buffers{})
		close(c.over)
	})
	return c, nil
}

func (m *carryingTwin) Carries(context.Context) bool { return true }

func (m *carryingTwin) DialCarried(ctx context.Context, target string, first, hello []byte, socket *Socket) (Carried, error) {
	stream, err := m.DialMesh(ctx, target, first)
	if err != nil {
		return nil, err
	}
	m.count.Add(1)
	return m.move(socket, stream, hello)
}

func (m *carryingTwin) Accept(ctx context.Context) (Incoming, error) {
	in, err := m.twinMesh.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return carryingTwinIncoming{in, m}, nil
}

type carryingTwinIncoming struct {
	Incoming
	m *carryingTwin
}

func (in carryingTwinIncoming) CarryOn(socket *Socket) (Carried, error) {
	if in.m.cannot.Load() {
		return nil, errors.ErrUnsupported
	}
	if err := in.Confirm(); err != nil {
		return nil, err
	}
	return in.m.move(socket, in.Incoming, nil)
}

// carrying is a client and an exit on a mesh that carries.
func carrying(t *testing.T, change func(*ClientConfig)) (*Client, *Server, *carryingTwin) {
	m := &carryingTwin{twinMesh: newTwinMesh(t)}
	t.Cleanup(m.under.Wait)
	return startClient(t, m, change), startServer(t, m.twinMesh, func(cfg *ServerConfig) { cfg.Accept = m.Accept }), m
}

// What a program sends behind its request, and what each side counts, is the same when a stream is carried.
func TestCarriedEarlyData(t *testing.T) {
	c, s, m := carrying(t, nil)
	target := listener(t, "127.0.0.1:0", echo)
	conn := program(t, c)
	hello := appendRequest(appendGreeting(nil, 0), cmdConnect, target)
	send(t, conn, append(hello, "early "...))
	expect(t, conn, []byte{5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	send(t, conn, []byte("late"))
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "early late" {
		t.Fatalf("%q came back, %v", got, err)
	}
	if m.count.Load() != 1 {
		t.Errorf("%d streams were carried", m.count.Load())
	}
	eventually(t, "all is counted", func() bool {
		a, b := c.Stats(), s.Stats()
		return a.Active == 0 && b.Active == 0 && a.Total == 1 && b.Total == 1 && a.BytesUp == 10 && a.BytesDown == 10 && b.BytesUp == 10 && b.BytesDown == 10
	})
}

// A refusal reaches a program whose socket was on its way already.
func TestCarriedRefusal(t *testing.T) {
	c, _, _ := carrying(t, nil)
	conn := through(t, c, closedPort(t), Refused.Reply())
	if b, err := io.ReadAll(conn); err != nil || len(b) > 0 {
		t.Errorf("%q after the refusal, %v", b, err)
	}
	conn = program(t, c)
	target := closedPort(t)
	send(t, conn, []byte("CONNECT "+netip.AddrPortFrom(target.Addr, target.Port).String()+" HTTP/1.1\r\n\r\n"))
	if b, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.1 502 ")) {
		t.Errorf("%q, %v", b, err)
	}
	if s := c.Stats(); s.Refused["refused"] != 2 {
		t.Errorf("%+v", s.Refused)
	}
}

// Early replies, users with a rate, and an exit that cannot: all by way of this process.
func TestNotCarried(t *testing.T) {
	target := listener(t, "127.0.0.1:0", echo)
	through5 := func(c *Client) {
		conn := through(t, c, target, 0)
		send(t, conn, []byte("hello"))
		expect(t, conn, []byte("hello"))
		conn.Close()
	}
	early, _, m := carrying(t, func(cfg *ClientConfig) { cfg.EarlyReply = true })
	through5(early)
	slow, _, m2 := carrying(t, func(cfg *ClientConfig) { cfg.Limits.Each.Rate = 1 << 20 })
	through5(slow)
	if m.count.Load()+m2.count.Load() != 0 {
		t.Error("carried all the same")
	}
	unable, _, m3 := carrying(t, nil)
	m3.cannot.Store(true)
	through5(unable)
}

// A program that idles for too long is broken, and so is one that is carried when the client ends.
func TestCarriedEnds(t *testing.T) {
	c, _, _ := carrying(t, func(cfg *ClientConfig) { cfg.Limits.IdleTimeout = 50 * time.Millisecond })
	conn := through(t, c, listener(t, "127.0.0.1:0", echo), 0)
	ended(t, conn, true)
	eventually(t, "it is gone", func() bool { return c.Stats().Active == 0 })
}

func TestSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sockets do not pass here")
	}
	near, far, err := tcpPair()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	s, err := detach(near)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection lives: %v", err)
	}
	conn, err := s.attach()
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, []byte("alive"))
	expect(t, far, []byte("alive"))
	if err := s.Control(func(uintptr) {}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is still here: %v", err)
	}
	s.Close()
	s.Reset()
	if s, err = detach(conn); err != nil {
		t.Fatal(err)
	}
	s.Reset()
	ended(t, far, true)
}
