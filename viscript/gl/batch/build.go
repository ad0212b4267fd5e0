package batch

import (
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/glyph"
)

const (
	// maxAtlases is how many sizes of text are kept; those not needed for longest go first.
	maxAtlases = 8
	// keepGrids is for how many frames the cells of a terminal that is not seen are kept.
	keepGrids = 300
)

// A Builder makes frames. It is not safe for concurrent use.
type Builder struct {
	fonts   *glyph.Fonts
	atlases map[size]*Atlas
	grids   map[string]*Grid
	frame   Frame
	shown   scene.Scene // of the last frame, without what the grids know better
	next    scene.Scene
	valid   bool // shown is what is on the screen
	count   uint64
	version uint64
	blinks  bool
}

type size struct {
	em   float32
	w, h int
}

// NewBuilder returns a Builder that has drawn nothing.
func NewBuilder(fonts *glyph.Fonts) *Builder {
	return &Builder{fonts: fonts, atlases: map[size]*Atlas{}, grids: map[string]*Grid{}}
}

// Invalidate makes the next frame a whole one: what was drawn is lost.
func (b *Builder) Invalidate() { b.valid = false }

// Blinks: the last frame has text that blinks.
func (b *Builder) Blinks() bool { return b.blinks }

// Build makes the frame that shows s. content tells what a terminal shows; dark is whether blinking text is
// in its dark half.
func (b *Builder) Build(s *scene.Scene, content func(*scene.Cells) Content, dark bool) *Frame {
	b.count++
	f := &b.frame
	f.Width, f.Height = int(round(s.Bounds.W*s.Scale)), int(round(s.Bounds.H*s.Scale))
	for range 2 { // again if a full atlas began anew
		before := b.emptied()
		b.fill(s, content, dark)
		b.damage(s)
		b.items(s)
		if b.emptied() == before {
			break
		}
		b.valid = false // slots have other numbers now
	}
	b.valid = true
	b.shown, b.next = b.next, b.shown
	b.forget()
	return f
}

func (b *Builder) emptied() (n uint64) {
	for _, a := range b.atlases {
		n += a.Emptied
	}
	return n
}

// fill brings the cells of all grids up to date.
func (b *Builder) fill(s *scene.Scene, content func(*scene.Cells) Content, dark bool) {
	b.blinks = false
	for i := range s.Items {
		it := &s.Items[i]
		if it.Kind != scene.Grid {
			continue
		}
		cells := &s.Grids[it.First]
		g := b.grids[cells.Term]
		if g == nil {
			g = &Grid{}
			b.grids[cells.Term] = g
		}
		g.used = b.count
		b.fillGrid(g, it, cells, content(cells), dark, s.Scale)
		b.blinks = b.blinks || g.blinks
	}
}

func (b *Builder) fillGrid(g *Grid, it *scene.Item, cells *scene.Cells, content Content, dark bool, scale float32) {
	a := b.atlas(cells.FontSize*scale, int(round(cells.Cell.W*scale)), int(round(cells.Cell.H*scale)))
	key := gridKey{cells: *cells, stamp: content.Stamp, older: len(content.Older), atlas: a, emptied: a.Emptied, dark: dark && g.blinks}
	if content.Screen != nil {
		key.screen = content.Screen.Version
	}
	key.x, key.y = int(round(it.Rect.X*scale)), int(round(it.Rect.Y*scale))
	if g.fresh = false; key == g.key && g.Version > 0 {
		return
	}
	g.key, g.Atlas, g.X, g.Y, g.Cols, g.Rows = key, a, key.x, key.y, max(0, cells.Cols), max(0, cells.Rows)
	g.fill(cells, &content, dark)
	b.version++
	g.Version = b.version
}

// items makes the steps of all items, in order.
func (b *Builder) items(s *scene.Scene) {
	f := &b.frame
	f.Quads, f.Steps, f.damage = f.Quads[:0], f.Steps[:0], f.Damage
	if len(f.Damage) == 0 {
		return
	}
	for i := range s.Items {
		it := &s.Items[i]
		switch it.Kind {
		case scene.Box:
			f.box(it, s.Scale)
		case scene.Circle:
			f.circle(it, s.Scale)
		case scene.Line:
			f.line(it, s.Points[it.First:it.First+it.Count], s.Scale)
		case scene.Text:
			b.text(it, s.Scale)
		case scene.Grid:
			f.grid(b.grids[s.Grids[it.First].Term], it, s.Scale)
		}
	}
}

