package term

// sgr is SELECT GRAPHIC RENDITION.
func (t *Terminal) sgr(p []int32) {
	if len(p) == 0 {
		t.plainPen()
	}
	for i := 0; i < len(p); {
		n := 1
		for i+n < len(p) && t.parser.joined&(1<<(i+n)) != 0 {
			n++
		}
		if n > 1 {
			t.sgrJoined(p[i : i+n])
		} else if c := p[i]; c == 38 || c == 48 || c == 58 {
			n = t.sgrColor(p[i:])
		} else {
			t.sgrOne(c)
		}
		i += n
	}
}

// plainPen is SGR 0; links and protection are not part of it.
func (t *Terminal) plainPen() {
	t.pen.fg = 0
	t.pen.bg &= protectedBit
	t.underlineColor(0)
}

func (t *Terminal) sgrOne(c int32) {
	fg, bg := &t.pen.fg, &t.pen.bg
	switch {
	case c == 0:
		t.plainPen()
	case c >= 30 && c <= 37:
		setColor(fg, Palette(uint8(c-30)))
	case c >= 40 && c <= 47:
		setColor(bg, Palette(uint8(c-40)))
	case c >= 90 && c <= 97:
		setColor(fg, Palette(uint8(c-90+8)))
	case c >= 100 && c <= 107:
		setColor(bg, Palette(uint8(c-100+8)))
	case c == 39:
		setColor(fg, 0)
	case c == 49:
		setColor(bg, 0)
	case c == 59:
		t.underlineColor(0)
	case c < 10:
		t.sgrSet(c)
	default:
		t.sgrReset(c)
	}
}

func (t *Terminal) sgrSet(c int32) {
	switch c {
	case 1, 2, 3:
		t.pen.fg |= 1 << (attrShift + c - 1)
	case 4:
		t.underline(SingleUnderline)
	case 5, 6:
		t.pen.fg |= uint32(Blink) << attrShift
	case 7, 8:
		t.pen.fg |= 1 << (attrShift + c - 3)
	case 9:
		t.pen.bg |= strikeBit
	}
}

func (t *Terminal) sgrReset(c int32) {
	switch c {
	case 21: // ECMA-48: doubly underlined
		t.underline(DoubleUnderline)
	case 22:
		t.pen.fg &^= uint32(Bold|Faint) << attrShift
	case 23:
		t.pen.fg &^= uint32(Italic) << attrShift
	case 24:
		t.underline(NoUnderline)
	case 25:
		t.pen.fg &^= uint32(Blink) << attrShift
	case 27:
		t.pen.fg &^= uint32(Inverse) << attrShift
	case 28:
		t.pen.fg &^= uint32(Hidden) << attrShift
	case 29:
		t.pen.bg &^= strikeBit
	case 53:
		t.pen.bg |= overlineBit
	case 55:
		t.pen.bg &^= overlineBit
	}
}

func (t *Terminal) underline(u Underline) {
	t.pen.bg = t.pen.bg&^underlineMask | uint32(u)<<underlineShift
}

func setColor(word *uint32, c Color) { *word = *word&^colorMask | uint32(c) }

func (t *Terminal) underlineColor(c Color) {
	if t.extra.color != c {
		t.extra.color = c
		t.pen.extra = t.extras.intern(t.extra)
	}
}

func (t *Terminal) setColorOf(what int32, c Color) {
	switch what {
	case 38:
		setColor(&t.pen.fg, c)
	case 48:
		setColor(&t.pen.bg, c)
	case 58:
		t.underlineColor(c)
	}
}

// sgrColor reads 38;5;n and 38;2;r;g;b, and returns how many parameters it took.
func (t *Terminal) sgrColor(p []int32) int {
	switch {
	case len(p) >= 3 && p[1] == 5:
		if p[2] < 256 {
			t.setColorOf(p[0], Palette(uint8(p[2])))
		}
		return 3
	case len(p) >= 5 && p[1] == 2:
		t.setDirect(p[0], p[2:5])
		return 5
	case len(p) >= 2 && (p[1] == 5 || p[1] == 2):
		return len(p)
	}
	return 1
}

func (t *Terminal) setDirect(what int32, p []int32) {
	if p[0] < 256 && p[1] < 256 && p[2] < 256 {
		t.setColorOf(what, RGB(uint8(p[0]), uint8(p[1]), uint8(p[2])))
	}
}

// sgrJoined reads the forms with colons: 4:n, 38:5:n, 38:2:r:g:b and 38:2:space:r:g:b (ITU T.416).
func (t *Terminal) sgrJoined(p []int32) {
	switch {
	case p[0] == 4:
		if p[1] <= int32(DashedUnderline) {
			t.underline(Underline(p[1]))
		}
	case p[0] != 38 && p[0] != 48 && p[0] != 58:
	case p[1] == 5 && len(p) >= 3:
		t.sgrColor(p[:3])
	case p[1] == 2 && len(p) == 5:
		t.setDirect(p[0], p[2:5])
	case p[1] == 2 && len(p) >= 6:
		t.setDirect(p[0], p[3:6])
	}
}
