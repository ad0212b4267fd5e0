package term

// fullWidth: the margins do not cut lines.
func (t *Terminal) fullWidth() bool { return t.left == 0 && t.right == t.cols }

// scrollUp moves the lines from top to the end of the region up by n. Those that leave the top of
// the main screen go into the scrollback.
func (t *Terminal) scrollUp(top, n int) {
	n = min(n, t.bottom-top)
	if n <= 0 {
		return
	}
	if !t.fullWidth() {
		t.scrollPart(top, n)
		return
	}
	if top == 0 && t.s == t.main {
		for y := range n {
			t.remember(t.s.line(y))
		}
	}
	if top == 0 && t.bottom == t.rows {
		if t.s.top += n; t.s.top >= t.rows {
			t.s.top -= t.rows
		}
		t.allVersion = t.version
	} else {
		t.s.rotate(top, t.bottom, n)
		t.touchLines(top, t.bottom)
	}
	t.blankLines(t.bottom-n, t.bottom)
}

// scrollDown moves the lines from top to the end of the region down by n.
func (t *Terminal) scrollDown(top, n int) {
	n = min(n, t.bottom-top)
	if n <= 0 {
		return
	}
	if !t.fullWidth() {
		t.scrollPart(top, -n)
		return
	}
	t.s.rotate(top, t.bottom, -n)
	t.touchLines(top, t.bottom)
	t.blankLines(top, top+n)
	if top > 0 {
		t.touch(top - 1).wrapped = false
	}
}

// remember puts a line into the scrollback.
func (t *Terminal) remember(l *line) {
	t.base++
	if t.history.maxLines == 0 {
		return
	}
	n := len(l.cells)
	if !l.wrapped {
		n = l.tidy()
	}
	t.scratch = appendLine(t.scratch[:0], l.cells[:n], l.wrapped, t.clusters.list)
	t.history.push(t.scratch)
}

// scrollPart scrolls what is within the margins, by n lines up or -n down.
func (t *Terminal) scrollPart(top, n int) {
	blank := t.pen.blank()
	t.work += (t.bottom - top) * (t.right - t.left)
	for y := top; y < t.bottom; y++ {
		l := t.touch(y)
		l.part(t.left)
		l.part(t.right)
		l.use(t.right)
	}
	move := func(y int) {
		to := t.s.line(y).cells[t.left:t.right]
		if from := y + n; from >= top && from < t.bottom {
			copy(to, t.s.line(from).cells[t.left:t.right])
		} else {
			fill(to, blank)
		}
	}
	if n > 0 {
		for y := top; y < t.bottom; y++ {
			move(y)
		}
		return
	}
	for y := t.bottom - 1; y >= top; y-- {
		move(y)
	}
}

func (t *Terminal) touchLines(y, end int) {
	for ; y < end; y++ {
		t.touch(y)
	}
}

func (t *Terminal) blankLines(y, end int) {
	t.work += (end - y) * t.cols
	for ; y < end; y++ {
		l := t.touch(y)
		l.erase(0, t.cols, t.pen.blank())
		l.wrapped = false
	}
}

// eraseLine is EL: 0 to the end, 1 to the cursor, 2 all. Selective: protected cells stay.
func (t *Terminal) eraseLine(what int, selective bool) {
	switch what {
	case 0:
		t.erase(t.y, t.x, t.cols, selective)
	case 1:
		t.erase(t.y, 0, t.x+1, selective)
	case 2:
		t.erase(t.y, 0, t.cols, selective)
	}
}

// eraseScreen is ED: 0 to the end, 1 to the cursor, 2 all, 3 the scrollback.
func (t *Terminal) eraseScreen(what int, selective bool) {
	first, end := 0, 0
	switch what {
	case 0:
		t.eraseLine(0, selective)
		first, end = t.y+1, t.rows
	case 1:
		t.eraseLine(1, selective)
		end = t.y
	case 2:
		end = t.rows
	case 3:
		t.clearHistory()
	}
	t.work += (end - first) * t.cols
	for y := first; y < end; y++ {
		t.erase(y, 0, t.cols, selective)
	}
}

func (t *Terminal) erase(y, x, end int, selective bool) {
	l := t.touch(y)
	end = min(end, t.cols)
	if end == t.cols {
		l.wrapped = false
	}
	if !selective {
		t.wrapNext = false
		l.erase(x, end, t.pen.blank())
		return
	}
	for i := x; i < end; i++ {
		if l.cells[i].bg&protectedBit == 0 {
			l.erase(i, i+1, t.pen.blank())
		}
	}
}

// insertCells is ICH, deleteCells DCH, within the margins.
func (t *Terminal) insertCells(n int) {
	if t.inMargins() {
		t.wrapNext = false
		t.touch(t.y).insert(t.x, t.right, n, t.pen.blank())
	}
}

func (t *Terminal) deleteCells(n int) {
	if t.inMargins() {
		t.wrapNext = false
		l := t.touch(t.y)
		l.remove(t.x, t.right, n, t.pen.blank())
		l.wrapped = false
	}
}

// insertLines is IL, deleteLines DL, for a cursor within the region.
func (t *Terminal) insertLines(n int) {
	if t.y >= t.top && t.y < t.bottom && t.inMargins() {
		t.scrollDown(t.y, n)
		t.carriageReturn()
	}
}

func (t *Terminal) deleteLines(n int) {
	if t.y < t.top || t.y >= t.bottom || !t.inMargins() {
		return
	}
	if t.y == 0 && t.s == t.main && t.fullWidth() {
		t.scrollAway(n)
	} else {
		t.scrollUp(t.y, n)
	}
	t.carriageReturn()
}

// scrollAway deletes lines from the top of the region without remembering them.
func (t *Terminal) scrollAway(n int) {
	n = min(n, t.bottom)
	t.s.rotate(0, t.bottom, n)
	t.touchLines(0, t.bottom)
	t.blankLines(t.bottom-n, t.bottom)
}

// shiftColumns moves the columns from x to the right margin by n in every line of the region:
// DECIC, DECDC, SL and SR.
func (t *Terminal) shiftColumns(x, n int) {
	t.work += (t.bottom - t.top) * t.cols
	for y := t.top; y < t.bottom; y++ {
		l := t.touch(y)
		if n > 0 {
			l.insert(x, t.right, n, t.pen.blank())
		} else {
			l.remove(x, t.right, -n, t.pen.blank())
		}
	}
}

// align is DECALN: the screen full of E.
func (t *Terminal) align() {
	t.top, t.bottom, t.left, t.right = 0, t.rows, 0, t.cols
	t.origin = false
	t.moveTo(0, 0)
	t.work += t.rows * t.cols
	for y := range t.rows {
		l := t.touch(y)
		l.use(t.cols)
		fill(l.cells, Cell{text: 'E'})
		l.wrapped = false
	}
}
