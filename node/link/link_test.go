package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const longEnough = time.Minute

// still is TCP that does not watch this host: other tests change its network.
type still struct{}

func (still) Name() string { return TCP{}.Name() }

func (still) Dial(ctx context.Context, at string) (net.Conn, error) { return TCP{}.Dial(ctx, at) }

func (still) Listen(ctx context.Context, at string) (net.Listener, error) {
	return TCP{}.Listen(ctx, at)
}

// sink is a Receiver that keeps what it gets.
type sink struct {
	mu     sync.Mutex
	got    [][]byte
	closed chan error
}

func (s *sink) Record(rec []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, append([]byte(nil), rec[:len(rec)-wire.TagLen]...))
}
func (s *sink) Flush()           {}
func (s *sink) Closed(err error) { s.closed <- err }

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// station is Neighbours with sinks, for tests.
type station struct {
	*Neighbours
	key *identity.Key

	mu    sync.Mutex
	sinks map[identity.PubKey]*sink
}

func newStation(t testing.TB, run bool, change func(*Config)) *station {
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s := &station{key: key, sinks: map[identity.PubKey]*sink{}}
	cfg := Config{Key: key, Carrier: still{}, Listen: "127.0.0.1:0", Guard: secure.NewGuard(secure.GuardConfig{}), Receive: s.receive}
	if change != nil {
		change(&cfg)
	}
	if s.Neighbours, err = Listen(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	if !run {
		t.Cleanup(func() { s.Close() })
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func (s *station) receive(l *Link) Receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &sink{closed: make(chan error, 1)}
	s.sinks[l.Peer()] = k
	return k
}

func (s *station) sink(from *station) *sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sinks[from.key.Public()]
}

func (s *station) addr() secure.Addr {
	return secure.Addr{Key: s.key.Public(), HostPort: s.Addr().String()}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(longEnough); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

func TestRecordsArriveInOrder(t *testing.T) {
	a, b := newStation(t, true, nil), newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.Link(a.key.Public()) != nil })
	l := a.Link(b.key.Public())
	const n = 3000
	for i := range n {
		l.Send(record(wire.RouteID(1+i%5), uint64(i), 8+i%20000))
	}
	eventually(t, "all records", func() bool { return b.sink(a) != nil && b.sink(a).count() == n })
	last := map[wire.RouteID]int{}
	for _, rec := range b.sink(a).got {
		_, marks := split(t, append(append([]byte(nil), rec...), make([]byte, wire.TagLen)...))
		_, _, route, _ := wire.ParseHeader(rec[wire.LenLen:])
		if int(marks[0]) < last[route] {
			t.Fatalf("route %d: record %d after %d", route, marks[0], last[route])
		}
		last[route] = int(marks[0])
	}
	eventually(t, "a measured round trip", func() bool { return l.RTT() > 0 })
}

// TestKeptSpansStayWhole: what SendKept sends arrives, and can be sent again from the same memory.
func TestKeptSpansStayWhole(t *testing.T) {
	a, b := newStation(t, true, nil), newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.sink(a) != nil })
	l := a.Link(b.key.Public())
	const each, times = 12, 20 // within MaxQueued
	var span []byte
	for i := range each {
		span = append(span, record(7, uint64(i), 30000)...)
	}
	fresh := bytes.Clone(span)
	for range times {
		l.SendKept(span)
	}
	if !bytes.Equal(span, fresh) {
		t.Error("the span was overwritten")
	}
	eventually(t, "all records", func() bool { return b.sink(a).count() == each*times })
	for i, rec := range b.sink(a).got {
		_, marks := split(t, append(bytes.Clone(rec), make([]byte, wire.TagLen)...))
		if int(marks[0]) != i%each {
			t.Fatalf("record %d came as number %d", marks[0], i)
		}
	}
}

func TestBothDialAtOnce(t *testing.T) {
	for range 5 {
		a, b := newStation(t, true, nil), newStation(t, true, nil)
		a.AddPeer(b.addr())
		b.AddPeer(a.addr())
		settled := func() bool {
			la, lb := a.Link(b.key.Public()), b.Link(a.key.Public())
			return la != nil && lb != nil && la.nc.LocalAddr().String() == lb.nc.RemoteAddr().String()
		}
		eventually(t, "both ends on the same link", settled)
		time.Sleep(50 * time.Millisecond)
		eventually(t, "both ends still on the same link", settled)
	}
}

