package vpn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// testServer is a Server on a mesh in memory.
type testServer struct {
	*Server
	mesh  *mesh
	self  identity.PubKey
	mover *mover
}

func startServer(t *testing.T, change func(*ServerConfig)) *testServer {
	t.Helper()
	s := &testServer{mesh: newMesh(), self: newKey(t), mover: newMover(1194)}
	first := true
	cfg := ServerConfig{
		Self: func() identity.PubKey { return s.self }, Accept: s.mesh.accept,
		Open: func(ctx context.Context) (Mover, error) {
			if !first {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			first = false
			return s.mover, nil
		},
		Offload: packet.All, Subnet: prefix("10.5.0.0/29"), Subnet6: prefix("fd00:5::/64"), MTU: 1500, DNS: func() bool { return true },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if s.Server, err = NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	eventually(t, "the node has the TUN", func() bool { return s.Status().Node })
	return s
}

// join is a client's HELLO.
func (s *testServer) join(t *testing.T, key identity.PubKey, change func(*hello)) (Stream, welcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	st, err := s.mesh.dial(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	h := hello{Version: Version, Offload: packet.All, Families: family4 | family6, Port: 77}
	if change != nil {
		change(&h)
	}
	w, err := greet(st, h)
	return st, w, err
}

func TestServerPinsAddresses(t *testing.T) {
	s := startServer(t, nil)
	a, b := newKey(t), newKey(t)
	st, w, err := s.join(t, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := welcome{
		Version: 1, Offload: packet.All, Port: 1194, MTU: 1500, KeepAlive: keepAlive, Addrs: w.Addrs,
		Gateways: []netip.Addr{netip.MustParseAddr("10.5.0.1"), netip.MustParseAddr("fd00:5::1")},
		DNS:      []netip.Addr{netip.MustParseAddr("10.5.0.1"), netip.MustParseAddr("fd00:5::1")},
	}
	if fmt.Sprint(w) != fmt.Sprint(want) || len(w.Addrs) != 2 || w.Addrs[0] != prefix("10.5.0.2/32") || !prefix("fd00:5::/64").Contains(w.Addrs[1].Addr()) {
		t.Fatalf("welcome %+v", w)
	}
	if p, ok := s.mover.peer(tunnel.PeerID{Key: a, Port: 77}); !ok || !slices.Equal(p.Prefixes, w.Addrs) {
		t.Errorf("the node was told %+v", p)
	}
	if !s.mover.rules.Welcome(netip.MustParseAddr("8.8.8.8")) || s.mover.rules.Welcome(netip.MustParseAddr("10.5.0.3")) ||
		!s.mover.rules.Welcome(netip.MustParseAddr("10.5.0.1")) {
		t.Errorf("rules %+v", s.mover.rules)
	}
	if _, other, err := s.join(t, b, nil); err != nil || other.Addrs[0] != prefix("10.5.0.3/32") || other.Addrs[1] == w.Addrs[1] {
		t.Errorf("another client: %+v, %v", other, err)
	}
	st.Close()
	eventually(t, "the node forgets the client", func() bool { _, ok := s.mover.peer(tunnel.PeerID{Key: a, Port: 77}); return !ok })
	if _, again, err := s.join(t, a, func(h *hello) { h.Port = 78 }); err != nil || !slices.Equal(again.Addrs, w.Addrs) {
		t.Errorf("the same client again: %+v, %v", again, err)
	}
}

// Our TUN gives what every client takes, so that nobody gets packets that it cannot finish.
func TestServerGivesWhatAllTake(t *testing.T) {
	limits := make(chan packet.Offload, 8)
	s := startServer(t, func(c *ServerConfig) { c.Limit = func(o packet.Offload) error { limits <- o; return nil } })
	s.join(t, newKey(t), nil)
	st, _, _ := s.join(t, newKey(t), func(h *hello) { h.Offload = packet.Checksum | packet.TCP4 })
	if o := <-limits; o != packet.Checksum|packet.TCP4 {
		t.Errorf("limited to %d", o)
	}
	st.Close()
	if o := <-limits; o != packet.All {
		t.Errorf("then to %d", o)
	}
}

func TestServerRefuses(t *testing.T) {
	friend := newKey(t)
	s := startServer(t, func(c *ServerConfig) {
		c.Allow = []identity.PubKey{friend}
		c.Passcode = &Passcode{[]byte("open sesame")}
		c.Subnet6 = netip.Prefix{}
	})
	proofs, err := (&Passcode{[]byte("open sesame")}).prover(s.self)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.provers(); err != nil { // no client waits while the passcode is stretched
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		key  identity.PubKey
		h    func(*hello)
		want Code
	}{
		{"a stranger", newKey(t), nil, CodeDenied},
		{"no passcode", friend, nil, CodePasscode},
		{"another's proof", friend, func(h *hello) { h.Proof = proofs.proof(s.self) }, CodePasscode},
		{"IPv6 alone", friend, func(h *hello) { h.Families = family6; h.Proof = proofs.proof(friend) }, CodeFamily},
		{"no family", friend, func(h *hello) { h.Families = 0 }, CodeFamily},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := s.join(t, c.key, c.h)
			if r := (*Refusal)(nil); !errors.As(err, &r) || r.Code != c.want {
				t.Errorf("got %v, want code %d", err, c.want)
			}
		})
	}
	if _, w, err := s.join(t, friend, func(h *hello) { h.Proof = proofs.proof(friend) }); err != nil || len(w.Addrs) != 1 {
		t.Errorf("who knows the passcode: %+v, %v", w, err)
	}
	if st := s.Status(); st.Refused != 5 || st.Clients != 1 {
		t.Errorf("status %+v", st)
	}
}

// A second client of the same node takes the place of the first.
func TestServerReplacesClientOfTheSameNode(t *testing.T) {
	s := startServer(t, nil)
	key := newKey(t)
	first, w, err := s.join(t, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, again, err := s.join(t, key, func(h *hello) { h.Port = 99 })
	if err != nil || !slices.Equal(w.Addrs, again.Addrs) {
		t.Fatalf("%+v, %v", again, err)
	}
	first.SetReadDeadline(time.Now().Add(patience))
	k, body, err := readMessage(first, make([]byte, maxMessage))
	if err != nil || k != kindBye || refusalOf(body).(*Refusal).Code != CodeReplaced {
		t.Errorf("the first heard %d %x, %v", k, body, err)
	}
	if _, ok := s.mover.peer(tunnel.PeerID{Key: key, Port: 77}); ok {
		t.Error("the node still has the first one")
	}
	if _, ok := s.mover.peer(tunnel.PeerID{Key: key, Port: 99}); !ok {
		t.Error("the node does not have the second one")
	}
}

func TestServerAnswersPingsAndRenews(t *testing.T) {
	s := startServer(t, nil)
	st, w, err := s.join(t, newKey(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(patience))
	say(st, kind(200), []byte("of a later version"))
	say(st, kindPing, appendStamp(nil, 42))
	buf := make([]byte, maxMessage)
	k, body, err := readMessage(st, buf)
	if at, bad := parseStamp(body); k != kindPong || at != 42 || bad != nil || err != nil {
		t.Errorf("ping: %d %x, %v", k, body, err)
	}
	again, err := greet(st, hello{Version: 1, Families: 3, Port: 77})
	if err != nil || fmt.Sprint(again) != fmt.Sprint(w) {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	for i := 0; ; i++ { // not for ever
		if _, err := greet(st, hello{Version: 1, Families: 3, Port: 77}); err != nil {
			if i > maxRenews {
				t.Errorf("%d renewals", i)
			}
			return
		}
	}
}

func TestServerIsNotFooled(t *testing.T) {
	s := startServer(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, b := range [][]byte{nil, {0}, {1, 0xff, 0xff}, appendMessage(nil, kindHello, nil), appendMessage(nil, kindPing, make([]byte, 8)), appendMessage(nil, kindHello, make([]byte, 40))} {
		st, err := s.mesh.dial(ctx, newKey(t))
		if err != nil {
			t.Fatal(err)
		}
		st.SetDeadline(time.Now().Add(patience))
		st.Write(b)
		if len(b) == 0 || len(b) < 3 {
			st.Close()
			continue
		}
		if _, err := st.Read(make([]byte, 1)); err == nil {
			t.Errorf("%x is answered", b)
		}
		st.Close()
	}
	if st := s.Status(); st.Clients != 0 {
		t.Errorf("status %+v", st)
	}
}

// One node cannot take all the places of those who are to say HELLO.
func TestServerGreetsAFewOfANode(t *testing.T) {
	s := startServer(t, nil)
	key := newKey(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range maxOfKey {
		st, err := s.mesh.dial(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
	}
	if _, err := s.mesh.dial(ctx, key); !errors.Is(err, errRefused) {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := s.join(t, newKey(t), nil); err != nil {
		t.Errorf("another node: %v", err)
	}
}

func TestServerWithFullPool(t *testing.T) {
	s := startServer(t, func(c *ServerConfig) { c.Subnet6 = netip.Prefix{} })
	for i := range 5 { // /29: 8 less network, broadcast and gateway
		if _, _, err := s.join(t, newKey(t), func(h *hello) { h.Port = uint16(100 + i) }); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	_, _, err := s.join(t, newKey(t), nil)
	if r := (*Refusal)(nil); !errors.As(err, &r) || r.Code != CodeFull {
		t.Errorf("one too many: %v", err)
	}
}

func TestServerTellsItsEnd(t *testing.T) {
	s := &testServer{mesh: newMesh(), self: newKey(t), mover: newMover(1)}
	var err error
	s.Server, err = NewServer(ServerConfig{
		Self: func() identity.PubKey { return s.self }, Accept: s.mesh.accept, Subnet: prefix("10.5.0.0/29"), MTU: 1500,
		Open: func(context.Context) (Mover, error) { return s.mover, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, func(ctx context.Context) error {
		named, end := context.WithCancelCause(context.WithoutCancel(ctx)) // as a signal ends a program: with a cause of its own
		defer end(nil)
		defer context.AfterFunc(ctx, func() { end(errors.New("terminated")) })()
		return s.Run(named)
	})
	eventually(t, "the node has the TUN", func() bool { return s.Status().Node })
	st, _, err := s.join(t, newKey(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 1)
	go func() {
		k, body, err := readMessage(st, make([]byte, maxMessage))
		if err == nil && k == kindBye {
			err = refusalOf(body)
		}
		heard <- err
	}()
	stop()
	if r := (*Refusal)(nil); !errors.As(<-heard, &r) || r.Code != CodeStopping {
		t.Errorf("heard %v", r)
	}
}

func TestServerConfig(t *testing.T) {
	for name, c := range map[string]ServerConfig{
		"no subnet":  {MTU: 1500},
		"small MTU":  {MTU: 1200, Subnet: prefix("10.0.0.0/24")},
		"tiny":       {MTU: 1500, Subnet: prefix("10.0.0.0/31")},
		"huge":       {MTU: 1500, Subnet: prefix("0.0.0.0/1")},
		"not IPv4":   {MTU: 1500, Subnet: prefix("fd00::/64")},
		"not IPv6":   {MTU: 1500, Subnet6: prefix("10.0.0.0/24")},
		"tiny IPv6":  {MTU: 1500, Subnet6: prefix("fd00::/96")},
		"bad leases": {MTU: 1500, Subnet: prefix("10.0.0.0/24"), Leases: "server_test.go"},
	} {
		if _, err := NewServer(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestPoolRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases.json")
	open := func(subnet string) *pool {
		p, err := openPool(prefix(subnet), prefix("fd00::/56"), path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open("10.0.0.0/29")
	now := time.Unix(1000, 0)
	var keys []identity.PubKey
	var got [][]netip.Prefix
	for i := range 5 {
		keys = append(keys, newKey(t))
		a, err := p.take(keys[i], true, true, now)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if _, err := p.take(newKey(t), true, false, now); !errors.Is(err, errNoAddress) {
		t.Errorf("one too many: %v", err)
	}
	for i, k := range keys {
		p.release(k, now.Add(time.Duration(i)*time.Hour))
	}
	if err := p.save(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", st.Mode(), err)
	}
	p = open("10.0.0.0/29")
	for i := len(keys) - 1; i > 0; i-- {
		if a, err := p.take(keys[i], true, true, now); err != nil || !slices.Equal(a, got[i]) {
			t.Errorf("client %d: %v, %v", i, a, err)
		}
	}
	if a, err := p.take(newKey(t), true, false, now); err != nil || a[0] != got[0][0] { // of the one that was away for longest
		t.Errorf("a new client: %v, %v", a, err)
	}
	if p = open("10.1.0.0/29"); len(p.byKey) != 0 {
		t.Error("leases of another subnet are kept")
	}
}

func TestPasscodeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "code")
	write := func(text string, mode os.FileMode) {
		os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask says
			t.Fatal(err)
		}
	}
	write("long enough\r\nmore", 0o600)
	if p, err := LoadPasscode(path); err != nil || string(p.text) != "long enough" {
		t.Errorf("%v, %v", p, err)
	}
	write("long enough", 0o644)
	if _, err := LoadPasscode(path); err == nil {
		t.Error("a file for everybody is taken")
	}
	write("short", 0o600)
	if _, err := LoadPasscode(path); err == nil {
		t.Error("a short one is taken")
	}
}

var _ net.Conn = (*pipe)(nil)
