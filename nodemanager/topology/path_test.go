package topology

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// key makes a distinct value; the map does not ask whether it is a point.
func key(i int) identity.PubKey {
	return identity.PubKey{2, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
}

func keys(is ...int) []identity.PubKey {
	var list []identity.PubKey
	for _, i := range is {
		list = append(list, key(i))
	}
	return list
}

// network reports both ends of links given as {a, b, milliseconds}.
func network(links ...[3]int) *Map {
	m := New()
	said := make(map[int][]Link)
	for _, l := range links {
		rtt := time.Duration(l[2]) * time.Millisecond
		said[l[0]] = append(said[l[0]], Link{Peer: key(l[1]), RTT: rtt})
		said[l[1]] = append(said[l[1]], Link{Peer: key(l[0]), RTT: rtt})
	}
	for n, list := range said {
		m.Report(key(n), list)
	}
	return m
}

func TestPath(t *testing.T) {
	// 1-2-3-4 is fast, 1-4 direct is slow, 1-5-4 in between.
	m := network([3]int{1, 2, 1}, [3]int{2, 3, 1}, [3]int{3, 4, 1}, [3]int{1, 4, 30}, [3]int{1, 5, 5}, [3]int{5, 4, 5}, [3]int{8, 9, 1})
	tests := []struct {
		name string
		q    Query
		want []identity.PubKey
		err  error
	}{
		{"cheapest", Query{}, keys(1, 2, 3, 4), nil},
		{"one hop", Query{MaxHops: 1}, keys(1, 4), nil},
		{"two hops", Query{MaxHops: 2}, keys(1, 5, 4), nil},
		{"at least two", Query{MinHops: 2}, keys(1, 2, 3, 4), nil},
		{"via", Query{Via: keys(5)}, keys(1, 5, 4), nil},
		{"via in order", Query{Via: keys(2, 3)}, keys(1, 2, 3, 4), nil},
		{"via out of order", Query{Via: keys(3, 2)}, nil, ErrNoPath},
		{"too long", Query{MinHops: 4}, nil, ErrNoPath},
		{"too short for via", Query{MaxHops: 1, Via: keys(5)}, nil, ErrQuery},
		{"avoid", Query{Avoid: keys(2)}, keys(1, 5, 4), nil},
		{"avoid two", Query{Avoid: keys(2, 5)}, keys(1, 4), nil},
		{"avoid nobody", Query{Avoid: keys(77)}, keys(1, 2, 3, 4), nil},
		{"avoid an end", Query{Avoid: keys(1)}, nil, ErrQuery},
		{"avoid the other end", Query{Avoid: keys(4)}, nil, ErrQuery},
		{"via what is avoided", Query{Via: keys(2), Avoid: keys(2)}, nil, ErrQuery},
		{"beside the cheapest", Query{Beside: keys(1, 2, 3, 4)}, keys(1, 5, 4), nil},
		{"beside, whatever it costs", Query{Beside: keys(1, 2, 3, 4), Avoid: keys(5)}, keys(1, 4), nil},
		{"beside the only one left", Query{Beside: keys(1, 5, 4), Avoid: keys(2), MinHops: 2}, keys(1, 5, 4), nil},
		{"beside the direct link", Query{Beside: keys(1, 4), MaxHops: 2}, keys(1, 5, 4), nil},
		{"beside nobody", Query{Beside: keys(1, 77, 4, 88)}, keys(1, 2, 3, 4), nil},
		{"without a link", Query{Without: [][2]identity.PubKey{{key(3), key(2)}}}, keys(1, 5, 4), nil},
		{"unknown via", Query{Via: keys(77)}, nil, ErrUnknown},
		{"via the end", Query{Via: keys(4)}, nil, ErrQuery},
		{"min over max", Query{MinHops: 3, MaxHops: 2}, nil, ErrQuery},
		{"over the limit", Query{MaxHops: MaxHops + 1}, nil, ErrQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Src, tt.q.Dst = key(1), key(4)
			got, err := m.Path(tt.q)
			if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
				t.Fatalf("got %v, %v; want %v, %v", got, err, tt.want, tt.err)
			}
		})
	}
	for _, dst := range []int{8, 77, 1} {
		if p, err := m.Path(Query{Src: key(1), Dst: key(dst)}); err == nil {
			t.Errorf("a path to %d: %v", dst, p)
		}
	}
}

func TestTiesBySmallestKey(t *testing.T) {
	m := network([3]int{1, 3, 1}, [3]int{3, 4, 1}, [3]int{1, 2, 1}, [3]int{2, 4, 1})
	for _, q := range []Query{{}, {MinHops: 1, MaxHops: 2}} {
		q.Src, q.Dst = key(1), key(4)
		if p, err := m.Path(q); err != nil || !slices.Equal(p, keys(1, 2, 4)) {
			t.Fatalf("%v, %v", p, err)
		}
	}
}

func TestLongLine(t *testing.T) {
	m := New()
	for i := range MaxHops + 2 {
		m.Report(key(i), []Link{{Peer: key(i - 1)}, {Peer: key(i + 1)}})
	}
	if p, err := m.Path(Query{Src: key(0), Dst: key(MaxHops)}); err != nil || len(p) != MaxHops+1 {
		t.Fatalf("%d nodes, %v", len(p), err)
	}
	if _, err := m.Path(Query{Src: key(0), Dst: key(MaxHops + 1)}); !errors.Is(err, ErrNoPath) {
		t.Fatalf("a path beyond the limit: %v", err)
	}
}

// big is a random connected network.
func big(nodes, links int) *Map {
	rnd := rand.New(rand.NewPCG(3, 4))
	m := New()
	for i := range nodes {
		m.graph.add(key(i))
	}
	for i := 1; i < nodes; i++ {
		m.graph.connect(key(i), key(rnd.IntN(i)), weight(perHop+time.Duration(1000+rnd.IntN(100_000))*time.Microsecond))
	}
	for range links - nodes + 1 {
		if a, b := rnd.IntN(nodes), rnd.IntN(nodes); a != b {
			m.graph.connect(key(a), key(b), weight(perHop+time.Duration(1000+rnd.IntN(100_000))*time.Microsecond))
		}
	}
	return m
}

func BenchmarkDisjoint(b *testing.B) {
	m := big(10_000, 50_000)
	for _, k := range []int{1, 2, 3} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(5, 6))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = m.Disjoint(Query{Src: key(100 + rnd.IntN(9_900)), Dst: key(1 + rnd.IntN(70))}, k)
			}
		})
	}
}

func BenchmarkPath(b *testing.B) {
	for _, size := range [][2]int{{1000, 5000}, {10_000, 50_000}} {
		m := big(size[0], size[1])
		for name, q := range map[string]Query{"any": {}, "min9": {MinHops: 9}, "max5": {MaxHops: 5}, "via2": {Via: keys(77, 99)}, "beside": {Beside: keys(1, 2, 3, 4, 5)}} {
			b.Run(fmt.Sprintf("%d/%s", size[0], name), func(b *testing.B) {
				rnd := rand.New(rand.NewPCG(5, 6))
				b.ReportAllocs()
				for b.Loop() {
					q.Src, q.Dst = key(100+rnd.IntN(size[0]-100)), key(1+rnd.IntN(70))
					_, _ = m.Path(q)
				}
			})
		}
	}
}
