package glyph

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// sizes are cells at several zooms and densities, with the em that goes with them.
var sizes = []struct {
	em   float64
	w, h int
}{{4, 2, 5}, {8, 5, 9}, {12, 7, 14}, {14, 8, 16}, {15, 9, 17}, {18, 11, 21}, {28, 17, 33}, {42, 25, 49}}

func fonts(t testing.TB) *Fonts {
	t.Helper()
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// picture is a character in its cells.
type picture struct {
	pix  []byte
	w, h int
}

func draw(f *Face, text string, cols int, style Style) picture {
	w, h := f.Cell()
	p := picture{make([]byte, cols*w*h), cols * w, h}
	f.Draw(p.pix, p.w, text, cols, style)
	return p
}

func (p picture) at(x, y int) byte { return p.pix[y*p.w+x] }

func (p picture) row(y int) []byte { return p.pix[y*p.w : (y+1)*p.w] }

func (p picture) col(x int) []byte {
	c := make([]byte, p.h)
	for y := range p.h {
		c[y] = p.at(x, y)
	}
	return c
}

func (p picture) blank() bool {
	return !slices.ContainsFunc(p.pix, func(v byte) bool { return v != 0 })
}

func (p picture) String() string {
	var b bytes.Buffer
	for y := range p.h {
		for _, v := range p.row(y) {
			b.WriteByte(" .:-=+*#%@"[int(v)*9/255])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// eachBox calls f with every box character that is made of arms.
func eachBox(f func(r rune, up, right, down, left byte)) {
	for i := 0; 4*i < len(arms); i++ {
		if a := arms[4*i : 4*i+4]; a != "0000" {
			f(rune(0x2500+i), a[0], a[1], a[2], a[3])
		}
	}
}

// TestBoxesMeet: an arm reaches the edge at the same pixels in every character that has one of its weight
// there, on either side; where there is no arm, the edge is blank.
func TestBoxesMeet(t *testing.T) {
	if len(arms) != 4*0x80 {
		t.Fatalf("%d characters in the table", len(arms)/4)
	}
	all := fonts(t)
	for _, s := range sizes {
		f := all.Face(s.em, s.w, s.h)
		if s.w < 5 {
			continue // double lines need five pixels
		}
		edges := map[string][]byte{}
		check := func(r rune, side, weight byte, name string, pixels []byte) {
			if weight == '0' {
				if slices.Max(pixels) != 0 {
					t.Errorf("%dx%d: %c has something at its %c side", s.w, s.h, r, side)
				}
				return
			}
			key := name + string(weight)
			if edges[key] == nil {
				edges[key] = pixels
				if slices.Max(pixels) != 255 {
					t.Errorf("%dx%d: %c does not reach its %c side", s.w, s.h, r, side)
				}
			}
			if !bytes.Equal(edges[key], pixels) {
				t.Errorf("%dx%d: %c at its %c side: %v, others have %v", s.w, s.h, r, side, pixels, edges[key])
			}
		}
		eachBox(func(r rune, up, right, down, left byte) {
			p := draw(f, string(r), 1, Regular)
			check(r, 'u', up, "upright", p.row(0))
			check(r, 'd', down, "upright", p.row(p.h-1))
			check(r, 'l', left, "level", p.col(0))
			check(r, 'r', right, "level", p.col(p.w-1))
		})
	}
}

// TestBoxesAreConnected: what is drawn of a character hangs together, but for double lines.
func TestBoxesAreConnected(t *testing.T) {
	all := fonts(t)
	for _, s := range sizes {
		f := all.Face(s.em, s.w, s.h)
		eachBox(func(r rune, up, right, down, left byte) {
			if up == '3' || right == '3' || down == '3' || left == '3' {
				return
			}
			p := draw(f, string(r), 1, Regular)
			if n := parts(p); n != 1 {
				t.Errorf("%dx%d: %c is in %d parts\n%s", s.w, s.h, r, n, p)
			}
		})
	}
}

// parts counts the connected regions of p.
func parts(p picture) (n int) {
	seen := make([]bool, len(p.pix))
	var visit func(x, y int)
	visit = func(x, y int) {
		if x < 0 || y < 0 || x >= p.w || y >= p.h || seen[y*p.w+x] || p.at(x, y) == 0 {
			return
		}
		seen[y*p.w+x] = true
		visit(x+1, y)
		visit(x-1, y)
		visit(x, y+1)
		visit(x, y-1)
	}
	for i, v := range p.pix {
		if v != 0 && !seen[i] {
			n++
			visit(i%p.w, i/p.w)
		}
	}
	return n
}

// TestArcsMeetLines: rounded corners continue straight lines, pixel by pixel.
func TestArcsMeetLines(t *testing.T) {
	all := fonts(t)
	for _, s := range sizes[2:] {
		f := all.Face(s.em, s.w, s.h)
		line, wall := draw(f, "─", 1, Regular), draw(f, "│", 1, Regular)
		for i, r := range []rune("╭╮╯╰") {
			p := draw(f, string(r), 1, Regular)
			y, x := p.h-1, p.w-1
			if i >= 2 {
				y = 0
			}
			if i == 1 || i == 2 {
				x = 0
			}
			if !bytes.Equal(p.row(y), wall.row(0)) {
				t.Errorf("%dx%d: %c does not meet │: %v, %v", s.w, s.h, r, p.row(y), wall.row(0))
			}
			for k, v := range p.col(x) {
				if d := int(v) - int(line.at(0, k)); d > 60 || d < -60 { // it still bends a little in the last column
					t.Errorf("%dx%d: %c does not meet ─: %v, %v", s.w, s.h, r, p.col(x), line.col(0))
					break
				}
			}
		}
	}
}

// TestBlocks: halves and quarters leave no gap and do not overlap.
func TestBlocks(t *testing.T) {
	all := fonts(t)
	for _, s := range sizes {
		f := all.Face(s.em, s.w, s.h)
		full := draw(f, "█", 1, Regular)
		if slices.Min(full.pix) != 255 {
			t.Errorf("%dx%d: the full block is not full", s.w, s.h)
		}
		for _, pair := range []string{"▀▄", "▌▐", "▖▜", "▗▛", "▘▟", "▝▙", "▚▞"} {
			r := []rune(pair)
			a, b := draw(f, string(r[0]), 1, Regular), draw(f, string(r[1]), 1, Regular)
			for i := range a.pix {
				if int(a.pix[i])+int(b.pix[i]) != 255 {
					t.Errorf("%dx%d: %s do not make up a cell\n%s%s", s.w, s.h, pair, a, b)
					break
				}
			}
		}
		for _, row := range []string{"▁▂▃▄▅▆▇█", "▏▎▍▌▋▊▉█"} {
			before := 0
			for _, r := range row {
				n := 0
				for _, v := range draw(f, string(r), 1, Regular).pix {
					n += int(v)
				}
				if n < before || n == 0 && s.h >= 8 && s.w >= 8 {
					t.Errorf("%dx%d: %c is not more than the one before", s.w, s.h, r)
				}
				before = n
			}
		}
	}
}

// TestBraille: each dot has its place, and all together are eight.
func TestBraille(t *testing.T) {
	all := fonts(t)
	for _, s := range sizes[2:] {
		f := all.Face(s.em, s.w, s.h)
		if n := parts(draw(f, "⣿", 1, Regular)); n != 8 {
			t.Errorf("%dx%d: %d dots", s.w, s.h, n)
		}
		seen := map[string]rune{}
		for r := rune(0x2800); r <= 0x28ff; r++ {
			p := draw(f, string(r), 1, Regular)
			if other, ok := seen[string(p.pix)]; ok {
				t.Errorf("%dx%d: %U looks like %U", s.w, s.h, r, other)
			}
			seen[string(p.pix)] = r
		}
	}
}

// TestText: what has a glyph is drawn, by the right font, into its cells.
func TestText(t *testing.T) {
	f := fonts(t).Face(14, 8, 16)
	pictures := map[string]string{}
	for _, c := range []struct {
		text  string
		cols  int
		style Style
		blank bool
	}{
		{"A", 1, Regular, false}, {"A", 1, Bold, false}, {"A", 1, Oblique, false}, {"A", 1, Bold | Oblique, false}, {"é", 1, Regular, false}, {"Ж", 1, Regular, false},
		{"世", 2, Regular, false}, {"あ", 2, Regular, false}, {"한", 2, Regular, false}, {"✓", 1, Regular, false}, {"\U0001F600", 2, Regular, false}, {"\U000F1234", 1, Regular, false}, {"\ue123", 1, Regular, false},
		{"\ue0b0", 1, Regular, false}, {"e\u0301", 1, Regular, false}, {" ", 1, Regular, true}, {"", 1, Regular, true}, {"\u200b", 1, Regular, true}, {"\u3000", 2, Regular, true}, {"⠀", 1, Regular, true},
	} {
		p := draw(f, c.text, c.cols, c.style)
		if p.blank() != c.blank {
			t.Errorf("%q style %d: blank is %v", c.text, c.style, p.blank())
		}
		if key := fmt.Sprint(p.pix); !c.blank {
			if other, ok := pictures[key]; ok {
				t.Errorf("%q style %d looks like %s", c.text, c.style, other)
			}
			pictures[key] = fmt.Sprintf("%q style %d", c.text, c.style)
		}
	}
	// unknown characters say which they are
	a, b := draw(f, "\ue123", 1, Regular), draw(f, "\ue124", 1, Regular)
	if bytes.Equal(a.pix, b.pix) {
		t.Error("U+E123 and U+E124 look the same")
	}
}

// TestLines: a line continues from cell to cell, and all kinds look different.
func TestLines(t *testing.T) {
	all := fonts(t)
	for _, s := range sizes[2:] {
		f := all.Face(s.em, s.w, s.h)
		seen := map[string]Line{}
		for l := SingleLine; l <= OverLine; l++ {
			p := picture{make([]byte, s.w*s.h), s.w, s.h}
			f.DrawLine(p.pix, s.w, l)
			if p.blank() {
				t.Errorf("%dx%d: line %d is blank", s.w, s.h, l)
			}
			if other, ok := seen[string(p.pix)]; ok {
				t.Errorf("%dx%d: line %d looks like %d", s.w, s.h, l, other)
			}
			seen[string(p.pix)] = l
		}
	}
}

func FuzzDraw(f *testing.F) {
	all := fonts(f)
	for _, s := range []string{"a", "e\u0301", "世", "\U0001F468\u200d\U0001F469", "╬", "⣿", "\xff\xfe", "\u0301", "\U0010ffff", "\x00"} {
		f.Add(s, 14.0, 8, 16, 1, byte(0))
	}
	f.Fuzz(func(t *testing.T, text string, em float64, w, h, cols int, style byte) {
		if len(text) > 64 || w > 40 || h > 80 {
			return
		}
		face := all.Face(em, w, h)
		cw, ch := face.Cell()
		const guard = 64
		pix := make([]byte, 2*cw*ch+guard)
		face.Draw(pix, 2*cw, text, cols, Style(style))
		if !bytes.Equal(pix[2*cw*ch:], make([]byte, guard)) {
			t.Error("it drew beyond the cell")
		}
		face.DrawLine(pix, 2*cw, Line(style))
	})
}
