package term

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// An oracle is a terminal for narrow characters, written to be obvious: every operation makes new
// rows, and nothing is shared.
type oracle struct {
	cols, rows  int
	grid        [][]oracleCell
	gone        []string // the scrollback, as text
	x, y        int
	pending     bool
	top, bottom int // inclusive
	fg, bg      Color
}

type oracleCell struct {
	r      rune
	fg, bg Color
}

func newOracle(cols, rows int) *oracle {
	o := &oracle{cols: cols, rows: rows, bottom: rows - 1}
	for range rows {
		o.grid = append(o.grid, o.blankRow())
	}
	return o
}

func (o *oracle) blankRow() []oracleCell {
	row := make([]oracleCell, o.cols)
	for x := range row {
		row[x] = o.blank()
	}
	return row
}

func (o *oracle) blank() oracleCell { return oracleCell{' ', 0, o.bg} }

// splice replaces n rows at y by rows.
func (o *oracle) splice(y, n int, rows ...[]oracleCell) {
	var grid [][]oracleCell
	grid = append(grid, o.grid[:y]...)
	grid = append(grid, rows...)
	o.grid = append(grid, o.grid[y+n:]...)
}

func (o *oracle) up(from, n int, keep bool) {
	for range min(n, o.bottom-from+1) {
		if keep && from == 0 {
			o.gone = append(o.gone, oracleText(o.grid[0]))
		}
		o.splice(from, 1)
		o.splice(o.bottom, 0, o.blankRow())
	}
}

func (o *oracle) down(from, n int) {
	for range min(n, o.bottom-from+1) {
		o.splice(o.bottom, 1)
		o.splice(from, 0, o.blankRow())
	}
}

func oracleText(row []oracleCell) string {
	var b strings.Builder
	for _, c := range row {
		b.WriteRune(c.r)
	}
	return strings.TrimRight(b.String(), " ")
}

func (o *oracle) lineFeed() {
	o.pending = false
	if o.y == o.bottom {
		o.up(o.top, 1, true)
	} else if o.y < o.rows-1 {
		o.y++
	}
}

func (o *oracle) print(r rune) {
	if o.pending {
		o.lineFeed()
		o.x = 0
	}
	o.grid[o.y][o.x] = oracleCell{r, o.fg, o.bg}
	if o.x == o.cols-1 {
		o.pending = true
	} else {
		o.x++
	}
}

func (o *oracle) vertical(d int) {
	low, high := 0, o.rows-1
	if o.y >= o.top {
		low = o.top
	}
	if o.y <= o.bottom {
		high = o.bottom
	}
	o.pending, o.y = false, clamp(o.y+d, low, high)
}

func (o *oracle) eraseCells(y, x, end int) {
	o.pending = false
	for ; x < min(end, o.cols); x++ {
		o.grid[y][x] = o.blank()
	}
}

// shift rebuilds the cursor's row: n blanks put in, or -n cells taken out.
func (o *oracle) shift(n int) {
	o.pending = false
	row := append([]oracleCell{}, o.grid[o.y][:o.x]...)
	rest := o.grid[o.y][o.x:]
	for range n {
		row = append(row, o.blank())
	}
	row = append(row, rest[min(len(rest), max(0, -n)):]...)
	for len(row) < o.cols {
		row = append(row, o.blank())
	}
	o.grid[o.y] = row[:o.cols]
}

