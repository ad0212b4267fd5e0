package term

// A MouseMode says which mouse events the program wants.
type MouseMode uint8

// The modes 9, 1000, 1002 and 1003 of xterm.
const (
	MouseOff    MouseMode = iota
	MousePress            // presses only, without modifiers
	MouseClick            // presses and releases
	MouseDrag             // and motion with a button held
	MouseMotion           // and all motion
)

// A CursorStyle is the shape of the cursor, numbered as in DECSCUSR.
type CursorStyle uint8

// The styles of DECSCUSR.
const (
	DefaultCursor CursorStyle = iota
	BlinkingBlock
	SteadyBlock
	BlinkingUnderline
	SteadyUnderline
	BlinkingBar
	SteadyBar
)

// Modes are what a window must know to draw the cursor and to encode keys, mouse and pastes.
type Modes struct {
	CursorVisible  bool // DECTCEM
	Cursor         CursorStyle
	Reverse        bool // DECSCNM: foreground and background are swapped everywhere
	AltScreen      bool // the alternate screen, which has no scrollback
	AltScroll      bool // mode 1007: there, without mouse mode, the wheel sends arrow keys
	AppCursor      bool // DECCKM
	AppKeypad      bool // DECNKM
	BackarrowBS    bool // DECBKM: Backspace sends BS instead of DEL
	OtherKeys      uint8
	BracketedPaste bool
	FocusEvents    bool
	Mouse          MouseMode
	MouseSGR       bool // mode 1006
	Synchronized   bool // mode 2026: the program is in the middle of an update
}

// ownModes matter to the terminal alone.
type ownModes struct {
	autowrap    bool // DECAWM
	insert      bool // IRM
	newline     bool // LNM
	margins     bool // DECLRMM
	reverseWrap bool // mode 45
}

// flag is the place of a mode that is a flag and no more, nil for others.
func (t *Terminal) flag(mode int, private bool) *bool {
	if !private {
		switch mode {
		case 4:
			return &t.own.insert
		case 20:
			return &t.own.newline
		}
		return nil
	}
	switch mode {
	case 1:
		return &t.modes.AppCursor
	case 7:
		return &t.own.autowrap
	case 25:
		return &t.modes.CursorVisible
	case 45:
		return &t.own.reverseWrap
	case 66:
		return &t.modes.AppKeypad
	case 67:
		return &t.modes.BackarrowBS
	case 1004:
		return &t.modes.FocusEvents
	case 1006:
		return &t.modes.MouseSGR
	case 1007:
		return &t.modes.AltScroll
	case 2004:
		return &t.modes.BracketedPaste
	}
	return nil
}

// setMode is SM, RM, DECSET and DECRST.
func (t *Terminal) setMode(mode int32, private, on bool) {
	if f := t.flag(int(mode), private); f != nil {
		*f = on
		if mode == 7 && !on {
			t.wrapNext = false
		}
		return
	}
	if !private {
		return
	}
	switch mode {
	case 3: // DECCOLM: the width stays, the rest is done
		t.top, t.bottom, t.left, t.right = 0, t.rows, 0, t.cols
		t.eraseScreen(2, false)
		t.moveTo(0, 0)
	case 5: // DECSCNM
		t.modes.Reverse, t.allVersion = on, t.version
	case 6: // DECOM
		t.origin = on
		t.moveTo(0, 0)
	case 12: // the cursor blinks
		t.modes.Cursor = t.modes.Cursor.blinking(on)
	case 69: // DECLRMM
		t.own.margins = on
		t.left, t.right, t.wrapNext = 0, t.cols, false
	case 9, 1000, 1002, 1003:
		t.modes.Mouse = MouseOff
		if on {
			t.modes.Mouse = mouseMode(mode)
		}
	case 47, 1047, 1048, 1049:
		t.switchScreen(mode, on)
	case 2026:
		t.modes.Synchronized = on
		if on {
			t.syncSince = t.cfg.Now()
		}
	}
}

func mouseMode(mode int32) MouseMode {
	switch mode {
	case 9:
		return MousePress
	case 1000:
		return MouseClick
	case 1002:
		return MouseDrag
	}
	return MouseMotion
}

func (s CursorStyle) blinking(on bool) CursorStyle {
	switch {
	case on && s == DefaultCursor:
		return BlinkingBlock
	case on:
		return (s-1)&^1 + 1
	case s == DefaultCursor:
		return s
	}
	return (s-1)&^1 + 2
}

// switchScreen is the modes 47, 1047, 1048 and 1049: the last two save and restore the cursor, the
// last empties the alternate screen as it is entered, 1047 as it is left.
func (t *Terminal) switchScreen(mode int32, on bool) {
	if mode >= 1048 && on && (mode == 1048 || t.s == t.main) {
		t.saveCursor()
	}
	if mode != 1048 && on != (t.s == t.alt) {
		if mode == 1047 && !on {
			t.eraseScreen(2, false)
		}
		if t.s = t.main; on {
			t.s = t.alt
		}
		t.modes.AltScreen = on
		t.allVersion = t.version
		if mode == 1049 && on {
			t.eraseScreen(2, false)
		} else if mode == 1049 {
			t.restoreCursor()
		}
	}
	if mode == 1048 && !on {
		t.restoreCursor()
	}
}

// reportMode is the answer to DECRQM: 1 set, 2 reset, 0 unknown.
func (t *Terminal) reportMode(mode int, private bool) {
	var on, known bool
	if f := t.flag(mode, private); f != nil {
		on, known = *f, true
	} else if private {
		on, known = t.otherMode(mode)
	}
	value := 0
	if known {
		value = 2
		if on {
			value = 1
		}
	}
	prefix := "\x1b["
	if private {
		prefix = "\x1b[?"
	}
	t.reply(prefix, "$y", mode, value)
}

func (t *Terminal) otherMode(mode int) (on, known bool) {
	switch mode {
	case 3:
		return false, true
	case 5:
		return t.modes.Reverse, true
	case 6:
		return t.origin, true
	case 12:
		return t.modes.Cursor&1 == 1, true
	case 69:
		return t.own.margins, true
	case 9, 1000, 1002, 1003:
		return t.modes.Mouse == mouseMode(int32(mode)), true
	case 47, 1047, 1049:
		return t.s == t.alt, true
	case 2026:
		return t.modes.Synchronized, true
	}
	return false, false
}
