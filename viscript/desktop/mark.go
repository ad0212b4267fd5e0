package desktop

// A mark selects by keys: arrows move it, Space begins, B makes a block, Enter copies, Escape ends.
type mark struct {
	at       Pos // the cell
	anchor   Pos
	anchored bool
	block    bool
}

// beginMark puts the mark on the last row in sight.
func (w *window) beginMark() {
	w.term.clearSelection()
	w.term.mark = &mark{at: Pos{Line: w.term.top() + uint64(w.rows) - 1}}
}

// markKey is a key while there is a mark; it takes all that are not the desktop's.
func (d *Desktop) markKey(w *window, key KeyCode) {
	t := w.term
	m := t.mark
	switch key {
	case KeyLeft:
		m.at.X--
	case KeyRight:
		m.at.X++
	case KeyUpArrow:
		w.moveMark(-1)
	case KeyDownArrow:
		w.moveMark(1)
	case KeyPageUp:
		w.moveMark(1 - w.rows)
	case KeyPageDown:
		w.moveMark(w.rows - 1)
	case KeyHome:
		m.at.X = 0
	case KeyEnd:
		m.at.X = w.cols - 1
	case KeyEnter, KeypadEnter:
		d.runInTerm(w, copyText)
		t.mark = nil
		return
	case KeyEscape:
		t.mark = nil
		t.clearSelection()
		return
	}
	m.at.X = max(0, min(m.at.X, w.cols-1))
	t.selectMarked()
}

func (d *Desktop) markChar(w *window, r rune) {
	m := w.term.mark
	switch r {
	case ' ':
		m.anchored, m.anchor = !m.anchored, m.at
	case 'b', 'B':
		m.block = !m.block
	}
	w.term.selectMarked()
}

// moveMark goes down by rows, and the lines with it.
func (w *window) moveMark(rows int) {
	t := w.term
	m := t.mark
	last := t.Base + uint64(w.rows) - 1
	if rows < 0 {
		m.at.Line = max(t.First+uint64(-rows), m.at.Line) - uint64(-rows)
	} else {
		m.at.Line = min(m.at.Line+uint64(rows), last)
	}
	switch top := t.top(); {
	case m.at.Line < top:
		t.scroll(int(min(top-m.at.Line, 1<<30)))
	case m.at.Line >= top+uint64(w.rows):
		t.scroll(-int(min(m.at.Line-top-uint64(w.rows)+1, 1<<30)))
	}
}

// selectMarked selects from the anchor to the mark, both cells included.
func (t *terminal) selectMarked() {
	m := t.mark
	if !m.anchored {
		t.clearSelection()
		return
	}
	from, to := m.anchor, m.at
	if to.Before(from) {
		from, to = to, from
	}
	if m.block {
		from.X, to.X = min(m.anchor.X, m.at.X), max(m.anchor.X, m.at.X)
	}
	to.X++
	t.sel = selection{on: true, block: m.block, from: from, to: to, a: from, aEnd: to}
}
