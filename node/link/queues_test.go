package link

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// record makes a plaintext record on a route with n bytes of payload, of which the first eight are a mark.
func record(route wire.RouteID, mark uint64, n int) []byte {
	rec := make([]byte, wire.Overhead+max(n, 8))
	wire.PutHeader(rec[wire.LenLen:], wire.Data, 0, route)
	binary.BigEndian.PutUint64(rec[wire.LenLen+wire.HeaderLen:], mark)
	PutRecordLen(rec)
	return rec
}

// split takes a span apart into routes and marks.
func split(t *testing.T, span []byte) (routes []wire.RouteID, marks []uint64) {
	t.Helper()
	for len(span) > 0 {
		n, ok := wire.Len(span)
		if !ok || wire.LenLen+n > len(span) {
			t.Fatalf("a span ends in the middle of a record")
		}
		_, _, route, payload := wire.ParseHeader(span[wire.LenLen : wire.LenLen+n-wire.TagLen])
		routes, marks = append(routes, route), append(marks, binary.BigEndian.Uint64(payload))
		span = span[wire.LenLen+n:]
	}
	return routes, marks
}

// typed makes a record of another type.
func typed(t wire.Type, route wire.RouteID, mark uint64, n int) []byte {
	rec := record(route, mark, n)
	wire.PutHeader(rec[wire.LenLen:], t, 0, route)
	return rec
}

// checkBooks compares what the queues say they hold with what they hold.
func checkBooks(t *testing.T, q *queues) {
	t.Helper()
	var total [kinds]int
	keys := map[*account][kinds]int{}
	for _, r := range q.byRoute {
		var mem [kinds]int
		for i := range r.lane {
			for c := r.lane[i].head; c != nil; c = c.next {
				mem[laneKind[i]] += cap(c.b)
			}
		}
		if mem != r.mem || r.empty() != (r.next == nil) {
			t.Fatalf("route %d holds %v, books say %v; in the ring: %t", r.route, mem, r.mem, r.next != nil)
		}
		sum := keys[r.acct]
		for k := range mem {
			total[k] += mem[k]
			sum[k] += mem[k]
		}
		keys[r.acct] = sum
	}
	for a, sum := range keys {
		if sum != a.mem || q.accounts[a.src] != a {
			t.Fatalf("a key holds %v, books say %v", sum, a.mem)
		}
	}
	if total != q.mem || len(keys) != len(q.accounts) {
		t.Fatalf("all hold %v, books say %v; %d keys, books say %d", total, q.mem, len(keys), len(q.accounts))
	}
}

// TestQueuesAgainstOracle compares the queues with a list per route and lane: what goes in comes out once, in order.
func TestQueuesAgainstOracle(t *testing.T) {
	var q queues
	q.init()
	rnd := rand.New(rand.NewPCG(1, 2))
	type place struct {
		route wire.RouteID
		lane  int
	}
	oracle := map[place][]uint64{}
	of := map[uint64]place{}
	held, mark := 0, uint64(0)
	for i := range 10 {
		q.announce(wire.RouteID(1+i), identity.PubKey{byte(i % 3)}, new(Flow))
	}
	for step := range 20000 {
		if step%100 == 0 {
			checkBooks(t, &q)
		}
		if rnd.IntN(2000) == 0 {
			route := wire.RouteID(1 + rnd.IntN(20))
			q.withdraw(route)
			for l := range lanes {
				held -= len(oracle[place{route, l}])
				delete(oracle, place{route, l})
			}
		}
		if rnd.IntN(3) > 0 {
			kind := []wire.Type{wire.Data, wire.Data, wire.Control, wire.Datagram, wire.Handshake}[rnd.IntN(5)]
			at := place{wire.RouteID(1 + rnd.IntN(20)), laneOf(kind)}
			mark++
			if !q.push(typed(kind, at.route, mark, rnd.IntN(3000)), 0) {
				t.Fatal("push below the cap was refused")
			}
			oracle[at], of[mark] = append(oracle[at], mark), at
			held++
			continue
		}
		_, marks := split(t, q.pop(nil, 1+rnd.IntN(64<<10), 0))
		for _, m := range marks {
			at := of[m]
			if len(oracle[at]) == 0 || oracle[at][0] != m {
				t.Fatalf("%v gave record %d, want the oldest of %v", at, m, oracle[at][:min(3, len(oracle[at]))])
			}
			oracle[at] = oracle[at][1:]
			held--
		}
		if q.empty() != (held == 0) {
			t.Fatalf("empty() = %t with %d records held", q.empty(), held)
		}
	}
	split(t, q.pop(nil, 1<<30, 0))
	checkBooks(t, &q)
	for i := range 20 {
		q.withdraw(wire.RouteID(1 + i))
	}
	if !q.empty() || q.bytes() != 0 || len(q.byRoute) != 0 || len(q.accounts) != 0 {
		t.Errorf("at the end: %d bytes, %d queues, %d keys", q.bytes(), len(q.byRoute), len(q.accounts))
	}
}

