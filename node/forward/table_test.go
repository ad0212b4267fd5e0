package forward_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// still is TCP that does not watch this host: other tests change its network.
type still struct{}

func (still) Name() string { return link.TCP{}.Name() }

func (still) Dial(ctx context.Context, at string) (net.Conn, error) { return link.TCP{}.Dial(ctx, at) }

func (still) Listen(ctx context.Context, at string) (net.Listener, error) {
	return link.TCP{}.Listen(ctx, at)
}

// station is a table with links over loopback TCP.
type station struct {
	key   *identity.Key
	links *link.Neighbours
	table *forward.Table
}

func newStation(t testing.TB) *station { return newStationOn(t, still{}, "127.0.0.1:0") }

func newStationOn(t testing.TB, carrier link.Carrier, listen string) *station {
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s := &station{key: key, table: forward.New()}
	s.links, err = link.Listen(context.Background(), link.Config{
		Key: key, Carrier: carrier, Listen: listen, Guard: secure.NewGuard(secure.GuardConfig{}), Receive: s.table.Receiver,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.links.Run(ctx) })
	wg.Go(func() { s.table.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// to returns the link from s to o, dialing if need be.
func (s *station) to(t testing.TB, o *station) *link.Link {
	t.Helper()
	if s.links.Link(o.key.Public()) == nil && o.links.Link(s.key.Public()) == nil {
		s.links.AddPeer(secure.Addr{Key: o.key.Public(), HostPort: o.links.Addr().String()})
	}
	var l *link.Link
	eventually(t, "a link", func() bool { l = s.links.Link(o.key.Public()); return l != nil })
	return l
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// upper keeps what reaches the end of a route.
type upper struct {
	mu   sync.Mutex
	got  []uint64
	ce   int // records with the congestion mark
	kind []wire.Type
	when time.Time // of the last record
	down chan forward.Reason
}

func newUpper() *upper { return &upper{down: make(chan forward.Reason, 4)} }

func (u *upper) Receive(t wire.Type, flags uint8, payload []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if flags&wire.Congested != 0 {
		u.ce++
	}
	u.kind, u.when = append(u.kind, t), time.Now()
	u.got = append(u.got, binary.BigEndian.Uint64(payload))
}
func (u *upper) Down(r forward.Reason) { u.down <- r }

func (u *upper) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.got)
}

// seen is what has reached an upper so far.
type seen struct {
	got  []uint64
	kind []wire.Type
	ce   int
	when time.Time
}

func (u *upper) seen() seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return seen{slices.Clone(u.got), slices.Clone(u.kind), u.ce, u.when}
}

// line is three stations with a route from the first to the third.
type line struct {
	a, b, c  *station
	near     *forward.End
	atA, atC *upper
}

func newLine(t testing.TB, idle time.Duration) *line {
	l := &line{a: newStation(t), b: newStation(t), c: newStation(t)}
	l.near, l.atA, l.atC = l.lay(t, 0, identity.PubKey{}, idle)
	return l
}

// lay lays route number n for src. Its numbers on the links begin at 10n.
func (l *line) lay(t testing.TB, n int, src identity.PubKey, idle time.Duration) (near *forward.End, atA, atC *upper) {
	t.Helper()
	atA, atC = newUpper(), newUpper()
	ab, bc := l.a.to(t, l.b), l.b.to(t, l.c)
	ba, cb := l.b.to(t, l.a), l.c.to(t, l.b)
	key := forward.Key{42, byte(n), byte(n >> 8)}
	num := func(i int) wire.RouteID { return wire.RouteID(10*n + i) }
	side := func(to *link.Link, in, out int) forward.Side {
		return forward.Side{Link: to, In: num(in), Out: num(out)}
	}
	_, err := l.c.table.Install(forward.Route{Key: key, Src: src, Prev: side(cb, 3, 4), Upper: atC, Idle: idle})
	if err == nil {
		_, err = l.b.table.Install(forward.Route{Key: key, Src: src, Prev: side(ba, 1, 2), Next: side(bc, 4, 3), Idle: idle})
	}
	if err == nil {
		near, err = l.a.table.Install(forward.Route{Key: key, Src: src, Next: side(ab, 2, 1), Upper: atA, Idle: idle})
	}
	if err != nil {
		t.Fatal(err)
	}
	return near, atA, atC
}

// span makes n records with the numbers from first on, for route id.
func span(id wire.RouteID, first uint64, n, size int) []byte {
	return typed(wire.Data, id, first, n, size)
}

func typed(t wire.Type, id wire.RouteID, first uint64, n, size int) []byte {
	var b []byte
	for i := range n {
		rec := make([]byte, wire.Overhead+size)
		wire.PutHeader(rec[wire.LenLen:], t, 0, id)
		binary.BigEndian.PutUint64(rec[wire.LenLen+wire.HeaderLen:], first+uint64(i))
		link.PutRecordLen(rec)
		b = append(b, rec...)
	}
	return b
}

func TestTransitKeepsOrderAndCounts(t *testing.T) {
	l := newLine(t, time.Minute)
	const n, size = 4000, 500
	for i := 0; i < n; i += 10 {
		l.near.Send(span(l.near.Number(), uint64(i), 10, size))
	}
	eventually(t, "every record", func() bool { return l.atC.count() == n })
	for i, mark := range l.atC.got {
		if mark != uint64(i) {
			t.Fatalf("record %d arrived as number %d", mark, i)
		}
	}
	info := l.b.table.Routes()[0]
	if info.Forward.Records != n || info.Forward.Bytes != n*size || info.Back.Records != 0 {
		t.Errorf("the relay counted %+v", info)
	}
}

func TestForeignNumbersAreDropped(t *testing.T) {
	l := newLine(t, time.Minute)
	stranger := newStation(t)
	sb := stranger.to(t, l.b)
	theirs, _, theirsAtC := (&line{a: stranger, b: l.b, c: l.c}).lay(t, 5, identity.PubKey{}, time.Minute)
	passed := func(n int) { // what the stranger sent before has been at the relay, and would have gone on before this
		t.Helper()
		theirs.Send(span(theirs.Number(), 1, 1, 8))
		eventually(t, "the stranger's own record", func() bool { return theirsAtC.count() == n })
	}
	for _, id := range []wire.RouteID{1, 2, 3, 4, 99} { // numbers of the route, but on another link
		sb.Send(span(id, 7, 1, 8))
	}
	l.near.Send(span(77, 7, 1, 8)) // our own link, no such number
	l.near.Send(span(l.near.Number(), 1, 1, 8))
	eventually(t, "the proper record", func() bool { return l.atC.count() > 0 })
	passed(1)
	if n := l.atC.count(); n != 1 {
		t.Errorf("%d records arrived, want the one that belongs there", n)
	}
	sb.SendControl(wire.RouteDown, 1, []byte{1}) // nor can a stranger end it
	passed(2)
	if len(l.b.table.Routes()) != 2 {
		t.Error("a stranger ended a route")
	}
}

func TestCloseTellsEveryHop(t *testing.T) {
	l := newLine(t, time.Minute)
	l.near.Close()
	select {
	case r := <-l.atC.down:
		if r != forward.ReasonBye {
			t.Errorf("the far end heard %v", r)
		}
	case <-time.After(patience):
		t.Fatal("the far end heard nothing")
	}
	for _, s := range []*station{l.a, l.b, l.c} {
		if n := len(s.table.Routes()); n != 0 {
			t.Errorf("%d routes left", n)
		}
	}
	if len(l.atA.down) != 0 {
		t.Error("our own Close came back as Down")
	}
}

func TestRemoveAndLinkLoss(t *testing.T) {
	for name, breakIt := range map[string]func(l *line){
		"the manager removes the relay's rule": func(l *line) { l.b.table.Remove(forward.Key{42}) },
		"a link breaks":                        func(l *line) { l.b.links.Link(l.c.key.Public()).Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, time.Minute)
			breakIt(l)
			for who, u := range map[string]*upper{"near": l.atA, "far": l.atC} {
				select {
				case r := <-u.down:
					if r == forward.ReasonBye {
						t.Errorf("the %s end heard %v", who, r)
					}
				case <-time.After(patience):
					t.Fatalf("the %s end heard nothing", who)
				}
			}
		})
	}
}

