package topology

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

func TestBothEndsMustReport(t *testing.T) {
	m := New()
	a, b := key(1), key(2)
	q := Query{Src: a, Dst: b}
	m.Report(a, []Link{{Peer: b, RTT: time.Millisecond}})
	m.Report(b, nil)
	if p, err := m.Path(q); err == nil {
		t.Fatalf("one end's word made %v", p)
	}
	m.Report(b, []Link{{Peer: a, RTT: 7 * time.Millisecond}, {Peer: b}, {Peer: a, RTT: 1}, {}})
	if p, err := m.Path(q); err != nil || len(p) != 2 {
		t.Fatalf("%v, %v", p, err)
	}
	edges := m.Edges()
	if len(edges) != 1 || edges[0].RTT != 7*time.Millisecond || edges[0].A != a || edges[0].AtA.RTT != time.Millisecond {
		t.Fatalf("edges = %+v, want one at the worse round trip", edges)
	}
	if m.Degree(a) != 1 || m.Degree(key(9)) != 0 || !m.Has(b) || m.Has(key(9)) {
		t.Fatal("degree or presence")
	}
	m.Report(a, nil)
	if p, err := m.Path(q); err == nil || len(m.Edges()) != 0 {
		t.Fatalf("%v although one end took it back", p)
	}
}

func TestWorseRoundTripCounts(t *testing.T) {
	m := New()
	// 1-2 direct: 2 says it is slow. 1-3-2: both ends say 5 ms.
	m.Report(key(1), []Link{{Peer: key(2), RTT: time.Millisecond}, {Peer: key(3), RTT: 5 * time.Millisecond}})
	m.Report(key(2), []Link{{Peer: key(1), RTT: time.Second}, {Peer: key(3), RTT: 5 * time.Millisecond}})
	m.Report(key(3), []Link{{Peer: key(1), RTT: 5 * time.Millisecond}, {Peer: key(2), RTT: 5 * time.Millisecond}})
	if p, _ := m.Path(Query{Src: key(1), Dst: key(2)}); !slices.Equal(p, keys(1, 3, 2)) {
		t.Fatalf("%v", p)
	}
}

func TestUnmeasuredIsNotFree(t *testing.T) {
	m := network([3]int{1, 2, 0}, [3]int{1, 3, 5}, [3]int{3, 2, 5})
	if p, _ := m.Path(Query{Src: key(1), Dst: key(2)}); !slices.Equal(p, keys(1, 3, 2)) {
		t.Fatalf("%v", p)
	}
}

func TestRemoveForgets(t *testing.T) {
	m := network([3]int{1, 2, 1}, [3]int{2, 3, 1})
	m.Remove(key(2))
	m.Remove(key(99))
	if p, err := m.Path(Query{Src: key(1), Dst: key(3)}); err == nil {
		t.Fatalf("%v through a node that is gone", p)
	}
	// It comes back: the others still report it, so its own word is enough.
	m.Report(key(2), []Link{{Peer: key(1)}, {Peer: key(3)}})
	if p, err := m.Path(Query{Src: key(1), Dst: key(3)}); err != nil || len(p) != 3 {
		t.Fatalf("%v, %v", p, err)
	}
}

// TestRandomChanges compares the graph, kept up to date by steps, with the reports.
func TestRandomChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	m := New()
	for range 2000 {
		k := key(rnd.IntN(8))
		if rnd.IntN(5) == 0 {
			m.Remove(k)
			continue
		}
		var links []Link
		for i := range 8 {
			if rnd.IntN(2) == 0 {
				links = append(links, Link{Peer: key(i), RTT: time.Duration(rnd.IntN(9)) * time.Millisecond})
			}
		}
		m.Report(k, links)
		checkGraph(t, m)
	}
}

func checkGraph(t *testing.T, m *Map) {
	t.Helper()
	want := make(map[[2]identity.PubKey]int64)
	for _, e := range m.Edges() {
		want[[2]identity.PubKey{e.A, e.B}] = weight(e.Metrics.Cost())
		want[[2]identity.PubKey{e.B, e.A}] = weight(e.Metrics.Cost())
	}
	n := 0
	for i, list := range m.graph.edges {
		for _, e := range list {
			n++
			pair := [2]identity.PubKey{m.graph.keys[i], m.graph.keys[e.to]}
			if c, ok := want[pair]; !ok || c != e.weight {
				t.Fatalf("edge %v weighs %d, want %d (%v)", pair, e.weight, c, ok)
			}
		}
	}
	if n != len(want) {
		t.Fatalf("%d edges, want %d", n, len(want))
	}
}
