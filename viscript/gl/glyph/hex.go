package glyph

// digits are the hexadecimal digits, three by five pixels, a row in each three bits from the top.
var digits = [16]uint16{
	0b111_101_101_101_111, 0b010_110_010_010_111, 0b111_001_111_100_111, 0b111_001_111_001_111,
	0b101_101_111_001_001, 0b111_100_111_001_111, 0b111_100_111_101_111, 0b111_001_001_010_010,
	0b111_101_111_101_111, 0b111_101_111_001_111, 0b111_101_111_101_101, 0b110_101_110_101_110,
	0b111_100_100_100_111, 0b110_101_101_101_110, 0b111_100_111_100_111, 0b111_100_111_100_100,
}

// hexBox is a frame with the number of r in it, as far as there is room; a narrow one has no sides.
func (c *canvas) hexBox(r rune) {
	x0, y0, x1, y1 := 0, c.h/16, c.w, c.h-c.h/16
	t := max(1, c.h/24)
	n := 4
	if r > 0xffff {
		n = 6
	}
	cols, sides := 2, t
	switch {
	case n == 6 && x1-x0 >= 11+4*t:
		cols = 3
	case x1-x0 < 7+4*t:
		sides = 0
	}
	rows := (n + cols - 1) / cols
	w, h := 4*cols-1, 6*rows-1
	px := min((x1-x0-2*sides)/w, (y1-y0-2*t)/h)
	if px < 1 {
		sides = t
	}
	c.fill(x0, y0, x1, y0+t, 130)
	c.fill(x0, y1-t, x1, y1, 130)
	c.fill(x0, y0, x0+sides, y1, 130)
	c.fill(x1-sides, y0, x1, y1, 130)
	if px >= 1 {
		c.number(r, n, cols, px, (x0+x1-px*w)/2, (y0+y1-px*h)/2)
	}
}

func (c *canvas) number(r rune, n, cols, px, x0, y0 int) {
	for i := range n {
		d := digits[r>>(4*(n-1-i))&15]
		for bit := range 15 {
			if d>>(14-bit)&1 != 0 {
				x, y := x0+px*(i%cols*4+bit%3), y0+px*(i/cols*6+bit/3)
				c.fill(x, y, x+px, y+px, 220)
			}
		}
	}
}
