package glyph

import "math"

// A Line goes along a cell.
type Line uint8

// The lines.
const (
	SingleLine Line = iota
	DoubleLine
	CurlyLine
	DottedLine
	DashedLine
	StrikeLine
	OverLine
)

// DrawLine draws l into one cell as Draw does a character; in cells side by side it continues.
func (f *Face) DrawLine(dst []byte, stride int, l Line) {
	c := canvas{pix: dst, stride: stride, w: f.w, h: f.h}
	t := f.Thickness()
	y := min(f.baseline+max(1, (f.h-f.baseline)/3), f.h-t)
	level := func(y int) { c.fill(0, y, f.w, y+t, 255) }
	switch l {
	case SingleLine:
		level(y)
	case DoubleLine:
		y = min(y, f.h-3*t)
		level(y)
		level(y + 2*t)
	case CurlyLine:
		f.curl(&c, float64(t))
	case DottedLine:
		for x := 0; x < f.w; x += 2 * t {
			c.fill(x, y, min(x+t, f.w), y+t, 255)
		}
	case DashedLine:
		c.fill(0, y, f.w/4, y+t, 255)
		c.fill(f.w-f.w/4, y, f.w, y+t, 255)
	case StrikeLine:
		level(f.baseline - int(math.Round(f.em*0.27)))
	case OverLine:
		level(0)
	}
}

// curl is a wave of one period a cell.
func (f *Face) curl(c *canvas, t float64) {
	room := float64(f.h-f.baseline) - 0.5
	amplitude := max(0.5, min((room-t)/2, 1.5*t))
	middle := float64(f.h) - amplitude - t/2 - 0.25
	step := 2 * math.Pi / float64(f.w)
	c.shape(func(x, y float64) float64 {
		slope := amplitude * step * math.Cos(x*step)
		d := math.Abs(y-middle-amplitude*math.Sin(x*step)) / math.Hypot(1, slope)
		return d - t/2
	})
}
