package link

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

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

// TestQueuesAgainstOracle compares the queues with a list per route: what goes in comes out once, in order.
func TestQueuesAgainstOracle(t *testing.T) {
	var q queues
	q.init()
	rnd := rand.New(rand.NewPCG(1, 2))
	oracle := map[wire.RouteID][]uint64{}
	held, mark := 0, uint64(0)
	for range 20000 {
		if rnd.IntN(3) > 0 {
			route := wire.RouteID(1 + rnd.IntN(20))
			mark++
			if !q.push(route, record(route, mark, rnd.IntN(3000))) {
				t.Fatal("push below the cap was refused")
			}
			oracle[route] = append(oracle[route], mark)
			held++
			continue
		}
		routes, marks := split(t, q.pop(nil, 1+rnd.IntN(64<<10)))
		for i, r := range routes {
			if len(oracle[r]) == 0 || oracle[r][0] != marks[i] {
				t.Fatalf("route %d gave record %d, want the oldest of %v", r, marks[i], oracle[r][:min(3, len(oracle[r]))])
			}
			oracle[r] = oracle[r][1:]
			held--
		}
		if q.empty() != (held == 0) {
			t.Fatalf("empty() = %t with %d records held", q.empty(), held)
		}
	}
	split(t, q.pop(nil, 1<<30))
	if !q.empty() || q.bytes != 0 || len(q.byRoute) != 0 {
		t.Errorf("after everything was popped: %d bytes, %d queues", q.bytes, len(q.byRoute))
	}
}

func TestQueuesShareFairly(t *testing.T) {
	var q queues
	q.init()
	for i := range 400 { // route 1 has far more, in larger records
		q.push(1, record(1, uint64(i), 16<<10))
		if i < 40 {
			q.push(2, record(2, uint64(i), 1<<10))
		}
	}
	routes, _ := split(t, q.pop(nil, 256<<10))
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
	for q.push(9, rec) {
		n += len(rec)
	}
	if n > MaxQueued || n < MaxQueued-2*len(rec) {
		t.Errorf("one route queued %d bytes, the cap is %d", n, MaxQueued)
	}
	if !q.push(10, rec) {
		t.Error("a full route keeps another one from queueing")
	}
}

func TestUrgentGoesFirst(t *testing.T) {
	var q queues
	q.init()
	q.push(3, record(3, 1, 100))
	q.pushUrgent(record(4, 2, 100))
	if routes, _ := split(t, q.pop(nil, 1<<20)); len(routes) != 2 || routes[0] != 4 {
		t.Errorf("order of routes %v, want the urgent 4 first", routes)
	}
}

func TestRatchetTurnsAlike(t *testing.T) {
	var key [32]byte
	a, b := newRatchet(key), newRatchet(key)
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
