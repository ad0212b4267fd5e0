package batch

import (
	"unicode/utf8"

	"github.com/skycoin/viscript/viscript/gl/glyph"
)

const (
	// AtlasWidth is that of every atlas in pixels; height grows from firstHeight to maxHeight. The
	// largest one has more pixels than a screen of 4K, so the characters of a screen always fit. A Cell has
	// 16 bits for each.
	AtlasWidth  = 2048
	firstHeight = 128
	maxHeight   = 8192 // 16 MiB
	// fastRunes are looked up without a map: ASCII and the Latin letters of Europe.
	fastRunes = 0x180
)

// An Atlas is the pixels of characters at one size, drawn when they are first asked for. Each slot is a
// cell; slot 0 is blank; a wide character has two slots in a row. When it is full it begins anew, see
// Emptied.
type Atlas struct {
	Pix                []byte // coverage, AtlasWidth by Height
	Height             int
	DirtyFrom, DirtyTo int    // rows of Pix that were drawn on; the device sets both to 0
	Emptied            uint64 // how often all slots got lost

	face   *glyph.Face
	w, h   int
	perRow int
	next   uint32
	fast   [4][fastRunes]uint32 // slot+1, or 0
	runes  map[uint32]uint32
	texts  map[textKey]uint32
	used   uint64 // frame in which it was last needed
	tmp    []byte
}

type textKey struct {
	text string
	key  uint32 // style and width
}

func newAtlas(face *glyph.Face) *Atlas {
	a := &Atlas{face: face}
	a.w, a.h = face.Cell()
	a.perRow = AtlasWidth / a.w
	a.tmp = make([]byte, 2*a.w*a.h)
	a.resize(max(firstHeight, a.h))
	a.empty()
	return a
}

func (a *Atlas) empty() {
	a.next = 1
	a.fast = [4][fastRunes]uint32{}
	a.runes, a.texts = map[uint32]uint32{}, map[textKey]uint32{}
	clear(a.Pix)
	a.DirtyFrom, a.DirtyTo = 0, a.Height
}

func (a *Atlas) resize(height int) {
	old := a.Pix
	a.Pix = make([]byte, AtlasWidth*height)
	copy(a.Pix, old)
	a.Height, a.DirtyFrom, a.DirtyTo = height, 0, height
}

// at is the upper left pixel of a slot.
func (a *Atlas) at(slot uint32) (x, y int) {
	return int(slot) % a.perRow * a.w, int(slot) / a.perRow * a.h
}

// place is at as a Cell has it.
func (a *Atlas) place(slot uint32) uint32 {
	return slot%uint32(a.perRow)*uint32(a.w) | slot/uint32(a.perRow)*uint32(a.h)<<16
}

// rune is the slot of one code point, 0 if it is blank.
func (a *Atlas) rune(r rune, cols int, style glyph.Style) uint32 {
	if r < fastRunes && cols == 1 {
		p := &a.fast[style&3][r]
		if *p == 0 {
			*p = a.draw(string(r), 1, style) + 1
			return a.fast[style&3][r] - 1 // drawing may have emptied it
		}
		return *p - 1
	}
	key := uint32(r) | uint32(style&3)<<21 | uint32(cols)<<23
	slot, ok := a.runes[key]
	if !ok {
		slot = a.draw(string(r), cols, style)
		a.runes[key] = slot
	}
	return slot
}

// text is the slot of a cluster.
func (a *Atlas) text(s string, cols int, style glyph.Style) uint32 {
	if r, n := utf8.DecodeRuneInString(s); n == len(s) {
		return a.rune(r, cols, style)
	}
	key := textKey{s, uint32(style&3) | uint32(cols)<<2}
	slot, ok := a.texts[key]
	if !ok {
		slot = a.draw(s, cols, style)
		a.texts[key] = slot
	}
	return slot
}

// mark is the slot of a line under, over or through a cell.
func (a *Atlas) mark(l glyph.Line) uint32 {
	key := uint32(l) | 3<<23
	slot, ok := a.runes[key]
	if !ok {
		clear(a.tmp)
		a.face.DrawLine(a.tmp, a.w, l)
		slot = a.store(1, a.w)
		a.runes[key] = slot
	}
	return slot
}

func (a *Atlas) draw(s string, cols int, style glyph.Style) uint32 {
	clear(a.tmp)
	a.face.Draw(a.tmp, a.w*cols, s, cols, style)
	return a.store(cols, a.w*cols)
}

// store puts the pixels of tmp into new slots, unless they are blank.
func (a *Atlas) store(cols, stride int) uint32 {
	blank := true
	for _, v := range a.tmp[:cols*a.w*a.h] {
		if v != 0 {
			blank = false
			break
		}
	}
	if blank {
		return 0
	}
	slot := a.take(uint32(cols))
	for i := range cols {
		x, y := a.at(slot + uint32(i))
		for row := range a.h {
			copy(a.Pix[(y+row)*AtlasWidth+x:][:a.w], a.tmp[row*stride+i*a.w:])
		}
		if a.DirtyTo == 0 {
			a.DirtyFrom = y
		}
		a.DirtyFrom, a.DirtyTo = min(a.DirtyFrom, y), max(a.DirtyTo, y+a.h)
	}
	return slot
}

// take makes room for n slots in a row.
func (a *Atlas) take(n uint32) uint32 {
	for {
		if end := int(a.next+n-1)/a.perRow*a.h + a.h; end <= a.Height {
			break
		}
		if a.Height >= maxHeight {
			a.Emptied++
			a.empty()
			break
		}
		a.resize(min(2*a.Height, maxHeight))
	}
	slot := a.next
	a.next += n
	return slot
}

// Cell is the size of a slot in pixels.
func (a *Atlas) Cell() (w, h int) { return a.w, a.h }
