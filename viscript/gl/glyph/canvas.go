package glyph

import (
	"image"
	"math"
)

// A canvas is the pixels of one character.
type canvas struct {
	pix    []byte
	stride int
	w, h   int
}

// set makes a pixel at least that dark.
func (c *canvas) set(x, y int, v uint8) {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return
	}
	if p := &c.pix[y*c.stride+x]; *p < v {
		*p = v
	}
}

// fill darkens the pixels from x0, y0 up to, not including, x1, y1.
func (c *canvas) fill(x0, y0, x1, y1 int, v uint8) {
	for y := max(0, y0); y < min(y1, c.h); y++ {
		for x := max(0, x0); x < min(x1, c.w); x++ {
			c.set(x, y, v)
		}
	}
}

// shape darkens each pixel by how much of it lies inside, given the distance of its centre from the edge:
// negative is inside.
func (c *canvas) shape(distance func(x, y float64) float64) {
	for y := range c.h {
		for x := range c.w {
			d := distance(float64(x)+0.5, float64(y)+0.5)
			c.set(x, y, uint8(math.Round(255*max(0, min(1, 0.5-d)))))
		}
	}
}

func (c *canvas) mask(dr image.Rectangle, mask image.Image, mp image.Point) {
	dr2 := dr.Intersect(image.Rect(0, 0, c.w, c.h))
	for y := dr2.Min.Y; y < dr2.Max.Y; y++ {
		for x := dr2.Min.X; x < dr2.Max.X; x++ {
			if a, ok := mask.(*image.Alpha); ok {
				c.set(x, y, a.AlphaAt(x-dr.Min.X+mp.X, y-dr.Min.Y+mp.Y).A)
				continue
			}
			_, _, _, a := mask.At(x-dr.Min.X+mp.X, y-dr.Min.Y+mp.Y).RGBA()
			c.set(x, y, uint8(a>>8))
		}
	}
}

func (c *canvas) blank() bool {
	for y := range c.h {
		for _, v := range c.pix[y*c.stride : y*c.stride+c.w] {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

// enlarge draws s in the middle of c, each pixel as a square of whole pixels; if c is too small for that, by
// the mean of what falls into each pixel.
func (c *canvas) enlarge(s *canvas) {
	n := min(c.w/s.w, (c.h+2)/s.h)
	if n < 1 {
		c.shrink(s)
		return
	}
	ox, oy := (c.w-n*s.w)/2, (c.h-n*s.h)/2
	for y := range s.h {
		for x := range s.w {
			if v := s.pix[y*s.stride+x]; v != 0 {
				c.fill(ox+x*n, oy+y*n, ox+x*n+n, oy+y*n+n, v)
			}
		}
	}
}

func (c *canvas) shrink(s *canvas) {
	f := max(float64(s.w)/float64(c.w), float64(s.h)/float64(c.h))
	for y := range c.h {
		for x := range c.w {
			c.set(x, y, s.mean(float64(x)*f, float64(y)*f, f))
		}
	}
}

// mean is that of the square of side f at x, y.
func (c *canvas) mean(x, y, f float64) uint8 {
	sum := 0.0
	for py := int(y); py < min(c.h, int(math.Ceil(y+f))); py++ {
		for px := int(x); px < min(c.w, int(math.Ceil(x+f))); px++ {
			wx := min(x+f, float64(px+1)) - max(x, float64(px))
			wy := min(y+f, float64(py+1)) - max(y, float64(py))
			sum += wx * wy * float64(c.pix[py*c.stride+px])
		}
	}
	return uint8(min(255, sum/(f*f)))
}
