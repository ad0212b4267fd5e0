package panel

import (
	"math"
	"slices"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// A Mesh is what the map shows.
type Mesh struct {
	Nodes  []Node
	Links  []Link
	Routes []Route
}

// A Node is one node of the mesh.
type Node struct {
	ID    string // key
	Label string
	State string
	Self  bool // runs here
}

// A Link joins two nodes.
type Link struct {
	A, B    string  // ids of nodes
	Rate    float64 // bytes a second, both directions
	Latency time.Duration
}

// A Route is the way of a session through the mesh.
type Route struct {
	ID    string
	Label string   // the session
	Hops  []string // ids of nodes, from end to end
}

// uses: r goes over the link.
func (r *Route) uses(l *Link) bool {
	for i := 1; i < len(r.Hops); i++ {
		if pairOf(r.Hops[i-1], r.Hops[i]) == pairOf(l.A, l.B) {
			return true
		}
	}
	return false
}

// A pair is two ids, the lesser first.
type pair [2]string

func pairOf(a, b string) pair { return pair{min(a, b), max(a, b)} }

// A meshMap is one drawing of the mesh.
type meshMap struct {
	*painter
	m     *Mesh
	place map[string]Place
	area  scene.Rect      // where nodes stand
	right float32         // where the map ends
	shown []bool          // which routes are highlighted
	lit   map[string]bool // nodes on them
	paths map[pair]bool   // links on them
}

const routeColumns = 26 // width of the list of routes

// MeshMap draws nodes where place has them, links with rate and round trip, and a list of routes. The
// route picked, those in the list under the pointer, and those over the node or link under it are
// highlighted.
func MeshMap(s *scene.Scene, v View, m *Mesh, place map[string]Place, picked string, hits []Hit) Result {
	p := newPainter(s, v, hits)
	before := p.Clip(v.Body)
	defer p.Unclip(before)
	in := v.Body.Inset(gap)
	g := meshMap{painter: p, m: m, place: place, area: in, shown: make([]bool, len(m.Routes)), lit: map[string]bool{}, paths: map[pair]bool{}}
	list := scene.Rect{}
	if len(m.Routes) > 0 && p.columns(in.W) >= 2*routeColumns {
		list = in
		list.W = routeColumns * p.Font.Advance
		list.X = in.Right() - list.W
		g.area.W -= list.W + gap
	}
	g.right = g.area.Right()
	margin := 3 * p.Font.Line
	g.area = g.area.Inset(min(margin, g.area.W/4, g.area.H/4))
	shown := max(1, int(list.H/p.rowHeight())-1)
	first := max(0, min(v.Scroll, len(m.Routes)-shown))
	g.highlight(list, first, shown, picked)
	g.links()
	g.nodes()
	if !list.Empty() {
		g.list(list, first, shown)
	}
	if len(m.Nodes) == 0 {
		p.label(in.X, in.Y, "no nodes are known", p.columns(in.W), scene.Oblique, p.t.PanelFaint)
	}
	return Result{p.hits, len(m.Routes), shown}
}

func (g *meshMap) at(id string) scene.Point {
	at := g.place[id]
	return scene.Point{X: g.area.X + g.area.W*float32(at.X), Y: g.area.Y + g.area.H*float32(at.Y)}
}

func (g *meshMap) radius() float32 { return g.Font.Line * 0.6 }

// highlight finds what the pointer is on: a row of the list, a node, else a link.
func (g *meshMap) highlight(list scene.Rect, first, shown int, picked string) {
	node, link := "", -1
	if g.Hover {
		node, link = g.under(g.Over)
	}
	for i := range g.m.Routes {
		r := &g.m.Routes[i]
		row := g.rowAt(list, i-first)
		g.shown[i] = r.ID == picked && picked != "" ||
			g.Hover && i >= first && i < first+shown && row.Has(g.Over) ||
			node != "" && slices.Contains(r.Hops, node) ||
			link >= 0 && r.uses(&g.m.Links[link])
		if !g.shown[i] {
			continue
		}
		for j, hop := range r.Hops {
			g.lit[hop] = true
			if j > 0 {
				g.paths[pairOf(r.Hops[j-1], hop)] = true
			}
		}
	}
}

// under is the node at p, or the link whose line passes it.
func (g *meshMap) under(p scene.Point) (node string, link int) {
	for i := len(g.m.Nodes) - 1; i >= 0; i-- {
		if at := g.at(g.m.Nodes[i].ID); distance(p, at, at) <= g.radius()+3 {
			return g.m.Nodes[i].ID, -1
		}
	}
	best, link := float32(5), -1
	for i := range g.m.Links {
		if d := distance(p, g.at(g.m.Links[i].A), g.at(g.m.Links[i].B)); d < best {
			best, link = d, i
		}
	}
	return "", link
}

// distance is from p to the stretch a, b.
func distance(p, a, b scene.Point) float32 {
	dx, dy := b.X-a.X, b.Y-a.Y
	t := float32(0)
	if l := dx*dx + dy*dy; l > 0 {
		t = max(0, min(1, ((p.X-a.X)*dx+(p.Y-a.Y)*dy)/l))
	}
	return float32(math.Hypot(float64(p.X-a.X-t*dx), float64(p.Y-a.Y-t*dy)))
}

func (g *meshMap) links() {
	for i := range g.m.Links {
		l := &g.m.Links[i]
		a, b := g.at(l.A), g.at(l.B)
		lit := g.paths[pairOf(l.A, l.B)]
		width := 1.5 + float32(math.Log10(1+l.Rate/1000)) // 1 MB/s is three units wider than none
		c := g.t.PanelFaint
		if lit {
			width, c = width+2, g.t.Route
		}
		g.Line(width, c, a, b)
	}
	for i := range g.m.Links { // above all lines
		l := &g.m.Links[i]
		lit := g.paths[pairOf(l.A, l.B)]
		if len(g.m.Links) > 40 && !lit {
			continue
		}
		a, b := g.at(l.A), g.at(l.B)
		text := l.text()
		if room := distance(a, b, b) - 4*g.radius(); !lit && float32(len(text))*g.Font.Advance > room {
			text = latencyText(l.Latency) // the rate is in the width of the line
		}
		g.tag(scene.Point{X: (a.X + b.X) / 2, Y: (a.Y+b.Y)/2 - g.Font.Line/2}, text, scene.Regular)
	}
}

// text is its latency and, if there is traffic, how much.
func (l *Link) text() string {
	if l.Rate < 1 {
		return latencyText(l.Latency)
	}
	return latencyText(l.Latency) + "  " + rateText(l.Rate)
}

// tag writes text around top, within the map, on ground of its own.
func (g *meshMap) tag(top scene.Point, text string, face scene.Face) {
	w := float32(term.Width(text)) * g.Font.Advance
	x := max(g.Body.X+2, min(top.X-w/2, g.right-w-2))
	g.Rect(scene.Rect{X: x - 2, Y: top.Y, W: w + 4, H: g.Font.Line}, g.t.Panel, 2)
	g.Text(scene.Point{X: x, Y: top.Y}, text, g.Font, face, g.t.PanelText)
}

func (g *meshMap) nodes() {
	r := g.radius()
	for i := range g.m.Nodes {
		n := &g.m.Nodes[i]
		at := g.at(n.ID)
		border, face := g.t.PanelText, scene.Regular
		if g.lit[n.ID] {
			border = g.t.Route
		}
		if n.Self {
			face = scene.Bold
		}
		if n.Self {
			g.Circle(at, r+4, 0, g.stateColor(n.State).Alpha(0.5), 1.5)
		}
		g.Circle(at, r, g.stateColor(n.State), border, 2)
		g.tag(scene.Point{X: at.X, Y: at.Y + r + 5}, scene.Fit(n.Label, 20), face)
	}
}

func (g *meshMap) rowAt(list scene.Rect, i int) scene.Rect {
	h := g.rowHeight()
	return scene.Rect{X: list.X, Y: list.Y + h*float32(i+1), W: list.W, H: h}
}

func (g *meshMap) list(r scene.Rect, first, shown int) {
	g.Rect(r, g.t.Panel, 0)
	g.label(r.X, r.Y, "ROUTES", routeColumns, scene.Bold, g.t.PanelFaint)
	for i := first; i < min(len(g.m.Routes), first+shown); i++ {
		row := g.rowAt(r, i-first)
		c := g.t.PanelText
		if g.shown[i] {
			c = g.t.Route
		}
		g.label(row.X, row.Y+2, g.m.Routes[i].Label, routeColumns-1, scene.Regular, c)
		g.hit(row, PickRoute, 0, g.m.Routes[i].ID)
	}
	g.scrollMark(r, len(g.m.Routes), shown)
}