func TestQueuesShareFairly(t *testing.T) {
	var q queues
	q.init()
	for i := range 400 { // route 1 has far more, in larger records
		q.push(record(1, uint64(i), 16<<10), 0)
		if i < 40 {
			q.push(record(2, uint64(i), 1<<10), 0)
		}
	}
	routes, _ := split(t, q.pop(nil, 256<<10, 0))
	var bytes [3]int
	for _, r := range routes {
		bytes[r] += map[wire.RouteID]int{1: 16 << 10, 2: 1 << 10}[r]
	}
	if bytes[2] != 40<<10 {
		t.Errorf("of the first 256 KiB the small route got %d bytes, want all of its 40 KiB", bytes[2])
	}
}

func TestQueueCaps(t *testing.T) {
	var q queues
	q.init()
	rec := record(9, 0, 60<<10)
	n := 0
	for q.push(rec, 0) {
		n += len(rec)
	}
	if n > MaxQueued || n < MaxQueued-2*len(rec) {
		t.Errorf("one route queued %d bytes, the cap is %d", n, MaxQueued)
	}
	if !q.push(rec, 0) {
		t.Error("a full route keeps another one from queueing")
	}
}

func TestUrgentGoesFirst(t *testing.T) {
	var q queues
	q.init()
	q.push(record(3, 1, 100), 0)
	q.pushUrgent(record(4, 2, 100), maxUrgent)
	if routes, _ := split(t, q.pop(nil, 1<<20, 0)); len(routes) != 2 || routes[0] != 4 {
		t.Errorf("order of routes %v, want the urgent 4 first", routes)
	}
}

// TestControlPassesData: an acknowledgement does not wait behind the data of its route, nor behind that of others.
func TestControlPassesData(t *testing.T) {
	var q queues
	q.init()
	for i := range 256 {
		q.push(record(1, uint64(i), 16<<10), 0)
		q.push(record(2, uint64(i), 16<<10), 0)
	}
	q.push(typed(wire.Control, 1, 7777, 50), 0)
	if _, marks := split(t, q.pop(nil, 64<<10, 0)); marks[0] != 7777 {
		t.Errorf("the control record is not the first of %v", marks)
	}
}

// TestControlGetsNoMoreThanItsShare: a route that sends only control records has the same share of a link as others.
func TestControlGetsNoMoreThanItsShare(t *testing.T) {
	var q queues
	q.init()
	q.announce(1, identity.PubKey{1}, new(Flow))
	q.announce(2, identity.PubKey{2}, new(Flow))
	var got [3]int
	for range 500 {
		for q.byRoute[1].lane[laneFirst].bytes < 100<<10 {
			q.push(typed(wire.Control, 1, 0, 1000), 0)
		}
		for q.byRoute[2].lane[laneData].bytes < 100<<10 {
			q.push(record(2, 0, 16<<10), 0)
		}
		for span := q.pop(nil, 32<<10, 0); len(span) > 0; {
			n, _ := wire.Len(span)
			_, _, route, _ := wire.ParseHeader(span[wire.LenLen:])
			got[route] += n
			span = span[wire.LenLen+n:]
		}
	}
	if got[1] > got[2]*11/10 {
		t.Errorf("the route of control records got %d bytes, the other one %d", got[1], got[2])
	}
}

func TestCongestionMark(t *testing.T) {
	var q queues
	var f Flow
	q.init()
	q.announce(1, identity.PubKey{}, &f)
	for i := range 10 {
		q.push(record(1, uint64(i), 1000), time.Duration(i)*time.Millisecond)
	}
	span := q.pop(nil, 1<<20, 10*time.Millisecond)
	for i := range 10 {
		n, _ := wire.Len(span)
		_, flags, _, _ := wire.ParseHeader(span[wire.LenLen:])
		if marked := flags&wire.Congested != 0; marked != (i < 5) {
			t.Errorf("a record that waited %d ms is marked: %t", 10-i, marked)
		}
		span = span[wire.LenLen+n:]
	}
	if f.Marked() != 5 || f.Dropped() != 0 {
		t.Errorf("counted %d marked, %d dropped", f.Marked(), f.Dropped())
	}
}

