package topology

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

func TestCost(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		m    Metrics
		want time.Duration
	}{
		"not measured":       {Metrics{}, 100*ms + perHop},
		"round trip":         {Metrics{RTT: 20 * ms}, 20*ms + perHop},
		"jitter twice":       {Metrics{RTT: 20 * ms, Jitter: 3 * ms}, 26*ms + perHop},
		"2 % lost":           {Metrics{RTT: 20 * ms, Loss: 20_000}, 50*ms + perHop},
		"0.1 % lost":         {Metrics{RTT: 20 * ms, Loss: 1000}, 21500*time.Microsecond + perHop},
		"fast enough":        {Metrics{RTT: 20 * ms, Capacity: plenty}, 20*ms + perHop},
		"1 MB/s":             {Metrics{RTT: 20 * ms, Capacity: 1 << 20}, 20*ms + 62500*time.Microsecond - 5242880*time.Nanosecond + perHop},
		"a byte a second":    {Metrics{RTT: ms, Capacity: 1}, maxCost},
		"everything at most": {Metrics{math.MaxInt64, math.MaxInt64, math.MaxUint32, math.MaxUint64}, maxCost},
		"less than nothing":  {Metrics{RTT: -1, Jitter: -5}, 100*ms + perHop},
	} {
		if got := tt.m.Cost(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if w := weight(maxCost); costOf(16*w) != 16*maxCost || hops(16*w) != 16 || 16*w >= sharedLink || 16*sharedLink >= sharedNode {
		t.Error("the fields of a weight run into each other")
	}
	if longest := 65536 * weight(maxCost); longest <= 0 || longest+16*sharedNode+16*sharedLink >= far {
		t.Error("the way through a largest network is as far as what cannot be reached")
	}
}

func TestWorseEndCounts(t *testing.T) {
	a := Link{RTT: 5, Jitter: 1, Loss: 9, Capacity: 100}
	b := Link{RTT: 7, Jitter: 3, Loss: 2, Capacity: 50}
	if got := worse(a, b); got != (Metrics{7, 3, 9, 50}) || worse(b, a) != got {
		t.Errorf("%+v", got)
	}
	if got := worse(a, Link{}); got.RTT != 0 || got.Capacity != 100 {
		t.Errorf("one end measures: %+v", got)
	}
}

// TestMetricsChooseThePath: each figure alone makes the detour better.
func TestMetricsChooseThePath(t *testing.T) {
	const ms = time.Millisecond
	for name, bad := range map[string]Link{
		"jitter": {RTT: ms, Jitter: 20 * ms}, "loss": {RTT: ms, Loss: 50_000}, "capacity": {RTT: ms, Capacity: 100_000}, "nothing": {RTT: ms},
	} {
		m := New()
		one, two := bad, Link{RTT: ms}
		one.Peer, two.Peer = key(2), key(1) // only one end sees it
		good := func(i int) Link { return Link{Peer: key(i), RTT: 3 * ms, Capacity: 1 << 30} }
		m.Report(key(1), []Link{one, good(3)})
		m.Report(key(2), []Link{two, good(3)})
		m.Report(key(3), []Link{good(1), good(2)})
		want := keys(1, 3, 2)
		if name == "nothing" {
			want = keys(1, 2)
		}
		p, err := m.Path(Query{Src: key(1), Dst: key(2)})
		if err != nil || !slices.Equal(p, want) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		cost, ok := m.Cost(p)
		if name != "nothing" && (!ok || cost != 2*(3*ms+perHop)) {
			t.Errorf("%s costs %v, %v", name, cost, ok)
		}
	}
	m := network([3]int{1, 2, 1})
	for _, path := range [][]identity.PubKey{nil, keys(1), keys(1, 3), keys(1, 2, 3)} {
		if c, ok := m.Cost(path); ok {
			t.Errorf("%v costs %v", path, c)
		}
	}
	if a, b, missing := m.Missing(keys(1, 2, 3)); !missing || a != key(2) || b != key(3) {
		t.Errorf("missing %v-%v, %v", a, b, missing)
	}
	if got, ok := m.Metrics(key(2), key(1)); !ok || got.RTT != ms || len(m.Peers(key(1))) != 1 {
		t.Errorf("%+v, %v", got, ok)
	}
}
