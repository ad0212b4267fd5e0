package term

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
)

// check says what of a terminal's state is broken.
func check(t *Terminal) error {
	if t.x < 0 || t.x >= t.cols || t.y < 0 || t.y >= t.rows {
		return fmt.Errorf("cursor %d,%d outside of %dx%d", t.x, t.y, t.cols, t.rows)
	}
	if t.top < 0 || t.top >= t.bottom || t.bottom > t.rows || t.left < 0 || t.left >= t.right || t.right > t.cols {
		return fmt.Errorf("region %d-%d %d-%d", t.top, t.bottom, t.left, t.right)
	}
	if t.wrapNext && t.x != t.cols-1 && t.x != t.right-1 {
		return fmt.Errorf("wrap pending in column %d", t.x)
	}
	if len(t.tabs) != t.cols || len(t.titles) > maxTitles || len(t.parser.str) > maxTransfer {
		return fmt.Errorf("%d tabs, %d titles, string of %d", len(t.tabs), len(t.titles), len(t.parser.str))
	}
	for i, s := range []*screen{t.main, t.alt} {
		if len(s.lines) != t.rows || s.cols != t.cols || s.top < 0 || s.top >= t.rows {
			return fmt.Errorf("screen %d: %d rows, %d columns, top %d", i, len(s.lines), s.cols, s.top)
		}
		for y := range t.rows {
			if err := checkLine(t, s.line(y)); err != nil {
				return fmt.Errorf("screen %d, line %d: %w", i, y, err)
			}
		}
	}
	return checkHistory(t)
}

func checkLine(t *Terminal, l *line) error {
	if len(l.cells) != t.cols || cap(l.cells) != t.cols || l.used > t.cols {
		return fmt.Errorf("%d cells, %d used", len(l.cells), l.used)
	}
	for x, c := range l.cells {
		switch {
		case x >= l.used && c != (Cell{}):
			return fmt.Errorf("cell %d is in use", x)
		case c.text&wideLead != 0 && (x == t.cols-1 || l.cells[x+1] != Cell{tail, c.fg, c.bg, c.extra}):
			return fmt.Errorf("half of a wide character in %d", x)
		case c.text&tail != 0 && (x == 0 || l.cells[x-1].text&wideLead == 0):
			return fmt.Errorf("tail without lead in %d", x)
		case c.text&clustered != 0 && int(c.text&textMask) >= len(t.clusters.list):
			return fmt.Errorf("no cluster for cell %d", x)
		}
	}
	return nil
}

func checkHistory(t *Terminal) error {
	h := &t.history
	if h.n > h.maxLines || h.bytes > h.maxBytes || uint64(h.n) > t.base {
		return fmt.Errorf("%d lines of scrollback, %d bytes, first of the screen is %d", h.n, h.bytes, t.base)
	}
	sum := 0
	for i := range h.n {
		p := h.line(i)
		sum += len(p)
		cells, list, wrapped := decodeLine(p, nil, nil)
		if len(cells) > MaxCols {
			return fmt.Errorf("scrollback line %d has %d cells", i, len(cells))
		}
		if again := appendLine(nil, cells, wrapped, list); !bytes.Equal(again, p) {
			return fmt.Errorf("scrollback line %d: %x, again %x", i, p, again)
		}
	}
	if sum != h.bytes {
		return fmt.Errorf("%d bytes of scrollback, counted %d", sum, h.bytes)
	}
	return nil
}

// sameView: nothing that a reader sees differs.
func sameView(a, b *Snapshot) error {
	if a.X != b.X || a.Y != b.Y || a.Modes != b.Modes || a.Title != b.Title || a.Colors != b.Colors ||
		a.Directory != b.Directory || a.Top-a.First != b.Top-b.First || a.Cols != b.Cols || a.Rows != b.Rows {
		return fmt.Errorf("%+v\n%+v", a, b)
	}
	for y := range a.Lines {
		if err := sameRow(&a.Lines[y], &b.Lines[y]); err != nil {
			return fmt.Errorf("line %d: %w", y, err)
		}
	}
	return nil
}

func sameRow(a, b *Row) error {
	if len(a.Cells) != len(b.Cells) || a.Wrapped != b.Wrapped {
		return fmt.Errorf("%d cells, wrapped %t; %d, %t", len(a.Cells), a.Wrapped, len(b.Cells), b.Wrapped)
	}
	for x := range a.Cells {
		c, d := a.Cells[x], b.Cells[x]
		if a.Text(x) != b.Text(x) || c.Width() != d.Width() || !c.SameStyle(d) || a.extra(x) != b.extra(x) {
			return fmt.Errorf("column %d: %q and %q", x, a.Text(x), b.Text(x))
		}
	}
	return nil
}