// TestAllDialAtOnce: every station dials every other one, while the cores are busy with the handshakes of all.
func TestAllDialAtOnce(t *testing.T) {
	const n = 8
	var all []*station
	for range n {
		all = append(all, newStation(t, true, nil))
	}
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Go(func() {
			for _, b := range all {
				if a != b {
					a.AddPeer(b.addr())
				}
			}
		})
	}
	wg.Wait()
	settled := func() bool {
		for _, a := range all {
			for _, b := range all {
				la, lb := a.Link(b.key.Public()), b.Link(a.key.Public())
				if a != b && (la == nil || lb == nil || la.nc.LocalAddr().String() != lb.nc.RemoteAddr().String()) {
					return false
				}
			}
		}
		return true
	}
	// Two links that cross may be up one after the other: after a while none is replaced any more.
	eventually(t, "one link for each pair, for good", func() bool {
		before := links(all)
		time.Sleep(300 * time.Millisecond)
		return settled() && maps.Equal(before, links(all))
	})
}

func links(all []*station) map[*Link]bool {
	set := map[*Link]bool{}
	for _, a := range all {
		for _, l := range a.all() {
			set[l] = true
		}
	}
	return set
}

// TestNewerLinkOfTheSamePairWins: a neighbour who dials although our link to it is up has lost it.
func TestNewerLinkOfTheSamePairWins(t *testing.T) {
	low, high := identity.PubKey{2, 1}, identity.PubKey{3, 1}
	now := time.Now()
	for _, c := range []struct {
		name      string
		age       time.Duration
		oldDialer bool
		want      error
	}{
		{"crossing, ours stays", time.Second, true, ErrReplaced},
		{"long after", time.Minute, true, nil},
		{"the same dialer", time.Second, false, nil},
	} {
		n := &Neighbours{links: map[identity.PubKey]*Link{}, ctx: context.Background()}
		us, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		n.cfg.Key = us
		them := high
		if pub := us.Public(); bytes.Compare(pub[:], high[:]) > 0 {
			them = low
			if c.oldDialer {
				continue // the rule is the other way round; TestBothDialAtOnce has both
			}
		}
		fresh := func(dialer bool, age time.Duration) *Link {
			near, far := net.Pipe()
			t.Cleanup(func() { near.Close(); far.Close() })
			l := newLink(near, secure.Result{Remote: them}, "pipe", dialer)
			l.since, l.began = now.Add(-age), now.Add(-age)
			return l
		}
		old := fresh(c.oldDialer, c.age)
		n.links[them] = old
		if err := n.enter(fresh(false, 0)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	ln.Close()
	on6 := func(c *Config) { c.Listen = "[::1]:0" }
	a, b := newStation(t, true, on6), newStation(t, true, on6)
	at := b.addr().String()
	if !strings.Contains(at, "@[::1]:") {
		t.Errorf("an address of IPv6 is written %s", at)
	}
	parsed, err := secure.ParseAddr(at)
	if err != nil {
		t.Fatal(err)
	}
	a.AddPeer(parsed)
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.sink(a) != nil })
	a.Link(b.key.Public()).Send(record(1, 9, 8))
	eventually(t, "a record", func() bool { return b.sink(a).count() == 1 })
	if in := a.Links()[0]; !strings.HasPrefix(in.Addr, "[::1]:") || !strings.HasPrefix(in.Local, "[::1]:") {
		t.Errorf("%+v", in)
	}
}

func TestRedialsAfterLoss(t *testing.T) {
	a, b := newStation(t, true, nil), newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil })
	first := a.Link(b.key.Public())
	first.Abort()
	eventually(t, "a new link", func() bool { l := a.Link(b.key.Public()); return l != nil && l != first })
	far := b.sink(a)
	eventually(t, "the far end's receiver to change", func() bool { return b.sink(a) != far || b.Link(a.key.Public()) != nil })
}

func TestPeerWithoutKey(t *testing.T) {
	b := newStation(t, true, nil)
	asked := make(chan string, 16)
	a := newStation(t, true, func(c *Config) {
		c.KeyAt = func(_ context.Context, hostport string) (identity.PubKey, error) {
			asked <- hostport
			if len(asked) < 2 {
				return identity.PubKey{}, fmt.Errorf("not known yet")
			}
			return b.key.Public(), nil
		}
	})
	a.AddPeer(secure.Addr{HostPort: b.Addr().String()})
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil })
}

func TestWrongKeyOrNetworkGetsNoLink(t *testing.T) {
	b := newStation(t, true, func(c *Config) { c.Network = "other" })
	a := newStation(t, true, nil)
	a.AddPeer(b.addr())
	stranger, _ := identity.Generate()
	a.AddPeer(secure.Addr{Key: stranger.Public(), HostPort: b.Addr().String()})
	eventually(t, "two refusals of each", func() bool {
		for _, p := range a.Peers() {
			if p.LastError == "" || p.Tries < 2 {
				return false
			}
		}
		return true
	})
	if n := len(a.Links()) + len(b.Links()); n != 0 {
		t.Errorf("%d links between networks that must not talk", n)
	}
}

