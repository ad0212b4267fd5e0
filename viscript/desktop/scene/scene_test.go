package scene

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestThemesCanBeRead(t *testing.T) {
	for _, theme := range Themes() {
		for _, p := range theme.Pairs() {
			if c := Contrast(p.Text, p.Back); c < 4.5 {
				t.Errorf("%s, %s: %08x on %08x has %.2f", theme.Name, p.Name, uint32(p.Text), uint32(p.Back), c)
			}
			if p.Text&0xff != 0xff || p.Back&0xff != 0xff {
				t.Errorf("%s, %s is not opaque", theme.Name, p.Name)
			}
		}
		if Named(theme.Name) != theme {
			t.Errorf("%s is not found by its name", theme.Name)
		}
	}
	if Named("\x00") != Dark() {
		t.Error("an unknown theme is not the dark one")
	}
}

func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b Color
		want float64
	}{{0xffffffff, 0x000000ff, 21}, {0x777777ff, 0xffffffff, 4.48}, {0x123456ff, 0x123456ff, 1}, {0x0000ffff, 0xffffffff, 8.59}} {
		if got := Contrast(c.a, c.b); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%08x on %08x: %.3f, want %.2f", uint32(c.a), uint32(c.b), got, c.want)
		}
	}
}

func TestColors(t *testing.T) {
	for got, want := range map[Color]Color{
		Color(0xff000080).Over(0x0000ffff):       0x80007fff,
		Color(0xff000000).Over(0x102030ff):       0x102030ff,
		Color(0x112233ff).Alpha(0.5):             0x11223380,
		Color(0x112233ff).Alpha(7):               0x112233ff,
		Color(0x00000044).Mix(0xffffffff, 0.5):   0x80808044,
		Color(0x102030ff).Mix(0xffffffff, 0):     0x102030ff,
		Color(0x102030ff).Mix(0xffeeddff, 1):     0xffeeddff,
		Color(0xffffffff).Over(0x000000ff) & 255: 255,
	} {
		if got != want {
			t.Errorf("got %08x, want %08x", uint32(got), uint32(want))
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		s    string
		cols int
		want string
	}{
		{"terminal", 8, "terminal"}, {"terminal", 7, "term..."}, {"terminal", 4, "t..."}, {"terminal", 3, "..."}, {"terminal", 2, ".."},
		{"terminal", 0, ""}, {"terminal", -5, ""}, {"", 3, ""}, {"世界世界", 8, "世界世界"}, {"世界世界", 7, "世界..."}, {"世界世界", 6, "世..."}, {"é́́", 1, "é́́"},
	} {
		if got := Fit(c.s, c.cols); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.s, c.cols, got, c.want)
		}
	}
}

func TestRects(t *testing.T) {
	r := Rect{10, 20, 30, 40}
	if !r.Has(Point{10, 20}) || r.Has(Point{40, 20}) || r.Has(Point{10, 60}) || r.Inset(20).Has(r.Center()) {
		t.Error("Has")
	}
	if got := r.Intersect(Rect{0, 0, 15, 25}); got != (Rect{10, 20, 5, 5}) {
		t.Error(got)
	}
	if got := r.Intersect(Rect{40, 0, 15, 25}); got != (Rect{}) {
		t.Error(got)
	}
	if got := r.Union(Rect{0, 0, 5, 5}).Union(Rect{}); got != (Rect{0, 0, 40, 60}) {
		t.Error(got)
	}
	if f := DejaVu().At(14, 1); f != (Font{14, 8, 16}) {
		t.Error(f)
	}
	if f := DejaVu().At(14, 2); f != (Font{14, 8.5, 16.5}) {
		t.Error(f)
	}
	if f := DejaVu().At(0.1, 1); f.Advance != 1 || f.Line != 1 {
		t.Error(f)
	}
}

// draw adds random items, and is the same for the same seed.
func draw(s *Scene, seed uint64, n int) {
	r := rand.New(rand.NewPCG(seed, 0))
	s.Begin(Rect{0, 0, 400, 300}, 1)
	box := func() Rect {
		return Rect{r.Float32()*400 - 20, r.Float32()*300 - 20, r.Float32() * 90, r.Float32() * 90}
	}
	for range n {
		before := s.Clip(box().Union(box()))
		b := box()
		c := Color(r.Uint32())
		switch r.IntN(5) {
		case 0:
			s.Rect(b, c, 2)
		case 1:
			s.Text(Point{b.X, b.Y}, fmt.Sprint("text", r.IntN(3)), Font{14, 8, 16}, Bold, c)
		case 2:
			s.Line(1, c, Point{b.X, b.Y}, Point{b.Right(), b.Bottom()}, Point{b.X, b.Bottom()})
		case 3:
			s.Circle(b.Center(), b.W/2, c, 0, 0)
		case 4:
			s.Grid(b, Cells{Term: "1", Cols: 3, Version: uint64(r.IntN(3))})
		}
		s.Unclip(before)
	}
}

