package desktop

import (
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A WindowID numbers windows from 1; 0 is none. They are never used twice.
type WindowID uint32

// A Content is what a window holds.
type Content uint8

// The contents.
const (
	TerminalContent Content = iota
	ProcessesContent
	AppContent
	MeshContent
	LogsContent
	KeysContent
	contents // how many there are
)

// Limits of a window's size, in cells: what a drag can do, and what a terminal may report.
const (
	minCols, minRows = 16, 4
	maxCols, maxRows = 1000, 400
	minZoom, maxZoom = 0.3, 5
	zoomStep         = 1.1
	border           = 5 // window units around the cells
	maxWindows       = 500
)

// A window floats on the desktop.
type window struct {
	id         WindowID
	content    Content
	pos        scene.Point // upper left corner of the frame
	cols, rows int
	zoom       float32
	scale      float32 // pixels for a unit, as font was made for
	font       scene.Font
	fixed      bool
	term       *terminal  // of TerminalContent
	view       *panelView // of the others
	depth      int        // in a restored layout, from 1; 0: it was not there
}

// A panelView is what somebody has made of a panel.
type panelView struct {
	app     uint64 // of AppContent
	scroll  int
	cursor  int // index of the hit the keyboard is on, -1 for none
	filter  string
	editing bool
	picked  string

	key     viewKey // of what follows
	result  panel.Result
	matches []int32
	matched matchKey
}

// parts of a window on the desktop.
type frame struct{ outer, tab, close, body scene.Rect }

// tabHeight and edge are whole pixels, so that the cells begin on one.
func (w *window) tabHeight() float32 { return w.font.Line + scene.Align(8, w.scale) }

func (w *window) edge() float32 { return scene.Align(border, w.scale) }

func (w *window) bodySize() scene.Size {
	return scene.Size{W: float32(w.cols) * w.font.Advance, H: float32(w.rows) * w.font.Line}
}

func (w *window) frame() frame {
	tab, edge, size := w.tabHeight(), w.edge(), w.bodySize()
	wide := max(size.W+2*edge, tab+6*w.font.Advance) // the tab can be grabbed however narrow the cells are
	outer := scene.Rect{X: w.pos.X, Y: w.pos.Y, W: wide, H: tab + size.H + edge}
	return frame{
		outer: outer,
		tab:   scene.Rect{X: outer.X, Y: outer.Y, W: outer.W, H: tab},
		close: scene.Rect{X: outer.Right() - tab, Y: outer.Y, W: tab, H: tab},
		body:  scene.Rect{X: outer.X + edge, Y: outer.Y + tab, W: size.W, H: size.H},
	}
}

// part is what of the window is at p, which is in its frame.
func (w *window) part(p scene.Point) Part {
	f := w.frame()
	switch {
	case f.close.Has(p):
		return OnClose
	case f.tab.Has(p):
		return OnTab
	case f.body.Has(p):
		return OnBody
	case w.fixed:
		return OnBorder
	}
	corner := float32(3 * border)
	right, bottom := p.X >= f.body.Right(), p.Y >= f.body.Bottom()
	switch {
	case right && p.Y >= f.outer.Bottom()-corner, bottom && p.X >= f.outer.Right()-corner:
		return OnCorner
	case right:
		return OnRight
	case bottom:
		return OnBottom
	}
	return OnBorder
}

// cell is which cell of the body is at p; outside the nearest.
func (w *window) cell(p scene.Point) (x, y int) {
	b := w.frame().body
	x = int(max(0, min(p.X-b.X, b.W-1)) / w.font.Advance)
	y = int(max(0, min(p.Y-b.Y, b.H-1)) / w.font.Line)
	return min(x, w.cols-1), min(y, w.rows-1)
}

func (w *window) setZoom(d *Desktop, zoom float32) {
	w.zoom = max(minZoom, min(zoom, maxZoom))
	w.scale = d.scale
	w.font = d.cfg.Metrics.At(d.cfg.Size*w.zoom, d.scale)
}

// setSize gives the window another size in cells and tells the terminal.
func (d *Desktop) setSize(w *window, cols, rows int) {
	cols, rows = max(minCols, min(cols, maxCols)), max(minRows, min(rows, maxRows))
	if cols == w.cols && rows == w.rows {
		return
	}
	w.cols, w.rows = cols, rows
	if w.term != nil {
		w.term.dropSelection()
		d.ask(Request{Kind: ResizeTerm, Term: w.term.ID, Cols: cols, Rows: rows})
	}
}

// add puts a new window on top of the others, but below the focused one.
func (d *Desktop) add(w *window) {
	d.lastID++
	w.id = d.lastID
	w.setZoom(d, max(w.zoom, minZoom))
	d.windows = append(d.windows, w)
	at := len(d.stack)
	if d.focus != nil {
		at--
	}
	d.stack = slices.Insert(d.stack, at, w)
}

// remove takes a window away; the focus goes to the one below it.
func (d *Desktop) remove(w *window) {
	if d.drag.window == w {
		d.drag = drag{}
	}
	if d.completion != nil && w.term != nil && d.completion.term == w.term.ID {
		d.completion = nil
	}
	if d.link.window == w {
		d.link = hoverLink{}
	}
	i, j := slices.Index(d.windows, w), slices.Index(d.stack, w)
	d.windows, d.stack = slices.Delete(d.windows, i, i+1), slices.Delete(d.stack, j, j+1)
	if d.focus == w {
		d.focus = nil
		if n := len(d.stack); n > 0 {
			d.setFocus(d.stack[n-1])
		}
	}
}

// setFocus raises w and gives it the keyboard; nil takes it from all.
func (d *Desktop) setFocus(w *window) {
	if w != nil {
		i := slices.Index(d.stack, w)
		d.stack = append(slices.Delete(d.stack, i, i+1), w)
	}
	if d.focus == w {
		return
	}
	old := d.focus
	d.focus = w
	d.endCompletion()
	if d.active {
		d.tellFocus(old, false)
		d.tellFocus(w, true)
	}
	if w != nil && w.term != nil {
		w.term.bell = false
	}
	d.typed = d.now
}

func (d *Desktop) tellFocus(w *window, on bool) {
	if w != nil && w.term != nil && !w.term.gone {
		d.ask(Request{Kind: TellFocus, Term: w.term.ID, On: on})
	}
}

// cycle gives the focus to the next window in the order of the taskbar.
func (d *Desktop) cycle(step int) {
	n := len(d.windows)
	if n == 0 {
		return
	}
	i := slices.Index(d.windows, d.focus)
	if i < 0 && step < 0 {
		i = 0
	}
	d.setFocus(d.windows[((i+step)%n+n)%n])
}
