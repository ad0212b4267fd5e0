package socks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// noMesh is a dialer that always fails in the same way.
func noMesh(err error) Dialer {
	return DialerFunc(func(context.Context, string, []byte) (Stream, error) { return nil, err })
}

func TestMeshReasons(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("dialing the exit: %w", err) }
	for _, tt := range []struct {
		err   error
		reply byte
	}{
		{wrap(&wire.Refused{Code: wire.CodeRefused}), 5},
		{wrap(&wire.Refused{Code: wire.CodeHostUnreachable}), 4},
		{wrap(&wire.Refused{Code: wire.CodeNetUnreachable}), 3},
		{wrap(&wire.Refused{Code: wire.CodeNoRoute}), 3},
		{wrap(&wire.Refused{Code: wire.CodeTimeout}), 6},
		{wrap(&wire.Refused{Code: wire.CodeDenied}), 2},
		{wrap(&wire.Refused{Code: wire.CodeNoListener}), 1},
		{wrap(&wire.Refused{Code: 999}), 1},
		{wrap(context.DeadlineExceeded), 6},
		{wrap(syscall.ECONNREFUSED), 1}, // our own node is not there: not the target's refusal
		{errors.New("odd"), 1},
	} {
		c := startClient(t, noMesh(tt.err), nil)
		through(t, c, Target{Name: "example.com", Port: 80}, tt.reply)
	}
}

func TestCodesKeepTheReply(t *testing.T) {
	for r := range BadCommand {
		if r == NoSuchName { // the mesh has no code of its own for it
			continue
		}
		if got := reasonOfCode(r.Code()); got != r {
			t.Errorf("%s became %s", r, got)
		}
	}
	if got := reasonOfCode(NoSuchName.Code()).Reply(); got != NoSuchName.Reply() {
		t.Errorf("no such name: reply %d", got)
	}
}

// caught is a dialer that hands out what it was asked and a stream whose far end the test holds.
type caught struct {
	target string
	first  []byte
	far    *net.TCPConn
}

func catch() (Dialer, <-chan caught) {
	calls := make(chan caught, 16)
	return DialerFunc(func(_ context.Context, target string, first []byte) (Stream, error) {
		near, far, err := tcpPair()
		if err != nil {
			return nil, err
		}
		calls <- caught{target, bytes.Clone(first), far}
		return newTwinStream(near), nil
	}), calls
}

