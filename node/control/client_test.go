package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// fakeManager answers every request with what serve says.
type fakeManager struct {
	key   *identity.Key
	addr  secure.Addr
	peers chan *Peer // one per connection

	mu    sync.Mutex // guards the following
	serve Serve
	ask   bool
}

func (m *fakeManager) answer(s Serve) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serve = s
}

func newFakeManager(t *testing.T) *fakeManager {
	t.Helper()
	m := &fakeManager{key: testKey(t, 9), peers: make(chan *Peer, 10)}
	m.answer(func(context.Context, Type, []byte) ([]byte, error) { return nil, nil })
	ln, err := Listen(ListenerConfig{Listen: "127.0.0.1:0", Kind: secure.KindControl, Key: m.key, Network: "net"})
	if err != nil {
		t.Fatal(err)
	}
	m.addr = secure.Addr{Key: m.key.Public(), HostPort: ln.Addr().String()}
	run(t, func(ctx context.Context) error {
		return ln.Run(ctx, func(ctx context.Context, c *secure.Conn) {
			p := NewPeer(PeerConfig{Conn: c, Serve: func(ctx context.Context, typ Type, body []byte) ([]byte, error) {
				m.mu.Lock()
				serve, ask := m.serve, m.ask
				m.mu.Unlock()
				if typ == TypeRegister || typ == TypeReport {
					return AppendAsk(nil, ask), nil
				}
				return serve(ctx, typ, body)
			}})
			m.peers <- p
			p.Run(ctx)
		})
	})
	return m
}

