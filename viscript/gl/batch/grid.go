package batch

import (
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/glyph"
	"github.com/skycoin/viscript/viscript/term"
)

// A Cell is an instance of a cell of a grid, 12 bytes as the device reads them.
type Cell struct {
	At     uint32 // of the atlas: the upper left pixel, x, and y in the upper half; 0 is blank
	Fg, Bg uint32 // R in the lowest byte, then G, B, 255
}

// CellSize is that of a Cell in bytes.
const CellSize = 12

func (c *Cell) pixel() (x, y int) { return int(c.At & 0xffff), int(c.At >> 16) }

// Content is what a terminal shows. It is only read, during Build.
type Content = scene.Content

// A Grid is the cells of one terminal for the device.
type Grid struct {
	Atlas      *Atlas
	X, Y       int // of the upper left cell
	Cols, Rows int
	Cells      []Cell
	Version    uint64 // grows with every change of Cells

	over    []overlay // lines, cursor
	before  []Cell    // of the frame before, if fresh
	wasOver []overlay
	fresh   bool // Cells were made for this frame
	key     gridKey
	blinks  bool // some text does
	used    uint64
	colors  colors
}

// An overlay is drawn over the cells of a row.
type overlay struct {
	row int
	Quad
}

// gridKey is all that the cells depend on but the atlas and what the app draws elsewhere.
type gridKey struct {
	cells   scene.Cells
	screen  uint64
	stamp   uint64
	older   int
	x, y    int
	atlas   *Atlas
	emptied uint64
	dark    bool // blinking text is not seen
}

// colors are those of one terminal, ready for the device.
type colors struct {
	from    term.Colors
	back    scene.Color
	dim     float32
	palette [256]uint32
	fg, bg  uint32
}

// set computes the palette anew if it must. Default colours that the program did not change are those
// of the theme.
func (c *colors) set(from *term.Colors, cells *scene.Cells, reverse bool) {
	def := term.DefaultColors()
	fg, bg := cells.Text, cells.Back
	if from.Foreground != def.Foreground {
		fg = direct(from.Foreground)
	}
	if from.Background != def.Background {
		bg = direct(from.Background)
	}
	if reverse {
		fg, bg = bg, fg
	}
	if c.palette[0] == 0 || c.from.Palette != from.Palette || c.back != bg || c.dim != cells.Dim {
		for i, p := range from.Palette {
			c.palette[i] = pack(direct(p).Mix(bg, cells.Dim))
		}
	}
	c.from, c.back, c.dim = *from, bg, cells.Dim
	c.fg, c.bg = pack(fg.Mix(bg, cells.Dim)|0xff), pack(bg|0xff)
}

func direct(c term.Color) scene.Color {
	r, g, b, _ := c.RGB()
	return scene.Color(r)<<24 | scene.Color(g)<<16 | scene.Color(b)<<8 | 0xff
}

func (c *colors) of(col term.Color, def uint32) uint32 {
	if i, ok := col.Index(); ok {
		return c.palette[i]
	}
	if _, _, _, ok := col.RGB(); ok {
		return pack(direct(col).Mix(c.back, c.dim))
	}
	return def
}

// fill makes the cells of g from what the terminal shows.
func (g *Grid) fill(cells *scene.Cells, content *Content, dark bool) {
	g.Cells, g.before = g.before, g.Cells
	g.over, g.wasOver = g.wasOver, g.over
	g.Cells = slices.Grow(g.Cells[:0], g.Cols*g.Rows)
	g.over, g.blinks, g.fresh = g.over[:0], false, true
	s := content.Screen
	none := term.Snapshot{Colors: term.DefaultColors()}
	if s == nil {
		s = &none
	}
	g.colors.set(&s.Colors, cells, s.Modes.Reverse)
	for y := range g.Rows {
		g.row(rowAt(s, content.Older, cells.Top, y), y, dark)
	}
	if s.Modes.CursorVisible && s.Rows > 0 {
		g.cursor(cells, s)
	}
}

// rowAt is row y of what is seen from line top on, nil if it is not known.
func rowAt(s *term.Snapshot, older []term.Row, top uint64, y int) *term.Row {
	n := top + uint64(y)
	switch {
	case n >= s.Top && n-s.Top < uint64(len(s.Lines)):
		return &s.Lines[n-s.Top]
	case n < s.Top && y < len(older):
		return &older[y]
	}
	return nil
}

