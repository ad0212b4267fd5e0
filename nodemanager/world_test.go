package nodemanager

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/tracker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is far longer than anything here takes on a busy machine.
const patience = time.Minute

const network = "test"

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// service is something that runs until stopped; stop waits.
type service struct {
	stop func()
	addr secure.Addr
}

// start runs a service until stop or the end of the test.
func start(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
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
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// place is a port for a server that ends and comes back: nobody takes it meanwhile, since no system gives out numbers below 32768, and
// Linux has 16 million addresses of this host.
func place() string {
	ip := net.IPv4(127, 0, 0, 1)
	if runtime.GOOS == "linux" {
		ip = net.IPv4(127, byte(1+rand.N(250)), byte(rand.N(250)), byte(1+rand.N(250)))
	}
	return net.JoinHostPort(ip.String(), fmt.Sprint(20_000+rand.N(10_000)))
}

// managerAt is a manager whose state, key and port may outlive it.
type managerAt struct {
	cfg Config
	*Manager
	service
}

func newManager(t testing.TB, trk secure.Addr) *managerAt {
	t.Helper()
	m := &managerAt{cfg: Config{
		Domain: "mysterious.network", Listen: place(), Tracker: trk, Dir: t.TempDir(), Network: network, Key: newKey(t), Log: logOf(t),
	}}
	m.start(t)
	return m
}

func (m *managerAt) start(t testing.TB) {
	t.Helper()
	eventually(t, "the port is free", func() (err error) { m.Manager, err = New(m.cfg); return err })
	m.cfg.Listen = m.Manager.Addr().String()
	m.service = service{start(t, m.Manager.Run), secure.Addr{Key: m.Key(), HostPort: m.cfg.Listen}}
}

type trackerAt struct {
	cfg tracker.Config
	*tracker.Tracker
	service
}

func newTracker(t testing.TB) *trackerAt {
	t.Helper()
	r := &trackerAt{cfg: tracker.Config{Listen: place(), Dir: t.TempDir(), Network: network, Key: newKey(t), Log: logOf(t)}}
	r.start(t)
	return r
}

func (r *trackerAt) start(t testing.TB) {
	t.Helper()
	eventually(t, "the port is free", func() (err error) { r.Tracker, err = tracker.New(r.cfg); return err })
	r.cfg.Listen = r.Tracker.Addr().String()
	r.service = service{start(t, r.Tracker.Run), secure.Addr{Key: r.Key(), HostPort: r.cfg.Listen}}
}

func logOf(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

// fakeNode is a real client with a made-up data plane.
type fakeNode struct {
	*control.Client
	key  *identity.Key
	stop func()

	mu         sync.Mutex // guards the following
	links      []control.LinkReport
	hops       map[control.RouteKey]control.Hop
	removed    []control.RouteKey
	neighbours []control.Neighbour
	refuse     func(control.Hop) error // nil: install all
	installs   int
	hints      []control.RouteKey
	reports    int
}

type nodeOption func(*control.ClientConfig, *control.NodeRecord)

func withKey(k *identity.Key) nodeOption {
	return func(c *control.ClientConfig, _ *control.NodeRecord) { c.Key = k }
}

func withConnect(c *control.ClientConfig, r *control.NodeRecord) { r.Connect = true }

func withAddr(a string) nodeOption {
	return func(_ *control.ClientConfig, r *control.NodeRecord) { r.Addrs = append(r.Addrs, a) }
}

func newNode(t testing.TB, manager secure.Addr, name string, opts ...nodeOption) *fakeNode {
	t.Helper()
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{hops: make(map[control.RouteKey]control.Hop)}
	self := control.NodeRecord{Name: name}
	cfg := control.ClientConfig{Manager: manager, Network: network, Pins: pins, Handler: n, Log: logOf(t).With("node", name)}
	for _, o := range opts {
		o(&cfg, &self)
	}
	if cfg.Key == nil {
		cfg.Key = newKey(t)
	}
	cfg.Self = func() control.NodeRecord { return self }
	cfg.Links = n.reportLinks
	n.key = cfg.Key
	if n.Client, err = control.NewClient(cfg); err != nil {
		t.Fatal(err)
	}
	n.stop = start(t, n.Client.Run)
	return n
}

func (n *fakeNode) pub() identity.PubKey { return n.key.Public() }

// Route is the client's, again when a busy machine was not done with it in the five seconds that the manager gives it.
func (n *fakeNode) Route(ctx context.Context, q control.RouteRequest) (control.Route, error) {
	r, _, err := n.route(ctx, q)
	return r, err
}

// route is Route that tells how often it asked. What all but the last asked for was taken back, or is being.
func (n *fakeNode) route(ctx context.Context, q control.RouteRequest) (r control.Route, asked int, err error) {
	for asked = 1; ; asked++ {
		r, err = n.Client.Route(ctx, q)
		if control.CodeOf(err) != control.CodeUnavailable || ctx.Err() != nil {
			return r, asked, err
		}
	}
}

func (n *fakeNode) reportLinks() []control.LinkReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reports++
	return slices.Clone(n.links)
}

// awaitReport waits until the manager has what n says of its links now: a report begins when the one before it was answered.
func (n *fakeNode) awaitReport(t testing.TB) {
	t.Helper()
	count := func() int {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.reports
	}
	enough := count() + 2
	waitFor(t, "the report is in", func() bool { n.Kick(); return count() >= enough })
}

func (n *fakeNode) Install(_ context.Context, h control.Hop) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.installs++
	if n.refuse != nil {
		if err := n.refuse(h); err != nil {
			return err
		}
	}
	n.hops[h.Route] = h
	return nil
}