func TestRepliesByReason(t *testing.T) {
	for r := range Reason(numReasons) {
		t.Run(r.String(), func(t *testing.T) {
			c := startClient(t, noMesh(&Error{Reason: r}), nil)
			conn := through(t, c, Target{Name: "example.com", Port: 80}, r.Reply())
			ended(t, conn, false)
			eventually(t, "counted", func() bool { return c.Stats().Refused[r.String()] == 1 })
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	c := startClient(t, noMesh(errors.New("never asked")), nil)
	for _, tt := range []struct {
		name string
		send []byte
		want []byte
	}{
		{"command 4", []byte{5, 1, 0, 5, 4, 0, 1, 1, 1, 1, 1, 0, 80}, []byte{5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"udp associate without datagrams", []byte{5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0}, []byte{5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"address type", []byte{5, 1, 0, 5, 1, 0, 9, 1, 1, 1, 1, 0, 80}, []byte{5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"version of the request", []byte{5, 1, 0, 4, 1, 0, 1, 1, 1, 1, 1, 0, 80}, []byte{5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"oversized name", append([]byte{5, 1, 0, 5, 1, 0, 3, 255}, bytes.Repeat([]byte("a"), 257)...), []byte{5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"no method of ours", []byte{5, 2, 1, 2}, []byte{5, 0xff}},
		{"no methods", []byte{5, 0}, nil},
		{"socks 4, command 3", []byte{4, 3, 0, 80, 1, 1, 1, 1, 0}, []byte{0, 91, 0, 0, 0, 0, 0, 0}},
		{"socks 4, a long user", append([]byte{4, 1, 0, 80, 1, 1, 1, 1}, bytes.Repeat([]byte("a"), 256)...), []byte{0, 91, 0, 0, 0, 0, 0, 0}},
		{"socks 4a, port 0", []byte{4, 1, 0, 0, 0, 0, 0, 1, 0, 'a', 0}, []byte{0, 91, 0, 0, 0, 0, 0, 0}},
		{"http, no authority", []byte("CONNECT / HTTP/1.1\r\n\r\n"), appendRefusal(nil, Malformed)},
		{"http, a long head", append([]byte("CONNECT a:1 HTTP/1.1\r\nA: "), bytes.Repeat([]byte("a"), maxHead)...), appendRefusal(nil, Malformed)},
		{"neither", bytes.Repeat([]byte("A"), 100), nil},
		{"garbage", bytes.Repeat([]byte{0xff}, 20_000), nil},
		{"nothing", nil, nil},
		{"half a greeting", []byte{5, 200, 1}, nil},
		{"half a request", []byte{5, 1, 0, 5, 1}, []byte{5, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := program(t, c)
			send(t, conn, tt.send)
			_ = conn.CloseWrite()
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Fatalf("got % x, %v; want % x", got, err, tt.want)
			}
		})
	}
	eventually(t, "all connections gone", func() bool { return c.Stats().Active == 0 })
}

func TestRequestByteByByte(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, nil)
	conn := program(t, c)
	for _, b := range appendRequest(appendGreeting(nil, 2, 0), cmdConnect, Target{Name: "slow.example", Port: 8080}) {
		send(t, conn, []byte{b})
		time.Sleep(time.Millisecond)
	}
	expect(t, conn, []byte{5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	got := <-calls
	defer got.far.Close()
	if got.target != "slow.example:8080" || len(got.first) != 0 {
		t.Fatalf("%q with %q", got.target, got.first)
	}
}

func TestEarlyData(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, nil)
	want := bytes.Repeat([]byte("0123456789abcdef"), 4096) // 64 KiB: more than fits
	for _, size := range []int{1, 1000, MaxFirst, len(want)} {
		conn := program(t, c)
		all := appendRequest(appendGreeting(nil, 0), cmdConnect, Target{Name: "a.example", Port: 80})
		send(t, conn, append(all, want[:size]...))
		_ = conn.CloseWrite()
		got := <-calls
		if len(got.first) > MaxFirst || len(got.first) == 0 {
			t.Fatalf("%d bytes came with the opening", len(got.first))
		}
		rest, err := io.ReadAll(got.far)
		if err != nil || string(append(got.first, rest...)) != string(want[:size]) {
			t.Fatalf("%d bytes: %d and %d arrived, %v", size, len(got.first), len(rest), err)
		}
		expect(t, conn, []byte{5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		send(t, got.far, []byte("answer"))
		got.far.Close()
		expect(t, conn, []byte("answer"))
		ended(t, conn, false)
	}
	eventually(t, "counted", func() bool {
		s := c.Stats()
		return s.Active == 0 && s.Total == 4 && s.BytesUp == uint64(1+1000+MaxFirst+len(want)) && s.BytesDown == 24
	})
}

// Data that lies in the kernel in a segment of its own when the request is complete travels too.
func TestEarlyDataInTheKernel(t *testing.T) {
	near, far, err := tcpPair()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	defer far.Close()
	n := &negotiation{conn: far, buf: make([]byte, negotiationBuffer)}
	if got := n.early(); len(got) != 0 {
		t.Fatalf("%q out of nothing", got)
	}
	send(t, near, []byte("hello"))
	eventually(t, "arrived", func() bool { return string(n.early()) == "hello" })
	near.Close()
	if got, err := far.Read(make([]byte, 1)); got != 0 || !errors.Is(err, io.EOF) { // the end is there
		t.Fatalf("%d bytes, %v", got, err)
	}
	if got := n.early(); string(got) != "hello" {
		t.Errorf("the end is data: %q", got)
	}
}

func TestPassword(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, func(cfg *ClientConfig) {
		cfg.Users = []User{{Name: "bob", Password: "s:cret"}, {Name: "ann", Password: "other"}}
	})
	for _, tt := range []struct {
		user, password string
		ok             bool
	}{
		{"bob", "s:cret", true}, {"ann", "other", true}, {"ann", "s:cret", false}, {"bob", "s:crex", false}, {"bobs", ":cret", false}, {"", "", false},
		{strings.Repeat("b", 255), strings.Repeat("x", 255), false},
	} {
		conn := program(t, c)
		send(t, conn, appendGreeting(nil, 0, 2))
		expect(t, conn, []byte{5, 2})
		send(t, conn, appendAuth(nil, tt.user, tt.password))
		if !tt.ok {
			expect(t, conn, []byte{1, 1})
			ended(t, conn, false)
			continue
		}
		expect(t, conn, []byte{1, 0})
		send(t, conn, appendRequest(nil, cmdConnect, Target{Name: "a.example", Port: 1}))
		expect(t, conn, []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		(<-calls).far.Close()
	}
	conn := program(t, c)
	send(t, conn, appendGreeting(nil, 0))
	expect(t, conn, []byte{5, 0xff})
	ended(t, conn, false)
	eventually(t, "counted", func() bool { return c.Stats().Refused["authentication failed"] == 6 })
}

func TestForeignUser(t *testing.T) {
	for name, ask := range map[string]func(net.Conn) (int, error){
		"other": func(net.Conn) (int, error) { return os.Geteuid() + 1, nil },
		"error": func(net.Conn) (int, error) { return os.Geteuid(), errors.New("no such socket") },
	} {
		t.Run(name, func(t *testing.T) {
			c := startClient(t, noMesh(errors.New("never asked")), func(cfg *ClientConfig) { cfg.PeerUID = ask })
			conn, err := net.Dial("tcp", c.Addr().String())
			if err == nil { // the reset may come before connect returns
				defer conn.Close()
				_, err = conn.Read(make([]byte, 1))
			}
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("got %v", err)
			}
			eventually(t, "counted", func() bool { return c.Stats().Refused["foreign user"] == 1 })
		})
	}
	t.Run("own", func(t *testing.T) {
		c := startClient(t, noMesh(&Error{Reason: Refused}), func(cfg *ClientConfig) {
			cfg.PeerUID = func(net.Conn) (int, error) { return os.Geteuid(), nil }
		})
		through(t, c, Target{Name: "a", Port: 1}, 5)
	})
}

func TestMaxConns(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, func(cfg *ClientConfig) { cfg.Limits.MaxConns = 2 })
	target := Target{Name: "a.example", Port: 1}
	one := through(t, c, target, 0)
	through(t, c, target, 0)
	third, err := net.Dial("tcp", c.Addr().String())
	if err == nil {
		defer third.Close()
		_, err = third.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("third connection: %v", err)
	}
	one.Close()
	far := (<-calls).far
	far.Close()
	eventually(t, "room again", func() bool { return c.Stats().Active == 1 })
	through(t, c, target, 0)
	(<-calls).far.Close()
	(<-calls).far.Close()
}

// Silent connections hold half-open places; when all are taken the next one waits, and is
// served as soon as one leaves.
func TestMaxHalfOpen(t *testing.T) {
	c := startClient(t, noMesh(&Error{Reason: Refused}), func(cfg *ClientConfig) { cfg.Limits.MaxHalfOpen = 2 })
	one, _ := program(t, c), program(t, c)
	eventually(t, "both negotiate", func() bool { return c.Stats().Active == 2 })
	third := program(t, c)
	send(t, third, []byte{5, 1, 0})
	_ = third.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := third.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("served beside two half-open ones: %v", err)
	}
	one.Close()
	_ = third.SetReadDeadline(time.Now().Add(patience))
	expect(t, third, []byte{5, 0})
}

func TestMeshTimeout(t *testing.T) {
	hang := DialerFunc(func(ctx context.Context, _ string, _ []byte) (Stream, error) {
		<-ctx.Done()
		return nil, errors.New("gave up")
	})
	c := startClient(t, hang, func(cfg *ClientConfig) { cfg.Limits.MeshTimeout = 20 * time.Millisecond })
	through(t, c, Target{Name: "a", Port: 1}, replyTTLExpired)
}

func TestIdleConnectionsEnd(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, func(cfg *ClientConfig) { cfg.Limits.IdleTimeout = 500 * time.Millisecond })
	conn := through(t, c, Target{Name: "a", Port: 1}, 0)
	defer (<-calls).far.Close()
	ended(t, conn, true)
}

func TestShutdownResets(t *testing.T) {
	dial, calls := catch()
	c, err := NewClient(ClientConfig{Listen: "127.0.0.1:0", Dial: dial, Limits: ClientLimits{negotiation: patience}})
	if err != nil {
		t.Fatal(err)
	}
	stop := runner(t, c.Run)
	conn := through(t, c, Target{Name: "a", Port: 1}, 0)
	silent := program(t, c)
	far := (<-calls).far
	defer far.Close()
	eventually(t, "both there", func() bool { return c.Stats().Active == 2 })
	stop()
	ended(t, conn, true)
	ended(t, far, true)
	ended(t, silent, true)
	if err := c.ln.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) { // its port may be another program's by now
		t.Errorf("still listening: %v", err)
	}
}

func TestNewClientRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dial := noMesh(errors.New("never asked"))
	for name, cfg := range map[string]ClientConfig{
		"no dialer":        {Listen: "127.0.0.1:0"},
		"port in use":      {Listen: taken.Addr().String(), Dial: dial},
		"open to others":   {Listen: "0.0.0.0:0", Dial: dial},
		"open to others 6": {Listen: "[::]:0", Dial: dial},
		"no address":       {Listen: "nonsense", Dial: dial},
		"empty password":   {Listen: "127.0.0.1:0", Dial: dial, Users: []User{{Name: "a"}}},
		"long user":        {Listen: "127.0.0.1:0", Dial: dial, Users: []User{{Name: strings.Repeat("a", 256), Password: "b"}}},
	} {
		if c, err := NewClient(cfg); err == nil {
			c.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	c, err := NewClient(ClientConfig{Listen: "0.0.0.0:0", Dial: dial, Users: []User{{Name: "a", Password: "b"}}})
	if err != nil {
		t.Fatalf("with a password: %v", err)
	}
	c.Close()
}

func TestConnectionsListed(t *testing.T) {
	dial, calls := catch()
	c := startClient(t, dial, nil)
	conn := through(t, c, Target{Name: "listed.example", Port: 7}, 0)
	defer (<-calls).far.Close()
	send(t, conn, []byte("hello"))
	eventually(t, "listed with its bytes", func() bool {
		rows := c.Connections()
		return len(rows) == 1 && rows[0].Target == "listed.example:7" && rows[0].BytesUp == 5 && rows[0].Connected &&
			rows[0].Peer == conn.LocalAddr().String()
	})
}
