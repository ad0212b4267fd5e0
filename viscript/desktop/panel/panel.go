// Package panel draws what people look at rather than read: processes, one app, the mesh, merged logs.
// Each panel is a function of its data and a View that adds items to a scene and returns what can be
// clicked; it keeps nothing. Data comes from apps and other machines: Clean bounds it before it is shown.
package panel

import (
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// An Action is what a click does.
type Action uint8

// The actions, and what of a Hit names their object.
const (
	None       Action = iota
	Open              // App: its page
	Ping              // App
	Logs              // App: its lines in the logs panel
	Restart           // App
	Stop              // App
	PickRoute         // Key: highlight that route until it is picked again
	ToggleApp         // App: show or hide its lines
	EditFilter        // typed text goes to the filter
)

// A Hit is a region that can be clicked; of those that overlap, the last counts.
type Hit struct {
	Rect   scene.Rect
	Action Action
	App    uint64
	Key    string
}

// A View is where and how a panel is drawn.
type View struct {
	Body   scene.Rect
	Font   scene.Font
	Theme  *scene.Theme
	Hover  bool        // the pointer is over this panel, at Pointer
	Over   scene.Point // where it is
	Focus  int         // index of the Hit the keyboard is on, -1 for none
	Scroll int         // rows that are scrolled out
}

// A Result is what a panel tells of its drawing.
type Result struct {
	Hits  []Hit // appended to those that were given
	Rows  int   // there are, with those scrolled out
	Shown int   // that fit
}

// A painter draws one panel.
type painter struct {
	*scene.Scene
	View
	t    *scene.Theme
	hits []Hit
}

const gap = 6 // window units between parts, times nothing: it does not grow with the font

func newPainter(s *scene.Scene, v View, hits []Hit) *painter {
	s.Rect(v.Body, v.Theme.Panel, 0)
	return &painter{Scene: s, View: v, t: v.Theme, hits: hits[:0]}
}

// hit makes r clickable and says whether the pointer or the keyboard is on it.
func (p *painter) hit(r scene.Rect, a Action, app uint64, key string) bool {
	seen := r.Intersect(p.Body)
	if seen.Empty() {
		return false
	}
	p.hits = append(p.hits, Hit{seen, a, app, key})
	if p.Focus == len(p.hits)-1 {
		p.Frame(seen, 0, p.t.Focus, 1.5, 3)
		return true
	}
	return p.Hover && seen.Has(p.Over)
}

// columns is how many characters fit into width.
func (p *painter) columns(width float32) int { return int(max(0, width) / p.Font.Advance) }

// rowHeight is of a row of a list.
func (p *painter) rowHeight() float32 { return p.Font.Line + 4 }

// label writes text into columns from x on, cut with dots.
func (p *painter) label(x, y float32, text string, columns int, face scene.Face, c scene.Color) {
	p.Text(scene.Point{X: x, Y: y}, scene.Fit(text, columns), p.Font, face, c)
}

// right writes text so that it ends before x.
func (p *painter) right(x, y float32, text string, c scene.Color) {
	p.Text(scene.Point{X: x - float32(term.Width(text))*p.Font.Advance, Y: y}, text, p.Font, scene.Regular, c)
}

// button draws one with its left upper corner at x, y and returns its right edge.
func (p *painter) button(x, y float32, text string, a Action, app uint64) float32 {
	r := scene.Rect{X: x, Y: y, W: float32(term.Width(text)+2) * p.Font.Advance, H: p.Font.Line + 2}
	fill, ink := p.t.Button, p.t.ButtonText
	if p.Hover && r.Intersect(p.Body).Has(p.Over) {
		fill, ink = p.t.ButtonHot, p.t.ButtonHotText
	}
	p.Rect(r, fill, 3)
	p.Text(scene.Point{X: x + p.Font.Advance, Y: y + 1}, text, p.Font, scene.Regular, ink)
	p.hit(r, a, app, "")
	return r.Right()
}

// buttons are those of an app, as far as there is room up to limit.
func (p *painter) buttons(x, y, limit float32, app uint64) {
	for _, b := range appButtons {
		w := float32(len(b.text)+2) * p.Font.Advance
		if x+w > limit {
			return
		}
		x = p.button(x, y, b.text, b.action, app) + p.Font.Advance/2
	}
}

var appButtons = [...]struct {
	text   string
	action Action
}{{"ping", Ping}, {"logs", Logs}, {"restart", Restart}, {"stop", Stop}}

// buttonColumns is what the four of them take.
const buttonColumns = 4 + 4 + 7 + 4 + 4*2 + 3

// stateColor is how the state of an app or a node is written.
func (p *painter) stateColor(state string) scene.Color {
	switch state {
	case "ready", "running", "up", "connected", "healthy":
		return p.t.Good
	case "starting", "stopping", "backoff", "waiting", "started":
		return p.t.Warn
	case "failed", "crashed", "down", "unhealthy", "lost", "broken":
		return p.t.Bad
	}
	return p.t.PanelFaint
}

// scrollMark is the position in a list that does not fit.
func (p *painter) scrollMark(area scene.Rect, rows, shown int) {
	if rows <= shown || rows == 0 {
		return
	}
	h := max(12, area.H*float32(shown)/float32(rows))
	y := area.Y + (area.H-h)*float32(min(p.Scroll, rows-shown))/float32(rows-shown)
	p.Rect(scene.Rect{X: area.Right() - 4, Y: y, W: 3, H: h}, p.t.Divider, 1.5)
}
