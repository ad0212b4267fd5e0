package gui

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
)

const (
	key0 = "0369c1101877a52c4e019a1e14e1833bf1012d9e1e3cf1c5e1311743cdc6affafa"
	key1 = "0395a09e34dd417ee94dd68b3dd3530a5e6f5b5ed885cf38cba93743c3f57fc0e3"
	key2 = "03bd6d13cb57f1b6ceb3b1f3eab349f2ec1b848909c9c09a049f58cdbf5fde5407"
	key3 = "03aaaaaabb57f1b6ceb3b1f3eab349f2ec1b848909c9c09a049f58cdbf5fde5407"
)

// What a manager and a node of the demo say.
const (
	nodesSaid = `[{"name":"node0","node":"69c11018","connected":true,"key":"` + key0 + `"},
		{"name":"node1","node":"95a09e34","connected":true,"key":"` + key1 + `"},
		{"name":"","node":"bd6d13cb","connected":false,"key":"` + key2 + `"}]`
	linksSaid    = `[{"a":"node0","b":"node1","rtt_ms":0.37,"a_to_b_bytes":64,"b_to_a_bytes":64},{"a":"node1","b":"bd6d13cb","rtt_ms":0.27,"a_to_b_bytes":1000,"b_to_a_bytes":0}]`
	routesSaid   = `[{"route":"7cbd0094","path":["bd6d13cb","node1","node0"],"state":"up"},{"route":"11111111","path":["node0","node1"],"state":"broken"}]`
	infoSaid     = `{"name":"node0","key":"` + key0 + `","registered":true}`
	peersSaid    = `[{"peer":"node1","state":"up","rtt_ms":0.3,"sent_bytes":1000,"received_bytes":500,"key":"` + key1 + `"},{"peer":"node3","state":"down","key":"` + key3 + `"}]`
	sessionsSaid = `[{"peer":"bd6d13cb","state":"ready","paths":["active 290µs node0 > node1 > bd6d13cb","standby (its nodes are known at the far end)"],"key":"` + key2 + `"}]`
)

func managerOf(nodes, links, routes string) managerWord {
	return managerWord{read[[]knownNode](json.RawMessage(nodes)), read[[]knownLink](json.RawMessage(links)), read[[]knownRoute](json.RawMessage(routes))}
}

func nodeOf(info, links, sessions string) nodeWord {
	return nodeWord{3, read[nodeInfo](json.RawMessage(info)), read[[]neighbour](json.RawMessage(links)), read[[]nodeSession](json.RawMessage(sessions))}
}

func TestMapOfManagerAndNode(t *testing.T) {
	m := draw([]managerWord{managerOf(nodesSaid, linksSaid, routesSaid)}, []nodeWord{nodeOf(infoSaid, peersSaid, sessionsSaid)}, newRates(), time.Unix(1, 0))
	if len(m.Nodes) != 3 {
		t.Fatalf("nodes: %+v", m.Nodes)
	}
	for i, want := range []panel.Node{
		{ID: key2, Label: "bd6d13cb", State: "down"}, {ID: key0, Label: "node0", State: "ready", Self: true}, {ID: key1, Label: "node1", State: "ready"},
	} {
		if m.Nodes[i] != want {
			t.Errorf("node %d is %+v, want %+v", i, m.Nodes[i], want)
		}
	}
	if len(m.Links) != 2 || m.Links[0].A != key0 || m.Links[0].B != key1 || m.Links[0].Latency != 300*time.Microsecond {
		t.Errorf("links: %+v", m.Links)
	}
	if len(m.Routes) != 2 || m.Routes[0].Label != "node0 > bd6d13cb" || len(m.Routes[0].Hops) != 3 || m.Routes[0].Hops[2] != key2 {
		t.Errorf("routes: %+v", m.Routes)
	}
	if m.Routes[1].Label != "broken: node0 > node1 (11111111)" {
		t.Errorf("the manager's route: %+v", m.Routes[1])
	}
}

func TestMapWithoutAManager(t *testing.T) {
	m := draw(nil, []nodeWord{nodeOf(infoSaid, peersSaid, sessionsSaid)}, newRates(), time.Unix(1, 0))
	if len(m.Nodes) != 3 || len(m.Links) != 1 || len(m.Routes) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestParsePath(t *testing.T) {
	for text, want := range map[string][]string{
		"active 1.2ms a > b > c":                      {"active", "a", "b", "c"},
		"probing a > b":                               {"probing", "a", "b"},
		"active (its nodes are known at the far end)": {"active"},
		"standby 3ms":                                 {"standby"},
		"":                                            {""},
		"active 1ms 2s > b":                           {"active", "2s", "b"},
	} {
		state, hops := parsePath(text)
		got := append([]string{state}, hops...)
		if len(got) != len(want) {
			t.Errorf("%q: %q", text, got)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
	}
}

func TestRates(t *testing.T) {
	r := newRates()
	link := [2]string{"a", "b"}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	steps := []struct {
		second int
		bytes  map[string]uint64
		want   float64
	}{
		{0, map[string]uint64{"manager": 100}, 0},
		{1, map[string]uint64{"manager": 100}, 0},
		{20, map[string]uint64{"manager": 2100}, 100}, // over 20 seconds
		{30, map[string]uint64{"manager": 2100}, 100}, // it has not been told of since
		{46, map[string]uint64{"manager": 2100}, 0},
		{47, map[string]uint64{"manager": 2100, key0: 50}, 0}, // an end of it runs here now
		{48, map[string]uint64{"manager": 9100, key0: 1050}, 1000},
		{49, map[string]uint64{"manager": 9100, key0: 1050}, 0},
		{50, map[string]uint64{"manager": 9100, key0: 5}, 0}, // its counter began anew
		{51, map[string]uint64{"manager": 9100, key0: 105}, 100},
	}
	for _, s := range steps {
		if got := r.of(link, s.bytes, at(s.second)); got != s.want {
			t.Errorf("second %d: %v, want %v", s.second, got, s.want)
		}
	}
	r.forget(nil)
	if len(r.links) != 0 {
		t.Error("a link that is no more is kept")
	}
}

// Whatever apps answer, the map can be drawn.
func FuzzMap(f *testing.F) {
	f.Add(nodesSaid, linksSaid, routesSaid, infoSaid, peersSaid, sessionsSaid)
	f.Add(`[{}]`, `[{"a":"x","b":"x"}]`, `[{"path":["","",""]}]`, `{"key":"a"}`, `[{"key":"a","state":"up"}]`, `[{"paths":["> > >"," > "]}]`)
	f.Fuzz(func(t *testing.T, nodes, links, routes, info, peers, sessions string) {
		r := newRates()
		for i := range 2 {
			m := draw([]managerWord{managerOf(nodes, links, routes)}, []nodeWord{nodeOf(info, peers, sessions)}, r, time.Unix(int64(i), 0))
			m = m.Clean()
			panel.Arrange(&m, nil)
		}
	})
}