// fuzzSeeds are the recordings, cut, and sequences that once were trouble elsewhere.
func fuzzSeeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.raw")
	if err != nil || len(files) == 0 {
		f.Fatal("no recordings")
	}
	for i, name := range files {
		p, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		at := len(p) * (i + 1) / (len(files) + 1) // small ones: the fuzzer cuts long ones down first
		f.Add(p[at:min(len(p), at+150)], uint64(i))
	}
	for i, s := range []string{
		"\x1b[2\bC\x1b]0;\u2733\u2713\x07x", "\x1b[99999999999999999999A\x1b[;;;;;;m", "日\x1b[2D\x1b[Kx日\b\bab\x1b[@\x1b[P",
		"\x1b[?69h\x1b[3;7s\x1b[2;5r日本語日本語\n\n\n\n\x1b[3L\x1b[2M\x1b[ @\x1b[2'}\x1b[5'~", "e\u0301\u200d\U0001f3fd\U0001f468\u200d\U0001f469",
		"\x1b]8;id=a;http://x\x1b\\link\x1b]8;;\x07\x1b[58:2::1:2:3;4:3mred\r\n\r\n\r\n", "\x1b[?1049h\x1b[?47l\x1b7\x1b8\x1bc", "\x1b#8\x1b[4hins\x1b[4l\x1b[20h\n",
	} {
		f.Add([]byte(s), uint64(i))
	}
}

