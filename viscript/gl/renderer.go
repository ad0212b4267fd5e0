//go:build cgo && linux && !headless

package gl

import (
	"fmt"
	"image"
	"unsafe"

	"github.com/go-gl/gl/v4.1-core/gl"
	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/batch"
)

// A renderer draws frames into a picture of its own and shows that, or, if the back buffer can be kept, into that.
// Its goroutine has the context.
type renderer struct {
	win           *glfw.Window
	quads, cells  *program
	quadVAO       uint32
	quadVBO       uint32
	gridVAO       uint32  // without attributes
	back          *copier // nil: there is a picture
	misfits       int     // how often in a row the back buffer had another size
	picture, fbo  uint32  // 0 without
	width, height int     // of what is drawn into
	atlases       map[*batch.Atlas]*texture
	grids         map[*batch.Grid]*gridTexture
	bound         struct {
		program *program
		texture uint32
	}
}

type texture struct {
	id     uint32
	height int
}

// gridTexture are the cells of a grid, a texel for each.
type gridTexture struct {
	id         uint32
	cols, rows int
	version    uint64
}

// newRenderer keeps what is drawn in the back buffer, if it may and can.
func newRenderer(win *glfw.Window, keep bool) (*renderer, error) {
	if err := gl.Init(); err != nil {
		return nil, err
	}
	r := &renderer{win: win, atlases: map[*batch.Atlas]*texture{}, grids: map[*batch.Grid]*gridTexture{}}
	var err error
	if r.quads, err = newProgram(quadVertex, quadFragment, "size", "atlas"); err != nil {
		return nil, err
	}
	if r.cells, err = newProgram(gridVertex, gridFragment, "size", "atlas", "cells", "origin", "cell", "part"); err != nil {
		return nil, err
	}
	gl.UseProgram(r.cells.id)
	gl.Uniform1i(r.cells.uniforms["cells"], cellsUnit-gl.TEXTURE0)
	gl.GenVertexArrays(1, &r.gridVAO)
	gl.GenVertexArrays(1, &r.quadVAO)
	gl.GenBuffers(1, &r.quadVBO)
	gl.BindVertexArray(r.quadVAO)
	for i := range uint32(7) {
		gl.EnableVertexAttribArray(i)
		gl.VertexAttribDivisor(i, 1)
	}
	if keep {
		r.back = newCopier(win)
	}
	if r.back == nil {
		r.makePicture()
	}
	gl.BlendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
	gl.PixelStorei(gl.UNPACK_ALIGNMENT, 1)
	gl.PixelStorei(gl.PACK_ALIGNMENT, 1)
	return r, nil
}

func (r *renderer) makePicture() {
	gl.GenTextures(1, &r.picture)
	gl.GenFramebuffers(1, &r.fbo)
}

// cellsUnit has the cells of a grid, while the first unit has the atlas.
const cellsUnit = gl.TEXTURE1

// resize makes what is drawn into that large and tells whether it is new and its content lost.
func (r *renderer) resize(w, h int) bool {
	if w == r.width && h == r.height {
		return false
	}
	if r.back != nil && r.width > 0 {
		r.win.SwapBuffers() // Mesa looks how large the window is only after that
	}
	r.width, r.height = w, h
	gl.Viewport(0, 0, int32(w), int32(h))
	if r.back != nil {
		return true
	}
	gl.BindTexture(gl.TEXTURE_2D, r.picture)
	gl.TexImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, int32(w), int32(h), 0, gl.RGBA, gl.UNSIGNED_BYTE, nil)
	nearest()
	gl.BindFramebuffer(gl.FRAMEBUFFER, r.fbo)
	gl.FramebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, r.picture, 0)
	r.bound.texture = 0
	return true
}

func nearest() {
	gl.TexParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST)
	gl.TexParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST)
}

// draw draws what f says has changed.
func (r *renderer) draw(f *batch.Frame) {
	r.upload(f)
	gl.BindFramebuffer(gl.FRAMEBUFFER, r.fbo)
	gl.Enable(gl.SCISSOR_TEST)
	r.bound.program, r.bound.texture = nil, 0
	for _, d := range f.Damage {
		for i := f.Begin(d); i < len(f.Steps); i++ {
			switch s := &f.Steps[i]; {
			case s.Grid != nil:
				r.grid(s, d)
			case s.Fill != 0:
				r.fill(s, d)
			case s.First < s.Last:
				r.quad(s, d)
			}
		}
	}
	gl.Disable(gl.SCISSOR_TEST)
}

