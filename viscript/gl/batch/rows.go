package batch

import (
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// rows adds the rows of g that look different from the last frame; seen is the part of g that may be seen.
func (b *Builder) rows(g *Grid, seen scene.Rect) {
	if !g.fresh {
		return // nothing has changed
	}
	first, last := g.changed()
	if first >= last {
		return
	}
	r := scene.Rect{
		X: float32(g.X), Y: float32(g.Y + first*g.Atlas.h),
		W: float32(g.Cols * g.Atlas.w), H: float32((last - first) * g.Atlas.h),
	}.Intersect(seen)
	b.frame.addDamage(r)
}

// changed is the rows from the first to behind the last one that differ from those before.
func (g *Grid) changed() (first, last int) {
	if len(g.before) != len(g.Cells) {
		return 0, g.Rows
	}
	first, last = g.Rows, 0
	note := func(y int) { first, last = min(first, y), max(last, y+1) }
	for y := range g.Rows {
		from, to := y*g.Cols, (y+1)*g.Cols
		if !slices.Equal(g.before[from:to], g.Cells[from:to]) {
			note(y)
		}
	}
	if slices.Equal(g.over, g.wasOver) {
		return first, last
	}
	for _, o := range g.over {
		if !slices.Contains(g.wasOver, o) {
			note(o.row)
		}
	}
	for _, o := range g.wasOver {
		if !slices.Contains(g.over, o) {
			note(o.row)
		}
	}
	return first, last
}

// addDamage adds r, joined with what it touches.
func (f *Frame) addDamage(r scene.Rect) {
	for i := 0; i < len(f.Damage); i++ {
		if !f.Damage[i].Intersect(r).Empty() {
			r = r.Union(f.Damage[i])
			f.Damage = slices.Delete(f.Damage, i, i+1)
			i = -1
		}
	}
	f.Damage = append(f.Damage, r)
}
