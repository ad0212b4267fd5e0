package batch

import (
	"math"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A device draws frames as package gl does, slowly.
type device struct {
	w, h int
	pix  [][3]float32
}

func newDevice(w, h int) *device { return &device{w, h, make([][3]float32, w*h)} }

func (d *device) draw(f *Frame) {
	for _, dmg := range f.Damage {
		for i := f.Begin(dmg); i < len(f.Steps); i++ {
			d.step(f, &f.Steps[i], dmg)
		}
	}
}

func (d *device) step(f *Frame, s *Step, dmg scene.Rect) {
	for y := max(0, int(dmg.Y)); y < min(d.h, int(dmg.Bottom())); y++ {
		for x := max(0, int(dmg.X)); x < min(d.w, int(dmg.Right())); x++ {
			p := &d.pix[y*d.w+x]
			switch {
			case s.Grid != nil:
				if in(s.Clip, x, y) {
					s.Grid.pixel(p, x, y)
				}
			case s.Fill != 0:
				if in(s.Clip, x, y) {
					blend(p, s.Fill, 1)
				}
			default:
				for k := s.First; k < s.Last; k++ {
					f.Quads[k].pixel(p, s.Atlas, x, y)
				}
			}
		}
	}
}

func in(r [4]float32, x, y int) bool {
	px, py := float32(x)+0.5, float32(y)+0.5
	return px > r[0] && py > r[1] && px < r[2] && py < r[3]
}

func blend(p *[3]float32, color uint32, cover float32) {
	a := float32(color>>24) / 255 * cover
	for i := range p {
		p[i] += (float32(color>>(8*i)&255) - p[i]) * a
	}
}

func (g *Grid) pixel(p *[3]float32, x, y int) {
	cx, cy := (x-g.X)/g.Atlas.w, (y-g.Y)/g.Atlas.h
	c := g.Cells[cy*g.Cols+cx]
	u, v := c.pixel()
	blend(p, c.Bg, 1)
	blend(p, c.Fg, float32(g.Atlas.Pix[(v+(y-g.Y)%g.Atlas.h)*AtlasWidth+u+(x-g.X)%g.Atlas.w])/255)
}

func (q *Quad) pixel(p *[3]float32, a *Atlas, x, y int) {
	r := q.Rect
	if q.Kind == Rounded {
		r = [4]float32{r[0] - 1, r[1] - 1, r[2] + 1, r[3] + 1}
	}
	if !in(r, x, y) || !in(q.Clip, x, y) {
		return
	}
	switch q.Kind {
	case Solid:
		blend(p, q.Color, 1)
	case Glyph:
		u, v := int(q.Shape[0])+x-int(q.Rect[0]), int(q.Shape[1])+y-int(q.Rect[1])
		blend(p, q.Color, float32(a.Pix[v*AtlasWidth+u])/255)
	default: // how it is covered does not matter here, only that it depends on nothing else
		d := math.Hypot(float64(x)-float64(q.Shape[0]), float64(y)-float64(q.Shape[1]))
		blend(p, q.Color, float32(math.Abs(math.Sin(d))))
	}
}
