package term

import (
	"strconv"
	"strings"
)

// Colors is what the colours of cells mean. All are direct ones, see RGB.
type Colors struct {
	Foreground, Background, Cursor Color
	Palette                        [256]Color
}

// DefaultColors is light grey on black and the usual palette of 256.
func DefaultColors() Colors {
	c := Colors{Foreground: RGB(0xe5, 0xe5, 0xe5), Background: RGB(0, 0, 0), Cursor: RGB(0xe5, 0xe5, 0xe5)}
	copy(c.Palette[:], []Color{
		RGB(0, 0, 0), RGB(0xcd, 0, 0), RGB(0, 0xcd, 0), RGB(0xcd, 0xcd, 0),
		RGB(0, 0, 0xee), RGB(0xcd, 0, 0xcd), RGB(0, 0xcd, 0xcd), RGB(0xe5, 0xe5, 0xe5),
		RGB(0x7f, 0x7f, 0x7f), RGB(0xff, 0, 0), RGB(0, 0xff, 0), RGB(0xff, 0xff, 0),
		RGB(0x5c, 0x5c, 0xff), RGB(0xff, 0, 0xff), RGB(0, 0xff, 0xff), RGB(0xff, 0xff, 0xff),
	})
	for i := range 216 {
		c.Palette[16+i] = RGB(cube(i/36), cube(i/6%6), cube(i%6))
	}
	for i := range 24 {
		v := uint8(8 + 10*i)
		c.Palette[232+i] = RGB(v, v, v)
	}
	return c
}

func cube(i int) uint8 {
	if i == 0 {
		return 0
	}
	return uint8(55 + 40*i)
}

// Resolve makes col a direct colour; def stands for the default.
func (c *Colors) Resolve(col, def Color) (r, g, b uint8) {
	if i, ok := col.Index(); ok {
		col = c.Palette[i]
	} else if col == 0 {
		col = def
	}
	r, g, b, _ = col.RGB()
	return r, g, b
}

// light: dark text on a light background (weights of ITU-R BT.601).
func (c *Colors) light() bool {
	r, g, b, _ := c.Background.RGB()
	return 299*int(r)+587*int(g)+114*int(b) > 127_500
}

// special is the place of OSC 10, 11 or 12 in c.
func (c *Colors) special(code int) *Color {
	switch code {
	case 10:
		return &c.Foreground
	case 11:
		return &c.Background
	}
	return &c.Cursor
}

// oscPalette is OSC 4: pairs of an index and a colour, or a question mark.
func (t *Terminal) oscPalette(s, end string) {
	for s != "" {
		var index, spec string
		index, s, _ = strings.Cut(s, ";")
		spec, s, _ = strings.Cut(s, ";")
		i, err := strconv.ParseUint(index, 10, 8)
		if err != nil {
			continue
		}
		if spec == "?" {
			t.replyColor("4;"+strconv.Itoa(int(i)), t.colors.Palette[i], end)
		} else {
			t.changeColor(&t.colors.Palette[i], spec)
		}
	}
}

// oscSpecial is OSC 10, 11 and 12; further colours are those of the next code.
func (t *Terminal) oscSpecial(code int, s, end string) {
	for spec := range strings.SplitSeq(s, ";") {
		if code > 12 {
			return
		}
		if c := t.colors.special(code); spec == "?" {
			t.replyColor(strconv.Itoa(code), *c, end)
		} else {
			t.changeColor(c, spec)
		}
		code++
	}
}

// oscResetPalette is OSC 104: all, or the named ones.
func (t *Terminal) oscResetPalette(s string) {
	if s == "" {
		t.colors.Palette = t.theme.Palette
	} else {
		for index := range strings.SplitSeq(s, ";") {
			if i, err := strconv.ParseUint(index, 10, 8); err == nil {
				t.colors.Palette[i] = t.theme.Palette[i]
			}
		}
	}
	t.colorsChanged()
}

func (t *Terminal) changeColor(c *Color, spec string) {
	if v, ok := parseColor(spec); ok && v != *c {
		*c = v
		t.colorsChanged()
	}
}

func (t *Terminal) colorsChanged() {
	t.colorsAt = t.version
	t.events.add(Event{Kind: ColorsChanged})
}

// parseColor reads #rgb to #rrrrggggbbbb and rgb:r/g/b with one to four digits each, as
// XParseColor does.
func parseColor(s string) (Color, bool) {
	if hex, ok := strings.CutPrefix(s, "#"); ok {
		n := len(hex) / 3
		if len(hex)%3 != 0 || n < 1 || n > 4 {
			return 0, false
		}
		return parseRGB(hex[:n], hex[n:2*n], hex[2*n:], true)
	}
	parts, ok := strings.CutPrefix(s, "rgb:")
	r, rest, ok1 := strings.Cut(parts, "/")
	g, b, ok2 := strings.Cut(rest, "/")
	if !ok || !ok1 || !ok2 {
		return 0, false
	}
	return parseRGB(r, g, b, false)
}

func parseRGB(r, g, b string, high bool) (Color, bool) {
	var v [3]uint8
	for i, s := range [3]string{r, g, b} {
		n, err := strconv.ParseUint(s, 16, 16)
		if err != nil || len(s) > 4 {
			return 0, false
		}
		if high { // the digits are the highest ones
			v[i] = uint8(n << (16 - 4*len(s)) >> 8)
		} else { // the digits are a share of the largest value
			v[i] = uint8(n * 255 / (1<<(4*len(s)) - 1))
		}
	}
	return RGB(v[0], v[1], v[2]), true
}
