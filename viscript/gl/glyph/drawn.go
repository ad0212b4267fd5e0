package glyph

import "math"

// drawn: r is no matter of a font.
func drawn(r rune) bool {
	return r >= 0x2500 && r <= 0x259f || r >= 0x2800 && r <= 0x28ff || r >= 0xe0b0 && r <= 0xe0b7
}

// draw draws r, for which drawn is true, with lines of thickness t.
func (c *canvas) draw(r rune, t int) {
	switch {
	case r >= 0xe0b0:
		c.powerline(int(r-0xe0b0), float64(t))
	case r >= 0x2800:
		c.braille(int(r - 0x2800))
	case r >= 0x2580:
		c.block(int(r - 0x2580))
	case r >= 0x256d && r <= 0x2570:
		c.arc(int(r-0x256d), t)
	case r >= 0x2571 && r <= 0x2573:
		c.diagonal(r != 0x2572, r != 0x2571, float64(t))
	case r >= 0x2504 && r <= 0x250b:
		c.dashes(3+int(r-0x2504)/4, (r-0x2504)&2 != 0, r&1 != 0, t)
	case r >= 0x254c && r <= 0x254f:
		c.dashes(2, r >= 0x254e, r&1 != 0, t)
	default:
		c.lines(int(r-0x2500), t)
	}
}

// dashes is a line of n strokes; what is between them is as it must be for cells to continue each other.
func (c *canvas) dashes(n int, vertical, thick bool, t int) {
	along, across := newAxis(c.w, t), newAxis(c.h, t)
	if vertical {
		along, across = across, along
	}
	b := across.light
	if thick {
		b = across.heavy
	}
	for i := range n {
		from, to := i*along.size/n, (i+1)*along.size/n
		gap := max(1, (to-from)/3)
		from, to = from+gap/2, to-(gap-gap/2)
		if vertical {
			c.fill(b.a, from, b.b, to, 255)
		} else {
			c.fill(from, b.a, to, b.b, 255)
		}
	}
}

// arc is a quarter of a circle from one edge to another: right and down, left and down, left and up, right
// and up.
func (c *canvas) arc(i, t int) {
	xs, ys := newAxis(c.w, t), newAxis(c.h, t)
	half := float64(t) / 2
	cx, cy := float64(xs.light.a)+half, float64(ys.light.a)+half
	sx, sy := 1.0, 1.0 // toward the edges that it meets
	if i == 1 || i == 2 {
		sx = -1
	}
	if i >= 2 {
		sy = -1
	}
	r := min(float64(c.w), float64(c.h)) / 2
	c.shape(func(x, y float64) float64 {
		dx, dy := (x-cx)*sx, (y-cy)*sy
		switch {
		case dx >= r && dy >= r:
			return 1
		case dy >= r:
			return math.Abs(dx) - half
		case dx >= r:
			return math.Abs(dy) - half
		}
		return math.Abs(math.Hypot(dx-r, dy-r)-r) - half
	})
}

func (c *canvas) diagonal(rising, falling bool, t float64) {
	w, h := float64(c.w), float64(c.h)
	n := math.Hypot(w, h)
	c.shape(func(x, y float64) float64 {
		d := math.Inf(1)
		if rising {
			d = math.Abs(h*x+w*y-w*h) / n
		}
		if falling {
			d = min(d, math.Abs(h*x-w*y)/n)
		}
		return d - t/2
	})
}

// block is U+2580 to U+259F: parts of the cell, to whole pixels, and shades.
func (c *canvas) block(i int) {
	x8 := func(n int) int { return (c.w*n + 4) / 8 }
	y8 := func(n int) int { return (c.h*n + 4) / 8 }
	quarters := [...]uint8{0b0010, 0b0001, 0b1000, 0b1011, 0b1001, 0b1110, 0b1101, 0b0100, 0b0110, 0b0111} // upper left is the highest bit, then upper right, lower left
	switch {
	case i == 0:
		c.fill(0, 0, c.w, y8(4), 255)
	case i <= 8:
		c.fill(0, y8(8-i), c.w, c.h, 255)
	case i <= 0xf:
		c.fill(0, 0, x8(0x10-i), c.h, 255)
	case i == 0x10:
		c.fill(x8(4), 0, c.w, c.h, 255)
	case i <= 0x13:
		c.fill(0, 0, c.w, c.h, uint8(64*(i-0x10)))
	case i == 0x14:
		c.fill(0, 0, c.w, max(1, y8(1)), 255)
	case i == 0x15:
		c.fill(c.w-max(1, x8(1)), 0, c.w, c.h, 255)
	default:
		for k, q := range [4][4]int{{0, 0, x8(4), y8(4)}, {x8(4), 0, c.w, y8(4)}, {0, y8(4), x8(4), c.h}, {x8(4), y8(4), c.w, c.h}} {
			if quarters[i-0x16]>>(3-k)&1 != 0 {
				c.fill(q[0], q[1], q[2], q[3], 255)
			}
		}
	}
}

// braille is a pattern of two by four dots, numbered as in Unicode: 1 2 3 7 on the left, 4 5 6 8 on the right.
func (c *canvas) braille(bits int) {
	size := max(1, min(c.w/4, c.h/8))
	rows := [8]int{0, 1, 2, 0, 1, 2, 3, 3}
	cols := [8]int{0, 0, 0, 1, 1, 1, 0, 1}
	for i := range 8 {
		if bits>>i&1 == 0 {
			continue
		}
		x := (2*cols[i]+1)*c.w/4 - size/2
		y := (2*rows[i]+1)*c.h/8 - size/2
		c.fill(x, y, x+size, y+size, 255)
	}
}

// powerline is U+E0B0 to U+E0B7: a triangle and a chevron each to the right and to the left, and the same
// with round shapes.
func (c *canvas) powerline(i int, t float64) {
	w, h := float64(c.w), float64(c.h)
	left, outline, round := i&2 != 0, i&1 != 0, i >= 4
	n := math.Hypot(h/2, w)
	c.shape(func(x, y float64) float64 {
		if left {
			x = w - x
		}
		var d float64
		if round { // an ellipse; the distance is that to first order
			ex, ey := x/w, (y-h/2)/(h/2)
			f := ex*ex + ey*ey - 1
			d = f / max(1e-6, 2*math.Hypot(ex/w, ey/(h/2)))
		} else {
			d = (h/2*x + w*math.Abs(y-h/2) - w*h/2) / n
		}
		if outline {
			return math.Abs(d+t/2) - t/2
		}
		return d
	})
}
