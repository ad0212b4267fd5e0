package desktop

import (
	"unicode"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A selection is a stretch of text in a terminal, as positions between cells.
type selection struct {
	on       bool
	unit     selectUnit
	block    bool
	a, aEnd  Pos // what was under the press: a word, a line, or one place
	from, to Pos // all, in order; of a block the corners
}

type selectUnit uint8

const (
	byCell selectUnit = iota
	byWord
	byLine
)

func (t *terminal) clearSelection() { t.sel = selection{} }

// dropSelection also ends the mark, since the lines are no more what they were.
func (t *terminal) dropSelection() { t.sel, t.mark = selection{}, nil }

// between is the place between cells nearest to p, or (cell) the cell at p.
func (w *window) between(p scene.Point, cell bool) Pos {
	x, y := w.cell(p)
	if b := w.frame().body; !cell {
		x = max(0, min(int((p.X-b.X)/w.font.Advance+0.5), w.cols))
	}
	return Pos{w.term.top() + uint64(y), x}
}

// selectFrom begins a selection at the pointer: of cells, at the second click of words, at the third
// of lines.
func (d *Desktop) selectFrom(w *window) {
	t := w.term
	t.dropSelection()
	t.sel = selection{unit: selectUnit(d.clicks.count - 1), block: d.mods&Alt != 0}
	t.sel.a, t.sel.aEnd = d.unitAt(w, t.sel.unit)
	d.selectTo(w)
}

// unitAt is what a click at the pointer selects.
func (d *Desktop) unitAt(w *window, unit selectUnit) (from, to Pos) {
	switch unit {
	case byWord:
		return d.wordAt(w.term.ID, w.between(d.pointer, true))
	case byLine:
		return d.lineAt(w, w.between(d.pointer, true).Line)
	}
	p := w.between(d.pointer, false)
	return p, p
}

// selectTo extends the selection to the pointer; beyond the edge the lines move.
func (d *Desktop) selectTo(w *window) {
	t := w.term
	b := w.frame().body
	if d.drag.kind == dragSelect && d.drag.moved {
		switch {
		case d.pointer.Y < b.Y:
			t.scroll(1)
		case d.pointer.Y >= b.Bottom():
			t.scroll(-1)
		}
		t.sel.block = t.sel.unit == byCell && d.mods&Alt != 0
	}
	from, to := d.unitAt(w, t.sel.unit)
	if t.sel.block {
		a, p := t.sel.a, from
		t.sel.from = Pos{min(a.Line, p.Line), min(a.X, p.X)}
		t.sel.to = Pos{max(a.Line, p.Line), max(a.X, p.X)}
		t.sel.on = t.sel.from.X != t.sel.to.X
		return
	}
	if t.sel.a.Before(from) {
		from = t.sel.a
	}
	if to.Before(t.sel.aEnd) {
		to = t.sel.aEnd
	}
	t.sel.from, t.sel.to, t.sel.on = from, to, from != to
}

// selected is the end of a drag: what is selected is offered as primary selection; a click without
// one opens the link it was on.
func (d *Desktop) selected(w *window) {
	t := w.term
	switch {
	case t.sel.on:
		d.ask(Request{Kind: Copy, Term: t.ID, From: t.sel.from, To: t.sel.to, Block: t.sel.block, Primary: true})
	case d.clicks.count == 1 && d.clicks.link.window == w:
		d.visit(d.clicks.link.uri)
	}
}

// row is the columns of line n that are selected, in a terminal of that many.
func (s *selection) row(n uint64, cols int) (from, to int) {
	if !s.on || n < s.from.Line || n > s.to.Line {
		return 0, 0
	}
	from, to = 0, cols
	if s.block || n == s.from.Line {
		from = s.from.X
	}
	if s.block || n == s.to.Line {
		to = s.to.X
	}
	return max(0, from), min(to, cols)
}

// maxWrapped is how many rows of one line are looked at for words and links.
const maxWrapped = 32

// A logical line is the rows that were wrapped, as one.
type logical struct {
	row   Line
	cells []rune
	links []uint32
	at    []Pos
}

// read reads the logical line around line n of a terminal; false if there is no text.
func (d *Desktop) read(id TermID, n uint64) bool {
	l := &d.text
	l.cells, l.links, l.at = l.cells[:0], l.links[:0], l.at[:0]
	if d.cfg.Lines == nil {
		return false
	}
	first := n
	for i := 0; i < maxWrapped && first > 0 && d.readRow(id, first-1) && l.row.Wrapped; i++ {
		first--
	}
	for i := first; i < n+maxWrapped && d.readRow(id, i); i++ {
		cells := l.row.Cells[:min(len(l.row.Cells), maxCols)]
		for x, r := range cells {
			link := uint32(0)
			if x < len(l.row.Links) {
				link = l.row.Links[x]
			}
			l.cells, l.links, l.at = append(l.cells, r), append(l.links, link), append(l.at, Pos{i, x})
		}
		if !l.row.Wrapped {
			break
		}
	}
	return len(l.cells) > 0
}

func (d *Desktop) readRow(id TermID, n uint64) bool {
	l := &d.text.row
	l.Cells, l.Links, l.Wrapped = l.Cells[:0], l.Links[:0], false
	return d.cfg.Lines.Line(id, n, l)
}

// index is where the cell p is, -1 if it is not there.
func (l *logical) index(p Pos) int {
	for i, at := range l.at {
		if at == p {
			return i
		}
	}
	return -1
}

// end is the place after cell i.
func (l *logical) end(i int) Pos { return Pos{l.at[i].Line, l.at[i].X + 1} }

// wordAt is the word at cell p: letters, digits and what paths and addresses are made of. Elsewhere it
// is that cell.
func (d *Desktop) wordAt(id TermID, p Pos) (from, to Pos) {
	one := Pos{p.Line, p.X + 1}
	if !d.read(id, p.Line) {
		return p, one
	}
	l := &d.text
	i := l.index(p)
	if i < 0 || !l.inWord(i) {
		return p, one
	}
	j := i
	for i > 0 && l.inWord(i-1) {
		i--
	}
	for j+1 < len(l.cells) && l.inWord(j+1) {
		j++
	}
	return l.at[i], l.end(j)
}

func (l *logical) inWord(i int) bool {
	r := l.cells[i]
	if r == 0 && i > 0 && l.wideTail(i) {
		r = l.cells[i-1]
	}
	switch r {
	case '_', '-', '.', '/', '~', ':', '@', '%', '+', '=', '?', '&', '#':
		return true
	}
	return r > ' ' && unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// lineAt is the logical line around row n.
func (d *Desktop) lineAt(w *window, n uint64) (from, to Pos) {
	if !d.read(w.term.ID, n) {
		return Pos{n, 0}, Pos{n, w.cols}
	}
	l := &d.text
	return Pos{l.at[0].Line, 0}, Pos{l.at[len(l.at)-1].Line, w.cols}
}
