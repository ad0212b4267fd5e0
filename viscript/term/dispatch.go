package term

// dispatch executes a control sequence that ends in final.
func (t *Terminal) dispatch(final byte) {
	q := &t.parser
	t.joinable = false
	switch {
	case q.nmid == 0 && q.private == 0:
		t.plain(final)
	case q.nmid == 0 && q.private == '?':
		t.private(final)
	case q.nmid == 0:
		t.other(q.private, final)
	case q.nmid == 1:
		t.withMid(q.private, q.mid[0], final)
	}
}

// plain: CSI parameters final. Names are those of ECMA-48 and of DEC STD 070.
func (t *Terminal) plain(final byte) {
	q := &t.parser
	n := q.arg(0, 1)
	switch final {
	case 'm': // SGR
		t.sgr(q.args())
	case 'H', 'f': // CUP, HVP
		t.moveTo(q.arg(1, 1)-1, n-1)
	case 'A', 'k': // CUU, VPB
		t.moveBy(0, -n)
	case 'B', 'e': // CUD, VPR
		t.moveBy(0, n)
	case 'C', 'a': // CUF, HPR
		t.moveBy(n, 0)
	case 'D', 'j': // CUB, HPB
		t.moveBy(-n, 0)
	case 'E': // CNL
		t.moveBy(0, n)
		t.carriageReturn()
	case 'F': // CPL
		t.moveBy(0, -n)
		t.carriageReturn()
	case 'G', '`': // CHA, HPA
		t.moveTo(n-1, t.lineNumber())
	case 'd': // VPA
		t.moveTo(t.column(), n-1)
	case 'I': // CHT
		t.tab(n)
	case 'Z': // CBT
		t.tab(-n)
	case 'b': // REP
		t.repeat(n)
	case 'g': // TBC
		t.clearTabs(q.arg(0, 0))
	default:
		t.plainEdit(final, n)
	}
}

func (t *Terminal) plainEdit(final byte, n int) {
	q := &t.parser
	switch final {
	case 'J': // ED
		t.eraseScreen(q.arg(0, 0), false)
	case 'K': // EL
		t.eraseLine(q.arg(0, 0), false)
	case '@': // ICH
		t.insertCells(n)
	case 'P': // DCH
		t.deleteCells(n)
	case 'X': // ECH
		t.erase(t.y, t.x, t.x+n, false)
	case 'L': // IL
		t.insertLines(n)
	case 'M': // DL
		t.deleteLines(n)
	case 'S': // SU
		t.scrollUp(t.top, n)
	case 'T', '^': // SD; with five parameters mouse tracking of xterm, which nobody has
		if q.n <= 1 {
			t.scrollDown(t.top, n)
		}
	case 'r': // DECSTBM
		t.setRegion(n-1, q.arg(1, t.rows))
	case 's': // DECSLRM, SCOSC
		if t.own.margins {
			t.setMargins(n-1, q.arg(1, t.cols))
		} else if q.n == 0 {
			t.saveCursor()
		}
	case 'u': // SCORC
		t.restoreCursor()
	case 'h', 'l': // SM, RM
		for _, p := range q.args() {
			t.setMode(p, false, final == 'h')
		}
	default:
		t.plainReport(final)
	}
}

func (t *Terminal) plainReport(final byte) {
	q := &t.parser
	switch final {
	case 'c': // DA
		if q.arg(0, 0) == 0 {
			t.reply("\x1b[?62;22c", "")
		}
	case 'n': // DSR
		switch q.arg(0, 0) {
		case 5:
			t.reply("\x1b[0n", "")
		case 6:
			t.reply("\x1b[", "R", t.lineNumber()+1, t.column()+1)
		}
	case 'x': // DECREQTPARM: no parity, 8 bits, 38400 baud
		if n := q.arg(0, 0); n <= 1 {
			t.reply("\x1b[", "x", n+2, 1, 1, 128, 128, 1, 0)
		}
	case 't': // XTWINOPS: the size in characters, and the title stack; never the title
		switch q.arg(0, 0) {
		case 18:
			t.reply("\x1b[8;", "t", t.rows, t.cols)
		case 22:
			t.pushTitle()
		case 23:
			t.popTitle()
		}
	}
}

// private: CSI ? parameters final.
func (t *Terminal) private(final byte) {
	q := &t.parser
	switch final {
	case 'h', 'l': // DECSET, DECRST
		for _, p := range q.args() {
			t.setMode(p, true, final == 'h')
		}
	case 'J': // DECSED
		if what := q.arg(0, 0); what < 3 {
			t.eraseScreen(what, true)
		}
	case 'K': // DECSEL
		t.eraseLine(q.arg(0, 0), true)
	case 'n': // DSR
		t.privateStatus(q.arg(0, 0))
	case 'W': // DECST8C
		if q.arg(0, 0) == 5 {
			t.setTabs(0)
		}
	}
}