func (n *fakeNode) Remove(_ context.Context, r control.RouteKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hops, r)
	n.removed = append(n.removed, r)
}

func (n *fakeNode) Reroute(_ context.Context, r control.RouteKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hints = append(n.hints, r)
}

func (n *fakeNode) Neighbours(_ context.Context, list []control.Neighbour) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.neighbours = list
}

func (n *fakeNode) refuseWith(f func(control.Hop) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = f
}

func (n *fakeNode) hop(r control.RouteKey) (control.Hop, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h, ok := n.hops[r]
	return h, ok
}

// taken is how often a rule was to be removed.
func (n *fakeNode) taken() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.removed)
}

func (n *fakeNode) rules() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.hops)
}

// linkTo reports a link at n only; connectNodes at both ends.
func (n *fakeNode) linkTo(o *fakeNode, rtt time.Duration) { n.setLink(o, rtt) }

// setLink reports a link with a round trip instead of the one there was; 0: none. No report lies between the two.
func (n *fakeNode) setLink(o *fakeNode, rtt time.Duration) {
	n.mu.Lock()
	n.links = slices.DeleteFunc(n.links, func(l control.LinkReport) bool { return l.Peer == o.pub() })
	if rtt > 0 {
		n.links = append(n.links, control.LinkReport{Peer: o.pub(), RTT: rtt, Up: time.Now(), SentBytes: 10, RecvBytes: 20, Carrier: "tcp"})
	}
	n.mu.Unlock()
	n.Kick()
}

func connectNodes(a, b *fakeNode) {
	a.linkTo(b, time.Millisecond)
	b.linkTo(a, time.Millisecond)
}

func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	eventually(t, what, func() error {
		if f() {
			return nil
		}
		return fmt.Errorf("not yet")
	})
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// line starts n nodes in a line and waits until the manager sees the links.
func line(t testing.TB, m *managerAt, n int) []*fakeNode {
	t.Helper()
	var nodes []*fakeNode
	for i := range n {
		nodes = append(nodes, newNode(t, m.addr, fmt.Sprintf("node%d", i)))
		if i > 0 {
			connectNodes(nodes[i-1], nodes[i])
		}
	}
	waitLinks(t, m, n-1)
	return nodes
}

func waitLinks(t testing.TB, m *managerAt, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d links", n), func() bool { return len(m.Links()) == n })
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
