package batch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/glyph"
	"github.com/skycoin/viscript/viscript/term"
)

func builder(t testing.TB) *Builder {
	t.Helper()
	f, err := glyph.Open()
	if err != nil {
		t.Fatal(err)
	}
	return NewBuilder(f)
}

func TestSizes(t *testing.T) {
	if unsafe.Sizeof(Quad{}) != QuadSize || unsafe.Sizeof(Cell{}) != CellSize {
		t.Errorf("a quad has %d bytes, a cell %d", unsafe.Sizeof(Quad{}), unsafe.Sizeof(Cell{}))
	}
}

// A world is a terminal and how it is shown.
type world struct {
	term  *term.Terminal
	snap  term.Snapshot
	cells scene.Cells
	at    scene.Point
	draw  func(s *scene.Scene)
	s     scene.Scene
}

func newWorld(cols, rows int) *world {
	th := scene.Dark()
	return &world{
		term: term.New(cols, rows, term.Config{}), at: scene.Point{X: 20, Y: 30},
		cells: scene.Cells{
			Term: "1", Cell: scene.Size{W: 8, H: 16}, FontSize: 14, Cols: cols, Rows: rows,
			Cursor: scene.SolidCursor, CursorSize: 1, Back: th.GridBack, Text: th.GridText, CursorColor: th.Cursor,
		},
	}
}

func (w *world) build(b *Builder) *Frame {
	w.term.Snapshot(&w.snap)
	w.cells.Version = w.snap.Version
	w.s.Begin(scene.Rect{W: 800, H: 600}, 1)
	w.s.Rect(w.s.Bounds, 0x102030ff, 0)
	w.s.Grid(scene.Rect{X: w.at.X, Y: w.at.Y, W: float32(w.cells.Cols) * 8, H: float32(w.cells.Rows) * 16}, w.cells)
	if w.draw != nil {
		w.draw(&w.s)
	}
	return b.Build(&w.s, func(*scene.Cells) Content { return Content{Screen: &w.snap} }, false)
}

func TestDamageOfRows(t *testing.T) {
	b, w := builder(t), newWorld(40, 20)
	if f := w.build(b); len(f.Damage) != 1 || f.Damage[0] != (scene.Rect{W: 800, H: 600}) {
		t.Fatalf("the first frame: %v", f.Damage)
	}
	if f := w.build(b); len(f.Damage) != 0 || len(f.Steps) != 0 {
		t.Errorf("nothing has changed: %v", f.Damage)
	}
	for _, c := range []struct {
		name, write string
		change      func()
		want        string
	}{
		{"text", "\x1b[5;3Hhello", nil, "[{20 30 320 80}]"}, // and where the cursor was, in the first row
		{"the cursor", "\x1b[5;20H", nil, "[{20 94 320 16}]"},
		{"same text", "\x1b[5;3Hhello\x1b[5;20H", nil, "[]"},
		{"underline", "\x1b[8;1H\x1b[4mx\x1b[m\x1b[5;20H", nil, "[{20 142 320 16}]"},
		{"underline colour", "\x1b[8;1H\x1b[4;58;5;1mx\x1b[m\x1b[5;20H", nil, "[{20 142 320 16}]"},
		{"a smaller cursor", "", func() { w.cells.CursorSize = 0.5 }, "[{20 94 320 16}]"},
		{"a hollow cursor", "", func() { w.cells.Cursor = scene.HollowCursor }, "[{20 94 320 16}]"},
		{"dimmed", "", func() { w.cells.Dim = 0.3 }, "[{20 30 320 320}]"},
		{"a colour of the palette", "\x1b]4;1;#123456\a", nil, "[{20 142 320 16}]"},
		{"the background", "\x1b]11;#102030\a", nil, "[{20 30 320 320}]"},
		{"reverse", "\x1b[?5h", nil, "[{20 30 320 320}]"},
	} {
		if _, err := w.term.Write([]byte(c.write)); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change()
		}
		if got := fmt.Sprint(w.build(b).Damage); got != c.want {
			t.Errorf("%s: damage %s, want %s", c.name, got, c.want)
		}
	}
	w.at.X += 8
	if f := w.build(b); len(f.Damage) == 0 || f.Damage[0].W < 328 {
		t.Errorf("moved: %v", f.Damage)
	}
	b.Invalidate()
	if f := w.build(b); len(f.Damage) != 1 || f.Damage[0] != (scene.Rect{W: 800, H: 600}) {
		t.Errorf("after Invalidate: %v", f.Damage)
	}
}