func (t *Terminal) privateStatus(what int) {
	switch what {
	case 6: // DECXCPR
		t.reply("\x1b[?", "R", t.lineNumber()+1, t.column()+1)
	case 15: // printer: none
		t.reply("\x1b[?13n", "")
	case 25: // user keys: locked
		t.reply("\x1b[?21n", "")
	case 26: // keyboard: unknown dialect
		t.reply("\x1b[?27;0n", "")
	case 996: // dark or light, as Contour defined it
		n := 1
		if t.colors.light() {
			n = 2
		}
		t.reply("\x1b[?997;", "n", n)
	}
}

// other: CSI with '<', '=' or '>'.
func (t *Terminal) other(private, final byte) {
	q := &t.parser
	switch {
	case private == '>' && final == 'c': // DA2
		t.reply("\x1b[>1;10;0c", "")
	case private == '=' && final == 'c': // DA3
		t.reply("\x1bP!|00000000\x1b\\", "")
	case private == '>' && final == 'q': // XTVERSION
		t.reply("\x1bP>|viscript\x1b\\", "")
	case private == '>' && final == 'm' && q.arg(0, 0) == 4: // modifyOtherKeys
		t.modes.OtherKeys = uint8(min(q.arg(1, 0), 2))
	case private == '>' && final == 'm' && q.n == 0:
		t.modes.OtherKeys = 0
	}
}

// withMid: CSI parameters intermediate final.
func (t *Terminal) withMid(private, mid, final byte) {
	q := &t.parser
	switch {
	case mid == '$' && final == 'p': // DECRQM
		t.reportMode(q.arg(0, 0), private == '?')
	case private != 0:
	case mid == ' ' && final == 'q': // DECSCUSR
		if n := q.arg(0, 0); n <= int(SteadyBar) {
			t.modes.Cursor = CursorStyle(n)
		}
	case mid == ' ' && final == '@': // SL
		t.shiftColumns(t.left, -q.arg(0, 1))
	case mid == ' ' && final == 'A': // SR
		t.shiftColumns(t.left, q.arg(0, 1))
	case mid == '!' && final == 'p': // DECSTR
		t.softReset()
	case mid == '"' && final == 'q': // DECSCA
		t.pen.bg &^= protectedBit
		if q.arg(0, 0) == 1 {
			t.pen.bg |= protectedBit
		}
	case mid == '\'' && (final == '}' || final == '~'): // DECIC, DECDC
		n := q.arg(0, 1)
		if final == '~' {
			n = -n
		}
		if t.inMargins() && t.y >= t.top && t.y < t.bottom {
			t.shiftColumns(t.x, n)
		}
	}
}

// escape executes ESC final.
func (t *Terminal) escape(final byte) {
	t.joinable = false
	switch final {
	case '7': // DECSC
		t.saveCursor()
	case '8': // DECRC
		t.restoreCursor()
	case 'D': // IND
		t.index()
	case 'E': // NEL
		t.index()
		t.carriageReturn()
	case 'H': // HTS
		t.tabs[t.x] = true
	case 'M': // RI
		t.reverseIndex()
	case '6': // DECBI
		t.backIndex()
	case '9': // DECFI
		t.forwardIndex()
	case 'N', 'O': // SS2, SS3
		t.single = int(final - 'L')
	case 'n', 'o': // LS2, LS3
		t.gl = int(final - 'l')
	case 'Z': // DECID
		t.reply("\x1b[?6c", "")
	case 'c': // RIS
		t.reset()
	case '=': // DECKPAM
		t.modes.AppKeypad = true
	case '>': // DECKPNM
		t.modes.AppKeypad = false
	}
}

// escapeWith executes ESC mid final.
func (t *Terminal) escapeWith(mid, final byte) {
	if t.parser.nmid > 1 {
		return
	}
	switch mid {
	case '(', ')', '*', '+': // SCS
		t.charsets[mid-'('] = final
	case '#':
		if final == '8' {
			t.align()
		}
	}
}

func (t *Terminal) backIndex() {
	if t.x == t.left && t.y >= t.top && t.y < t.bottom {
		t.shiftColumns(t.left, 1)
	} else {
		t.moveBy(-1, 0)
	}
}

func (t *Terminal) forwardIndex() {
	if t.x == t.right-1 && t.y >= t.top && t.y < t.bottom {
		t.shiftColumns(t.left, -1)
	} else {
		t.moveBy(1, 0)
	}
}

func (t *Terminal) clearTabs(what int) {
	switch what {
	case 0:
		t.tabs[t.x] = false
	case 3:
		clear(t.tabs)
	}
}
