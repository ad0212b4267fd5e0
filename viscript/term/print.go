package term

import (
	"unicode/utf8"
)

const (
	zwj        = 0x200d // joins the characters on its sides into one
	skinTone   = 0x1f3fb
	skinToneTo = 0x1f3ff
)

// printASCII writes p, bytes from 0x20 to 0x7e.
func (t *Terminal) printASCII(p []byte) {
	if t.charsets[t.gl] != 'B' || t.single != 0 || t.own.insert {
		for _, c := range p {
			t.print(rune(c))
		}
		return
	}
	t.lastRune, t.joinable = rune(p[len(p)-1]), true
	for len(p) > 0 {
		if t.wrapNext && t.own.autowrap {
			t.wrap()
		}
		edge := t.edge()
		n := min(len(p), edge-t.x)
		l := t.touch(t.y)
		if t.x > 0 && l.cells[t.x].text&tail != 0 {
			l.part(t.x)
		}
		if end := t.x + n; end < t.cols && l.cells[end].text&tail != 0 {
			l.part(end)
		}
		l.use(t.x + n)
		dst := l.cells[t.x : t.x+n]
		pen := t.pen
		for i, c := range p[:len(dst)] {
			dst[i] = Cell{uint32(c), pen.fg, pen.bg, pen.extra}
		}
		p = p[n:]
		t.advance(n, edge)
	}
}

// edge is the column that text of the cursor's line must not reach.
func (t *Terminal) edge() int {
	if t.x < t.right {
		return t.right
	}
	return t.cols
}

// advance moves the cursor n columns to the right, at most onto the last one before edge.
func (t *Terminal) advance(n, edge int) {
	t.x += n
	t.wrapNext = t.x >= edge
	if t.wrapNext {
		t.x = edge - 1
	}
}

// wrap goes on in the next line.
func (t *Terminal) wrap() {
	if t.left == 0 && t.right == t.cols {
		t.touch(t.y).wrapped = true
	}
	if t.x < t.right { // else beyond the right margin: within the line there
		t.x = t.left
	} else {
		t.x = 0
	}
	t.index()
	t.wrapNext = false
}

// print writes one character.
func (t *Terminal) print(r rune) {
	if r < 0x80 {
		r = t.charset(r)
	} else if r < 0xa0 {
		return // C1 controls do not exist in UTF-8
	}
	w := t.width(r)
	if (w == 0 || r >= 0x80) && t.combine(r, w) {
		return
	}
	if w > t.cols || w > t.right-t.left && t.x < t.right {
		r, w = utf8.RuneError, 1
	}
	t.lastRune, t.joinable = r, true
	if t.wrapNext && t.own.autowrap {
		t.wrap()
	}
	edge := t.edge()
	if t.x+w > edge {
		t.makeRoom(edge, w)
		edge = t.edge()
	}
	l := t.touch(t.y)
	if t.own.insert {
		l.insert(t.x, edge, w, t.pen.blank())
	}
	l.part(t.x)
	l.part(t.x + w)
	l.use(t.x + w)
	l.cells[t.x] = t.pen.cell(uint32(r))
	if w == 2 {
		l.cells[t.x].text |= wideLead
		l.cells[t.x+1] = t.pen.cell(tail)
	}
	t.advance(w, edge)
}

// makeRoom is for a wide character in the last column: it goes into the next line, or, without
// wrapping, one column back.
func (t *Terminal) makeRoom(edge, w int) {
	if !t.own.autowrap {
		t.x = edge - w
		return
	}
	l := t.touch(t.y)
	l.erase(t.x, edge, t.pen.blank())
	if edge == t.cols && t.fullWidth() {
		l.cells[t.x].text = filler
		l.use(edge)
	}
	t.wrap()
}

// combine adds r to the character before the cursor, if it belongs there, and drops it if it
// belongs to one that is not there.
func (t *Terminal) combine(r rune, w int) bool {
	l := t.s.line(t.y)
	x := t.x
	if !t.wrapNext {
		x--
	}
	if x < 0 {
		return w == 0
	}
	if x > 0 && l.cells[x].text&tail != 0 {
		x--
	}
	c := &l.cells[x]
	if w > 0 && (c.text&textMask == 0 && c.text&clustered == 0 || !t.joins(*c, r)) {
		return false
	}
	if c.text&(textMask|clustered) == 0 {
		return true
	}
	var buf [maxCluster + utf8.UTFMax]byte
	text := utf8.AppendRune(t.appendText(buf[:0], *c), r)
	if len(text) > maxCluster {
		return true
	}
	if len(t.clusters.list) >= t.clusters.limit {
		t.clusters.sweep(t.main, t.alt)
	}
	l.version = t.version
	c.text = c.text&^uint32(textMask) | clustered | t.clusters.intern(text)
	return true
}

// joins: r, which has a width of its own, is part of the character in c, just written.
func (t *Terminal) joins(c Cell, r rune) bool {
	if !t.joinable {
		return false
	}
	if r >= skinTone && r <= skinToneTo {
		return c.text&wideLead != 0
	}
	if c.text&clustered == 0 {
		return false
	}
	s := t.clusters.list[c.text&textMask]
	last, _ := utf8.DecodeLastRuneInString(s)
	return last == zwj
}

func (t *Terminal) appendText(dst []byte, c Cell) []byte {
	if c.text&clustered != 0 {
		return append(dst, t.clusters.list[c.text&textMask]...)
	}
	return utf8.AppendRune(dst, rune(c.text&textMask))
}

// width is RuneWidth, faster for characters seen before.
func (t *Terminal) width(r rune) int {
	if r < 0x300 {
		return 1
	}
	slot := &t.widths[r&0xff]
	if *slot>>2 != uint32(r) {
		*slot = uint32(r)<<2 | uint32(RuneWidth(r))
	}
	return int(*slot & 3)
}

// repeat is REP: the last character again, not more often than a line has columns.
func (t *Terminal) repeat(n int) {
	r := t.lastRune
	if r == 0 {
		return
	}
	t.work += min(n, t.cols)
	for n = min(n, t.cols); n > 0; n-- {
		t.print(r)
	}
}

// charset translates r by the charset in use.
func (t *Terminal) charset(r rune) rune {
	g := t.gl
	if t.single != 0 {
		g, t.single = t.single, 0
	}
	switch {
	case t.charsets[g] == '0' && r >= 0x5f && r <= 0x7e:
		return lineDrawing[r-0x5f]
	case t.charsets[g] == 'A' && r == '#':
		return '£'
	}
	return r
}

// lineDrawing is the DEC Special Graphics set, 0x5f to 0x7e (VT100 User Guide, table 3-9).
var lineDrawing = [...]rune{
	' ', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼',
	'⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
}
