package glyph

import (
	"image"
	"math"

	"github.com/go-fonts/dejavu/dejavusansmono"
	"github.com/go-fonts/dejavu/dejavusansmonobold"
	"github.com/go-fonts/dejavu/dejavusansmonoboldoblique"
	"github.com/go-fonts/dejavu/dejavusansmonooblique"
	"github.com/hajimehoshi/bitmapfont/v3"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"github.com/skycoin/viscript/viscript/term"
)

// A Style is a cut of the font.
type Style uint8

// The styles; Bold|Oblique is the fourth one.
const (
	Regular Style = 0
	Bold    Style = 1
	Oblique Style = 2
	styles        = 4
)

const (
	// MaxCell bounds a cell in pixels, each way.
	MaxCell = 512
	// maxMarks is how many code points of one cell are drawn.
	maxMarks = 16
	// The ascender and descender of DejaVu Sans Mono in ems.
	ascent, descent = 1901.0 / 2048, 483.0 / 2048
)

// Fonts are the parsed fonts. Not safe for concurrent use, nor are its faces.
type Fonts struct {
	cuts [styles]*sfnt.Font
	buf  sfnt.Buffer
}

// Open parses the fonts. The error would be a fault of this build.
func Open() (*Fonts, error) {
	f := &Fonts{}
	for i, data := range [styles][]byte{dejavusansmono.TTF, dejavusansmonobold.TTF, dejavusansmonooblique.TTF, dejavusansmonoboldoblique.TTF} {
		var err error
		if f.cuts[i], err = opentype.Parse(data); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// A Face is the fonts at one size.
type Face struct {
	fonts    *Fonts
	em       float64
	w, h     int
	baseline int
	faces    [styles]font.Face // as they are needed
}

// Face is the fonts with an em of that many pixels in cells of w by h. Sizes that make no sense are brought
// into bounds.
func (f *Fonts) Face(em float64, w, h int) *Face {
	if !(em >= 1) {
		em = 1
	}
	em = min(em, MaxCell)
	w, h = max(1, min(w, MaxCell)), max(1, min(h, MaxCell))
	top := (float64(h) - (ascent+descent)*em) / 2
	return &Face{fonts: f, em: em, w: w, h: h, baseline: int(math.Round(top + ascent*em))}
}

// Cell is the size of a cell in pixels.
func (f *Face) Cell() (w, h int) { return f.w, f.h }

// Baseline is the number of pixel rows above the baseline.
func (f *Face) Baseline() int { return f.baseline }

// Thickness is how thick lines are: of boxes, under text, through it.
func (f *Face) Thickness() int { return max(1, int(math.Round(f.em/14))) }

// Draw draws text, the contents of one cell, into cols cells (1 or 2) that begin at dst[0], rows of
// pixels stride apart. What is there is kept where it is darker; begin with zeros. Text that is drawn
// nowhere, such as a space, changes nothing.
func (f *Face) Draw(dst []byte, stride int, text string, cols int, style Style) {
	c := canvas{pix: dst, stride: stride, w: f.w * max(1, min(cols, 2)), h: f.h}
	n := 0
	for _, r := range text {
		if n++; n > maxMarks {
			return
		}
		if n == 1 && drawn(r) {
			c.draw(r, f.Thickness())
			continue
		}
		if n > 1 && term.RuneWidth(r) > 0 {
			continue // of a joined sequence the first picture stands for all
		}
		f.drawRune(&c, r, style&3, n > 1)
	}
}

func (f *Face) drawRune(c *canvas, r rune, style Style, mark bool) {
	switch {
	case r <= ' ' || r == 0xa0 || r >= 0x2000 && r <= 0x200f || r >= 0xfe00 && r <= 0xfe0f || r == 0x3000:
	case r == '_': // the font's own falls between two rows of pixels and is hardly seen
		y := min(f.baseline+max(1, int(math.Round(f.em*0.16))), f.h-f.Thickness())
		c.fill(0, y, c.w, y+f.Thickness(), 255)
	case f.fromFont(c, r, style) || f.fromFont(c, r, 0):
	case mark:
	case f.fromBitmap(c, r):
	default:
		c.hexBox(r)
	}
}

func (f *Face) fromFont(c *canvas, r rune, style Style) bool {
	i, err := f.fonts.cuts[style].GlyphIndex(&f.fonts.buf, r)
	if err != nil || i == 0 {
		return false
	}
	if f.faces[style] == nil {
		// DPI 72: points are pixels
		face, err := opentype.NewFace(f.fonts.cuts[style], &opentype.FaceOptions{Size: f.em, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return false
		}
		f.faces[style] = face
	}
	adv, ok := f.faces[style].GlyphAdvance(r)
	if !ok {
		return false
	}
	x := (fixed.I(c.w) - adv) / 2
	if x > -fixed.I(1) && x < fixed.I(1) {
		x = 0 // stems keep their places on the pixels
	}
	dr, mask, mp, _, ok := f.faces[style].Glyph(fixed.Point26_6{X: x, Y: fixed.I(f.baseline)}, r)
	if ok {
		c.mask(dr, mask, mp)
	}
	return ok
}

// The height of the bitmap font's glyphs, of which narrow ones have 6 and wide ones 12 columns.
const bitmapHeight = 16

// fromBitmap draws r by whole multiples of the bitmap's pixels, or smaller if it does not fit.
func (f *Face) fromBitmap(c *canvas, r rune) bool {
	adv, ok := bitmapfont.Face.GlyphAdvance(r)
	if !ok || r > 0xffff {
		return false
	}
	dr, mask, mp, _, ok := bitmapfont.Face.Glyph(fixed.P(0, 12), r)
	if !ok {
		return false
	}
	w, h := adv.Ceil(), bitmapHeight
	small := image.NewAlpha(image.Rect(0, 0, max(w, 1), h))
	sc := canvas{pix: small.Pix, stride: small.Stride, w: max(w, 1), h: h}
	sc.mask(dr, mask, mp)
	if sc.blank() && r > 0x2fff {
		return false
	}
	c.enlarge(&sc)
	return true
}