func TestHostileBytesOnTheLinkPort(t *testing.T) {
	b := newStation(t, true, nil)
	who := "\x00\x80skywho/1" + string(make([]byte, 120)) // what services answer
	for _, garbage := range []string{who, "GET / HTTP/1.1\r\n\r\n", "\x00", "\xff\xff\xff\xff\xff\xff", string(make([]byte, 4096))} {
		nc, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		nc.Write([]byte(garbage))
		nc.(*net.TCPConn).CloseWrite()
		nc.SetReadDeadline(time.Now().Add(longEnough))
		if got, _ := io.ReadAll(nc); len(got) != 0 {
			t.Errorf("%q was answered by %d bytes", garbage, len(got))
		}
		nc.Close()
	}
	a := newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "a link in spite of that", func() bool { return a.Link(b.key.Public()) != nil })
}

// TestBrokenRecordEndsLink sends, over a proper handshake, what is no record.
func TestBrokenRecordEndsLink(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"length zero": {0, 0, 0}, "too long": {0xff, 0xff, 0xff},
		"not sealed by us": append([]byte{0, 0, 40}, make([]byte, 40)...),
	} {
		t.Run(name, func(t *testing.T) {
			b := newStation(t, true, nil)
			key, _ := identity.Generate()
			var nc net.Conn
			eventually(t, "a link within the 5 s of a handshake", func() bool {
				var err error
				if nc, err = net.Dial("tcp", b.Addr().String()); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { nc.Close() })
				_, err = secure.Dial(context.Background(), nc, secure.Config{Local: key, Kind: secure.KindLink}, b.key.Public())
				for err == nil && b.Link(key.Public()) == nil {
					nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) // it may be too late for b, which hangs up then
					if _, err = nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
						err = nil
					}
				}
				return err == nil
			})
			nc.Write(bytes)
			eventually(t, "its end", func() bool { return b.Link(key.Public()) == nil })
		})
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	a, b := newStation(t, true, nil), newStation(t, true, func(c *Config) {
		c.Receive = func(*Link) Receiver { return discard{} }
	})
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.Link(a.key.Public()) != nil })
	l := a.Link(b.key.Public())
	f := l.Announce(7, a.key.Public())
	defer f.Withdraw()
	span := make([]byte, 0, 64<<10)
	for i := range 8 {
		span = append(span, record(7, uint64(i), 1000)...)
	}
	fresh := append([]byte(nil), span...)
	for name, send := range map[string]func(){
		"Send": func() { copy(span, fresh); l.Send(span) }, "SendKept": func() { l.SendKept(fresh) },
		"SendControl": func() { l.SendControl(wire.RouteDown, 99, fresh[:1]) },
	} {
		n := testing.AllocsPerRun(200, send)
		for range 4 { // the least of some: what else runs in this process is counted too
			n = min(n, testing.AllocsPerRun(200, send))
		}
		if n >= 1 {
			t.Errorf("%s: %v allocations for each span", name, n)
		}
	}
}

func BenchmarkSend(b *testing.B) { benchmarkSend(b, nil, (*Link).Send) }

func BenchmarkSendKept(b *testing.B) { benchmarkSend(b, nil, (*Link).SendKept) }

// BenchmarkSendNoDescriptor is a carrier that is no socket: everything goes through the queues.
func BenchmarkSendNoDescriptor(b *testing.B) {
	benchmarkSend(b, func(c *Config) { c.Carrier = hidden{} }, (*Link).Send)
}

func benchmarkSend(b *testing.B, change func(*Config), send func(*Link, []byte) wire.RouteID) {
	x, y := newStation(b, true, change), newStation(b, true, func(c *Config) {
		c.Receive = func(*Link) Receiver { return discard{} }
	})
	x.AddPeer(y.addr())
	eventually(b, "the link", func() bool { return x.Link(y.key.Public()) != nil })
	l := x.Link(y.key.Public())
	l.Announce(7, x.key.Public())
	span := make([]byte, 0, 128<<10)
	for range 3 {
		span = append(span, record(7, 1, 32<<10)...)
	}
	b.SetBytes(int64(len(span)))
	b.ReportAllocs()
	for b.Loop() {
		for l.Queued() > 1<<20 {
			time.Sleep(50 * time.Microsecond)
		}
		for rec := span; len(rec) > 0; { // Send seals in place, so the headers are gone
			wire.PutHeader(rec[wire.LenLen:], wire.Data, 0, 7)
			n, _ := wire.Len(rec)
			rec = rec[wire.LenLen+n:]
		}
		send(l, span)
	}
}

type discard struct{}

func (discard) Record([]byte) {}
func (discard) Flush()        {}
func (discard) Closed(error)  {}
