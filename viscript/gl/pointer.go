//go:build cgo && linux && !headless

package gl

import (
	"image"
	"image/color"
	"math"

	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// pointers are the shapes of the mouse pointer.
type pointers struct {
	shapes [scene.Diagonal + 1]*glfw.Cursor
	shown  scene.Pointer
}

func (p *pointers) make() {
	for shape, standard := range map[scene.Pointer]glfw.StandardCursor{
		scene.Arrow: glfw.ArrowCursor, scene.Hand: glfw.HandCursor, scene.IBeam: glfw.IBeamCursor,
		scene.Horizontal: glfw.HResizeCursor, scene.Vertical: glfw.VResizeCursor,
	} {
		p.shapes[shape] = glfw.CreateStandardCursor(standard)
	}
	up, down := [2]float64{0, -1}, [2]float64{0, 1}
	left, right := [2]float64{-1, 0}, [2]float64{1, 0}
	const d = math.Sqrt2 / 2
	p.shapes[scene.Move] = glfw.CreateCursor(arrows(up, down, left, right), pointerSize/2, pointerSize/2)
	p.shapes[scene.Diagonal] = glfw.CreateCursor(arrows([2]float64{d, d}, [2]float64{-d, -d}), pointerSize/2, pointerSize/2)
}

// show changes the shape if it is another one.
func (p *pointers) show(win *glfw.Window, shape scene.Pointer) {
	if shape == p.shown || int(shape) >= len(p.shapes) {
		return
	}
	p.shown = shape
	win.SetCursor(p.shapes[shape])
}

const pointerSize = 25

// arrows draws arrows from the middle, black with a white edge.
func arrows(directions ...[2]float64) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, pointerSize, pointerSize))
	for y := range pointerSize {
		for x := range pointerSize {
			px, py := float64(x)-pointerSize/2, float64(y)-pointerSize/2
			dist := math.Inf(1)
			for _, d := range directions {
				dist = min(dist, arrow(px*d[0]+py*d[1], math.Abs(px*d[1]-py*d[0])))
			}
			switch {
			case dist <= 0:
				img.SetNRGBA(x, y, color.NRGBA{A: 255})
			case dist <= 1.5:
				img.SetNRGBA(x, y, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
			}
		}
	}
	return img
}

// arrow is how far a point is outside an arrow of 10 pixels, given its way along and its distance across.
func arrow(along, across float64) float64 {
	shaft := max(across-0.75, -along, along-7)
	head := max((along-10+across)/math.Sqrt2, 5.5-along)
	return min(shaft, head)
}

// icons are the window's icon in the sizes that window managers ask for: a prompt.
func icons() []image.Image {
	var all []image.Image
	for _, n := range [...]int{16, 32, 48, 128} {
		all = append(all, icon(float64(n), n))
	}
	return all
}

func icon(s float64, n int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, n, n))
	ground, ink, edge := scene.Dark().GridBack, scene.Dark().Cursor, scene.Dark().FrameFocused
	for y := range n {
		for x := range n {
			u, v := (float64(x)+0.5)/s, (float64(y)+0.5)/s
			d := corner(u, v)
			c := ground
			if d > -0.07 {
				c = edge
			}
			if sign := min(stroke(u, v, 0.25, 0.3, 0.45, 0.5), stroke(u, v, 0.45, 0.5, 0.25, 0.7), stroke(u, v, 0.52, 0.7, 0.75, 0.7)); sign < 0.055 {
				c = ink
			}
			a := max(0, min(1, 0.5-d*s))
			r, g, b, _ := c.Parts()
			img.SetNRGBA(x, y, color.NRGBA{R: r, G: g, B: b, A: uint8(255 * a)})
		}
	}
	return img
}

// corner is how far a point of the unit square is outside a rounded one.
func corner(u, v float64) float64 {
	const r = 0.18
	x, y := math.Abs(u-0.5)-0.48+r, math.Abs(v-0.5)-0.48+r
	return math.Hypot(max(x, 0), max(y, 0)) + min(max(x, y), 0) - r
}

// stroke is the distance of a point from a line.
func stroke(u, v, x0, y0, x1, y1 float64) float64 {
	dx, dy := x1-x0, y1-y0
	t := max(0, min(1, ((u-x0)*dx+(v-y0)*dy)/(dx*dx+dy*dy)))
	return math.Hypot(u-x0-t*dx, v-y0-t*dy)
}
