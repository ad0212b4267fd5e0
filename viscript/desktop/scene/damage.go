package scene

import "slices"

// maxDamage is how many regions are told apart; more are joined.
const maxDamage = 8

// Diff appends to dst the regions in which b looks different from a, at most 8, not empty. A scene
// of other bounds or scale, or nothing before it (nil), is damaged all over. Outside them both
// draw the same items in the same order.
func Diff(dst []Rect, a, b *Scene) []Rect {
	if a == nil || a.Bounds != b.Bounds || a.Scale != b.Scale {
		return addDamage(dst[:0], b.Bounds)
	}
	dst = dst[:0]
	from, ea, eb := 0, len(a.Items), len(b.Items)
	if ea != eb {
		for from < min(ea, eb) && same(a, b, from, from) {
			from++
		}
		for ea > from && eb > from && same(a, b, ea-1, eb-1) {
			ea, eb = ea-1, eb-1
		}
	}
	for i := from; i < max(ea, eb); i++ {
		if i < ea && i < eb && same(a, b, i, i) {
			continue
		}
		if i < ea {
			dst = addDamage(dst, a.Items[i].seen())
		}
		if i < eb {
			dst = addDamage(dst, b.Items[i].seen())
		}
	}
	return dst
}

func (it *Item) seen() Rect { return it.Rect.Intersect(it.Clip) }

// same compares what item i of a and item j of b look like.
func same(a, b *Scene, i, j int) bool {
	x, y := a.Items[i], b.Items[j]
	xf, yf := x.First, y.First
	x.First, y.First, x.Owner, y.Owner = 0, 0, 0, 0
	if x != y {
		return false
	}
	switch x.Kind {
	case Line:
		return slices.Equal(a.Points[xf:xf+x.Count], b.Points[yf:yf+y.Count])
	case Grid:
		return a.Grids[xf] == b.Grids[yf]
	}
	return true
}

// addDamage adds r to the list, joined with what it touches; a full list takes it where that grows least.
func addDamage(list []Rect, r Rect) []Rect {
	if r.Empty() {
		return list
	}
	for i := 0; i < len(list); i++ {
		if !list[i].Intersect(r).Empty() {
			r = r.Union(list[i])
			list = slices.Delete(list, i, i+1)
			i = -1 // what it has become may touch others
		}
	}
	if len(list) < maxDamage {
		return append(list, r)
	}
	best, growth := 0, float32(0)
	for i, l := range list {
		if g := l.Union(r).area() - l.area(); i == 0 || g < growth {
			best, growth = i, g
		}
	}
	r = r.Union(list[best])
	return addDamage(slices.Delete(list, best, best+1), r)
}