// upload brings what the device keeps up to date.
func (r *renderer) upload(f *batch.Frame) {
	for i := range f.Steps {
		s := &f.Steps[i]
		if s.Atlas != nil {
			r.atlas(s.Atlas)
		}
		if s.Grid != nil {
			r.atlas(s.Grid.Atlas)
			r.gridTexture(s.Grid)
		}
	}
	if n := len(f.Quads); n > 0 {
		gl.BindBuffer(gl.ARRAY_BUFFER, r.quadVBO)
		gl.BufferData(gl.ARRAY_BUFFER, n*batch.QuadSize, unsafe.Pointer(&f.Quads[0]), gl.STREAM_DRAW)
	}
}

func (r *renderer) atlas(a *batch.Atlas) {
	t := r.atlases[a]
	if t == nil {
		t = &texture{}
		gl.GenTextures(1, &t.id)
		r.atlases[a] = t
	}
	if t.height == a.Height && a.DirtyTo == 0 {
		return
	}
	gl.BindTexture(gl.TEXTURE_2D, t.id)
	if t.height != a.Height {
		t.height = a.Height
		gl.TexImage2D(gl.TEXTURE_2D, 0, gl.R8, batch.AtlasWidth, int32(a.Height), 0, gl.RED, gl.UNSIGNED_BYTE, unsafe.Pointer(&a.Pix[0]))
		nearest()
	} else {
		from, to := a.DirtyFrom, min(a.DirtyTo, a.Height)
		gl.TexSubImage2D(gl.TEXTURE_2D, 0, 0, int32(from), batch.AtlasWidth, int32(to-from), gl.RED, gl.UNSIGNED_BYTE, unsafe.Pointer(&a.Pix[from*batch.AtlasWidth]))
	}
	a.DirtyFrom, a.DirtyTo = 0, 0
}

func (r *renderer) gridTexture(g *batch.Grid) {
	t := r.grids[g]
	if t == nil {
		t = &gridTexture{}
		gl.GenTextures(1, &t.id)
		r.grids[g] = t
	}
	if t.version == g.Version || len(g.Cells) == 0 {
		return
	}
	t.version = g.Version
	gl.ActiveTexture(cellsUnit)
	gl.BindTexture(gl.TEXTURE_2D, t.id)
	cols, rows, cells := int32(g.Cols), int32(g.Rows), unsafe.Pointer(&g.Cells[0])
	if t.cols != g.Cols || t.rows != g.Rows {
		t.cols, t.rows = g.Cols, g.Rows
		gl.TexImage2D(gl.TEXTURE_2D, 0, gl.RGB32UI, cols, rows, 0, gl.RGB_INTEGER, gl.UNSIGNED_INT, cells)
		nearest()
	} else {
		gl.TexSubImage2D(gl.TEXTURE_2D, 0, 0, 0, cols, rows, gl.RGB_INTEGER, gl.UNSIGNED_INT, cells)
	}
	gl.ActiveTexture(gl.TEXTURE0)
}

// scissor restricts drawing to r, whole pixels.
func (r *renderer) scissor(c scene.Rect) {
	gl.Scissor(int32(c.X), int32(r.height)-int32(c.Y)-int32(c.H), int32(c.W), int32(c.H))
}

func (r *renderer) use(p *program, texture uint32) {
	if r.bound.program != p {
		gl.UseProgram(p.id)
		gl.Uniform2f(p.uniforms["size"], float32(r.width), float32(r.height))
		r.bound.program = p
	}
	if texture != 0 && r.bound.texture != texture {
		gl.BindTexture(gl.TEXTURE_2D, texture)
		r.bound.texture = texture
	}
}

func (r *renderer) quad(s *batch.Step, damage scene.Rect) {
	var t uint32
	if s.Atlas != nil {
		t = r.atlases[s.Atlas].id
	}
	r.use(r.quads, t)
	r.scissor(damage)
	gl.Enable(gl.BLEND)
	gl.BindVertexArray(r.quadVAO)
	gl.BindBuffer(gl.ARRAY_BUFFER, r.quadVBO)
	at := uintptr(s.First * batch.QuadSize)
	for i, a := range [...]struct {
		n    int32
		kind uint32
		off  uintptr
	}{{4, gl.FLOAT, 0}, {4, gl.FLOAT, 16}, {4, gl.FLOAT, 32}, {3, gl.FLOAT, 48}, {1, gl.UNSIGNED_INT, 60}, {4, gl.UNSIGNED_BYTE, 64}, {4, gl.UNSIGNED_BYTE, 68}} {
		if a.kind == gl.UNSIGNED_INT {
			gl.VertexAttribIPointerWithOffset(uint32(i), a.n, a.kind, batch.QuadSize, at+a.off)
		} else {
			gl.VertexAttribPointerWithOffset(uint32(i), a.n, a.kind, a.kind == gl.UNSIGNED_BYTE, batch.QuadSize, at+a.off)
		}
	}
	gl.DrawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, int32(s.Last-s.First))
}

