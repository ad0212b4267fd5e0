package desktop

import (
	"strconv"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

func lines(n uint64) string {
	if n == 1 {
		return "1 line"
	}
	return strconv.FormatUint(n, 10) + " lines"
}

func (d *Desktop) drawBar(s *scene.Scene) {
	bar := d.barRect()
	s.Rect(bar, d.theme.Bar, 0)
	d.drawButton(s, d.startRect(), startText, d.over.Part == OnStart, d.menu.open, false)
	for i, w := range d.windows {
		hot := d.over.Part == OnTask && d.over.Index == i
		d.drawButton(s, d.taskRect(i), d.taskText(w, d.taskRect(i)), hot, w == d.focus, w.term != nil && w.term.bell)
	}
}

// taskText is what the button r of w says: where there is no room for more, the id alone, which dots would hide.
func (d *Desktop) taskText(w *window, r scene.Rect) string {
	const fewest = 7 // columns that can hold something of a title, and dots
	columns := int(r.W / d.font.Advance)
	if w.term == nil || columns > fewest {
		return d.name(w)
	}
	id := string(w.term.ID) // of those of the daemon the end tells which
	return id[max(0, len(id)-max(1, columns)):]
}

// drawButton: its text is cut to what it has room for. A bell is marked by a dot.
func (d *Desktop) drawButton(s *scene.Scene, r scene.Rect, text string, hot, focused, bell bool) {
	fill, ink := d.theme.Button, d.theme.ButtonText
	switch {
	case hot:
		fill, ink = d.theme.ButtonHot, d.theme.ButtonHotText
	case focused:
		fill, ink = d.theme.ButtonFocused, d.theme.ButtonFocusedText
	}
	s.Rect(r, fill, 4)
	f := d.font
	columns, left := int(r.W/f.Advance)-1, f.Advance/2
	if n := term.Width(text); n == columns+1 { // it fits without a margin
		columns, left = n, (r.W-float32(n)*f.Advance)/2
	}
	if text = scene.Fit(text, columns); text != "" {
		s.Text(scene.Point{X: r.X + left, Y: r.Y + (r.H-f.Line)/2}, text, f, scene.Regular, ink)
	}
	if bell {
		s.Circle(scene.Point{X: r.Right() - 5, Y: r.Y + 5}, 3, d.theme.Warn, 0, 0)
	}
}

func (d *Desktop) drawMenu(s *scene.Scene) {
	r := d.menuRect()
	before := s.Clip(r)
	defer s.Unclip(before)
	s.Frame(r, d.theme.Menu, d.theme.Divider, 1, 4)
	m := &d.menu
	for i := m.first; i < min(len(m.items), m.first+d.menuShown()); i++ {
		d.drawMenuItem(s, d.menuItemRect(i), &m.items[i], i == m.selected)
	}
	if m.first > 0 {
		s.Text(scene.Point{X: r.Right() - 2*d.font.Advance, Y: r.Y + 4}, "↑", d.font, scene.Bold, d.theme.MenuText)
	}
	if m.first+d.menuShown() < len(m.items) {
		s.Text(scene.Point{X: r.Right() - 2*d.font.Advance, Y: r.Bottom() - d.font.Line - 4}, "↓", d.font, scene.Bold, d.theme.MenuText)
	}
}

func (d *Desktop) drawMenuItem(s *scene.Scene, r scene.Rect, it *menuItem, selected bool) {
	f := d.font
	if it.text == "" {
		y := r.Center().Y
		s.Line(1, d.theme.Divider, scene.Point{X: r.X + 4, Y: y}, scene.Point{X: r.Right() - 4, Y: y})
		return
	}
	ink, faint := d.theme.MenuText, d.theme.PanelFaint
	if selected {
		s.Rect(r, d.theme.MenuHot, 3)
		ink, faint = d.theme.MenuHotText, d.theme.MenuHotText
	}
	columns := int(r.W/f.Advance) - 2
	text := scene.Fit(it.text, columns)
	x := s.Text(scene.Point{X: r.X + f.Advance, Y: r.Y + 3}, text, f, scene.Regular, ink) + 2*f.Advance
	if left := columns - term.Width(text) - 2; left > 6 && it.hint != "" {
		s.Text(scene.Point{X: x, Y: r.Y + 3}, scene.Fit(it.hint, left), f, scene.Oblique, faint)
	}
}

func (d *Desktop) drawNotice(s *scene.Scene, i int) {
	n, r := &d.notices[i], d.noticeRect(i)
	before := s.Clip(r)
	defer s.Unclip(before)
	a := n.opacity(d.now)
	edge := [...]scene.Color{Info: d.theme.Divider, Warning: d.theme.Warn, Alarm: d.theme.Bad}[min(n.Level, Alarm)]
	s.Frame(r, d.theme.Menu.Alpha(a), edge.Alpha(a), 2, 5)
	f := d.font
	columns := int((r.W - 24) / f.Advance)
	ink := d.theme.MenuText
	if n.Level != Info {
		ink = edge
	}
	s.Text(scene.Point{X: r.X + 12, Y: r.Y + 7}, scene.Fit(n.Title, columns-3), f, scene.Bold, ink.Alpha(a))
	s.Text(scene.Point{X: r.X + 12, Y: r.Y + 9 + f.Line}, scene.Fit(n.Text, columns), f, scene.Regular, d.theme.MenuText.Alpha(a))
	drawCross(s, noticeClose(r, f).Center(), 4, d.theme.MenuText.Alpha(a))
}

func (d *Desktop) drawCompletion(s *scene.Scene) {
	c, r := d.completion, d.completionRect()
	before := s.Clip(r)
	defer s.Unclip(before)
	s.Frame(r, d.theme.Menu, d.theme.Divider, 1, 3)
	f := d.font
	for i := range c.rows() {
		it := &c.items[c.first+i]
		row := scene.Rect{X: r.X + 1, Y: r.Y + 2 + float32(i)*f.Line, W: r.W - 2, H: f.Line}
		ink, faint := d.theme.MenuText, d.theme.PanelFaint
		if c.first+i == c.selected {
			s.Rect(row, d.theme.MenuHot, 2)
			ink, faint = d.theme.MenuHotText, d.theme.MenuHotText
		}
		s.Text(scene.Point{X: row.X + f.Advance, Y: row.Y}, scene.Fit(it.Text, c.text), f, scene.Regular, ink)
		s.Text(scene.Point{X: row.X + float32(c.text+3)*f.Advance, Y: row.Y}, scene.Fit(it.Help, c.help), f, scene.Oblique, faint)
	}
}
