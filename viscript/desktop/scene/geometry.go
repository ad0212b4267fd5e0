package scene

import "math"

// A Point is a place in window units, from the upper left corner down and to the right.
type Point struct{ X, Y float32 }

// A Size is an extent in window units.
type Size struct{ W, H float32 }

// A Rect holds the points from X, Y up to, not including, X+W, Y+H. It is empty if W or H is not positive.
type Rect struct{ X, Y, W, H float32 }

// Right is the first X beyond r.
func (r Rect) Right() float32 { return r.X + r.W }

// Bottom is the first Y below r.
func (r Rect) Bottom() float32 { return r.Y + r.H }

// Empty: r holds no point.
func (r Rect) Empty() bool { return !(r.W > 0 && r.H > 0) }

// Has: p is in r.
func (r Rect) Has(p Point) bool {
	return p.X >= r.X && p.Y >= r.Y && p.X < r.Right() && p.Y < r.Bottom()
}

// Center is the middle of r.
func (r Rect) Center() Point { return Point{r.X + r.W/2, r.Y + r.H/2} }

// Inset is r without d at each side; it may become empty.
func (r Rect) Inset(d float32) Rect { return Rect{r.X + d, r.Y + d, r.W - 2*d, r.H - 2*d} }

// Move is r shifted.
func (r Rect) Move(dx, dy float32) Rect { return Rect{r.X + dx, r.Y + dy, r.W, r.H} }

// Intersect is what both hold, the zero Rect if that is nothing.
func (r Rect) Intersect(s Rect) Rect {
	x, y := max(r.X, s.X), max(r.Y, s.Y)
	out := Rect{x, y, min(r.Right(), s.Right()) - x, min(r.Bottom(), s.Bottom()) - y}
	if out.Empty() {
		return Rect{}
	}
	return out
}

// Union is the smallest Rect that holds both; empty ones do not count.
func (r Rect) Union(s Rect) Rect {
	if r.Empty() {
		return s
	}
	if s.Empty() {
		return r
	}
	x, y := min(r.X, s.X), min(r.Y, s.Y)
	return Rect{x, y, max(r.Right(), s.Right()) - x, max(r.Bottom(), s.Bottom()) - y}
}

func (r Rect) area() float32 { return r.W * r.H }

// Finite: f is a number that can be computed with, neither NaN nor infinite.
func Finite(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// Align rounds v to a whole number of pixels at scale.
func Align(v, scale float32) float32 {
	return float32(math.Round(float64(v*scale))) / scale
}

// A Font is how large text is: Size of an em, Advance from column to column and Line from row to row,
// all in window units, the last two whole pixels.
type Font struct{ Size, Advance, Line float32 }

// Metrics are what a font's advance and line height are in ems.
type Metrics struct{ Advance, Line float32 }

// DejaVu are the metrics of DejaVu Sans Mono: 1233 and 2384 of 2048 units an em.
func DejaVu() Metrics { return Metrics{Advance: 1233.0 / 2048, Line: 2384.0 / 2048} }

// At is the font at size, on pixels of scale; neither extent is under one pixel.
func (m Metrics) At(size, scale float32) Font {
	px := 1 / scale
	return Font{size, max(px, Align(m.Advance*size, scale)), max(px, Align(m.Line*size, scale))}
}
