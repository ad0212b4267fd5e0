package term

// A screen is a grid of cells: a ring of lines, so that scrolling all of it moves none.
type screen struct {
	cols  int
	lines []line
	top   int // index of the topmost line
}

type line struct {
	cells   []Cell // cols long
	used    int    // cells[used:] are zero
	wrapped bool
	version uint64
}

func newScreen(cols, rows int) *screen {
	s := &screen{cols: cols, lines: make([]line, rows)}
	cells := make([]Cell, cols*rows)
	for y := range s.lines {
		s.lines[y].cells, cells = cells[:cols:cols], cells[cols:]
	}
	return s
}

func (s *screen) line(y int) *line {
	if y += s.top; y >= len(s.lines) {
		y -= len(s.lines)
	}
	return &s.lines[y]
}

// rotate moves the lines of [top, end) up by n, or down by -n; those that leave come in at the
// other side, as they were.
func (s *screen) rotate(top, end, n int) {
	if n > 0 {
		for y := top; y < end-n; y++ {
			a, b := s.line(y), s.line(y+n)
			*a, *b = *b, *a
		}
		return
	}
	for y := end - 1; y >= top-n; y-- {
		a, b := s.line(y), s.line(y+n)
		*a, *b = *b, *a
	}
}

// erase makes the cells [x, end) blank. Wide characters that are cut go as a whole.
func (l *line) erase(x, end int, blank Cell) {
	l.part(x)
	l.part(end)
	if blank != (Cell{}) {
		l.use(end)
	}
	fill(l.cells[x:max(x, min(end, l.used))], blank)
	if blank == (Cell{}) && end >= l.used {
		l.used = min(l.used, x)
	}
}

// use says that cells below end may be other than zero from now on.
func (l *line) use(end int) { l.used = max(l.used, end) }

func fill(cells []Cell, c Cell) {
	if c == (Cell{}) {
		clear(cells)
		return
	}
	for i := range cells {
		cells[i] = c
	}
}

// part makes x a boundary between characters: a wide one that lies across it goes.
func (l *line) part(x int) {
	if x > 0 && x < len(l.cells) && l.cells[x].text&tail != 0 {
		l.cells[x-1] = Cell{bg: l.cells[x-1].bg & colorMask}
		l.cells[x] = Cell{bg: l.cells[x].bg & colorMask}
	}
}

// insert moves the cells of [x, end) to the right by n; those at the end fall off.
func (l *line) insert(x, end, n int, blank Cell) {
	n = min(n, end-x)
	l.cells[end-1].text &^= filler
	l.part(x)
	l.part(end)
	l.part(end - n)
	copy(l.cells[x+n:end], l.cells[x:end-n])
	l.use(end)
	fill(l.cells[x:x+n], blank)
}

// remove moves the cells of [x, end) to the left by n, over the first n of them.
func (l *line) remove(x, end, n int, blank Cell) {
	n = min(n, end-x)
	l.cells[end-1].text &^= filler
	l.part(x)
	l.part(end)
	l.part(x + n)
	copy(l.cells[x:end-n], l.cells[x+n:end])
	l.use(end)
	fill(l.cells[end-n:end], blank)
}

// tidy is the number of cells up to the last that is not zero.
func (l *line) tidy() int {
	for l.used > 0 && l.cells[l.used-1] == (Cell{}) {
		l.used--
	}
	return l.used
}
