package desktop

import (
	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	maxItems  = 200
	shownRows = 10
	maxColumn = 60
)

// A Suggestion is one way to complete what is typed.
type Suggestion struct{ Text, Help string }

// A completion is the pop-up with suggestions of the focused terminal's prompt.
type completion struct {
	term     TermID
	at       Pos // the cell where the word begins
	items    []Suggestion
	selected int
	first    int // the first one shown
	text     int // columns of the longest
	help     int
}

// Offer shows suggestions at a cell of the focused terminal; none end the pop-up. Those for another
// terminal are dropped.
func (d *Desktop) Offer(id TermID, at Pos, items []Suggestion) {
	w := d.termWindow(id)
	if w == nil || w != d.focus {
		return
	}
	d.completion = nil
	if len(items) == 0 {
		return
	}
	c := &completion{term: id, at: at}
	for _, it := range items[:min(len(items), maxItems)] {
		it = Suggestion{panel.Text(it.Text), panel.Text(it.Help)}
		c.items = append(c.items, it)
		c.text = max(c.text, min(term.Width(it.Text), maxColumn))
		c.help = max(c.help, min(term.Width(it.Help), maxColumn))
	}
	d.completion = c
}

func (d *Desktop) endCompletion() {
	if c := d.completion; c != nil {
		d.completion = nil
		d.ask(Request{Kind: EndCompletion, Term: c.term})
	}
}

func (d *Desktop) takeCompletion(i int) {
	if c := d.completion; c != nil && i >= 0 && i < len(c.items) {
		d.completion = nil
		d.ask(Request{Kind: Complete, Term: c.term, Index: i, Text: c.items[i].Text})
	}
}

func (d *Desktop) moveCompletion(by int) {
	if c := d.completion; c != nil {
		c.selected = max(0, min(c.selected+by, len(c.items)-1))
		rows := c.rows()
		c.first = max(c.selected-rows+1, min(c.first, c.selected))
	}
}

// completionKey is a key while the pop-up is open; false if it is not for it, which ends it.
func (d *Desktop) completionKey(key KeyCode) bool {
	switch {
	case d.mods&^Shift != 0:
	case key == KeyUpArrow || key == KeyTab && d.mods&Shift != 0:
		d.moveCompletion(-1)
		return true
	case key == KeyDownArrow || key == KeyTab:
		d.moveCompletion(1)
		return true
	case key == KeyEnter || key == KeypadEnter:
		d.takeCompletion(d.completion.selected)
		return true
	case key == KeyEscape:
		d.endCompletion()
		return true
	}
	d.endCompletion()
	return false
}

func (c *completion) rows() int { return min(len(c.items), shownRows) }

// completionRect is below the cell, or above it where there is no room.
func (d *Desktop) completionRect() scene.Rect {
	c := d.completion
	w := d.termWindow(c.term)
	a, b := d.area(), w.frame().body
	cols := c.text + 2
	if c.help > 0 {
		cols += c.help + 2
	}
	r := scene.Rect{W: float32(cols) * d.font.Advance, H: float32(c.rows())*d.font.Line + 4}
	row := float32(0)
	if top := w.term.top(); c.at.Line > top {
		row = float32(min(c.at.Line-top, uint64(w.rows)))
	}
	y := b.Y + row*w.font.Line
	r.X = max(0, min(b.X+float32(max(0, min(c.at.X, w.cols)))*w.font.Advance, a.W-r.W))
	if r.Y = y + w.font.Line; r.Bottom() > a.H {
		r.Y = max(0, y-r.H)
	}
	return r
}

func (d *Desktop) completionAt(r scene.Rect, p scene.Point) int {
	c := d.completion
	i := int(max(0, p.Y-r.Y-2) / d.font.Line)
	return c.first + min(i, c.rows()-1)
}
