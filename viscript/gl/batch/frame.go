package batch

import "github.com/skycoin/viscript/viscript/desktop/scene"

// A Step is one call of the device: quads, or the cells of a grid.
type Step struct {
	Atlas       *Atlas // nil if no quad is a Glyph
	First, Last int    // quads
	Grid        *Grid  // instead of quads
	Clip        [4]float32
}

// A Frame is what the device is to draw. It belongs to its Builder and is valid until the next Build.
type Frame struct {
	Width, Height int          // of the framebuffer
	Damage        []scene.Rect // what has changed since the last frame, in pixels, within the framebuffer; nothing else need be drawn
	Quads         []Quad
	Steps         []Step

	damage []scene.Rect // outside of which nothing is added; nil: all
}

func (f *Frame) quad(q Quad) {
	c := scene.Rect{X: max(q.Rect[0], q.Clip[0]), Y: max(q.Rect[1], q.Clip[1])}
	c.W, c.H = min(q.Rect[2], q.Clip[2])-c.X, min(q.Rect[3], q.Clip[3])-c.Y
	if c.Empty() || !f.touched(c) {
		return
	}
	if n := len(f.Steps); n == 0 || f.Steps[n-1].Grid != nil {
		f.Steps = append(f.Steps, Step{First: len(f.Quads), Last: len(f.Quads)})
	}
	f.Quads = append(f.Quads, q)
	f.Steps[len(f.Steps)-1].Last = len(f.Quads)
}

func (f *Frame) touched(r scene.Rect) bool {
	for _, d := range f.damage {
		if !d.Intersect(r).Empty() {
			return true
		}
	}
	return f.damage == nil
}

// use says that the next quads are of that atlas.
func (f *Frame) use(a *Atlas) {
	n := len(f.Steps)
	if n > 0 && f.Steps[n-1].Grid == nil && (f.Steps[n-1].Atlas == nil || f.Steps[n-1].Atlas == a) {
		f.Steps[n-1].Atlas = a
		return
	}
	f.Steps = append(f.Steps, Step{Atlas: a, First: len(f.Quads), Last: len(f.Quads)})
}