func run(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// recorder is a Handler that notes what it is asked.
type recorder struct {
	mu   sync.Mutex // guards the following
	said []string
}

func (r *recorder) note(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, s)
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

func (r *recorder) Install(_ context.Context, h Hop) error {
	r.note("install " + h.Route.String()[:2])
	if h.Route[0] == 0xcc {
		return &Error{Code: CodeCollision}
	}
	return nil
}
func (r *recorder) Remove(_ context.Context, k RouteKey)  { r.note("remove " + k.String()[:2]) }
func (r *recorder) Reroute(_ context.Context, k RouteKey) { r.note("reroute " + k.String()[:2]) }
func (r *recorder) Neighbours(_ context.Context, n []Neighbour) {
	r.note(fmt.Sprint("neighbours ", len(n)))
}

func newTestClient(t *testing.T, m *fakeManager) (*Client, *recorder) {
	t.Helper()
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{}
	c, err := NewClient(ClientConfig{
		Manager: m.addr, Key: testKey(t, 1), Network: "net", Pins: pins, Handler: rec,
		Self:  func() NodeRecord { return NodeRecord{Name: "n", Connect: true, Addrs: []string{"Example.org:1"}} },
		Links: func() []LinkReport { return []LinkReport{{Peer: pub(t, 2)}, {Peer: pub(t, 2)}, {Peer: pub(t, 1)}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, rec
}

func longCtx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	return ctx
}

func TestClientCarriesOutOnlyGoodHops(t *testing.T) {
	m := newFakeManager(t)
	c, rec := newTestClient(t, m)
	run(t, c.Run)
	p := <-m.peers
	hop := func(first byte, change func(*Hop)) Hop {
		h := Hop{Route: RouteKey{first}, Node: pub(t, 1), Src: pub(t, 1), Dst: pub(t, 3), Next: pub(t, 3), NextIn: 1, NextOut: 2}
		if change != nil {
			change(&h)
		}
		return SignHop(m.key, "net", h)
	}
	forged := hop(1, nil)
	forged.NextOut = 5
	for _, tt := range []struct {
		name string
		h    Hop
		want Code
	}{
		{"forged", forged, CodeBadSignature},
		{"signed by another", SignHop(testKey(t, 2), "net", forged), CodeBadSignature},
		{"of another network", SignHop(m.key, "other", forged), CodeBadSignature},
		{"for another node", hop(1, func(h *Hop) { h.Node, h.Src = pub(t, 2), pub(t, 2) }), CodeBadRequest},
		{"from long ago", hop(1, func(h *Hop) { h.Issued = time.Now().Add(-time.Hour) }), CodeStale},
		{"good", hop(0xaa, nil), 0},
		{"colliding", hop(0xcc, nil), CodeCollision},
	} {
		_, err := p.Call(longCtx(t), TypeInstall, tt.h.Append(nil))
		if CodeOf(err) != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	key := RouteKey{0xaa}
	p.Call(longCtx(t), TypeRemove, key[:])
	p.Call(longCtx(t), TypeNeighbours, AppendNeighbours(nil, []Neighbour{{Key: pub(t, 2)}}))
	p.Call(longCtx(t), TypeReroute, Reroute{key, ReasonBetter}.Append(nil))
	if _, err := p.Call(longCtx(t), TypeReroute, key[:]); CodeOf(err) != CodeBadRequest {
		t.Errorf("a reroute without reason: %v", err)
	}
	if _, err := p.Call(longCtx(t), TypeRoute, nil); CodeOf(err) != CodeBadRequest {
		t.Errorf("a request that nodes do not serve: %v", err)
	}
	want := []string{"install aa", "install cc", "remove aa", "neighbours 1", "reroute aa"}
	if got := rec.all(); !slices.Equal(got, want) {
		t.Errorf("handler was asked %q, want %q", got, want)
	}
}

func TestClientDoubtsAnswers(t *testing.T) {
	m := newFakeManager(t)
	c, _ := newTestClient(t, m)
	run(t, c.Run)
	good := SignApp(testKey(t, 2), "net", AppRecord{Name: "good", Type: "t"})
	forged, foreign := good, SignApp(testKey(t, 2), "x", AppRecord{Name: "foreign", Type: "t"})
	forged.Port++
	expired := SignApp(testKey(t, 2), "net", AppRecord{Name: "expired", Type: "t", Issued: time.Now().Add(-time.Hour)})
	other := SignApp(testKey(t, 2), "net", AppRecord{Name: "other", Type: "u"})
	m.answer(func(_ context.Context, typ Type, _ []byte) ([]byte, error) {
		switch typ {
		case TypeApps:
			return AppendApps(nil, []AppRecord{forged, foreign, expired, other, good}), nil
		case TypeRoute:
			return SignRoute(m.key, "net", Route{Path: []identity.PubKey{pub(t, 2), pub(t, 3)}}).Append(nil), nil
		case TypeCloseRoute:
			return []byte("more than nothing"), nil
		}
		return []byte("no key"), nil
	})
	apps, err := c.FindApps(longCtx(t), AppQuery{Type: "t"})
	if err != nil || len(apps) != 1 || apps[0].Name != "good" {
		t.Errorf("%v, %v; want the good one", apps, err)
	}
	if r, err := c.Route(longCtx(t), RouteRequest{Dst: pub(t, 3)}); err == nil {
		t.Errorf("a route between others was taken: %v", r)
	}
	if err := c.CloseRoute(longCtx(t), RouteKey{}); err == nil {
		t.Error("an answer with more than it should hold was taken")
	}
	if k, err := c.ResolveName(longCtx(t), "x"); err == nil {
		t.Errorf("no key was taken as %v", k)
	}
}

func TestRequestsWaitAndAreRepeated(t *testing.T) {
	m := newFakeManager(t)
	c, _ := newTestClient(t, m)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.ResolveName(short, "x")
	if CodeOf(err) != CodeUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a connection: %v", err)
	}
	var once sync.Once
	m.answer(func(context.Context, Type, []byte) ([]byte, error) {
		once.Do(func() { (<-m.peers).Close() }) // the connection is lost before the answer
		return appendKey(nil, pub(t, 3)), nil
	})
	got := make(chan error, 1)
	go func() {
		k, err := c.ResolveName(longCtx(t), "x")
		if err == nil && k != pub(t, 3) {
			err = errors.New("another key")
		}
		got <- err
	}()
	run(t, c.Run)
	if err := <-got; err != nil {
		t.Errorf("repeated on the next connection: %v", err)
	}
}

func TestRequestsAreCheckedHere(t *testing.T) {
	c, _ := newTestClient(t, newFakeManager(t)) // not running: a request that got through would wait
	ctx := longCtx(t)
	_, routeErr := c.Route(ctx, RouteRequest{})
	_, nameErr := c.ResolveName(ctx, "a b")
	_, addrErr := c.KeyAt(ctx, "0.0.0.0:1")
	_, findErr := c.FindApps(ctx, AppQuery{Name: "a b"})
	for name, err := range map[string]error{
		"route": routeErr, "name": nameErr, "address": addrErr, "query": findErr,
		"app":     c.RegisterApp(ctx, AppRecord{Name: "a b", Type: "t"}),
		"removal": c.UnregisterApp(ctx, strings.Repeat("a", 300)),
	} {
		if CodeOf(err) != CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := c.self()
	if err != nil || r.Addrs[0] != "example.org:1" || r.Verify("net") != nil {
		t.Errorf("our record: %+v, %v", r, err)
	}
	if again, _ := c.self(); again.Seq <= r.Seq {
		t.Errorf("seq %d after %d", again.Seq, r.Seq)
	}
	if links := c.onePerPeer(c.cfg.Links()); len(links) != 1 {
		t.Errorf("reported: %v", links)
	}
	if _, err := NewClient(ClientConfig{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

func TestListenerShares(t *testing.T) {
	l, err := Listen(ListenerConfig{Listen: "127.0.0.1:0", Key: testKey(t, 1), MaxConns: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	enter := func(ip string) (func(), bool) { return l.enter(&net.TCPAddr{IP: net.ParseIP(ip)}) }
	var leave []func()
	take := func(ip string, want bool) {
		t.Helper()
		f, ok := enter(ip)
		if ok != want {
			t.Errorf("%s: %v, want %v", ip, ok, want)
		}
		if ok {
			leave = append(leave, f)
		}
	}
	take("10.0.0.1", true)
	take("10.0.0.2", true)
	take("10.0.0.3", false) // 1/8 of 16 for one /24
	take("10.0.1.3", true)
	take("2001:db8::1", true)
	take("2001:db8:0:ff::1", true)
	take("2001:db8:0:1::1", false)
	for range 11 {
		take("127.0.0.1", true)
	}
	take("127.0.0.1", false)
	take("192.0.2.1", false)
	for _, f := range leave {
		f()
	}
	if l.open != 0 || len(l.byPrefix) != 0 {
		t.Errorf("left: %d, %v", l.open, l.byPrefix)
	}
}