func TestInstallRefusals(t *testing.T) {
	l := newLine(t, time.Minute)
	ba, bc := l.b.to(t, l.a), l.b.to(t, l.c)
	spec := forward.Route{Key: forward.Key{43}, Prev: forward.Side{Link: ba, In: 1, Out: 9}, Next: forward.Side{Link: bc, In: 9, Out: 9}}
	if _, err := l.b.table.Install(spec); !errors.Is(err, forward.ErrCollision) {
		t.Errorf("a number in use: %v", err)
	}
	spec.Key, spec.Prev.In = forward.Key{42}, 10
	if _, err := l.b.table.Install(spec); !errors.Is(err, forward.ErrCollision) {
		t.Errorf("a route in place: %v", err)
	}
	spec.Key = forward.Key{44}
	bc.Abort()
	if _, err := l.b.table.Install(spec); !errors.Is(err, forward.ErrNoLink) {
		t.Errorf("over a dead link: %v", err)
	}
	if n := len(l.b.table.Routes()); n > 1 {
		t.Errorf("refused routes left %d behind", n-1)
	}
}

// TestTransitCostsNothing feeds the relay's receiver by hand: no allocation, and no record changes goroutines.
func TestTransitCostsNothing(t *testing.T) {
	l := newLine(t, time.Minute)
	r := l.b.table.Receiver(l.b.to(t, l.a))
	fresh := span(1, 1, 8, 1000)
	buf := make([]byte, len(fresh))
	one := len(fresh) / 8
	l.atC.got, l.atC.kind = make([]uint64, 0, 10000), make([]wire.Type, 0, 10000)
	const runs = 200
	fed := 0
	allocs := func() float64 {
		return testing.AllocsPerRun(runs, func() {
			copy(buf, fresh)
			for i := range 8 {
				r.Record(buf[i*one : (i+1)*one])
			}
			r.Flush()
			for fed += 8; l.atC.count() < fed-64; { // the far end is slower than we
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	n := allocs()
	for range 4 { // the least of some: what else runs in this process is counted too
		n = min(n, allocs())
	}
	if n >= 1 {
		t.Errorf("%v allocations for eight records", n)
	}
	eventually(t, "all records", func() bool { return l.atC.count() == fed })
	for _, in := range l.b.links.Links() {
		if in.Peer == l.c.key.Public() && in.Waited != 0 {
			t.Errorf("%d of %d records were handed to the writing goroutine", in.Waited, fed)
		}
	}
}

func BenchmarkTransit(b *testing.B) {
	l := newLine(b, time.Minute)
	r := l.b.table.Receiver(l.b.to(b, l.a))
	bc := l.b.to(b, l.c)
	fresh := span(1, 1, 4, 16<<10)
	buf := make([]byte, len(fresh))
	one := len(fresh) / 4
	b.SetBytes(int64(len(fresh)))
	b.ReportAllocs()
	for b.Loop() {
		for bc.Queued() > 1<<20 {
			time.Sleep(20 * time.Microsecond)
		}
		copy(buf, fresh)
		for i := range 4 {
			r.Record(buf[i*one : (i+1)*one])
		}
		r.Flush()
	}
}
