package gui

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

// What the map reads of the answers of node managers and nodes; the programs that give them name more.

type knownNode struct {
	Name      string `json:"name"`
	Short     string `json:"node"`
	Key       string `json:"key"`
	Connected bool   `json:"connected"`
}

type knownLink struct {
	A       string  `json:"a"` // names, or short forms of keys
	B       string  `json:"b"`
	RTT     float64 `json:"rtt_ms"`
	ABBytes uint64  `json:"a_to_b_bytes"`
	BABytes uint64  `json:"b_to_a_bytes"`
}

type knownRoute struct {
	Route string   `json:"route"`
	Path  []string `json:"path"`
	State string   `json:"state"`
}

type nodeInfo struct {
	Name       string `json:"name"`
	Key        string `json:"key"`
	Registered bool   `json:"registered"`
}

type neighbour struct {
	Peer     string  `json:"peer"`
	State    string  `json:"state"`
	RTT      float64 `json:"rtt_ms"`
	Sent     uint64  `json:"sent_bytes"`
	Received uint64  `json:"received_bytes"`
	Key      string  `json:"key"`
}

type nodeSession struct {
	Peer    string   `json:"peer"`
	State   string   `json:"state"`
	Paths   []string `json:"paths"` // state, round trip and nodes of each: "active 1.2ms node0 > node1 > node2"
	Streams int      `json:"streams"`
	Outage  string   `json:"outage"`
	Key     string   `json:"key"`
}

// A managerWord is what a node manager on this host said.
type managerWord struct {
	nodes  []knownNode
	links  []knownLink
	routes []knownRoute
}

// A nodeWord is what a node on this host said.
type nodeWord struct {
	app      signal.ID
	info     nodeInfo
	links    []neighbour
	sessions []nodeSession
}

// maxPath is how long the text of a path may be, in bytes.
const maxPath = 4 << 10

// read reads an answer; one that is of another form is the zero value. Its length is that of a frame at most.
func read[T any](answer json.RawMessage) (v T) {
	if json.Unmarshal(answer, &v) != nil {
		var none T
		return none
	}
	return v
}

// An atlas is the map while it is put together.
type atlas struct {
	nodes  map[string]*panel.Node
	names  map[string]string // key for each name and short form
	links  map[[2]string]*meshLink
	routes []panel.Route
	ways   map[string]bool // those of routes
}

// A meshLink is a link with the bytes it carried, by each who says so.
type meshLink struct {
	rtt   float64 // ms
	bytes map[string]uint64
}

func newAtlas() *atlas {
	return &atlas{nodes: map[string]*panel.Node{}, names: map[string]string{}, links: map[[2]string]*meshLink{}, ways: map[string]bool{}}
}

// draw puts together what all said. The bytes of links are what rates is to make of them.
func draw(managers []managerWord, nodes []nodeWord, rates *rates, now time.Time) panel.Mesh {
	a := newAtlas()
	for _, n := range nodes {
		a.node(n.info.Key, n.info.Name, "", true)
	}
	for _, m := range managers {
		for _, n := range m.nodes {
			state := "ready"
			if !n.Connected {
				state = "down"
			}
			a.node(n.Key, n.Name, state, false)
			a.call(n.Short, n.Key)
		}
	}
	for i := range nodes {
		a.own(&nodes[i])
	}
	for _, m := range managers {
		for _, l := range m.links {
			a.link(a.find(l.A), a.find(l.B), l.RTT, "manager", l.ABBytes+l.BABytes)
		}
	}
	for i := range nodes {
		a.sessions(&nodes[i])
	}
	for _, m := range managers {
		a.laid(m.routes)
	}
	return a.mesh(rates, now)
}

// node takes in a node; who runs it knows its state only while no manager does.
func (a *atlas) node(key, name, state string, self bool) {
	if key == "" {
		return
	}
	n := a.nodes[key]
	if n == nil {
		n = &panel.Node{ID: key, Label: cmp.Or(name, short(key))}
		a.nodes[key] = n
	}
	n.Self = n.Self || self
	n.State = cmp.Or(state, n.State)
	a.call(name, key)
	a.call(short(key), key)
}

func (a *atlas) call(name, key string) {
	if name != "" && a.names[name] == "" {
		a.names[name] = key
	}
}

// find is the key for a name, which is a node of its own if nobody has said whose it is.
func (a *atlas) find(name string) string {
	if key := a.names[name]; key != "" {
		return key
	}
	a.node(name, name, "", false)
	return name
}

// short is the short form of a key as answers have it: without the first byte, which tells little.
func short(key string) string {
	if len(key) < 10 {
		return key
	}
	return key[2:10]
}

// own takes in what a node says of itself: its links, with the figures of this moment.
func (a *atlas) own(n *nodeWord) {
	if n.info.Key == "" {
		return
	}
	state := "ready"
	if !n.info.Registered {
		state = "waiting"
	}
	if a.nodes[n.info.Key].State == "" {
		a.nodes[n.info.Key].State = state
	}
	for _, l := range n.links {
		if l.Key == "" || l.State != "up" {
			continue
		}
		a.node(l.Key, l.Peer, "", false)
		a.link(n.info.Key, l.Key, l.RTT, n.info.Key, l.Sent+l.Received)
	}
}

