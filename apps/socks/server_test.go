package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// refusal opens a stream and returns the reason it was refused for, failing if it was not.
func refusal(t *testing.T, m *twinMesh, target string) Reason {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := m.DialMesh(ctx, target, nil)
	if err == nil {
		s.Close()
		t.Fatalf("%s: connected", target)
	}
	return ReasonOf(err)
}

// opened opens a stream that must succeed.
func opened(t *testing.T, m *twinMesh, target string) Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := m.DialMesh(ctx, target, nil)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	t.Cleanup(func() { s.Close() })
	_ = s.SetDeadline(time.Now().Add(patience))
	return s
}

func addrs(s ...string) (out []netip.Addr) {
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func TestServerReasons(t *testing.T) {
	m := newTwinMesh(t)
	resolver := &names{answers: map[string][][]netip.Addr{
		"empty.example":   {{}},
		"private.example": {addrs("10.0.0.1", "192.168.1.1", "::1", "fd00::1")},
	}}
	s := startServer(t, m, func(cfg *ServerConfig) { cfg.Resolver = resolver })
	for target, want := range map[string]Reason{
		closedPort(t).String():      Refused,
		"private.example:80":        Denied,
		"127.0.0.2:80":              Denied,
		"10.0.0.1:80":               Denied,
		"1.1.1.1:25":                Denied,
		"unknown.example:80":        HostUnreachable,
		"empty.example:80":          HostUnreachable,
		"":                          Malformed,
		"no port":                   Malformed,
		"a:80\x00":                  Malformed,
		string(make([]byte, 9_000)): Malformed,
	} {
		if got := refusal(t, m, target); got != want {
			t.Errorf("%.40q: %s, want %s", target, got, want)
		}
	}
	if got := s.Stats().Refused; got["denied"] != 4 || got["malformed"] != 4 || got["refused"] != 1 || got["no such name"] != 2 {
		t.Errorf("counted %v", got)
	}
}

func TestReasonOf(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("dialing: %w", &net.OpError{Op: "dial", Err: err}) }
	for _, tt := range []struct {
		err  error
		want Reason
	}{
		{wrap(syscall.ECONNREFUSED), Refused},
		{wrap(syscall.EHOSTUNREACH), HostUnreachable},
		{wrap(syscall.EHOSTDOWN), HostUnreachable},
		{wrap(syscall.ENETUNREACH), NetUnreachable},
		{wrap(syscall.EADDRNOTAVAIL), NetUnreachable},
		{wrap(syscall.ETIMEDOUT), TimedOut},
		{wrap(syscall.EPERM), Denied},
		{wrap(syscall.ECONNRESET), Gone},
		{wrap(context.DeadlineExceeded), TimedOut},
		{wrap(context.Canceled), Gone},
		{wrap(&net.DNSError{IsNotFound: true}), NoSuchName},
		{wrap(&net.DNSError{IsTimeout: true}), TimedOut},
		{wrap(&net.DNSError{IsTemporary: true}), HostUnreachable},
		{wrap(&Error{Reason: NoRoute}), NoRoute},
		{wrap(syscall.EIO), Internal},
		{errors.New("odd"), Internal},
		{nil, Internal},
	} {
		if got := ReasonOf(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

// The address that was judged is the one that is dialed: a resolver that changes its mind
// afterwards is not asked again.
func TestRebinding(t *testing.T) {
	resolver := &names{answers: map[string][][]netip.Addr{"evil.example": {addrs("1.1.1.1"), addrs("127.0.0.1")}}}
	var dialed []netip.AddrPort
	c := connector{policy: &Policy{}, resolver: resolver, dial: func(_ context.Context, at netip.AddrPort) (*net.TCPConn, error) {
		dialed = append(dialed, at)
		return nil, syscall.ECONNREFUSED
	}}
	for range 3 {
		_, err := c.connect(t.Context(), Target{Name: "evil.example", Port: 80})
		if err == nil {
			t.Fatal("connected")
		}
	}
	if len(dialed) != 1 || dialed[0].String() != "1.1.1.1:80" {
		t.Fatalf("dialed %v", dialed)
	}
}

func TestSeveralAddresses(t *testing.T) {
	ok, tries := netip.MustParseAddr("1.0.0.9"), []netip.Addr(nil)
	fail := map[netip.Addr]error{netip.MustParseAddr("2a00::1"): syscall.ENETUNREACH, netip.MustParseAddr("1.0.0.2"): context.DeadlineExceeded}
	near, far, err := tcpPair()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	defer far.Close()
	dial := func(ctx context.Context, at netip.AddrPort) (*net.TCPConn, error) {
		tries = append(tries, at.Addr())
		if _, limited := ctx.Deadline(); !limited {
			t.Errorf("%s has no deadline", at)
		}
		if at.Addr() == ok {
			return near, nil
		}
		if err := fail[at.Addr()]; err != nil {
			return nil, err
		}
		return nil, syscall.ECONNREFUSED
	}
	many := addrs("1.0.1.1", "1.0.1.2", "1.0.1.3", "1.0.1.4", "1.0.1.5", "1.0.1.6", "1.0.1.7", "1.0.1.8", "1.0.0.9")
	for _, tt := range []struct {
		name  string
		addrs []netip.Addr
		tries int
		want  Reason // Internal: connected
	}{
		{"denied ones are passed over", addrs("127.0.0.1", "10.0.0.1", "1.0.0.9"), 1, Internal},
		{"the next after a failure", addrs("2a00::1", "1.0.0.1", "1.0.0.9", "1.0.0.8"), 3, Internal},
		{"the first failure is told", addrs("1.0.0.1", "1.0.0.2"), 2, Refused},
		{"but not that of a missing family", addrs("2a00::1", "1.0.0.2", "1.0.0.1"), 3, TimedOut},
		{"not more than eight", many, 8, Refused},
		{"all denied", addrs("127.0.0.1", "::1"), 0, Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tries = nil
			c := connector{policy: &Policy{}, dial: dial, resolver: &names{answers: map[string][][]netip.Addr{"x": {tt.addrs}}}}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := c.connect(ctx, Target{Name: "x", Port: 80})
			if len(tries) != tt.tries || (conn != nil) != (tt.want == Internal) || err != nil && ReasonOf(err) != tt.want {
				t.Fatalf("tried %v, got %v", tries, err)
			}
		})
	}
}

func TestDialTimeout(t *testing.T) {
	m := newTwinMesh(t)
	cfg := ServerConfig{Accept: m.Accept, Limits: ServerLimits{DialTimeout: 20 * time.Millisecond, MaxDials: 1}}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.connect.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	runner(t, s.Run)
	if got := refusal(t, m, "1.1.1.1:80"); got != TimedOut {
		t.Errorf("hanging dial: %s", got)
	}
	s.dials <- struct{}{} // no turn ever comes
	if got := refusal(t, m, "1.1.1.1:80"); got != Busy {
		t.Errorf("no turn: %s", got)
	}
	<-s.dials
}

func TestAllowKeys(t *testing.T) {
	m := newTwinMesh(t)
	target := listener(t, "127.0.0.1:0", echo)
	friend, stranger := testKey(t), testKey(t)
	startServer(t, m, func(cfg *ServerConfig) { cfg.Keys = map[identity.PubKey]Allowance{friend: {}} })
	m.key = stranger
	if got := refusal(t, m, target.String()); got != Denied {
		t.Errorf("stranger: %s", got)
	}
	m.key = friend
	opened(t, m, target.String()).Close()
}

func TestStreamLimits(t *testing.T) {
	m := newTwinMesh(t)
	target := listener(t, "127.0.0.1:0", echo).String()
	s := startServer(t, m, func(cfg *ServerConfig) { cfg.Limits = ServerLimits{MaxStreams: 3, MaxStreamsPerKey: 2} })
	one := opened(t, m, target)
	opened(t, m, target)
	if got := refusal(t, m, target); got != Busy {
		t.Errorf("third of one key: %s", got)
	}
	first := m.key
	m.key = testKey(t)
	opened(t, m, target)
	m.key = testKey(t)
	if got := refusal(t, m, target); got != Busy {
		t.Errorf("fourth of all: %s", got)
	}
	one.Close()
	eventually(t, "room again", func() bool { return s.Stats().Active == 2 })
	m.key = first
	opened(t, m, target)
	eventually(t, "four counted, two refused", func() bool { // counted just after the stream was confirmed
		got := s.Stats()
		return got.Refused["busy"] == 2 && got.Total == 4
	})
	rows := s.Connections()
	if len(rows) != 3 || rows[0].Peer != first.String() || rows[0].Target != target {
		t.Errorf("listed %+v", rows)
	}
}

func TestKeysLeaveNoTrace(t *testing.T) {
	m := newTwinMesh(t)
	s := startServer(t, m, nil)
	for range 5 {
		m.key = testKey(t)
		refusal(t, m, "127.0.0.2:80")
	}
	eventually(t, "nothing kept per key", func() bool {
		s.table.sweep(time.Now().Add(2*shareMemory), 0)
		s.table.mu.Lock()
		defer s.table.mu.Unlock()
		return len(s.table.shares) == 0 && len(s.table.conns) == 0
	})
}

func TestServerShutdownResets(t *testing.T) {
	m := newTwinMesh(t)
	target := listener(t, "127.0.0.1:0", echo)
	s, err := NewServer(ServerConfig{Accept: m.Accept, Policy: Policy{Allow: []Rule{rule(t, "localhost:*")}}})
	if err != nil {
		t.Fatal(err)
	}
	stop := runner(t, s.Run)
	stream := opened(t, m, target.String())
	send(t, stream, []byte("hello"))
	expect(t, stream, []byte("hello"))
	stop()
	ended(t, stream, true)
}

func TestAcceptFails(t *testing.T) {
	broken := errors.New("node gone")
	s, err := NewServer(ServerConfig{Accept: func(context.Context) (Incoming, error) { return nil, broken }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("Run: %v", err)
	}
	if _, err := NewServer(ServerConfig{}); err == nil {
		t.Error("a server without a source of streams")
	}
}
