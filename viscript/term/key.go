package term

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mods are the modifier keys held.
type Mods uint8

// In the order in which xterm numbers them.
const (
	Shift Mods = 1 << iota
	Alt
	Ctrl
	Super
)

// A KeyCode is a key that writes no character, or one that may be encoded otherwise.
type KeyCode uint8

// The keys. Character: Key.Rune is what it writes. Keypad keys are those with NumLock off or in
// application mode; with NumLock on they are characters.
const (
	Character KeyCode = iota
	Enter
	Tab
	Backspace
	Escape
	Up
	Down
	Right
	Left
	Home
	End
	Insert
	Delete
	PageUp
	PageDown
	F1
	F2
	F3
	F4
	F5
	F6
	F7
	F8
	F9
	F10
	F11
	F12
	KeypadEnter
)

// A Key is a press of a key.
type Key struct {
	Code KeyCode
	Rune rune // of Character: as Shift made it, but not Ctrl
	Mods Mods
}

// Append appends what the program reads for the key, as xterm encodes it: nothing if the key means
// nothing.
func (k Key) Append(dst []byte, m Modes) []byte {
	switch k.Code {
	case Character:
		return k.appendCharacter(dst, m)
	case Enter:
		return k.appendControl(dst, '\r', m)
	case Escape:
		return k.appendControl(dst, 0x1b, m)
	case Tab:
		if k.Mods&Shift != 0 {
			return append(dst, "\x1b[Z"...)
		}
		return k.appendControl(dst, '\t', m)
	case Backspace:
		c := byte(0x7f)
		if m.BackarrowBS != (k.Mods&Ctrl != 0) {
			c = '\b'
		}
		return append(k.appendAlt(dst), c)
	case KeypadEnter:
		if m.AppKeypad {
			return append(dst, "\x1bOM"...)
		}
		return k.appendControl(dst, '\r', m)
	}
	return k.appendFunction(dst, m)
}

func (k Key) appendAlt(dst []byte) []byte {
	if k.Mods&Alt != 0 {
		return append(dst, 0x1b)
	}
	return dst
}

// appendControl is for keys that are a control character.
func (k Key) appendControl(dst []byte, c byte, m Modes) []byte {
	if m.OtherKeys == 2 && k.Mods != 0 {
		return k.appendOther(dst, rune(c))
	}
	return append(k.appendAlt(dst), c)
}

// appendOther is the form of modifyOtherKeys.
func (k Key) appendOther(dst []byte, r rune) []byte {
	dst = append(dst, "\x1b[27;"...)
	dst = strconv.AppendInt(dst, int64(k.Mods)+1, 10)
	dst = strconv.AppendInt(append(dst, ';'), int64(r), 10)
	return append(dst, '~')
}

func (k Key) appendCharacter(dst []byte, m Modes) []byte {
	r := k.Rune
	if r < 0x20 || r >= 0x7f && r < 0xa0 || !utf8.ValidRune(r) {
		return dst
	}
	if k.Mods&Ctrl == 0 {
		if m.OtherKeys == 2 && k.Mods&Alt != 0 {
			return k.appendOther(dst, r)
		}
		return utf8.AppendRune(k.appendAlt(dst), r)
	}
	c, ok := controlOf(r)
	if m.OtherKeys == 2 || m.OtherKeys == 1 && !ok {
		return k.appendOther(dst, r)
	}
	if !ok {
		return utf8.AppendRune(k.appendAlt(dst), r)
	}
	return append(k.appendAlt(dst), c)
}

// controlOf is the control character that Ctrl makes of r (VT220, table 3-5, and the digits that
// stand in for what keyboards lack).
func controlOf(r rune) (byte, bool) {
	switch {
	case r >= '@' && r <= '_', r >= 'a' && r <= 'z':
		return byte(r) & 0x1f, true
	case r == ' ' || r == '2' || r == '`':
		return 0, true
	case r >= '3' && r <= '7':
		return byte(r - '3' + 0x1b), true
	case r == '8' || r == '?':
		return 0x7f, true
	case r == '/':
		return 0x1f, true
	case r == '~':
		return 0x1e, true
	}
	return 0, false
}

// functionKeys: a letter stands in CSI letter, a number in CSI number ~.
var functionKeys = [...]struct {
	letter byte
	number uint8
}{
	Up: {'A', 0}, Down: {'B', 0}, Right: {'C', 0}, Left: {'D', 0}, Home: {'H', 0}, End: {'F', 0},
	Insert: {0, 2}, Delete: {0, 3}, PageUp: {0, 5}, PageDown: {0, 6},
	F1: {'P', 0}, F2: {'Q', 0}, F3: {'R', 0}, F4: {'S', 0}, F5: {0, 15}, F6: {0, 17}, F7: {0, 18},
	F8: {0, 19}, F9: {0, 20}, F10: {0, 21}, F11: {0, 23}, F12: {0, 24},
}

func (k Key) appendFunction(dst []byte, m Modes) []byte {
	if int(k.Code) >= len(functionKeys) {
		return dst
	}
	f := functionKeys[k.Code]
	switch {
	case f.letter == 0 && f.number == 0:
		return dst
	case f.letter == 0:
		dst = strconv.AppendInt(append(dst, "\x1b["...), int64(f.number), 10)
		if k.Mods != 0 {
			dst = strconv.AppendInt(append(dst, ';'), int64(k.Mods)+1, 10)
		}
		return append(dst, '~')
	case k.Mods != 0:
		dst = strconv.AppendInt(append(dst, "\x1b[1;"...), int64(k.Mods)+1, 10)
	case k.Code >= F1 || m.AppCursor:
		dst = append(dst, "\x1bO"...)
	default:
		dst = append(dst, "\x1b["...)
	}
	return append(dst, f.letter)
}

// AppendPaste appends text as if it were typed: line ends become carriage returns, and control
// characters but tabs are left out, so that a paste can neither send commands of its own nor end
// the brackets early.
func AppendPaste(dst []byte, text string, m Modes) []byte {
	if m.BracketedPaste {
		dst = append(dst, "\x1b[200~"...)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r':
			dst = append(dst, '\r')
		case r == '\t' || r >= 0x20 && r < 0x7f || r >= 0xa0:
			dst = utf8.AppendRune(dst, r)
		}
	}
	if m.BracketedPaste {
		dst = append(dst, "\x1b[201~"...)
	}
	return dst
}

// AppendFocus appends the report that the window got or lost the focus, if the program wants it.
func AppendFocus(dst []byte, got bool, m Modes) []byte {
	switch {
	case !m.FocusEvents:
		return dst
	case got:
		return append(dst, "\x1b[I"...)
	}
	return append(dst, "\x1b[O"...)
}
