package desktop

import (
	"math"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// grab is how much of a window's tab stays on the desktop: the close button and four columns.
func (w *window) grab() float32 {
	return min(w.frame().outer.W, w.tabHeight()+4*w.font.Advance)
}

// clamp moves w so that a corner of its tab can be grabbed.
func (d *Desktop) clamp(w *window) {
	a, f, g := d.area(), w.frame(), w.grab()
	w.pos.X = max(min(0, g-f.outer.W), min(w.pos.X, max(0, a.W-g)))
	w.pos.Y = max(0, min(w.pos.Y, max(0, a.H-f.tab.H)))
	w.pos.X, w.pos.Y = scene.Align(w.pos.X, d.scale), scene.Align(w.pos.Y, d.scale)
}

// move puts w at p, on the grid of cells unless smooth.
func (d *Desktop) move(w *window, p scene.Point, smooth bool) {
	if smooth {
		w.pos = p // clamp puts it on a pixel
	} else {
		w.pos = scene.Point{X: snap(p.X, d.font.Advance), Y: snap(p.Y, d.font.Line)}
	}
	d.clamp(w)
}

func snap(v, cell float32) float32 { return float32(math.Round(float64(v/cell))) * cell }

// cascade is where a new window goes: each a step right and below the newest, from the left or the
// top again at the edge.
func (d *Desktop) cascade(w *window) {
	step := scene.Point{X: 3 * d.font.Advance, Y: snap(w.tabHeight()+d.font.Line, d.font.Line)}
	p := scene.Point{X: 2 * d.font.Advance, Y: d.font.Line}
	if n := len(d.windows); n > 0 {
		last := d.windows[n-1].pos
		p = scene.Point{X: snap(last.X+step.X, d.font.Advance), Y: snap(last.Y+step.Y, d.font.Line)}
	}
	a, f := d.area(), w.frame().outer
	if p.X < 0 || p.X+f.W > a.W {
		p.X = 2 * d.font.Advance
	}
	if p.Y < 0 || p.Y+f.H > a.H {
		p.Y = d.font.Line
	}
	w.pos = p
	d.clamp(w)
}

// A dragKind is what the held button does.
type dragKind uint8

const (
	noDrag dragKind = iota
	dragMove
	dragRight
	dragBottom
	dragCorner
	dragSelect
	dragProgram // the program in the terminal follows the pointer
)

// A drag lasts from a press to its release.
type drag struct {
	kind   dragKind
	button Button
	window *window
	from   scene.Point // of the pointer, minus the corner that moves
	moved  bool
}

func (d *Desktop) beginDrag(kind dragKind, b Button, w *window) {
	corner := w.pos
	if f := w.frame(); kind != dragMove {
		corner = scene.Point{X: f.body.Right(), Y: f.body.Bottom()}
	}
	d.drag = drag{kind, b, w, scene.Point{X: d.pointer.X - corner.X, Y: d.pointer.Y - corner.Y}, false}
}

func (d *Desktop) dragTo(p scene.Point) {
	w := d.drag.window
	d.drag.moved = true
	to := scene.Point{X: p.X - d.drag.from.X, Y: p.Y - d.drag.from.Y}
	switch d.drag.kind {
	case dragMove:
		d.move(w, to, d.mods&Alt != 0)
	case dragRight, dragBottom, dragCorner:
		body := w.frame().body
		cols, rows := w.cols, w.rows
		if d.drag.kind != dragBottom {
			cols = roundCells(to.X-body.X, w.font.Advance)
		}
		if d.drag.kind != dragRight {
			rows = roundCells(to.Y-body.Y, w.font.Line)
		}
		d.setSize(w, cols, rows)
		d.clamp(w)
	case dragSelect:
		d.selectTo(w)
	case dragProgram:
		d.programMotion(w, d.drag.button)
	}
}

func roundCells(extent, cell float32) int {
	return int(math.Round(float64(max(0, min(extent/cell, 1e6)))))
}

// endDrag is for a release that will not come.
func (d *Desktop) endDrag() { d.drag = drag{} }

// zoom makes the window under w larger or smaller by steps of a tenth; 0 is the size it began with.
func (d *Desktop) zoom(w *window, steps int) {
	zoom := float32(1)
	if steps != 0 {
		zoom = w.zoom * float32(math.Pow(zoomStep, float64(steps)))
		if math.Abs(float64(zoom)-1) < 0.02 {
			zoom = 1
		}
	}
	w.setZoom(d, zoom)
	d.clamp(w)
}
