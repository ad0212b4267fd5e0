package panel

import "github.com/skycoin/viscript/viscript/desktop/scene"

// maxPoints of a curve; of more samples those that fall on one point show their maximum.
const maxPoints = 128

// curve draws values from left to right, newest at the right edge, 0 at the bottom and top at the top
// of r. span is how many samples the width stands for.
func (p *painter) curve(r scene.Rect, values []float32, span int, top float32, width float32, c scene.Color) {
	values = values[max(0, len(values)-span):]
	if len(values) == 0 || span < 2 || r.Empty() {
		return
	}
	var points [maxPoints]scene.Point
	bucket := (span + maxPoints - 1) / maxPoints
	n := 0
	for i := 0; i < len(values) && n < maxPoints; n++ {
		end := min(len(values), i+bucket)
		v := float32(0)
		for _, f := range values[i:end] {
			v = max(v, sample(f))
		}
		at := span - len(values) + end - 1
		points[n] = scene.Point{
			X: r.X + r.W*float32(at)/float32(span-1),
			Y: r.Bottom() - r.H*min(1, v/max(top, 1e-9)),
		}
		i = end
	}
	if n == 1 {
		points[1], n = scene.Point{X: points[0].X + 1, Y: points[0].Y}, 2
	}
	p.Line(width, c, points[:n]...)
}

// sparkSpan is how many samples a sparkline shows: two minutes.
const sparkSpan = 120

func (p *painter) spark(r scene.Rect, values []float32, floor float32, c scene.Color) {
	p.Rect(r, p.t.Divider.Alpha(0.25), 2)
	if len(values) == 0 {
		return
	}
	r = r.Inset(2)
	p.curve(r, values, sparkSpan, headroom*highest(floor, values[max(0, len(values)-sparkSpan):]), 1.5, c)
}

// headroom is how much higher than its highest value a curve has room for, so that a level one is seen as one.
const headroom = 1.25

func highest(floor float32, values []float32) float32 {
	for _, v := range values {
		floor = max(floor, sample(v))
	}
	return floor
}

func last(values []float32) float64 {
	if len(values) == 0 {
		return 0
	}
	return float64(sample(values[len(values)-1]))
}

// A series is one curve of a graph.
type series struct {
	name   string
	values []float32
}

// graph draws curves over 15 minutes with the newest values and the scale.
func (p *painter) graph(r scene.Rect, title string, floor float32, text func(float64) string, list ...series) {
	p.Frame(r, 0, p.t.Divider, 1, 3)
	in := r.Inset(gap)
	if in.Empty() {
		return
	}
	before := p.Clip(in)
	defer p.Unclip(before)
	top := floor
	for _, s := range list {
		top = highest(top, s.values)
	}
	top *= headroom
	x := p.Text(scene.Point{X: in.X, Y: in.Y}, title, p.Font, scene.Bold, p.t.PanelText) + p.Font.Advance
	for i, s := range list {
		x = p.Text(scene.Point{X: x, Y: in.Y}, s.name+text(last(s.values)), p.Font, scene.Regular, p.t.Series[i]) + p.Font.Advance
	}
	p.right(in.Right(), in.Y, text(float64(top)), p.t.PanelFaint)
	area := scene.Rect{X: in.X, Y: in.Y + p.Font.Line + 4, W: in.W, H: in.H - 2*p.Font.Line - 6}
	if area.Empty() {
		return
	}
	for i := range 3 {
		y := area.Y + area.H*float32(i)/2
		p.Line(1, p.t.Divider, scene.Point{X: area.X, Y: y}, scene.Point{X: area.Right(), Y: y})
	}
	for i, s := range list {
		p.curve(area, s.values, MaxSamples, top, 1.5, p.t.Series[i])
	}
	p.label(area.X, area.Bottom()+2, "-15 min", p.columns(area.W/2), scene.Regular, p.t.PanelFaint)
	p.right(area.Right(), area.Bottom()+2, "now", p.t.PanelFaint)
}