func (g *Grid) row(r *term.Row, y int, dark bool) {
	n := 0
	if r != nil {
		n = min(len(r.Cells), g.Cols)
	}
	for x := 0; x < n; x++ {
		g.cell(r, x, y, dark)
	}
	blank := Cell{0, g.colors.fg, g.colors.bg}
	for range g.Cols - n {
		g.Cells = append(g.Cells, blank)
	}
}

func (g *Grid) cell(r *term.Row, x, y int, dark bool) {
	c := r.Cells[x]
	attr := c.Attr()
	fg, bg := g.colors.of(c.Foreground(), g.colors.fg), g.colors.of(c.Background(), g.colors.bg)
	if attr&term.Inverse != 0 {
		fg, bg = bg, fg
	}
	if attr&term.Faint != 0 {
		fg = half(fg, bg)
	}
	out := Cell{Fg: fg, Bg: bg}
	hidden := attr&term.Hidden != 0
	if attr&term.Blink != 0 {
		g.blinks = true
		hidden = hidden || dark
	}
	if !hidden {
		out.At = g.Atlas.place(g.slot(r, c, x, attr))
	}
	g.Cells = append(g.Cells, out)
	if attr&(term.Strike|term.Overline) != 0 || c.Underline() != term.NoUnderline {
		if !hidden {
			g.lines(r, c, x, y, attr, fg)
		}
	}
}

// slot is the character of a cell; of a wide one its left or right half.
func (g *Grid) slot(r *term.Row, c term.Cell, x int, attr term.Attr) uint32 {
	var style glyph.Style
	if attr&term.Bold != 0 {
		style |= glyph.Bold
	}
	if attr&term.Italic != 0 {
		style |= glyph.Oblique
	}
	cols := c.Width()
	if cols == 0 {
		if x == 0 || r.Cells[x-1].Width() != 2 {
			return 0
		}
		if left := g.slot(r, r.Cells[x-1], x-1, attr); left != 0 {
			return left + 1
		}
		return 0
	}
	if c.Clustered() {
		return g.Atlas.text(r.Text(x), cols, style)
	}
	if ch := c.Rune(); ch > ' ' {
		return g.Atlas.rune(ch, cols, style)
	}
	return 0
}

// half is the colour between two, for faint text.
func half(a, b uint32) uint32 { return (a>>1)&0x7f7f7f7f + (b>>1)&0x7f7f7f7f | 0xff000000 }

var underlines = [...]glyph.Line{
	term.SingleUnderline: glyph.SingleLine, term.DoubleUnderline: glyph.DoubleLine, term.CurlyUnderline: glyph.CurlyLine,
	term.DottedUnderline: glyph.DottedLine, term.DashedUnderline: glyph.DashedLine,
}

func (g *Grid) lines(r *term.Row, c term.Cell, x, y int, attr term.Attr, fg uint32) {
	if u := c.Underline(); u != term.NoUnderline && int(u) < len(underlines) {
		color := g.colors.of(r.UnderlineColor(x), fg)
		g.overlay(x, y, g.Atlas.mark(underlines[u]), color)
	}
	if attr&term.Strike != 0 {
		g.overlay(x, y, g.Atlas.mark(glyph.StrikeLine), fg)
	}
	if attr&term.Overline != 0 {
		g.overlay(x, y, g.Atlas.mark(glyph.OverLine), fg)
	}
}

// cellRect is n cells from x, y on.
func (g *Grid) cellRect(x, y, n int) [4]float32 {
	left, top := float32(g.X+x*g.Atlas.w), float32(g.Y+y*g.Atlas.h)
	return [4]float32{left, top, left + float32(n*g.Atlas.w), top + float32(g.Atlas.h)}
}

func (g *Grid) overlay(x, y int, slot, color uint32) {
	u, v := g.Atlas.at(slot)
	g.add(y, Quad{Kind: Glyph, Rect: g.cellRect(x, y, 1), Shape: [4]float32{float32(u), float32(v)}, Color: color})
}

func (g *Grid) add(y int, q Quad) {
	g.over = append(g.over, overlay{y, q})
}
