package term

import (
	"strings"
	"unicode"
)

// A Pos is a place between or on cells: column X of line Line, which is numbered as in Snapshot.
type Pos struct {
	Line uint64
	X    int
}

// Before: p comes earlier in reading order.
func (p Pos) Before(q Pos) bool { return p.Line < q.Line || p.Line == q.Line && p.X < q.X }

// Text is what is written from a up to, not including, b, in either order: rows that were wrapped
// are joined, blanks at line ends left out. As a block it is the columns between the two in every
// line. Lines that are gone are skipped.
func (t *Terminal) Text(a, b Pos, block bool) string {
	if b.Before(a) {
		a, b = b, a
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.Line = max(a.Line, t.first())
	var out []byte
	for n := a.Line; n <= b.Line && t.readLine(n, &t.row); n++ {
		x, end := 0, len(t.row.Cells)
		switch {
		case block:
			x, end = min(a.X, b.X), min(max(a.X, b.X), end)
		default:
			if n == a.Line {
				x = a.X
			}
			if n == b.Line {
				end = min(b.X, end)
			}
		}
		out = t.row.appendText(out, max(0, x), end)
		if n < b.Line && (block || !t.row.Wrapped) {
			out = append(out, '\n')
		}
	}
	return string(out)
}

// maxWord bounds how far Word looks in each direction.
const maxWord = 4096

// Word is the run of characters around p that a double click selects: letters, digits and what
// paths and addresses are made of. It does not cross line ends, but wrapped rows. Without a word
// at p both are p. It ends 4,096 columns before and after p at the latest.
func (t *Terminal) Word(p Pos) (from, to Pos) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.wordAt(p)
	if !ok || !at {
		return p, p
	}
	from, to = p, p
	for range maxWord {
		q, ok := t.before(from)
		if in, _ := t.wordAt(q); !ok || !in {
			break
		}
		from = q
	}
	for range maxWord {
		q, ok := t.after(to)
		if in, _ := t.wordAt(q); !ok || !in {
			break
		}
		to = q
	}
	to.X++
	return from, to
}

// wordAt reads line p.Line into t.row, and tells whether p is on it and part of a word.
func (t *Terminal) wordAt(p Pos) (word, ok bool) {
	if !t.readLine(p.Line, &t.row) || p.X < 0 || p.X >= len(t.row.Cells) {
		return false, false
	}
	c := t.row.Cells[p.X]
	if c.text&tail != 0 && p.X > 0 {
		c = t.row.Cells[p.X-1]
	}
	r := c.Rune()
	return c.Clustered() || unicode.In(r, unicode.L, unicode.N, unicode.M) || r != 0 && strings.ContainsRune("_-./~:@%+=?&#", r), true
}

// before is the place before p, in the row above if that is wrapped into p's.
func (t *Terminal) before(p Pos) (Pos, bool) {
	if p.X > 0 {
		return Pos{p.Line, p.X - 1}, true
	}
	if p.Line == 0 || !t.readLine(p.Line-1, &t.row) || !t.row.Wrapped {
		return p, false
	}
	return Pos{p.Line - 1, len(t.row.Cells) - 1}, true
}

func (t *Terminal) after(p Pos) (Pos, bool) {
	if !t.readLine(p.Line, &t.row) {
		return p, false
	}
	if p.X+1 < len(t.row.Cells) {
		return Pos{p.Line, p.X + 1}, true
	}
	return Pos{p.Line + 1, 0}, t.row.Wrapped
}

// LineAt is the whole logical line around p, which a triple click selects.
func (t *Terminal) LineAt(p Pos) (from, to Pos) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, last := t.logical(p.Line)
	return Pos{first, 0}, Pos{last, t.cols}
}

// logical is the first and last row of the logical line that row n is part of.
func (t *Terminal) logical(n uint64) (first, last uint64) {
	first, last = n, n
	for first > t.first() && t.readLine(first-1, &t.row) && t.row.Wrapped {
		first--
	}
	for t.readLine(last, &t.row) && t.row.Wrapped && last+1 < t.base+uint64(t.rows) {
		last++
	}
	return first, last
}

// Search finds text that comes before from (backward) or at or after it, within logical lines of
// scrollback and screen; fold: without regard to case. From, to is the match, to excluded. Through
// 10,000 lines it takes some milliseconds, in which Write waits.
func (t *Terminal) Search(text string, from Pos, backward, fold bool) (start, end Pos, ok bool) {
	if fold {
		text = foldText(text)
	}
	if text == "" {
		return start, end, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.base + uint64(t.rows)
	n := clampLine(from.Line, t.first(), limit-1)
	var s searchLine
	for {
		first, last := t.logical(n)
		s.read(t, first, last, fold)
		if start, end, ok = s.find(text, from, backward); ok {
			return start, end, true
		}
		switch {
		case backward && first <= t.first(), !backward && last+1 >= limit:
			return start, end, false
		case backward:
			n = first - 1
		default:
			n = last + 1
		}
	}
}

func clampLine(n, low, high uint64) uint64 { return max(low, min(n, high)) }

func foldText(s string) string { return strings.Map(unicode.ToLower, s) }

// searchLine is the text of a logical line, with the place of every byte.
type searchLine struct {
	text []byte
	at   []Pos
}

func (s *searchLine) read(t *Terminal, first, last uint64, fold bool) {
	s.text, s.at = s.text[:0], s.at[:0]
	for n := first; n <= last; n++ {
		t.readLine(n, &t.row)
		for x := range t.row.Cells {
			s.addCell(t.row.Cells[x], x, n, t, fold)
		}
	}
}

func (s *searchLine) addCell(c Cell, x int, n uint64, t *Terminal, fold bool) {
	switch {
	case c.text&(tail|filler) != 0:
		return
	case c.text&clustered != 0:
		s.text = append(s.text, t.row.clusters[c.text&textMask]...)
	case c.text&textMask == 0:
		s.text = append(s.text, ' ')
	default:
		r := rune(c.text & textMask)
		if fold {
			r = unicode.ToLower(r)
		}
		s.text = append(s.text, string(r)...)
	}
	for len(s.at) < len(s.text) {
		s.at = append(s.at, Pos{n, x})
	}
}

func (s *searchLine) find(text string, from Pos, backward bool) (start, end Pos, ok bool) {
	line := string(s.text)
	for i := 0; i+len(text) <= len(line); {
		j := strings.Index(line[i:], text)
		if j < 0 {
			break
		}
		i += j
		if at := s.at[i]; backward != at.Before(from) {
			if backward {
				break
			}
		} else {
			last := s.at[i+len(text)-1]
			start, end, ok = at, Pos{last.Line, last.X + 1}, true
			if !backward {
				break
			}
		}
		i++
	}
	return start, end, ok
}
