package term

import "math"

// Resize gives the grid another size, within New's bounds. Wrapped lines of the main screen and of
// the scrollback are laid out anew; the alternate screen is cut or extended, its program redraws
// it. Margins and the scroll region are reset. With 10,000 lines it takes some ten milliseconds if
// the number of columns changes.
func (t *Terminal) Resize(cols, rows int) {
	cols, rows = clamp(cols, 1, MaxCols), clamp(rows, 1, MaxRows)
	t.mu.Lock()
	defer t.mu.Unlock()
	if cols == t.cols && rows == t.rows {
		return
	}
	t.version++
	t.allVersion = t.version
	at := &t.cursor
	if t.s == t.alt {
		at = &t.saved[0]
	}
	onAlt := t.s == t.alt
	t.reflow(at, cols, rows)
	t.alt = t.alt.resized(cols, rows, t.alt.cutTop(t.y, rows, onAlt))
	if onAlt {
		t.y -= max(0, t.y-rows+1)
		t.s = t.alt
	} else {
		t.s = t.main
	}
	t.cols, t.rows = cols, rows
	for _, c := range []*cursor{&t.cursor, &t.saved[0], &t.saved[1]} {
		c.wrapNext = c.wrapNext && c.x == cols-1
		c.x, c.y = clamp(c.x, 0, cols-1), clamp(c.y, 0, rows-1)
	}
	t.top, t.bottom, t.left, t.right = 0, rows, 0, cols
	t.resizeTabs()
}

func (t *Terminal) resizeTabs() {
	old := len(t.tabs)
	if t.cols <= old {
		t.tabs = t.tabs[:t.cols]
		return
	}
	t.tabs = append(t.tabs, make([]bool, t.cols-old)...)
	t.setTabs(old)
}

// cutTop is how many lines are cut at the top so that the cursor's line stays.
func (s *screen) cutTop(y, rows int, current bool) int {
	if !current {
		return 0
	}
	return max(0, y-rows+1)
}

// resized is a copy with another size, from line skip on.
func (s *screen) resized(cols, rows, skip int) *screen {
	n := newScreen(cols, rows)
	for y := 0; y < rows && skip+y < len(s.lines); y++ {
		from, to := s.line(skip+y), n.line(y)
		from.part(cols)
		copy(to.cells, from.cells)
		to.used = min(from.used, cols)
	}
	return n
}

// layout lays lines out for another number of columns. It gets the cells of one logical line after
// the other and puts rows into a history.
type layout struct {
	t    *Terminal
	cols int
	to   *history
	rows int // put so far, those dropped included

	cells []Cell // of the logical line so far
	list  []string
	marks []*mark // of the logical line so far
}

// A mark follows a cell to its new place.
type mark struct {
	at   int // in cells of the logical line
	x, y int // then: column, and row as counted by layout
}

// end lays out the logical line.
func (o *layout) end() {
	for x, first := 0, true; first || x < len(o.cells); first = false {
		end, fill := o.cut(x)
		wrapped := end < len(o.cells)
		for _, m := range o.marks {
			if m.at >= x && (m.at < end || !wrapped) {
				m.x, m.y = min(m.at-x, o.cols), o.rows
			}
		}
		o.put(o.cells[x:end], fill, wrapped)
		x = end
	}
	o.cells, o.list, o.marks = o.cells[:0], o.list[:0], o.marks[:0]
}

// cut is the end of the row that starts at x; fill: a wide character did not fit any more.
func (o *layout) cut(x int) (end int, fill bool) {
	end = x + o.cols
	if end >= len(o.cells) {
		return len(o.cells), false
	}
	if o.cells[end].text&tail != 0 && o.cols > 1 {
		return end - 1, true
	}
	return end, false
}

func (o *layout) put(cells []Cell, fill, wrapped bool) {
	if fill {
		cells = append(cells[:len(cells):len(cells)], Cell{text: filler, bg: cells[len(cells)-1].bg & colorMask})
	}
	o.t.scratch = appendLine(o.t.scratch[:0], cells, wrapped, o.list)
	o.to.push(o.t.scratch)
	o.rows++
}

// add appends a row to the logical line, and lays it out if it ends here.
func (o *layout) add(cells []Cell, wrapped bool) {
	if n := len(cells); wrapped && n > 0 && cells[n-1].text&filler != 0 {
		cells = cells[:n-1]
	}
	if o.cols == 1 {
		cells = narrow(cells)
	}
	o.cells = append(o.cells, cells...)
	if !wrapped {
		o.end()
	}
}

// narrow replaces wide characters, which have no place in one column.
func narrow(cells []Cell) []Cell {
	out := cells[:0:0]
	for _, c := range cells {
		if c.text&tail != 0 {
			continue
		}
		if c.text&wideLead != 0 {
			c.text = 0xfffd
		}
		out = append(out, c)
	}
	return out
}

