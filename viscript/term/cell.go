package term

// A Color of text: the zero value is the terminal's default, otherwise an entry of the palette
// or a red, green and blue value.
type Color uint32

const (
	colorPalette Color = 1 << 24
	colorRGB     Color = 2 << 24
	colorMask          = 1<<26 - 1
)

// Palette is entry i of the palette: 0-15 the ANSI colours, 16-231 the 6x6x6 cube, 232-255 greys.
func Palette(i uint8) Color { return colorPalette | Color(i) }

// RGB is a direct colour.
func RGB(r, g, b uint8) Color { return colorRGB | Color(r)<<16 | Color(g)<<8 | Color(b) }

// Index is the palette entry of c; false if c is the default or direct.
func (c Color) Index() (uint8, bool) { return uint8(c), c&colorPalette != 0 }

// RGB gives the parts of a direct colour; false for the default and for the palette.
func (c Color) RGB() (r, g, b uint8, ok bool) {
	return uint8(c >> 16), uint8(c >> 8), uint8(c), c&colorRGB != 0
}

// Attr is a set of ways in which text is drawn.
type Attr uint8

// What SGR 1, 2, 3, 5 and 6, 7, 8, 9 and 53 switch on.
const (
	Bold Attr = 1 << iota
	Faint
	Italic
	Blink
	Inverse
	Hidden
	Strike
	Overline
)

// Underline is a kind of line under text.
type Underline uint8

// The kinds of SGR 4:n.
const (
	NoUnderline Underline = iota
	SingleUnderline
	DoubleUnderline
	CurlyUnderline
	DottedUnderline
	DashedUnderline
)

// A Cell is one place of the grid, 16 bytes; the zero value is blank in default colours. A wide
// character is a lead cell followed by a tail cell. Its rarer properties (more than one code
// point, a link, the colour of the underline) are numbers that only its Row can resolve.
type Cell struct {
	text  uint32 // code point, or number of a cluster; and the bits below
	fg    uint32 // Color, and Bold to Hidden above it
	bg    uint32 // Color, and Strike, Overline, underline and protection above it
	extra uint32 // 0, or number of a link and underline colour
}

const (
	textMask = 1<<21 - 1
	// filler: an empty last column, left because a wide character did not fit into it.
	filler    = 1 << 28
	tail      = 1 << 29
	wideLead  = 1 << 30
	clustered = 1 << 31

	attrShift      = 26
	strikeBit      = 1 << 26
	overlineBit    = 1 << 27
	underlineShift = 28
	underlineMask  = 7 << underlineShift
	protectedBit   = 1 << 31
)

// Width is the number of columns: 1, 2 for the lead of a wide character, 0 for its tail.
func (c Cell) Width() int {
	switch {
	case c.text&wideLead != 0:
		return 2
	case c.text&tail != 0:
		return 0
	}
	return 1
}

// Rune is the code point of the cell: 0 if nothing was written here, or for the tail of a wide
// character. Clustered tells whether there are more.
func (c Cell) Rune() rune {
	if c.text&(clustered|tail) != 0 {
		return 0
	}
	return rune(c.text & textMask)
}

// Clustered: the text is several code points, which Row.Text knows; Rune is then 0.
func (c Cell) Clustered() bool { return c.text&clustered != 0 }

// Foreground is the colour of the text, before Inverse.
func (c Cell) Foreground() Color { return Color(c.fg & colorMask) }

// Background is the colour behind the text, before Inverse.
func (c Cell) Background() Color { return Color(c.bg & colorMask) }

// Attr is how the text is drawn.
func (c Cell) Attr() Attr { return Attr(c.fg>>attrShift) | Attr(c.bg>>attrShift&3)<<6 }

// Underline is the line under the text.
func (c Cell) Underline() Underline { return Underline(c.bg & underlineMask >> underlineShift) }

// SameStyle: both cells look alike, but for their text and what only a Row can resolve.
func (c Cell) SameStyle(d Cell) bool {
	return c.fg == d.fg && (c.bg^d.bg)&^protectedBit == 0
}

// A pen is what the next character is drawn with.
type pen struct{ fg, bg, extra uint32 }

// blank is what erasing leaves: nothing, in the background colour of the pen.
func (p pen) blank() Cell { return Cell{bg: p.bg & colorMask} }

func (p pen) cell(text uint32) Cell { return Cell{text, p.fg, p.bg, p.extra} }
