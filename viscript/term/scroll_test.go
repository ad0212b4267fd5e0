package term

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// everything is all lines, scrollback and screen, as text; logical ones: wrapped rows joined.
func everything(t *Terminal) []string {
	var s Snapshot
	t.Snapshot(&s)
	text := t.Text(Pos{s.First, 0}, Pos{s.Top + uint64(s.Rows) - 1, s.Cols}, false)
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("line %d", i))
	}
	return out
}

func writeLines(t *Terminal, lines []string) {
	t.Write([]byte(strings.Join(lines, "\r\n")))
}

func TestScrollback(t *testing.T) {
	term := New(20, 4, Config{Scrollback: 100})
	writeLines(term, numbered(0, 1000))
	var s Snapshot
	term.Snapshot(&s)
	if s.First != 896 || s.Top != 996 {
		t.Errorf("lines %d, %d", s.First, s.Top)
	}
	rows := make([]Row, 200)
	if n := term.Lines(s.First, rows); n != 104 || rows[0].String() != "line 896" || rows[103].String() != "line 999" {
		t.Errorf("%d lines from %q to %q", n, rows[0].String(), rows[103].String())
	}
	if n := term.Lines(s.First-1, rows); n != 0 {
		t.Errorf("%d lines from before the first", n)
	}
	term.Write([]byte("\x1b[?1049h" + strings.Repeat("alt\r\n", 50) + "\x1b[?1049l"))
	term.Write([]byte("\x1b[2;4r\x1b[4;1H\n\n\n\x1b[r")) // a region below the top
	term.Write([]byte("\x1b[H\x1b[3M"))                  // deleted lines are gone
	term.Snapshot(&s)
	if s.Top != 996 {
		t.Errorf("%d lines went", s.Top-996)
	}
	term.Write([]byte("\x1b[1;3rtop\r\nx\r\ny\n\x1b[r")) // a region at the top
	if term.Snapshot(&s); s.Top != 997 {
		t.Errorf("the first of the screen is %d", s.Top)
	}
	epoch := s.Epoch
	term.Write([]byte("\x1b[3J"))
	if term.Snapshot(&s); s.First != s.Top || s.Epoch == epoch {
		t.Errorf("ED 3 left %d lines", s.Top-s.First)
	}
	none := New(20, 4, Config{Scrollback: -1})
	writeLines(none, numbered(0, 100))
	if none.Snapshot(&s); s.First != 96 || s.Top != 96 {
		t.Errorf("without scrollback: %d, %d", s.First, s.Top)
	}
}

// TestScrollbackBytes: lines that are large in bytes go earlier.
func TestScrollbackBytes(t *testing.T) {
	term := New(MaxCols, 2, Config{Scrollback: 1_000_000})
	term.history.maxBytes = 1 << 20
	var line strings.Builder
	for i := range MaxCols {
		fmt.Fprintf(&line, "\x1b[38;2;%d;%d;3;48;2;4;5;%dmx", i%256, i/256, i%255)
	}
	for range 300 {
		term.Write([]byte(line.String() + "\r\n"))
	}
	if h := &term.history; h.bytes > 1<<20 || h.n < 50 || h.n > 150 || len(h.pages) > 40 {
		t.Errorf("%d lines, %d bytes, %d pages", h.n, h.bytes, len(h.pages))
	}
	if err := check(term); err != nil {
		t.Error(err)
	}
}

// TestMemory: what gui.md feared of other cores.
func TestMemory(t *testing.T) {
	term := New(160, 50, Config{})
	writeLines(term, numbered(0, 12_000))
	sum := 0
	for _, p := range term.history.pages {
		sum += cap(p)
	}
	if sum += 12 * len(term.history.records); sum > 1<<20 {
		t.Errorf("10,000 short lines take %d bytes", sum)
	}
}