func (f *Frame) grid(g *Grid, it *scene.Item, scale float32) {
	clip := whole(it.Rect.Intersect(it.Clip), scale)
	// beyond the cells there is nothing
	clip[2], clip[3] = min(clip[2], float32(g.X+g.Cols*g.Atlas.w)), min(clip[3], float32(g.Y+g.Rows*g.Atlas.h))
	f.Steps = append(f.Steps, Step{Grid: g, Clip: clip})
	for i := range g.over {
		q := g.over[i].Quad
		if q.Clip == ([4]float32{}) {
			q.Clip = clip
		} else {
			q.Clip = [4]float32{max(q.Clip[0], clip[0]), max(q.Clip[1], clip[1]), min(q.Clip[2], clip[2]), min(q.Clip[3], clip[3])}
		}
		if q.Kind == Glyph {
			f.use(g.Atlas)
		}
		f.quad(q)
	}
}

// atlas is the characters at that size.
func (b *Builder) atlas(em float32, w, h int) *Atlas {
	w, h = max(1, min(w, glyph.MaxCell)), max(1, min(h, glyph.MaxCell))
	k := size{max(1, min(em, glyph.MaxCell)), w, h}
	a := b.atlases[k]
	if a == nil {
		a = newAtlas(b.fonts.Face(float64(k.em), w, h))
		b.atlases[k] = a
	}
	a.used = b.count
	return a
}

// forget lets go of sizes and terminals that have not been needed for long.
func (b *Builder) forget() {
	for id, g := range b.grids {
		if b.count-g.used > keepGrids {
			delete(b.grids, id)
		}
	}
	for len(b.atlases) > maxAtlases {
		var oldest size
		least := b.count
		for k, a := range b.atlases {
			if a.used < least {
				oldest, least = k, a.used
			}
		}
		if least == b.count {
			return // all are in use
		}
		delete(b.atlases, oldest)
	}
}

// Live tells whether the device still needs what it keeps for an atlas or a grid.
func (b *Builder) Live(a *Atlas) bool {
	for _, k := range b.atlases {
		if k == a {
			return true
		}
	}
	return false
}

// LiveGrid is Live for a grid.
func (b *Builder) LiveGrid(g *Grid) bool { return b.grids[g.key.cells.Term] == g }

// damage finds what changed since the last frame: items by comparison of the scenes, grids row by row.
func (b *Builder) damage(s *scene.Scene) {
	f := &b.frame
	all := scene.Rect{W: float32(f.Width), H: float32(f.Height)}
	b.copy(s)
	if !b.valid {
		f.Damage = append(f.Damage[:0], all)
		return
	}
	f.Damage = scene.Diff(f.Damage, &b.shown, &b.next)
	for i := range f.Damage {
		f.Damage[i] = outward(f.Damage[i], s.Scale).Intersect(all)
	}
	for i := range s.Items {
		if it := &s.Items[i]; it.Kind == scene.Grid {
			b.rows(b.grids[s.Grids[it.First].Term], outward(it.Rect.Intersect(it.Clip), s.Scale).Intersect(all))
		}
	}
	f.Damage = slices.DeleteFunc(f.Damage, scene.Rect.Empty)
}

// outward is r in pixels, with all that it touches and what smooth edges touch beside it.
func outward(r scene.Rect, scale float32) scene.Rect {
	e := whole(r, scale)
	return scene.Rect{X: e[0] - 2, Y: e[1] - 2, W: e[2] - e[0] + 4, H: e[3] - e[1] + 4}
}

// copy keeps s for the next comparison. Of grids only that matters which is not told by their cells.
func (b *Builder) copy(s *scene.Scene) {
	n := &b.next
	n.Bounds, n.Scale = s.Bounds, s.Scale
	n.Items = append(n.Items[:0], s.Items...)
	n.Points = append(n.Points[:0], s.Points...)
	n.Grids = n.Grids[:0]
	for _, g := range s.Grids {
		n.Grids = append(n.Grids, scene.Cells{Term: g.Term, Cell: g.Cell, FontSize: g.FontSize, Cols: g.Cols, Rows: g.Rows})
	}
}
