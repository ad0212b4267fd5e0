package batch

import (
	"unicode/utf8"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/glyph"
	"github.com/skycoin/viscript/viscript/term"
)

var styleOf = [...]glyph.Style{scene.Regular: glyph.Regular, scene.Bold: glyph.Bold, scene.Oblique: glyph.Oblique}

// text adds the characters of a line, each in its cell of the row.
func (b *Builder) text(it *scene.Item, scale float32) {
	w, h := int(round(it.Advance*scale)), int(round(it.Rect.H*scale))
	a := b.atlas(it.Size*scale, w, h)
	q := Quad{Kind: Glyph, Clip: whole(it.Clip, scale), Color: pack(it.Color)}
	y := round(it.Rect.Y * scale)
	col := 0
	for s := it.Text; s != ""; {
		n, cols := cluster(s)
		if cols > 0 {
			x := round((it.Rect.X + float32(col)*it.Advance) * scale)
			if slot := a.text(s[:n], cols, styleOf[it.Face]); slot != 0 {
				b.frame.glyphs(a, slot, cols, q, x, y)
			}
			col += cols
		}
		s = s[n:]
	}
}

// cluster is the length of the first character of s with what combines with it, and its columns.
func cluster(s string) (n, cols int) {
	r, n := utf8.DecodeRuneInString(s)
	cols = term.RuneWidth(r)
	for n < len(s) {
		r, k := utf8.DecodeRuneInString(s[n:])
		if term.RuneWidth(r) != 0 {
			break
		}
		n += k
	}
	return n, cols
}

// glyphs adds the slots of a character at x, y.
func (f *Frame) glyphs(a *Atlas, slot uint32, cols int, q Quad, x, y float32) {
	f.use(a)
	for i := range cols {
		u, v := a.at(slot + uint32(i))
		left := x + float32(i*a.w)
		q.Rect = [4]float32{left, y, left + float32(a.w), y + float32(a.h)}
		q.Shape = [4]float32{float32(u), float32(v)}
		f.quad(q)
	}
}
