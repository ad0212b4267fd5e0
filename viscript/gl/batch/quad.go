package batch

import "github.com/skycoin/viscript/viscript/desktop/scene"

// The kinds of a Quad.
const (
	Solid   uint32 = iota // all of Rect
	Rounded               // Shape: radius, width of the border
	Glyph                 // Shape: upper left pixel in the atlas
	Capsule               // Shape: from x, y to x, y; Width; without what lies in the line from Before
)

// A Quad is an instance of a rectangle, 72 bytes as the device reads them.
type Quad struct {
	Rect   [4]float32 // left, top, right, bottom
	Clip   [4]float32
	Shape  [4]float32
	Before [2]float32 // the point before the first one of a Capsule
	Width  float32
	Kind   uint32
	Color  uint32 // R in the lowest byte, then G, B, A
	Border uint32
}

// QuadSize is that of a Quad in bytes.
const QuadSize = 72

// pack is c as the device reads it.
func pack(c scene.Color) uint32 {
	r, g, b, a := c.Parts()
	return uint32(r) | uint32(g)<<8 | uint32(b)<<16 | uint32(a)<<24
}

func edges(r scene.Rect, scale float32) [4]float32 {
	return [4]float32{r.X * scale, r.Y * scale, r.Right() * scale, r.Bottom() * scale}
}

// whole are the edges on whole pixels.
func whole(r scene.Rect, scale float32) [4]float32 {
	e := edges(r, scale)
	for i := range e {
		e[i] = round(e[i])
	}
	return e
}

func round(f float32) float32 { return scene.Align(f, 1) }

// box adds a rectangle; without rounding and border it lies on whole pixels.
func (f *Frame) box(it *scene.Item, scale float32) {
	q := Quad{Rect: whole(it.Rect, scale), Clip: whole(it.Clip, scale), Color: pack(it.Color), Border: pack(it.Border)}
	width := float32(0)
	if it.Width > 0 {
		width = max(1, round(it.Width*scale))
	}
	if radius := it.Radius * scale; radius >= 0.5 || width > 0 {
		q.Kind, q.Shape[0], q.Shape[1] = Rounded, min(radius, (q.Rect[2]-q.Rect[0])/2, (q.Rect[3]-q.Rect[1])/2), width
	}
	f.quad(q)
}

func (f *Frame) circle(it *scene.Item, scale float32) {
	q := Quad{Kind: Rounded, Rect: edges(it.Rect, scale), Clip: whole(it.Clip, scale), Color: pack(it.Color), Border: pack(it.Border)}
	q.Shape[0] = (q.Rect[2] - q.Rect[0]) / 2
	if it.Width > 0 {
		q.Shape[1] = it.Width * scale
	}
	f.quad(q)
}

func (f *Frame) line(it *scene.Item, points []scene.Point, scale float32) {
	q := Quad{Kind: Capsule, Clip: whole(it.Clip, scale), Color: pack(it.Color), Width: max(1, it.Width*scale)}
	far := float32(-1e9)
	q.Before = [2]float32{far, far}
	at := func(p scene.Point) (x, y float32) { return p.X * scale, p.Y * scale }
	if len(points) == 2 && (points[0].X == points[1].X || points[0].Y == points[1].Y) {
		f.straight(q, points, scale)
		return
	}
	for i := 1; i < len(points); i++ {
		x0, y0 := at(points[i-1])
		x1, y1 := at(points[i])
		q.Shape = [4]float32{x0, y0, x1, y1}
		pad := q.Width/2 + 1
		q.Rect = [4]float32{min(x0, x1) - pad, min(y0, y1) - pad, max(x0, x1) + pad, max(y0, y1) + pad}
		f.quad(q)
		q.Before = [2]float32{x0, y0}
	}
}

// straight is a level or upright line, on whole pixels so that it is sharp.
func (f *Frame) straight(q Quad, p []scene.Point, scale float32) {
	w := max(1, round(q.Width))
	x0, y0 := min(p[0].X, p[1].X)*scale, min(p[0].Y, p[1].Y)*scale
	x1, y1 := max(p[0].X, p[1].X)*scale, max(p[0].Y, p[1].Y)*scale
	if p[0].Y == p[1].Y {
		y0 = round(y0 - w/2)
		y1 = y0 + w
		x0, x1 = round(x0), round(x1)
	} else {
		x0 = round(x0 - w/2)
		x1 = x0 + w
		y0, y1 = round(y0), round(y1)
	}
	q.Kind, q.Rect, q.Shape, q.Before = Solid, [4]float32{x0, y0, x1, y1}, [4]float32{}, [2]float32{}
	f.quad(q)
}
