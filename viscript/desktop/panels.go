package desktop

import (
	"unicode/utf8"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A viewKey is what a panel's picture and hits depend on beside the pointer.
type viewKey struct {
	version uint64
	body    scene.Rect
	theme   string
	scroll  int
	cursor  int
	filter  string
	editing bool
	picked  string
}

// A matchKey is what the lines that a filter lets through depend on.
type matchKey struct {
	version uint64
	filter  string
}

// Processes takes in the running apps.
func (d *Desktop) Processes(list []panel.Process) {
	d.data.processes = panel.CleanProcesses(list)
	d.data.version++
}

// AppPage takes in the page of an app. It is kept as long as it is open.
func (d *Desktop) AppPage(a panel.App) {
	if d.panelWindow(AppContent, a.ID) == nil {
		return
	}
	a = a.Clean()
	d.data.pages[a.ID] = &a
	d.data.version++
}

// Mesh takes in the nodes, links and routes; nodes that were there stay near where they were.
func (d *Desktop) Mesh(m panel.Mesh) {
	d.data.mesh = m.Clean()
	d.data.places = panel.Arrange(&d.data.mesh, d.data.places)
	d.data.version++
}

// Logs adds lines of apps; the oldest give way.
func (d *Desktop) Logs(lines []panel.LogLine) {
	lines = panel.CleanLines(lines)
	all := append(d.data.lines, lines...)
	if more := len(all) - panel.MaxLines; more > 0 {
		all = append(all[:0], all[more:]...)
	}
	d.data.lines = all
	d.data.logApps = panel.Apps(lines, d.data.logApps)
	d.data.version++
}

func (d *Desktop) panelWindow(c Content, app uint64) *window {
	for _, w := range d.windows {
		if w.content == c && w.view != nil && w.view.app == app {
			return w
		}
	}
	return nil
}

// OpenPanel opens a panel, or raises it: c is not TerminalContent; app is of AppContent.
func (d *Desktop) OpenPanel(c Content, app uint64) {
	if c > TerminalContent && c < contents {
		if c != AppContent {
			app = 0
		}
		d.openPanel(c, app)
	}
}

func (d *Desktop) openPanel(c Content, app uint64) {
	w := d.panelWindow(c, app)
	if w == nil {
		if w = d.newPanel(c, app); w == nil {
			return
		}
		d.cascade(w)
		d.add(w)
	}
	d.setFocus(w)
}

func (d *Desktop) newPanel(c Content, app uint64) *window {
	if len(d.windows) >= maxWindows {
		return nil
	}
	w := &window{content: c, cols: 96, rows: 24, zoom: 1, view: &panelView{app: app, cursor: -1}}
	switch c {
	case ProcessesContent:
		w.cols = 112 // with sparklines and buttons
	case KeysContent:
		w.cols, w.rows = 92, 34
	}
	w.setZoom(d, 1)
	room := d.area()
	w.cols = max(minCols, min(w.cols, int(room.W/w.font.Advance)-6))
	w.rows = max(minRows, min(w.rows, int(room.H/w.font.Line)-5))
	d.ask(Request{Kind: Watch, Content: c, App: app, On: true})
	return w
}

// drawPanel adds a panel's picture to s and keeps what can be clicked.
func (d *Desktop) drawPanel(s *scene.Scene, w *window) {
	v := w.view
	view := panel.View{
		Body: w.frame().body, Font: w.font, Theme: &d.theme, Focus: v.cursor, Scroll: v.scroll, Over: d.pointer,
		Hover: d.over.Window == w.id && d.over.Part == OnBody && d.drag.kind == noDrag,
	}
	switch w.content {
	case ProcessesContent:
		v.result = panel.Processes(s, view, d.data.processes, v.result.Hits)
	case AppContent:
		a := d.data.pages[v.app]
		if a == nil {
			a = &panel.App{ID: v.app, State: "no data yet"}
		}
		v.result = panel.AppPage(s, view, a, v.result.Hits)
	case MeshContent:
		v.result = panel.MeshMap(s, view, &d.data.mesh, d.data.places, v.picked, v.result.Hits)
	case LogsContent:
		d.match(v)
		l := panel.LogView{Lines: d.data.lines, Matches: v.matches, Apps: d.data.logApps, Filter: v.filter, Editing: v.editing && d.focus == w}
		v.result = panel.LogPanel(s, view, &l, v.result.Hits)
	case KeysContent:
		v.result = panel.Table(s, view, keyRows(), v.result.Hits)
	}
	v.key = d.viewKey(w)
}

func (d *Desktop) match(v *panelView) {
	if k := (matchKey{d.data.version, v.filter}); v.matched != k || v.matches == nil {
		v.matched, v.matches = k, panel.Match(v.matches, d.data.lines, v.filter, d.data.logApps)
	}
}

func (d *Desktop) viewKey(w *window) viewKey {
	v := w.view
	return viewKey{d.data.version, w.frame().body, d.theme.Name, v.scroll, v.cursor, v.filter, v.editing, v.picked}
}

// keyRows is the table of chords, and what the mouse does.
func keyRows() [][2]string {
	rows := make([][2]string, 0, len(chords)+12)
	for _, c := range chords {
		rows = append(rows, [2]string{c.name, c.command.title()})
	}
	return append(rows,
		[2]string{"drag a tab", "move by cells; with Alt smoothly"},
		[2]string{"Alt-drag", "move from anywhere in the window"},
		[2]string{"drag an edge", "resize"},
		[2]string{"wheel", "scroll; with Alt by pages, with Ctrl larger or smaller"},
		[2]string{"drag", "select; twice: words, three times: lines, with Alt: a block"},
		[2]string{"Shift-drag", "select though the program wants the mouse"},
		[2]string{"middle button", "paste what is selected"},
		[2]string{"arrows, Enter", "in a panel: go to a button, press it"},
	)
}

// refresh makes sure that what can be clicked is up to date.
func (d *Desktop) refresh(w *window) {
	if w.view.key != d.viewKey(w) || w.view.result.Hits == nil {
		d.scratch.Begin(d.bounds(), d.scale)
		d.drawPanel(&d.scratch, w)
	}
}

// panelHit is the index of what can be clicked at p, -1 for nothing.
func (d *Desktop) panelHit(w *window, p scene.Point) int {
	d.refresh(w)
	for i := len(w.view.result.Hits) - 1; i >= 0; i-- {
		if w.view.result.Hits[i].Rect.Has(p) {
			return i
		}
	}
	return -1
}

func (d *Desktop) pressPanel(w *window) {
	i := d.panelHit(w, d.pointer)
	w.view.cursor, w.view.editing = -1, false
	if i >= 0 {
		d.activate(w, w.view.result.Hits[i])
	}
}

// activate does what a hit stands for.
func (d *Desktop) activate(w *window, h panel.Hit) {
	v := w.view
	switch h.Action {
	case panel.Open:
		d.openPanel(AppContent, h.App)
	case panel.Ping, panel.Restart, panel.Stop:
		name := map[panel.Action]string{panel.Ping: "ping", panel.Restart: "restart", panel.Stop: "stop"}[h.Action]
		d.ask(Request{Kind: AppAction, App: h.App, Text: name})
	case panel.Logs:
		d.openPanel(LogsContent, 0)
		d.onlyApp(h.App)
	case panel.PickRoute:
		if v.picked == h.Key {
			v.picked = ""
		} else {
			v.picked = h.Key
		}
	case panel.ToggleApp:
		for i := range d.data.logApps {
			if a := &d.data.logApps[i]; a.ID == h.App {
				a.Off = !a.Off
			}
		}
		d.data.version++
	case panel.EditFilter:
		v.editing = true
	}
}

// onlyApp hides the lines of all others.
func (d *Desktop) onlyApp(app uint64) {
	for i := range d.data.logApps {
		d.data.logApps[i].Off = d.data.logApps[i].ID != app
	}
	d.data.version++
}

// scrollPanel scrolls towards the end of a list, or back if negative. Logs count from the end.
func (d *Desktop) scrollPanel(w *window, by int) {
	d.refresh(w)
	v := w.view
	if w.content == LogsContent {
		by = -by
	}
	v.scroll = max(0, min(v.scroll+by, v.result.Rows-v.result.Shown))
}

func (d *Desktop) panelKey(w *window, key KeyCode, r rune) {
	d.refresh(w)
	v := w.view
	switch {
	case key == KeyEscape:
		v.editing, v.cursor = false, -1
	case key == KeyBackspace && w.content == LogsContent:
		_, n := utf8.DecodeLastRuneInString(v.filter)
		v.filter = v.filter[:len(v.filter)-n]
		v.scroll = 0
	case key == Character && r == 'u' && d.mods == Ctrl && w.content == LogsContent:
		v.filter = ""
	case key == KeyTab && d.mods&Shift != 0, key == KeyUpArrow, key == KeyLeft:
		d.moveCursor(w, -1)
	case key == KeyTab, key == KeyDownArrow, key == KeyRight:
		d.moveCursor(w, 1)
	case key == KeyPageUp, key == KeyPageDown:
		d.page(w, key == KeyPageUp)
	case key == KeyHome, key == KeyEnd:
		d.toEnd(w, key == KeyHome)
	case key == KeyEnter || key == KeypadEnter:
		if v.cursor >= 0 && v.cursor < len(v.result.Hits) {
			d.activate(w, v.result.Hits[v.cursor])
		}
	}
}

// moveCursor goes from button to button; past the last one in sight the list scrolls.
func (d *Desktop) moveCursor(w *window, by int) {
	v := w.view
	n := len(v.result.Hits)
	next := v.cursor + by
	if v.cursor < 0 && by < 0 {
		next = n - 1
	}
	if next >= 0 && next < n {
		v.cursor = next
		return
	}
	before := v.scroll
	d.scrollPanel(w, by)
	switch {
	case v.scroll == before: // around
		v.cursor = max(-1, min((next+n)%max(n, 1), n-1))
		d.toEnd(w, by > 0)
	case by > 0:
		v.cursor = max(-1, n-1)
	default:
		v.cursor = min(0, n-1)
	}
}

func (d *Desktop) panelChar(w *window, r rune) {
	if w.content == LogsContent && len(w.view.filter) < maxQuery {
		w.view.filter += string(r)
		w.view.editing, w.view.scroll = true, 0
	}
}

// InSight are the apps whose rows are seen in the processes panel, by the last picture.
func (d *Desktop) InSight() []uint64 {
	w := d.panelWindow(ProcessesContent, 0)
	if w == nil {
		return nil
	}
	var ids []uint64
	for _, h := range w.view.result.Hits {
		if h.Action == panel.Open {
			ids = append(ids, h.App)
		}
	}
	return ids
}