// pieces are what random terminals are fed with; numbers are put in for each #.
var pieces = []string{
	"text", " ", "日本", "e\u0301", "\U0001f468\u200d\U0001f469", "❤\ufe0f", "\u200d", "\xff\xe2\x82", "\r\n", "\n", "\r", "\b\b", "\t", "\a",
	"\x1b[#;#H", "\x1b[#A", "\x1b[#B", "\x1b[#C", "\x1b[#D", "\x1b[#G", "\x1b[#d", "\x1b[#I", "\x1b[#Z", "\x1b[#J", "\x1b[#K",
	"\x1b[?#J", "\x1b[?#K", "\x1b[#@", "\x1b[#P", "\x1b[#X", "\x1b[#L", "\x1b[#M", "\x1b[#S", "\x1b[#T", "\x1b[#b", "\x1b[#;#r", "\x1b[#;#s",
	"\x1b[?69h", "\x1b[?69l", "\x1b[?6h", "\x1b[?6l", "\x1b[?7h", "\x1b[?7l", "\x1b[?45h", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[?1049h",
	"\x1b[?1049l", "\x1b[?47h", "\x1b[?1047l", "\x1b[?1048h", "\x1b[?1048l", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?3h", "\x1b7", "\x1b8", "\x1bD", "\x1bM",
	"\x1bE", "\x1bH", "\x1b6", "\x1b9", "\x1b#8", "\x1b[# @", "\x1b[# A", "\x1b[#'}", "\x1b[#'~", "\x1b[1\"q", "\x1b[0\"q", "\x1b[!p", "\x1bc",
	"\x1b[3#;4#m", "\x1b[38;2;#;#;#m", "\x1b[48;5;#m", "\x1b[4:#m", "\x1b[58;5;#m", "\x1b[m", "\x1b]8;;http://#\x07", "\x1b]8;;\x1b\\", "\x1b(0qx\x1b(B",
	"\x1b[6n", "\x1b[c", "\x1b[?#$p", "\x1b]4;#;?\x07", "\x1b]4;#;#123456\x07", "\x1b]2;title #\x07", "\x1bP$qm\x1b\\", "\x1b[2#t", "\x1b]104\x07",
}

func randomOutput(r *rand.Rand, n int) []byte {
	var b []byte
	for range n {
		for _, c := range []byte(pieces[r.IntN(len(pieces))]) {
			if c != '#' {
				b = append(b, c)
			} else if r.IntN(20) > 0 {
				b = strconv.AppendInt(b, int64(r.IntN(12)), 10)
			} else {
				b = strconv.AppendInt(b, r.Int64N(1<<40), 10)
			}
		}
	}
	return b
}

// TestRandom is what the fuzz targets check, over sequences that mean something.
func TestRandom(t *testing.T) {
	rounds := uint64(800)
	if testing.Short() {
		rounds = 100
	}
	for seed := range rounds {
		p := randomOutput(rand.New(rand.NewPCG(seed, 3)), 120)
		fuzzTerminal(t, p, seed)
		fuzzPieces(t, p, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzTerminal writes p in pieces, with resizes between: never a panic, and check holds.
func FuzzTerminal(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzTerminal)
}

func fuzzTerminal(t *testing.T, p []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	answers, written := 0, 0
	term := New(1+r.IntN(30), 1+r.IntN(12), Config{Scrollback: r.IntN(40) - 1, Answer: func(a []byte) { answers += len(a) }, Event: func(Event) {}})
	var s Snapshot
	for len(p) > 0 {
		n := min(len(p), 1+r.IntN(200))
		term.Write(p[:n])
		p, written = p[n:], written+n
		if r.IntN(4) == 0 {
			term.Resize(1+r.IntN(30), 1+r.IntN(12))
		}
		if err := check(term); err != nil {
			t.Fatal(err)
		}
		var fresh Snapshot
		term.Snapshot(&fresh)
		if term.Snapshot(&s); !s.Modes.Synchronized && !fresh.Modes.Synchronized {
			if err := sameView(&s, &fresh); err != nil {
				t.Fatalf("brought up to date and fresh: %v", err)
			}
		}
		useView(t, term, &fresh, r)
	}
	if answers > maxCredit+answersPerByte*written {
		t.Fatalf("%d bytes answered to %d", answers, written)
	}
}

// useView calls what takes positions, with good and bad ones.
func useView(t *testing.T, term *Terminal, s *Snapshot, r *rand.Rand) {
	span := int(s.Top-s.First) + s.Rows + 4
	pos := func() Pos { return Pos{s.First + uint64(r.IntN(span)), r.IntN(s.Cols+2) - 1} }
	a, b := pos(), pos()
	text := term.Text(a, b, r.IntN(2) == 0)
	if max := 4 * maxCluster * (s.Cols + 1) * span; len(text) > max {
		t.Fatalf("text of %d bytes", len(text))
	}
	term.LineAt(a)
	if from, to := term.Word(a); to.Before(from) {
		t.Fatalf("word from %v to %v", from, to)
	}
	if from, to, ok := term.Search("a", b, r.IntN(2) == 0, true); ok && to.Before(from) {
		t.Fatalf("match from %v to %v", from, to)
	}
	rows := make([]Row, 3)
	term.Lines(a.Line, rows)
}

// FuzzPieces: how writes are cut does not matter, and what Snapshot.Append writes shows the same.
func FuzzPieces(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(fuzzPieces)
}

func fuzzPieces(t *testing.T, p []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	cols, rows := 2+r.IntN(30), 1+r.IntN(12)
	whole, parts := New(cols, rows, Config{}), New(cols, rows, Config{})
	whole.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), 1+r.IntN(5))
		parts.Write(rest[:n])
		rest = rest[n:]
	}
	var a, b Snapshot
	whole.Snapshot(&a)
	parts.Snapshot(&b)
	if err := sameView(&a, &b); err != nil {
		t.Fatalf("in pieces: %v", err)
	}
	copied := New(cols, rows, Config{})
	copied.Write(a.Append(nil, false))
	var c Snapshot
	copied.Snapshot(&c)
	for y := range a.Lines {
		if g, w := trimmed(&c.Lines[y]), trimmed(&a.Lines[y]); g != w {
			t.Fatalf("line %d shown again: %q, was %q", y, g, w)
		}
		for x := range a.Lines[y].Cells {
			if g, w := c.Lines[y].Cells[x], a.Lines[y].Cells[x]; !g.SameStyle(w) || c.Lines[y].UnderlineColor(x) != a.Lines[y].UnderlineColor(x) {
				t.Fatalf("line %d, column %d shown again: %v, was %v", y, x, g, w)
			}
		}
	}
	if c.X != a.X || c.Y != a.Y {
		t.Fatalf("cursor shown at %d,%d, was %d,%d", c.X, c.Y, a.X, a.Y)
	}
}

func TestSnapshotIsDeepEnough(t *testing.T) {
	term := New(20, 3, Config{})
	term.Write([]byte("e\u0301 \x1b]8;;http://a\x07link\x1b]8;;\x07"))
	var a, b Snapshot
	term.Snapshot(&a)
	text := a.Lines[0].String()
	term.Write([]byte("\x1b[Hn\u0303 other"))
	if a.Lines[0].String() != text {
		t.Error("a snapshot changed by a write")
	}
	term.Snapshot(&b)
	if reflect.DeepEqual(a.Lines, b.Lines) {
		t.Error("nothing changed")
	}
}
