package batch

import (
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// largeFill is the area in pixels from which a device is better told to fill than to draw.
const largeFill = 128 * 128

// farApart is the area in pixels from which two regions are better shown one by one than with what lies between
// them: showing one is a round trip to the X server.
const farApart = 128 * 128

// A Step is one call of the device: quads, or the cells of a grid, or a fill.
type Step struct {
	Atlas       *Atlas // nil if no quad is a Glyph
	First, Last int    // quads
	Grid        *Grid  // instead of quads
	Fill        uint32 // instead of both, if it is not 0: an opaque colour as in Quad
	Clip        [4]float32
}

// plain: the step is quads.
func (s *Step) plain() bool { return s.Grid == nil && s.Fill == 0 }

// hides: after s nothing of what was at r before can be seen.
func (s *Step) hides(r scene.Rect) bool {
	return !s.plain() && s.Clip[0] <= r.X && s.Clip[1] <= r.Y && s.Clip[2] >= r.Right() && s.Clip[3] >= r.Bottom()
}

// Begin is the step from which on those are to be drawn that make up region r: an opaque one that covers
// all of it, if there is one.
func (f *Frame) Begin(r scene.Rect) int {
	for i := len(f.Steps) - 1; i > 0; i-- {
		if f.Steps[i].hides(r) {
			return i
		}
	}
	return 0
}

// Parts are the regions to show so that all of Damage is seen. They are valid until the next call.
func (f *Frame) Parts() []scene.Rect {
	f.parts = f.parts[:0]
	for _, r := range f.Damage {
		for i := 0; i < len(f.parts); i++ {
			p := f.parts[i]
			if all := r.Union(p); area(all) < area(r)+area(p)+farApart {
				r, i, f.parts = all, -1, slices.Delete(f.parts, i, i+1)
			}
		}
		f.parts = append(f.parts, r)
	}
	return f.parts
}

func area(r scene.Rect) float32 { return r.W * r.H }

// A Frame is what the device is to draw. It belongs to its Builder and is valid until the next Build.
type Frame struct {
	Width, Height int          // of the framebuffer
	Damage        []scene.Rect // what has changed since the last frame, in pixels, within the framebuffer; nothing else need be drawn
	Quads         []Quad
	Steps         []Step

	parts  []scene.Rect
	damage []scene.Rect // outside of which nothing is added; nil: all
}

func (f *Frame) quad(q Quad) {
	c := scene.Rect{X: max(q.Rect[0], q.Clip[0]), Y: max(q.Rect[1], q.Clip[1])}
	c.W, c.H = min(q.Rect[2], q.Clip[2])-c.X, min(q.Rect[3], q.Clip[3])-c.Y
	if c.Empty() || !f.touched(c) {
		return
	}
	if q.Kind == Solid && q.Color>>24 == 0xff && c.W*c.H >= largeFill {
		f.Steps = append(f.Steps, Step{Fill: q.Color, Clip: [4]float32{c.X, c.Y, c.Right(), c.Bottom()}})
		return
	}
	if n := len(f.Steps); n == 0 || !f.Steps[n-1].plain() {
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
	if n > 0 && f.Steps[n-1].plain() && (f.Steps[n-1].Atlas == nil || f.Steps[n-1].Atlas == a) {
		f.Steps[n-1].Atlas = a
		return
	}
	f.Steps = append(f.Steps, Step{Atlas: a, First: len(f.Quads), Last: len(f.Quads)})
}