// step does something at random and returns the bytes for it.
func (o *oracle) step(r *rand.Rand) string {
	n := 1 + r.IntN(5)
	switch r.IntN(26) {
	case 0:
		o.pending, o.x = false, 0
		return "\r"
	case 1, 2:
		o.lineFeed()
		return "\n"
	case 3:
		o.pending, o.x = false, max(0, o.x-1)
		return "\b"
	case 4:
		x, y := r.IntN(o.cols+2), r.IntN(o.rows+2)
		o.pending, o.x, o.y = false, min(x, o.cols-1), min(y, o.rows-1)
		return fmt.Sprintf("\x1b[%d;%dH", y+1, x+1)
	case 5:
		o.vertical(-n)
		return fmt.Sprintf("\x1b[%dA", n)
	case 6:
		o.vertical(n)
		return fmt.Sprintf("\x1b[%dB", n)
	case 7:
		o.pending, o.x = false, min(o.x+n, o.cols-1)
		return fmt.Sprintf("\x1b[%dC", n)
	case 8:
		o.pending, o.x = false, max(o.x-n, 0)
		return fmt.Sprintf("\x1b[%dD", n)
	case 9:
		o.eraseCells(o.y, o.x, o.cols)
		return "\x1b[K"
	case 10:
		o.eraseCells(o.y, 0, o.x+1)
		return "\x1b[1K"
	case 11:
		o.eraseCells(o.y, o.x, o.x+n)
		return fmt.Sprintf("\x1b[%dX", n)
	case 12:
		o.eraseCells(o.y, o.x, o.cols)
		for y := o.y + 1; y < o.rows; y++ {
			o.eraseCells(y, 0, o.cols)
		}
		return "\x1b[J"
	case 13:
		o.shift(n)
		return fmt.Sprintf("\x1b[%d@", n)
	case 14:
		o.shift(-n)
		return fmt.Sprintf("\x1b[%dP", n)
	case 15:
		return o.lines(n, "L", func() { o.down(o.y, n) })
	case 16:
		return o.lines(n, "M", func() { o.up(o.y, n, false) })
	case 17:
		o.up(o.top, n, true)
		return fmt.Sprintf("\x1b[%dS", n)
	case 18:
		o.down(o.top, n)
		return fmt.Sprintf("\x1b[%dT", n)
	case 19:
		top, bottom := r.IntN(o.rows-1), o.rows-1
		bottom = top + 1 + r.IntN(bottom-top)
		o.top, o.bottom, o.x, o.y, o.pending = top, bottom, 0, 0, false
		return fmt.Sprintf("\x1b[%d;%dr", top+1, bottom+1)
	case 20:
		if o.pending = false; o.y == o.top {
			o.down(o.top, 1)
		} else if o.y > 0 {
			o.y--
		}
		return "\x1bM"
	case 21:
		c := uint8(r.IntN(8))
		o.fg = Palette(c)
		return fmt.Sprintf("\x1b[3%dm", c)
	case 22:
		if o.bg = 0; n > 2 {
			o.bg = Palette(uint8(n))
			return fmt.Sprintf("\x1b[4%dm", n)
		}
		return "\x1b[49m"
	}
	text := "some text that may wrap"[:4*n]
	for _, c := range text {
		o.print(c)
	}
	return text
}

// lines is IL and DL, which work within the region only.
func (o *oracle) lines(n int, final string, do func()) string {
	if o.y >= o.top && o.y <= o.bottom {
		do()
		o.x, o.pending = 0, false
	}
	return fmt.Sprintf("\x1b[%d%s", n, final)
}

func (o *oracle) compare(t *Terminal) error {
	var s Snapshot
	t.Snapshot(&s)
	if s.X != o.x || s.Y != o.y || t.wrapNext != o.pending {
		return fmt.Errorf("cursor at %d,%d %t, want %d,%d %t", s.X, s.Y, t.wrapNext, o.x, o.y, o.pending)
	}
	for y := range s.Lines {
		for x, c := range s.Lines[y].Cells {
			want := o.grid[y][x]
			if r := max(c.Rune(), ' '); r != want.r || c.Background() != want.bg || r != ' ' && c.Foreground() != want.fg {
				return fmt.Errorf("%d,%d: %q %x, want %q %x", x, y, r, c.Background(), want.r, want.bg)
			}
		}
	}
	rows := make([]Row, s.Top-s.First)
	t.Lines(s.First, rows)
	if len(rows) != len(o.gone) {
		return fmt.Errorf("%d lines of scrollback, want %d", len(rows), len(o.gone))
	}
	for i := range rows {
		if got := trimmed(&rows[i]); got != o.gone[i] {
			return fmt.Errorf("scrollback %d: %q, want %q", i, got, o.gone[i])
		}
	}
	return nil
}

func TestOracle(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		cols, rows := 2+r.IntN(12), 2+r.IntN(8)
		o, term := newOracle(cols, rows), New(cols, rows, Config{})
		var all []string
		for range 100 {
			all = append(all, o.step(r))
			term.Write([]byte(all[len(all)-1]))
			if err := o.compare(term); err != nil {
				t.Fatalf("%dx%d, seed %d, after %q: %v", cols, rows, seed, all, err)
			}
		}
	}
}