// TestDamageIsEnough draws random scenes step by step in a slow device, once what is damaged and once all,
// and both pictures must be the same.
func TestDamageIsEnough(t *testing.T) {
	const width, height = 160, 120
	r := rand.New(rand.NewPCG(1, 2))
	b := builder(t)
	tt := term.New(12, 4, term.Config{})
	var snap term.Snapshot
	var s scene.Scene
	var items []func()
	part := func() scene.Rect {
		return scene.Rect{X: r.Float32()*150 - 10, Y: r.Float32()*110 - 10, W: r.Float32() * 60, H: r.Float32() * 60}
	}
	one := func() func() {
		a, c, clip := part(), scene.Color(r.Uint32()), part().Union(part())
		kind := r.IntN(5)
		if kind == 0 {
			c |= 0xff
		}
		return func() {
			before := s.Clip(clip)
			switch kind {
			case 0:
				s.Rect(a, c, 0)
			case 1:
				s.Frame(a, c, c>>8|0xff, 2, 5)
			case 2:
				s.Text(scene.Point{X: a.X, Y: a.Y}, "text 世", scene.Font{Size: 10, Advance: 6, Line: 12}, scene.Bold, c)
			case 3:
				s.Line(3, c, scene.Point{X: a.X, Y: a.Y}, scene.Point{X: a.Right(), Y: a.Bottom()}, scene.Point{X: a.X, Y: a.Bottom()})
			case 4:
				s.Circle(a.Center(), a.W/2, c, 0xffffffff, 1)
			}
			s.Unclip(before)
		}
	}
	for range 6 {
		items = append(items, one())
	}
	screen := newDevice(width, height)
	for step := range 80 {
		switch r.IntN(4) {
		case 0:
			items[r.IntN(len(items))] = one()
		case 1:
			items = append(items, one())
		case 2:
			if len(items) > 3 {
				items = items[:len(items)-1]
			}
		case 3:
			_, _ = fmt.Fprintf(tt, "\x1b[%d;%dH\x1b[%dmAb", 1+r.IntN(4), 1+r.IntN(10), r.IntN(9))
		}
		tt.Snapshot(&snap)
		s.Begin(scene.Rect{W: width, H: height}, 1)
		s.Rect(s.Bounds, 0x102030ff, 0)
		for i, draw := range items {
			if i == 2 {
				s.Grid(scene.Rect{X: 30, Y: 20, W: 72, H: 48}, scene.Cells{
					Term: "1", Cell: scene.Size{W: 6, H: 12}, FontSize: 10, Cols: 12, Rows: 4, Version: snap.Version,
					Cursor: scene.SolidCursor, CursorSize: 1, Back: 0x000000ff, Text: 0xffffffff, CursorColor: 0xff0000ff,
				})
			}
			draw()
		}
		content := func(*scene.Cells) Content { return Content{Screen: &snap} }
		screen.draw(b.Build(&s, content, false))
		whole := newDevice(width, height)
		b.Invalidate()
		whole.draw(b.Build(&s, content, false))
		for i := range whole.pix {
			if whole.pix[i] != screen.pix[i] {
				t.Fatalf("step %d: pixel %d,%d is %v, should be %v", step, i%width, i/width, screen.pix[i], whole.pix[i])
			}
		}
	}
}

// TestFullAtlas: when there are more characters than room, the frame is built again and right.
func TestFullAtlas(t *testing.T) {
	b, w := builder(t), newWorld(2, 1)
	w.cells.Cell, w.cells.FontSize = scene.Size{W: 400, H: 500}, 300
	w.build(b)
	for r := rune(0xc0); r < 0xc0+120; r++ {
		_, _ = fmt.Fprintf(w.term, "\x1b[H%c%c", r, r+1)
		f := w.build(b)
		g := b.grids["1"]
		for i, want := range []rune{r, r + 1} {
			if got := g.Cells[i].At; got != g.Atlas.place(g.Atlas.rune(want, 1, 0)) || int(got>>16)+g.Atlas.h > g.Atlas.Height {
				t.Fatalf("%c is at %#x", want, got)
			}
		}
		if len(f.Damage) == 0 {
			t.Fatal("no damage")
		}
	}
	var a *Atlas
	for _, a = range b.atlases {
	}
	if a.Emptied == 0 || len(a.Pix) > AtlasWidth*maxHeight {
		t.Errorf("emptied %d times, %d bytes", a.Emptied, len(a.Pix))
	}
}

