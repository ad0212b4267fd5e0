package desktop

import "github.com/skycoin/viscript/viscript/desktop/scene"

// Scene draws the desktop into s, from the back to the front: windows, suggestions, taskbar,
// notifications, menu. The memory of s is used again.
func (d *Desktop) Scene(s *scene.Scene) {
	s.Begin(d.bounds(), d.scale)
	s.Own(OwnDesktop)
	s.Rect(d.bounds(), d.theme.Desktop, 0)
	all := s.Clip(d.area())
	for i, w := range d.stack {
		if !d.covered(w, d.stack[i+1:]) {
			s.Own(scene.Owner(w.id))
			d.drawWindow(s, w)
		}
	}
	if d.completion != nil {
		s.Own(OwnCompletion)
		d.drawCompletion(s)
	}
	s.Unclip(all)
	s.Own(OwnBar)
	d.drawBar(s)
	s.Own(OwnNotices)
	for i := range d.notices {
		d.drawNotice(s, i)
	}
	if d.menu.open {
		s.Own(OwnMenu)
		d.drawMenu(s)
	}
	s.Pointer = d.shape()
}

// covered: nothing of w can be seen, since one window above hides it all.
func (d *Desktop) covered(w *window, above []*window) bool {
	r := w.frame().outer.Intersect(d.area())
	for _, o := range above {
		if f := o.frame().outer; f.Intersect(r) == r {
			return true
		}
	}
	return false
}

func (d *Desktop) drawWindow(s *scene.Scene, w *window) {
	f := w.frame()
	before := s.Clip(f.outer)
	defer s.Unclip(before)
	focused := w == d.focus
	edge, tab, ink := d.theme.Frame, d.theme.Tab, d.theme.TabText
	if focused {
		edge, tab, ink = d.theme.FrameFocused, d.theme.TabFocused, d.theme.TabFocusedText
	}
	if w.term != nil && w.term.flash > d.now {
		edge = d.theme.Warn
	}
	s.Rect(f.outer, edge, 0)
	d.drawTab(s, w, f, tab, ink)
	in := s.Clip(f.body)
	if w.term != nil {
		d.drawTerm(s, w, f.body)
	} else {
		d.drawPanel(s, w)
	}
	s.Unclip(in)
	if !w.fixed {
		c := scene.Point{X: f.outer.Right() - 2, Y: f.outer.Bottom() - 2}
		s.Line(1, ink, scene.Point{X: c.X - 8, Y: c.Y}, c, scene.Point{X: c.X, Y: c.Y - 8})
	}
}

const fixedMark = "(FixedSize)"

// drawTab: id, title, whether the size is fixed, the button that closes.
func (d *Desktop) drawTab(s *scene.Scene, w *window, f frame, fill, ink scene.Color) {
	s.Rect(f.tab, fill, 0)
	y := f.tab.Y + (f.tab.H-w.font.Line)/2
	x := f.tab.X + border + w.font.Advance/2
	room := int((f.close.X - x) / w.font.Advance)
	if w.fixed && room > len(fixedMark)+6 {
		room -= len(fixedMark) + 1
		s.Text(scene.Point{X: f.close.X - float32(len(fixedMark)+1)*w.font.Advance, Y: y}, fixedMark, w.font, scene.Oblique, ink)
	}
	title := d.name(w)
	if w.term != nil {
		id := scene.Fit(string(w.term.ID), room)
		x = s.Text(scene.Point{X: x, Y: y}, id, w.font, scene.Bold, ink) + w.font.Advance
		room, title = int((f.tab.X+border+w.font.Advance/2+float32(room)*w.font.Advance-x)/w.font.Advance), w.term.Title
	}
	s.Text(scene.Point{X: x, Y: y}, scene.Fit(title, room), w.font, scene.Regular, ink)
	if d.over.Part == OnClose && d.over.Window == w.id {
		s.Rect(f.close.Inset(3), d.theme.ButtonHot, 3)
		ink = d.theme.ButtonHotText
	}
	drawCross(s, f.close.Center(), f.close.H*0.18, ink)
}

func drawCross(s *scene.Scene, c scene.Point, r float32, ink scene.Color) {
	s.Line(1.5, ink, scene.Point{X: c.X - r, Y: c.Y - r}, scene.Point{X: c.X + r, Y: c.Y + r})
	s.Line(1.5, ink, scene.Point{X: c.X - r, Y: c.Y + r}, scene.Point{X: c.X + r, Y: c.Y - r})
}

