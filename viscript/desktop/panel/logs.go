package panel

import (
	"strings"
	"unicode/utf8"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// A LogLine is a line that an app wrote.
type LogLine struct {
	Time  string // as it is shown
	App   uint64
	Name  string // of the app
	Text  string
	Error bool
}

// A LogView is which lines are shown.
type LogView struct {
	Lines   []LogLine
	Matches []int32 // indices of the lines to show, from Match
	Apps    []LogApp
	Filter  string
	Editing bool // typed text goes to the filter
}

// A LogApp is an app that has written lines.
type LogApp struct {
	ID    uint64
	Name  string
	Color int // of the theme's series
	Off   bool
}

// Apps are those that wrote lines, by their first line; known keeps their colors and what is off.
func Apps(lines []LogLine, known []LogApp) []LogApp {
	out := known
	for i := range lines {
		if l := &lines[i]; indexApp(out, l.App) < 0 && len(out) < MaxProcesses {
			out = append(out, LogApp{ID: l.App, Name: l.Name, Color: len(out) % 8})
		}
	}
	return out
}

func indexApp(apps []LogApp, id uint64) int {
	for i := range apps {
		if apps[i].ID == id {
			return i
		}
	}
	return -1
}

// Match appends the indices of the lines that contain filter, whatever their case, from apps that
// are not off.
func Match(dst []int32, lines []LogLine, filter string, apps []LogApp) []int32 {
	dst = dst[:0]
	filter = strings.ToLower(filter)
	for i := range lines {
		l := &lines[i]
		if n := indexApp(apps, l.App); n >= 0 && apps[n].Off {
			continue
		}
		if filter == "" || strings.Contains(strings.ToLower(l.Text), filter) || strings.Contains(strings.ToLower(l.Name), filter) {
			dst = append(dst, int32(i))
		}
	}
	return dst
}

// LogPanel draws the lines of several apps in one list, newest at the bottom, each app in a color of
// its own, with a field for the filter and a button for each app. v.Scroll counts rows from the
// bottom.
func LogPanel(s *scene.Scene, v View, l *LogView, hits []Hit) Result {
	p := newPainter(s, v, hits)
	before := p.Clip(v.Body)
	defer p.Unclip(before)
	in := v.Body.Inset(gap)
	row := p.rowHeight()
	p.filterField(scene.Rect{X: in.X, Y: in.Y, W: in.W, H: row}, l)
	y := in.Y + row + 4
	if len(l.Apps) > 0 {
		p.logApps(scene.Rect{X: in.X, Y: y, W: in.W, H: row}, l.Apps)
		y += row + 4
	}
	area := scene.Rect{X: in.X, Y: y, W: in.W, H: in.Bottom() - y}
	shown := max(1, int(area.H/p.Font.Line))
	end := len(l.Matches) - max(0, min(v.Scroll, len(l.Matches)-shown))
	p.Clip(area)
	for i, n := range l.Matches[max(0, end-shown):end] {
		p.logLine(area, area.Y+float32(i)*p.Font.Line, &l.Lines[n], l.Apps)
	}
	p.Unclip(v.Body.Intersect(before))
	p.View.Scroll = max(0, len(l.Matches)-shown-v.Scroll)
	p.scrollMark(area, len(l.Matches), shown)
	return Result{p.hits, len(l.Matches), shown}
}

func (p *painter) filterField(r scene.Rect, l *LogView) {
	border := p.t.Divider
	if l.Editing {
		border = p.t.Focus
	}
	p.Frame(r, p.t.Bar, border, 1, 3)
	text, c, face := l.Filter, p.t.BarText, scene.Regular
	if text == "" && !l.Editing {
		text, c, face = "type to filter", p.t.BarText, scene.Oblique
	}
	room := p.columns(r.W) - 3
	for term.Width(text) > max(0, room) { // the end is what is being typed
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	x := p.Text(scene.Point{X: r.X + p.Font.Advance, Y: r.Y + 2}, text, p.Font, face, c)
	if l.Editing {
		p.Rect(scene.Rect{X: x, Y: r.Y + 3, W: 2, H: r.H - 6}, p.t.Cursor, 0)
	}
	p.hit(r, EditFilter, 0, "")
}

func (p *painter) logApps(r scene.Rect, apps []LogApp) {
	x := r.X
	for i := range apps {
		name := scene.Fit(apps[i].Name, 20)
		w := float32(term.Width(name)+2) * p.Font.Advance
		if x+w > r.Right() {
			p.label(x, r.Y+2, "...", 3, scene.Regular, p.t.PanelFaint)
			return
		}
		box := scene.Rect{X: x, Y: r.Y, W: w, H: r.H}
		c := p.t.Series[apps[i].Color]
		border := c
		if apps[i].Off {
			c, border = p.t.PanelFaint, p.t.Divider
		}
		p.Frame(box, p.t.Panel, border, 1, 3)
		end := p.Text(scene.Point{X: x + p.Font.Advance, Y: r.Y + 2}, name, p.Font, scene.Regular, c)
		if apps[i].Off {
			y := box.Center().Y
			p.Line(1, c, scene.Point{X: x + p.Font.Advance, Y: y}, scene.Point{X: end, Y: y})
		}
		p.hit(box, ToggleApp, apps[i].ID, "")
		x += w + p.Font.Advance
	}
}

func (p *painter) logLine(area scene.Rect, y float32, l *LogLine, apps []LogApp) {
	c := p.t.PanelText
	if n := indexApp(apps, l.App); n >= 0 {
		c = p.t.Series[apps[n].Color]
	}
	x := p.Text(scene.Point{X: area.X, Y: y}, l.Time, p.Font, scene.Regular, p.t.PanelFaint) + p.Font.Advance
	p.label(x, y, l.Name, 14, scene.Regular, c)
	x += 15 * p.Font.Advance
	c = p.t.PanelText
	if l.Error {
		c = p.t.Bad
	}
	p.label(x, y, l.Text, p.columns(area.Right()-x), scene.Regular, c)
}