// TestDatagramDelayIsControlled: 12 MB/s of datagrams into 10 MB/s. Most pass, none waits long for long, the route stays.
func TestDatagramDelayIsControlled(t *testing.T) {
	var q queues
	var f Flow
	q.init()
	q.announce(1, identity.PubKey{}, &f)
	const size = 10000
	came := map[uint64]time.Duration{}
	sent, got, worst := 0, 0, time.Duration(0)
	for now := time.Duration(0); now < 20*time.Second; now += time.Millisecond {
		for ; sent < int(now/time.Millisecond)*12/10; sent++ {
			came[uint64(sent)] = now
			if !q.push(typed(wire.Datagram, 1, uint64(sent), size), now) {
				t.Fatal("a datagram tears its route down")
			}
		}
		_, marks := split(t, q.pop(nil, size, now))
		for _, m := range marks {
			got++
			if now > 10*time.Second {
				worst = max(worst, now-came[m])
			}
		}
	}
	if worst > 90*time.Millisecond { // the cap alone would allow 105 ms
		t.Errorf("after ten seconds a datagram still waited %v", worst)
	}
	if got < sent*3/4 || uint64(sent-got) > f.Dropped()+2000 || f.Dropped() == 0 {
		t.Errorf("of %d datagrams %d passed and %d were dropped", sent, got, f.Dropped())
	}
}

func TestDatagramsLeaveTheirShareToData(t *testing.T) {
	var q queues
	q.init()
	for i := range 200 {
		q.push(record(1, uint64(i), 10000), 0)
		q.push(typed(wire.Datagram, 1, 1000+uint64(i), 1000), 0)
	}
	_, marks := split(t, q.pop(nil, 220_000, 0))
	datagrams := 0
	for _, m := range marks {
		if m >= 1000 {
			datagrams++
		}
	}
	if datagrams < 90 || datagrams > 130 {
		t.Errorf("%d datagrams of 1 KB among 220 KB, want half of the bytes", datagrams)
	}
}

// TestEvictionHitsTheGreedy fills a link from one key and then from two: others stay untouched.
func TestEvictionHitsTheGreedy(t *testing.T) {
	var q queues
	q.init()
	rec := func(route int) []byte { return record(wire.RouteID(route), 0, 60<<10) }
	honest := new(Flow)
	q.announce(1, identity.PubKey{1}, honest)
	for range 64 {
		q.push(rec(1), 0)
	}
	for route := 100; route < 120; route++ {
		q.announce(wire.RouteID(route), identity.PubKey{byte(2 + route%2)}, new(Flow))
	}
	lost := 0
	for i := range 3000 {
		if !q.push(rec(100+i%20), 0) {
			lost++
		}
		for k := range kinds {
			if q.mem[k] > linkBudget[k] {
				t.Fatalf("the link holds %d bytes", q.mem[k])
			}
		}
		for _, a := range q.accounts {
			if a.mem[streams] > keyBudget[streams] {
				t.Fatalf("a key holds %d bytes", a.mem[streams])
			}
		}
	}
	checkBooks(t, &q)
	if len(q.evicted) == 0 {
		t.Error("nobody had to make room")
	}
	if slices.Contains(q.evicted, 1) || honest.Dropped() > 0 {
		t.Error("the honest route paid for the others")
	}
}

func TestManySmallQueuesCostLittle(t *testing.T) {
	var q queues
	q.init()
	for route := range wire.RouteID(2000) {
		q.push(record(1+route, 0, 100), 0)
	}
	if q.mem[streams] > 2000*smallLen {
		t.Errorf("2000 records on 2000 routes hold %d bytes", q.mem[streams])
	}
}

func TestUrgentIsBounded(t *testing.T) {
	var q queues
	q.init()
	n := 0
	for q.pushUrgent(make([]byte, 40), maxEcho) {
		n++
	}
	if n != maxEcho/40 {
		t.Errorf("%d records of 40 bytes fit", n)
	}
}

func TestRatchetTurnsAlike(t *testing.T) {
	var key [32]byte
	a, b := sealing(key), opening(key)
	a.used, b.used = rekeyAfter-1, rekeyAfter-1
	for i := range 3 {
		buf := append([]byte("some bytes"), make([]byte, wire.TagLen)...)
		a.seal(buf[:10], nil)
		got, err := b.open(buf, nil)
		if err != nil || !bytes.Equal(got, []byte("some bytes")) {
			t.Fatalf("record %d around the change of key: %q, %v", i, got, err)
		}
	}
	if a.key == key || a.used != 2 {
		t.Errorf("the key was not changed: %d records under it", a.used)
	}
}