// at is what is drawn over p, from back to front.
func (s *Scene) at(p Point) string {
	var out []string
	for i := range s.Items {
		it := s.Items[i]
		if !it.seen().Has(p) {
			continue
		}
		extra := fmt.Sprint(s.Points[it.First*b2i(it.Kind == Line) : (it.First+it.Count)*b2i(it.Kind == Line)])
		if it.Kind == Grid {
			extra = fmt.Sprint(s.Grids[it.First])
		}
		it.First, it.Owner = 0, 0
		out = append(out, fmt.Sprintf("%+v %s", it, extra))
	}
	return strings.Join(out, "\n")
}

func b2i(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// Outside the damage both scenes draw the same in the same order.
func TestDiffMissesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 300 {
		var a, b Scene
		n := r.IntN(30)
		draw(&a, uint64(round), n)
		draw(&b, uint64(round), n)
		if round%2 == 0 && len(b.Items) > 1 {
			i := r.IntN(len(b.Items))
			switch r.IntN(3) {
			case 0:
				b.Items = slices.Delete(b.Items, i, i+1)
			case 1:
				b.Items[i].Color++
			case 2:
				b.Items[0], b.Items[i] = b.Items[i], b.Items[0]
			}
		} else if round%3 == 0 {
			draw(&b, uint64(round+1), n)
		}
		damage := Diff(nil, &a, &b)
		if len(damage) > maxDamage {
			t.Fatalf("%d regions", len(damage))
		}
		for i, d := range damage {
			for _, e := range damage[i+1:] {
				if !d.Intersect(e).Empty() {
					t.Fatalf("%v and %v overlap", d, e)
				}
			}
		}
		for range 400 {
			p := Point{r.Float32() * 400, r.Float32() * 300}
			in := slices.ContainsFunc(damage, func(d Rect) bool { return d.Has(p) })
			if !in && a.at(p) != b.at(p) {
				t.Fatalf("round %d: %v changed outside %v", round, p, damage)
			}
		}
	}
}

func TestDiffOfTheSameIsNothing(t *testing.T) {
	var a, b Scene
	draw(&a, 1, 50)
	draw(&b, 1, 50)
	if d := Diff(nil, &a, &b); len(d) > 0 {
		t.Error(d)
	}
	if d := Diff(nil, nil, &a); len(d) != 1 || d[0] != a.Bounds {
		t.Error(d)
	}
	b.Begin(Rect{0, 0, 10, 10}, 1)
	if d := Diff(nil, &a, &b); len(d) != 1 || d[0] != b.Bounds {
		t.Error(d)
	}
	i := slices.IndexFunc(a.Items, func(it Item) bool { return it.Kind == Grid })
	draw(&b, 1, 50)
	b.Grids[b.Items[i].First].Version++
	if d := Diff(nil, &a, &b); len(d) != 1 || d[0] != a.Items[i].seen() {
		t.Errorf("a grid with new content: %v, want %v", d, a.Items[i].seen())
	}
	i = slices.IndexFunc(a.Items, func(it Item) bool { return it.Kind == Line })
	draw(&b, 1, 50)
	b.Points[b.Items[i].First+1].Y--
	if d := Diff(nil, &a, &b); len(d) != 1 || d[0] != a.Items[i].seen() {
		t.Errorf("a curve that bends: %v, want %v", d, a.Items[i].seen())
	}
}

func TestText(t *testing.T) {
	var s Scene
	s.Begin(Rect{0, 0, 100, 50}, 2)
	s.Own(7)
	f := Font{14, 8.5, 16}
	if x := s.Text(Point{10, 10}, "aé世", f, Oblique, 0x010203ff); x != 10+4*8.5 {
		t.Errorf("it ends at %v", x)
	}
	before := s.Clip(Rect{50, 0, 100, 100})
	s.Rect(Rect{0, 0, 20, 20}, 0xff, 0) // out of sight
	s.Frame(Rect{40.25, 0, 20, 20}, 0x11, 0x22, 1.5, 3)
	s.Unclip(before)
	s.Line(2, 0x33, Point{1, 1}, Point{-0.01, 9})
	s.Line(2, 0x33, Point{1, 1})
	s.Circle(Point{20, 20}, 5, 0x44, 0x55, 1)
	s.Grid(Rect{0, 0, 16, 32}, Cells{Term: "t\n", Cols: 2, Rows: 2, Cell: Size{8, 16}, Top: 9, Cursor: SolidCursor})
	s.Pointer = IBeam
	want := `scene 0,0 100x50 scale 2 pointer ibeam
text 10,10 34x16 #010203ff size 14 oblique "aé世"
clip 50,0 50x50
box 40.2,0 20x20 #00000011 border 1.5 #00000022 radius 3
clip 0,0 100x50
line -2,-1 5x12 #00000033 width 2 1,1 0,9
circle 15,15 10x10 #00000044 border 1 #00000055
grid 0,0 16x32 "t\n" 2x2 cell 8x16 top 9 cursor 2 dim 0
`
	if got := string(s.AppendText(nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s.Items[0].Owner != 7 {
		t.Error("the owner is lost")
	}
}