func (r *renderer) fill(s *batch.Step, damage scene.Rect) {
	clip := rect(s.Clip).Intersect(damage)
	if clip.Empty() {
		return
	}
	r.scissor(clip)
	part := func(shift int) float32 { return float32(s.Fill>>shift&255) / 255 }
	gl.ClearColor(part(0), part(8), part(16), 1)
	gl.Clear(gl.COLOR_BUFFER_BIT)
}

func rect(e [4]float32) scene.Rect {
	return scene.Rect{X: e[0], Y: e[1], W: e[2] - e[0], H: e[3] - e[1]}
}

// grid draws the rows of a grid that the damage touches.
func (r *renderer) grid(s *batch.Step, damage scene.Rect) {
	g := s.Grid
	clip := rect(s.Clip).Intersect(damage)
	if clip.Empty() || len(g.Cells) == 0 {
		return
	}
	w, h := g.Atlas.Cell()
	first := max(0, (int(clip.Y)-g.Y)/h)
	last := min(g.Rows, (int(clip.Bottom())-g.Y+h-1)/h)
	if first >= last {
		return
	}
	r.use(r.cells, r.atlases[g.Atlas].id)
	r.scissor(clip)
	gl.Disable(gl.BLEND)
	u := r.cells.uniforms
	gl.Uniform2i(u["origin"], int32(g.X), int32(g.Y))
	gl.Uniform2i(u["cell"], int32(w), int32(h))
	gl.Uniform3i(u["part"], int32(g.Cols), int32(first), int32(last-first))
	gl.ActiveTexture(cellsUnit)
	gl.BindTexture(gl.TEXTURE_2D, r.grids[g].id)
	gl.ActiveTexture(gl.TEXTURE0)
	gl.BindVertexArray(r.gridVAO)
	gl.DrawArrays(gl.TRIANGLE_STRIP, 0, 4)
}

// present shows what f has changed; whole: all there is. False: it cannot yet, and all must be drawn again.
func (r *renderer) present(f *batch.Frame, whole bool) bool {
	w, h := int32(r.width), int32(r.height)
	switch {
	case r.back == nil:
		gl.BindFramebuffer(gl.READ_FRAMEBUFFER, r.fbo)
		gl.BindFramebuffer(gl.DRAW_FRAMEBUFFER, 0)
		gl.BlitFramebuffer(0, 0, w, h, 0, 0, w, h, gl.COLOR_BUFFER_BIT, gl.NEAREST)
		r.win.SwapBuffers()
	case !fits(w, h):
		r.misfit()
		return false
	case whole:
		r.back.show(scene.Rect{W: float32(w), H: float32(h)}, r.height)
	default:
		for _, p := range f.Parts() {
			r.back.show(p, r.height)
		}
	}
	r.misfits = 0
	return true
}

// maxMisfits is how many frames wait in a row until the size of the window and of its back buffer are one: about a
// second.
const maxMisfits = 30

// misfit has all drawn again, and in the end into a picture.
func (r *renderer) misfit() {
	r.width = 0
	if r.misfits++; r.misfits > maxMisfits {
		r.back = nil
		r.makePicture()
	}
}

// forget frees what belongs to atlases and grids that the builder let go.
func (r *renderer) forget(b *batch.Builder) {
	for a, t := range r.atlases {
		if !b.Live(a) {
			gl.DeleteTextures(1, &t.id)
			delete(r.atlases, a)
		}
	}
	for g, t := range r.grids {
		if !b.LiveGrid(g) {
			gl.DeleteTextures(1, &t.id)
			delete(r.grids, g)
		}
	}
}

// image reads back what was drawn.
func (r *renderer) image() (*image.RGBA, error) {
	img := image.NewRGBA(image.Rect(0, 0, r.width, r.height))
	if len(img.Pix) == 0 {
		return img, nil
	}
	gl.BindFramebuffer(gl.READ_FRAMEBUFFER, r.fbo)
	gl.ReadPixels(0, 0, int32(r.width), int32(r.height), gl.RGBA, gl.UNSIGNED_BYTE, unsafe.Pointer(&img.Pix[0]))
	line := make([]byte, img.Stride)
	for y := range r.height / 2 {
		a, b := img.Pix[y*img.Stride:][:img.Stride], img.Pix[(r.height-1-y)*img.Stride:][:img.Stride]
		copy(line, a)
		copy(a, b)
		copy(b, line)
	}
	if code := gl.GetError(); code != gl.NO_ERROR {
		return nil, fmt.Errorf("reading the picture: GL error %#x", code)
	}
	return img, nil
}