func TestReflow(t *testing.T) {
	for _, c := range []struct {
		name       string
		cols, rows int
		in         string
		steps      [][2]int
		want       string
	}{
		{"narrower", 10, 4, "abcdefgh\r\nij", [][2]int{{4, 4}}, "abcd/efgh/ij 2,2"},
		{"and back", 10, 4, "abcdefgh\r\nij", [][2]int{{4, 4}, {10, 4}}, "abcdefgh/ij 2,1"},
		{"wider", 4, 4, "abcdefgh\r\nij", [][2]int{{10, 4}}, "abcdefgh/ij 2,1"},
		{"line ends stay", 4, 4, "abcd\r\nef", [][2]int{{10, 4}}, "abcd/ef 2,1"},
		{"cursor within", 10, 4, "abcdefgh\x1b[1;6H", [][2]int{{4, 4}}, "abcd/efgh 1,1"},
		{"cursor after blanks", 10, 4, "ab\x1b[1;7H", [][2]int{{4, 4}}, "ab 2,1"},
		{"wrap pending", 4, 3, "abcd", [][2]int{{6, 3}}, "abcd 4,0"},
		{"wrap becomes pending", 6, 3, "abcd", [][2]int{{4, 3}}, "abcd 3,0"},
		{"wide at the edge", 5, 3, "a日本語", [][2]int{{4, 3}}, "a日/本語 3,1"},
		{"wide at the edge and back", 5, 3, "a日本語", [][2]int{{4, 3}, {3, 4}, {8, 3}}, "a日本語 7,0"},
		{"one column", 4, 4, "a日", [][2]int{{1, 4}}, "a/\ufffd 0,1"},
		{"shorter, blank below", 10, 4, "a\r\nb", [][2]int{{10, 2}}, "a/b 1,1"},
		{"shorter, full", 10, 4, abc, [][2]int{{10, 2}}, "c/d 1,1"},
		{"shorter and back", 10, 4, abc, [][2]int{{10, 2}, {10, 4}}, "a/b/c/d 1,3"},
		{"shorter, cursor at the top", 10, 4, abc + "\x1b[H", [][2]int{{10, 2}}, "a/b 0,0"},
		{"taller", 10, 4, abc + "\r\ne\r\nf", [][2]int{{10, 5}}, "b/c/d/e/f 1,4"},
		{"taller, not full", 10, 4, abc + "\r\ne\x1b[2J\x1b[Hx", [][2]int{{10, 5}}, "x 1,0"},
		{"narrower, scrolls", 8, 2, "abcdefgh\r\nij", [][2]int{{4, 2}}, "efgh/ij 2,1"},
		{"narrower, scrolls, back", 8, 2, "abcdefgh\r\nij", [][2]int{{4, 2}, {8, 2}}, "abcdefgh/ij 2,1"},
		{"alternate screen is cut", 10, 4, "main\x1b[?1049h\x1b[Habcdefgh\r\nij", [][2]int{{4, 3}}, "abcd/ij 2,1"},
		{"main reflows behind it", 10, 4, "abcdefgh\x1b[?1049h\x1b[Hx", [][2]int{{4, 3}}, "x 1,0"},
		{"combined", 6, 3, "e\u0301abcde\u0301f", [][2]int{{3, 3}}, "e\u0301ab/cde\u0301/f 1,2"},
	} {
		term := New(c.cols, c.rows, Config{})
		term.Write([]byte(c.in))
		for _, size := range c.steps {
			term.Resize(size[0], size[1])
			if err := check(term); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if got := view(term); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
	term := New(10, 4, Config{})
	term.Write([]byte("abcdefgh\x1b[?1049h\x1b[Hx"))
	term.Resize(4, 3)
	term.Write([]byte("\x1b[?1049lY"))
	if got := view(term); got != "abcd/efgh/Y 1,2" {
		t.Errorf("back on the main screen: %q", got)
	}
}

// TestReflowKeepsLines: whatever the sizes in between, the logical lines stay, styles too.
func TestReflowKeepsLines(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("%d ", i)+strings.Repeat("wörd 日本 e\u0301 ", r.IntN(8))+"end")
	}
	term := New(80, 10, Config{Scrollback: 50_000})
	for i, l := range lines {
		fmt.Fprintf(term, "\x1b[3%dm%s\x1b[m", i%8, l)
		if i < len(lines)-1 {
			term.Write([]byte("\r\n"))
		}
	}
	for range 40 {
		term.Resize(2+r.IntN(200), 1+r.IntN(40))
		if err := check(term); err != nil {
			t.Fatal(err)
		}
	}
	term.Resize(90, 12)
	got := everything(term)
	if len(got) != len(lines) {
		t.Fatalf("%d lines, were %d", len(got), len(lines))
	}
	for i := range lines {
		if got[i] != lines[i] {
			t.Fatalf("line %d: %q, was %q", i, got[i], lines[i])
		}
	}
	var s Snapshot
	term.Snapshot(&s)
	rows := make([]Row, s.Top+12-s.First)
	n := term.Lines(s.First, rows)
	line := 0
	for i := range rows[:n] {
		if fg := rows[i].Cells[0].Foreground(); len(rows[i].Cells) > 0 && fg != Palette(uint8(line%8)) {
			t.Fatalf("row %d of line %d has colour %x", i, line, fg)
		}
		if !rows[i].Wrapped {
			line++
		}
	}
	if s.X != len("299 ")+(Width(lines[299])-4)%90 && s.Y == 0 {
		t.Errorf("cursor at %d,%d", s.X, s.Y)
	}
}

// TestHistory compares the ring of pages with a slice.
func TestHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	h := &history{maxLines: 500, maxBytes: 300_000}
	var want []string
	size := 0
	for i := range 20_000 {
		n := r.IntN(200)
		if r.IntN(500) == 0 {
			n = r.IntN(100_000)
		}
		line := strings.Repeat(string(rune('a'+i%26)), n)
		h.push([]byte(line))
		want, size = append(want, line), size+n
		for len(want) > h.maxLines || size > h.maxBytes {
			want, size = want[1:], size-len(want[0])
		}
		if r.IntN(300) == 0 {
			keep := r.IntN(len(want) + 1)
			h.truncate(keep)
			want = want[:keep]
			size = 0
			for _, l := range want {
				size += len(l)
			}
		}
		if h.n != len(want) || h.bytes != size {
			t.Fatalf("after %d: %d lines, %d bytes, want %d, %d", i, h.n, h.bytes, len(want), size)
		}
		if len(want) > 0 {
			if k := r.IntN(len(want)); string(h.line(k)) != want[k] {
				t.Fatalf("after %d: line %d differs", i, k)
			}
		}
	}
	if len(h.pages) > 30 || len(h.records) > 500 {
		t.Errorf("%d pages, %d records", len(h.pages), len(h.records))
	}
}