func (a *atlas) link(from, to string, rtt float64, who string, bytes uint64) {
	if from == to || from == "" || to == "" {
		return
	}
	ends := [2]string{min(from, to), max(from, to)}
	l := a.links[ends]
	if l == nil {
		l = &meshLink{bytes: map[string]uint64{}}
		a.links[ends] = l
	}
	if l.rtt == 0 || rtt > 0 && rtt < l.rtt {
		l.rtt = rtt // the ends disagree when one was busy
	}
	l.bytes[who] = bytes
}

// sessions takes in the ways of the sessions that end at n, the one in use first.
func (a *atlas) sessions(n *nodeWord) {
	for _, s := range n.sessions {
		for _, text := range s.Paths {
			state, hops := parsePath(text)
			if len(hops) < 2 {
				continue
			}
			keys := a.all(hops)
			label := fmt.Sprintf("%s > %s", n.info.Name, s.Peer)
			if state != "active" {
				label += " " + state
			}
			if s.Outage != "" {
				label += " outage"
			}
			a.route(panel.Route{ID: n.info.Key + s.Key + strings.Join(keys, ""), Label: label, Hops: keys})
		}
	}
}

// laid takes in the routes that no session on this host has told of.
func (a *atlas) laid(routes []knownRoute) {
	for _, r := range routes {
		if len(r.Path) < 2 {
			continue
		}
		label := r.Path[0] + " > " + r.Path[len(r.Path)-1] + " (" + r.Route + ")"
		if r.State != "up" {
			label = r.State + ": " + label
		}
		a.route(panel.Route{ID: r.Route, Label: label, Hops: a.all(r.Path)})
	}
}

// route adds r unless its way, in this direction or the other, is there.
func (a *atlas) route(r panel.Route) {
	way := strings.Join(r.Hops, " ")
	back := slices.Clone(r.Hops)
	slices.Reverse(back)
	if a.ways[way] || a.ways[strings.Join(back, " ")] {
		return
	}
	a.ways[way] = true
	a.routes = append(a.routes, r)
}

func (a *atlas) all(names []string) []string {
	names = names[:min(len(names), panel.MaxHops)]
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = a.find(n)
	}
	return keys
}

// parsePath reads what a node tells of a path.
func parsePath(text string) (state string, hops []string) {
	if len(text) > maxPath {
		return "", nil
	}
	state, rest, _ := strings.Cut(text, " ")
	if first, after, ok := strings.Cut(rest, " "); ok && !strings.HasPrefix(after, ">") {
		if _, err := time.ParseDuration(first); err == nil {
			rest = after
		}
	}
	if !strings.Contains(rest, " > ") {
		return state, nil
	}
	return state, strings.Split(rest, " > ")
}

// mesh is the atlas as the panel wants it, in an order that does not change by itself.
func (a *atlas) mesh(rates *rates, now time.Time) (m panel.Mesh) {
	for _, key := range slices.Sorted(maps.Keys(a.nodes)) {
		n := *a.nodes[key]
		n.State = cmp.Or(n.State, "unknown")
		m.Nodes = append(m.Nodes, n)
	}
	slices.SortStableFunc(m.Nodes, func(x, y panel.Node) int { return cmp.Compare(x.Label, y.Label) })
	ends := slices.SortedFunc(maps.Keys(a.links), func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	for _, e := range ends {
		l := a.links[e]
		m.Links = append(m.Links, panel.Link{
			A: e[0], B: e[1], Rate: rates.of(e, l.bytes, now), Latency: time.Duration(l.rtt * float64(time.Millisecond)),
		})
	}
	rates.forget(a.links)
	m.Routes = a.routes
	return m
}

// rates makes rates of counters. Who counts may do so every second or every few seconds: a rate is between
// two changes of a counter, and over when that is long ago.
type rates struct {
	links map[[2]string]map[string]*counter
}

type counter struct {
	bytes uint64
	at    time.Time // of its last change
	rate  float64
}

// rateHolds is how long a counter that a manager tells may stand still until its rate counts as zero: nodes report
// to it every twenty seconds.
const rateHolds = 25 * time.Second

func newRates() *rates { return &rates{map[[2]string]map[string]*counter{}} }

// of is the rate of a link, by the one who sees most of it.
func (r *rates) of(ends [2]string, bytes map[string]uint64, now time.Time) (most float64) {
	known := r.links[ends]
	if known == nil {
		known = map[string]*counter{}
		r.links[ends] = known
	}
	live := false // an end of the link runs here and knows it to the second
	for who := range bytes {
		live = live || who != "manager"
	}
	for who, n := range bytes {
		c := known[who]
		if c == nil {
			known[who] = &counter{bytes: n, at: now}
			continue
		}
		holds := rateHolds
		if who != "manager" {
			holds = 0
		}
		c.step(n, now, holds)
		if !live || who != "manager" {
			most = max(most, c.rate)
		}
	}
	return most
}

func (c *counter) step(n uint64, now time.Time, holds time.Duration) {
	passed := now.Sub(c.at)
	switch {
	case n > c.bytes && passed > 0:
		c.rate, c.bytes, c.at = float64(n-c.bytes)/passed.Seconds(), n, now
	case n < c.bytes: // another link, or its counter began anew
		c.rate, c.bytes, c.at = 0, n, now
	case passed > holds:
		c.rate, c.at = 0, now
	}
}

// forget drops links that are no more.
func (r *rates) forget(now map[[2]string]*meshLink) {
	maps.DeleteFunc(r.links, func(ends [2]string, _ map[string]*counter) bool { return now[ends] == nil })
}