// TestMemoryIsBounded: sizes and terminals that are not needed any more go.
func TestMemoryIsBounded(t *testing.T) {
	b := builder(t)
	for i := range 40 {
		w := newWorld(4, 2)
		w.cells.Term, w.cells.FontSize = fmt.Sprint(i), float32(8+i)
		w.build(b)
	}
	if len(b.atlases) > maxAtlases {
		t.Errorf("%d atlases", len(b.atlases))
	}
	w := newWorld(4, 2)
	for range keepGrids + 1 {
		w.build(b)
	}
	if len(b.grids) != 1 {
		t.Errorf("%d grids", len(b.grids))
	}
}

// TestHostile: numbers without sense do no harm.
func TestHostile(t *testing.T) {
	b, w := builder(t), newWorld(10, 5)
	w.cells.Cols, w.cells.Rows, w.cells.Top = 500, 200, 1<<60
	w.build(b)
	w.cells.Cols, w.cells.Rows, w.cells.Top = 1, 1, 0
	w.build(b)
	w.cells.Cols, w.cells.Rows = 0, 0
	w.build(b)
	w.cells.Cell, w.cells.FontSize = scene.Size{W: 1e9, H: 1e9}, 1e9
	w.cells.Cols, w.cells.Rows = 10, 5
	w.build(b)
	w.cells.Cell, w.cells.FontSize = scene.Size{}, 0
	w.build(b)
	w.snap = term.Snapshot{}
	w.s.Begin(scene.Rect{W: 800, H: 600}, 1)
	w.s.Grid(scene.Rect{W: 80, H: 80}, w.cells)
	b.Build(&w.s, func(*scene.Cells) Content { return Content{} }, true)
	b.Build(&w.s, func(*scene.Cells) Content { return Content{Screen: &term.Snapshot{}, Older: make([]term.Row, 1)} }, true)
}

// TestOlderLines: above the screen are the lines that the app has, and blank ones.
func TestOlderLines(t *testing.T) {
	b := builder(t)
	tt := term.New(4, 2, term.Config{})
	_, _ = tt.Write([]byte("1\r\n2\r\n3\r\n4\r\n5"))
	var snap term.Snapshot
	tt.Snapshot(&snap)
	older := make([]term.Row, 2)
	tt.Lines(snap.Top-2, older)
	w := newWorld(4, 4)
	w.cells.Top = snap.Top - 2
	w.s.Begin(scene.Rect{W: 800, H: 600}, 1)
	w.s.Grid(scene.Rect{W: 32, H: 64}, w.cells)
	b.Build(&w.s, func(*scene.Cells) Content { return Content{Screen: &snap, Older: older} }, false)
	g := b.grids["1"]
	for y, r := range "2345" {
		if got := g.Cells[4*y].At; got != g.Atlas.place(g.Atlas.rune(r, 1, 0)) {
			t.Errorf("row %d does not begin with %c", y, r)
		}
	}
	b.Build(&w.s, func(*scene.Cells) Content { return Content{Screen: &snap, Stamp: 1} }, false)
	if g.Cells[0].At != 0 || g.Cells[8].At == 0 {
		t.Error("lines that are not known are not blank")
	}
}

// BenchmarkFill: the cells of a terminal that changes all over.
func BenchmarkFill(b *testing.B) {
	bb, w := builder(b), newWorld(200, 50)
	_, _ = w.term.Write([]byte("\x1b[H"))
	for i := range 10_000 {
		_, _ = fmt.Fprintf(w.term, "\x1b[38;5;%dm%c", i%256, '!'+i%90)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.cells.Dim = 0.3 - w.cells.Dim
		w.build(bb)
	}
}

// TestParts: regions that are near each other are shown at once, and all of them are.
func TestParts(t *testing.T) {
	r := func(x, y, w, h float32) scene.Rect { return scene.Rect{X: x, Y: y, W: w, H: h} }
	for _, c := range []struct {
		name   string
		damage []scene.Rect
		want   string
	}{
		{"nothing", nil, "[]"},
		{"one", []scene.Rect{r(5, 6, 7, 8)}, "[{5 6 7 8}]"},
		{"beside each other", []scene.Rect{r(0, 0, 8, 16), r(100, 0, 8, 16)}, "[{0 0 108 16}]"},
		{"far apart", []scene.Rect{r(0, 0, 8, 16), r(1000, 700, 80, 16)}, "[{0 0 8 16} {1000 700 80 16}]"},
		{"by a third", []scene.Rect{r(0, 0, 500, 16), r(0, 500, 500, 16), r(0, 17, 500, 482)}, "[{0 0 500 516}]"},
	} {
		f := &Frame{Damage: c.damage}
		if got := fmt.Sprint(f.Parts()); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