func (d *Desktop) drawTerm(s *scene.Scene, w *window, body scene.Rect) {
	t := w.term
	cells := scene.Cells{
		Term: string(t.ID), Cell: scene.Size{W: w.font.Advance, H: w.font.Line}, FontSize: w.font.Size, Cols: w.cols, Rows: w.rows,
		Top: t.top(), Version: t.Version, Dim: d.theme.Dim, Cursor: scene.HollowCursor, CursorSize: 1,
		Back: d.theme.GridBack, Text: d.theme.GridText, CursorColor: d.theme.Cursor,
	}
	if w == d.focus {
		cells.Dim = 0
		if d.active {
			cells.Cursor, cells.CursorSize = scene.SolidCursor, d.cursorSize()
		}
	}
	s.Grid(body, cells)
	if t.sel.on {
		d.drawRange(s, w, &t.sel, d.theme.Selection)
	}
	if t.mark != nil {
		if box := w.rowRect(t.mark.at.Line, t.mark.at.X, t.mark.at.X+1); !box.Empty() {
			s.Frame(box, 0, d.theme.Focus, 2, 0)
		}
	}
	if t.search != nil && t.search.found {
		d.drawRange(s, w, &selection{on: true, from: t.search.from, to: t.search.to}, d.theme.Match)
	}
	if d.link.window == w {
		d.drawLink(s, w)
	}
	if r := w.backscrollRect(); !r.Empty() {
		d.drawBackscroll(s, w, r)
	}
	if r := w.searchRect(); !r.Empty() {
		d.drawSearch(s, w, r)
	}
}

// rowRect is columns from to to of line n, empty if that is not in sight.
func (w *window) rowRect(n uint64, from, to int) scene.Rect {
	top := w.term.top()
	if n < top || n >= top+uint64(w.rows) {
		return scene.Rect{}
	}
	b := w.frame().body
	return scene.Rect{
		X: b.X + float32(from)*w.font.Advance, Y: b.Y + float32(n-top)*w.font.Line,
		W: float32(to-from) * w.font.Advance, H: w.font.Line,
	}
}

func (d *Desktop) drawRange(s *scene.Scene, w *window, r *selection, c scene.Color) {
	top := w.term.top()
	for n := max(r.from.Line, top); n <= r.to.Line && n < top+uint64(w.rows); n++ {
		from, to := r.row(n, w.cols)
		if box := w.rowRect(n, from, to); !box.Empty() {
			s.Rect(box, c, 0)
		}
	}
}

// drawLink underlines the link under the pointer and says where it leads, which its text need not.
func (d *Desktop) drawLink(s *scene.Scene, w *window) {
	l := selection{on: true, from: d.link.from, to: d.link.to}
	top := w.term.top()
	for n := max(l.from.Line, top); n <= l.to.Line && n < top+uint64(w.rows); n++ {
		from, to := l.row(n, w.cols)
		if box := w.rowRect(n, from, to); !box.Empty() {
			y := box.Bottom() - 1
			s.Line(1, d.theme.GridLink, scene.Point{X: box.X, Y: y}, scene.Point{X: box.Right(), Y: y})
		}
	}
	b := w.frame().body
	text := scene.Fit(d.link.uri, w.cols-2)
	r := scene.Rect{X: b.X, Y: b.Bottom() - w.font.Line - 2, W: float32(len([]rune(text))+2) * w.font.Advance, H: w.font.Line + 2}
	if r.Has(d.pointer) {
		r.Y = b.Y
	}
	s.Rect(r, d.theme.Bar, 0)
	s.Text(scene.Point{X: r.X + w.font.Advance, Y: r.Y + 1}, text, w.font, scene.Regular, d.theme.BarText)
}

func (d *Desktop) drawBackscroll(s *scene.Scene, w *window, r scene.Rect) {
	s.Rect(r, d.theme.ButtonFocused, 0)
	text := "BACKSCROLLED  " + lines(w.term.Base-w.term.top()) + " below"
	s.Text(scene.Point{X: r.X + w.font.Advance, Y: r.Y}, scene.Fit(text, w.cols-2), w.font, scene.Regular, d.theme.ButtonFocusedText)
}

func (d *Desktop) drawSearch(s *scene.Scene, w *window, r scene.Rect) {
	s.Frame(r, d.theme.Bar, d.theme.Focus, 1, 0)
	f, b := w.font, w.term.search
	y := r.Y + 3
	x := s.Text(scene.Point{X: r.X + f.Advance, Y: y}, "Search: ", f, scene.Bold, d.theme.BarText)
	note := ""
	if b.failed {
		note = "not found"
	}
	room := max(0, w.cols-len("Search: ")-3-len(note))
	text := b.text[max(0, len(b.text)-room):]
	x = s.Text(scene.Point{X: x, Y: y}, string(text), f, scene.Regular, d.theme.BarText)
	if w == d.focus {
		s.Rect(scene.Rect{X: x, Y: y, W: 2, H: f.Line}, d.theme.Cursor, 0)
	}
	s.Text(scene.Point{X: r.Right() - float32(len(note)+1)*f.Advance, Y: y}, note, f, scene.Regular, d.theme.Bad)
}