// reflow lays out the scrollback and the main screen, whose cursor is at.
func (t *Terminal) reflow(at *cursor, cols, rows int) {
	limit, first := t.history.maxLines, t.first()
	o := &layout{t: t, cols: cols}
	if cols == t.cols { // rows stay as they are: those of the scrollback need no work
		o.to = &t.history
		o.to.maxLines, o.to.maxBytes = limit+t.rows+rows, math.MaxInt
		o.rows = o.to.n
	} else {
		o.to = &history{maxLines: limit + t.rows*t.cols + rows, maxBytes: math.MaxInt}
		o.old(&t.history)
		t.epoch++
	}
	content := t.contentRows(at)
	top, cur := &mark{}, &mark{}
	for y := range content {
		o.screenRow(y, at, top, cur, cols == t.cols)
	}
	if len(o.cells) > 0 || len(o.marks) > 0 {
		o.end()
	}
	start := firstRow(o.rows, top.y, cur.y, rows, content == t.rows)
	start = max(start, o.rows-o.to.n) // what the limit let go is gone
	t.keepRows(o, start, cols, rows)
	t.base = first + uint64(t.history.n)
	at.x, at.y = cur.x, cur.y-start
	at.wrapNext = cur.x >= cols
	at.x = min(at.x, cols-1)
	t.limitHistory(limit)
	if cols != t.cols {
		t.clusters.sweep(t.main, t.alt)
	}
}

// old lays out the scrollback; its last line may go on on the screen.
func (o *layout) old(h *history) {
	var cells []Cell
	for i := range h.n {
		var wrapped bool
		cells, o.list, wrapped = decodeLine(h.line(i), cells[:0], o.list)
		o.add(cells, wrapped)
	}
}

// contentRows is the number of rows from the top to the last one with content or the cursor.
func (t *Terminal) contentRows(at *cursor) int {
	for y := t.rows - 1; y > at.y; y-- {
		if t.main.line(y).tidy() > 0 {
			return y + 1
		}
	}
	return min(at.y, t.rows-1) + 1
}

// screenRow adds row y of the main screen.
func (o *layout) screenRow(y int, at *cursor, top, cur *mark, same bool) {
	l := o.t.main.line(y)
	n := len(l.cells)
	if !l.wrapped {
		n = l.tidy()
	}
	cells := append([]Cell(nil), l.cells[:n]...)
	for i := range cells {
		if c := &cells[i]; c.text&clustered != 0 {
			o.list = append(o.list, o.t.clusters.list[c.text&textMask])
			c.text = c.text&^textMask | uint32(len(o.list)-1)
		}
	}
	if y == 0 {
		top.at = len(o.cells)
		o.marks = append(o.marks, top)
	}
	if y == at.y {
		cur.at = len(o.cells) + at.x
		if at.wrapNext {
			cur.at++
		}
		o.marks = append(o.marks, cur)
		if !l.wrapped && at.x > n && !same {
			cells = append(cells, make([]Cell, at.x-n)...)
		}
	}
	if same {
		o.keep(cells, l.wrapped, at.x)
		return
	}
	o.add(cells, l.wrapped)
}

// keep puts a row as it is.
func (o *layout) keep(cells []Cell, wrapped bool, x int) {
	for _, m := range o.marks {
		m.x, m.y = m.at, o.rows
	}
	o.put(cells, false, wrapped)
	o.list, o.marks = o.list[:0], o.marks[:0]
}

// firstRow is the row that becomes the first of the screen. A full screen stays filled to its
// bottom; otherwise its first line stays the first. The cursor is always on it.
func firstRow(end, top, cur, rows int, full bool) int {
	start := top
	if full || end-start > rows {
		start = max(0, end-rows)
	}
	return max(min(start, cur), cur-rows+1)
}

// keepRows makes the rows from start on the main screen, and the rest the scrollback.
func (t *Terminal) keepRows(o *layout, start, cols, rows int) {
	h := o.to
	dropped := o.rows - h.n
	t.main = newScreen(cols, rows)
	var list []string
	for y := 0; y < rows && start+y < o.rows; y++ {
		l := t.main.line(y)
		var cells []Cell
		cells, list, l.wrapped = decodeLine(h.line(start+y-dropped), l.cells[:0], list[:0])
		l.used = len(cells)
		for x := range cells {
			if c := &cells[x]; c.text&clustered != 0 {
				c.text = c.text&^textMask | t.clusters.intern([]byte(list[c.text&textMask]))
			}
		}
	}
	h.truncate(start - dropped)
	t.history = *h
}

func (t *Terminal) limitHistory(lines int) {
	h := &t.history
	h.maxLines, h.maxBytes = lines, scrollbackBytes
	for h.n > 0 && (h.n > lines || h.bytes > h.maxBytes) {
		h.drop()
	}
}
