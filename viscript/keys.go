package viscript

import (
	"bytes"
	"unicode/utf8"
)

// KeyCode says which key was pressed. KeyRune is a character, and KeyPaste a pasted text.
type KeyCode int

// The keys the editor knows. Control keys are named by what they do (GNU readline's names).
const (
	KeyNone KeyCode = iota
	KeyRune
	KeyPaste
	KeyEnter
	KeyTab
	KeyBackspace
	KeyDelete
	KeyLeft
	KeyRight
	KeyUp
	KeyDown
	KeyHome
	KeyEnd
	KeyWordLeft
	KeyWordRight
	KeyOldest
	KeyNewest
	KeyKillEnd
	KeyKillStart
	KeyKillWordLeft
	KeyKillWordRight
	KeyYank
	KeyClear
	KeySearch
	KeyInterrupt
	KeyEOF
	KeyEscape
	KeyAbort
)

// Key is one press of a key. Text is the pasted text of KeyPaste.
type Key struct {
	Code KeyCode
	Rune rune
	Text string
}

const (
	// maxEscape bounds an escape sequence; a longer one is dropped.
	maxEscape = 32
	// maxPaste bounds what one paste keeps, in bytes; the rest is dropped.
	maxPaste = 64 << 10
)

var pasteEnd = []byte("\x1b[201~")

// Decoder turns the bytes a terminal sends into keys (ECMA-48 and xterm's sequences, UTF-8).
// The zero value is ready. Not safe for concurrent use.
type Decoder struct {
	buf     []byte
	pasting bool
	paste   []byte
}

// Feed adds bytes; Next returns the keys in them.
func (d *Decoder) Feed(p []byte) { d.buf = append(d.buf, p...) }

// Pending says whether an escape sequence is unfinished: when nothing follows within a
// moment it was the Escape key, and Flush says so.
func (d *Decoder) Pending() bool { return !d.pasting && len(d.buf) > 0 && d.buf[0] == 0x1b }

// Flush ends an unfinished escape sequence.
func (d *Decoder) Flush() (Key, bool) {
	if !d.Pending() {
		return Key{}, false
	}
	d.buf = nil
	return Key{Code: KeyEscape}, true
}

// Next returns the next key; ok is false when more bytes are needed. Unknown sequences are
// skipped.
func (d *Decoder) Next() (k Key, ok bool) {
	for len(d.buf) > 0 {
		if d.pasting {
			if k, ok = d.pasted(); ok {
				return k, true
			}
			return Key{}, false
		}
		k, n := decode(d.buf)
		if n == 0 {
			return Key{}, false
		}
		d.buf = d.buf[n:]
		if k.Code == KeyPaste {
			d.pasting, d.paste = true, nil
			continue
		}
		if k.Code != KeyNone {
			return k, true
		}
	}
	return Key{}, false
}

// pasted collects a paste up to its end mark.
func (d *Decoder) pasted() (Key, bool) {
	i := bytes.Index(d.buf, pasteEnd)
	if i < 0 { // keep what may be the beginning of the mark
		keep := 0
		for n := min(len(pasteEnd)-1, len(d.buf)); n > 0; n-- {
			if bytes.HasPrefix(pasteEnd, d.buf[len(d.buf)-n:]) {
				keep = n
				break
			}
		}
		d.take(d.buf[:len(d.buf)-keep])
		d.buf = d.buf[len(d.buf)-keep:]
		return Key{}, false
	}
	d.take(d.buf[:i])
	k := Key{Code: KeyPaste, Text: string(d.paste)}
	d.buf, d.pasting, d.paste = d.buf[i+len(pasteEnd):], false, nil
	return k, true
}

func (d *Decoder) take(p []byte) {
	d.paste = append(d.paste, p[:min(len(p), maxPaste-len(d.paste))]...)
}

// controlKeys are the control characters, by value.
var controlKeys = [32]KeyCode{
	'A' - '@': KeyHome, 'B' - '@': KeyLeft, 'C' - '@': KeyInterrupt, 'D' - '@': KeyEOF, 'E' - '@': KeyEnd,
	'F' - '@': KeyRight, 'G' - '@': KeyAbort, 'H' - '@': KeyBackspace, 'I' - '@': KeyTab, 'J' - '@': KeyEnter,
	'K' - '@': KeyKillEnd, 'L' - '@': KeyClear, 'M' - '@': KeyEnter, 'N' - '@': KeyDown, 'P' - '@': KeyUp,
	'R' - '@': KeySearch, 'U' - '@': KeyKillStart, 'W' - '@': KeyKillWordLeft, 'Y' - '@': KeyYank,
}

// decode reads one key; n is 0 when p ends in the middle of one.
func decode(p []byte) (k Key, n int) {
	switch c := p[0]; {
	case c == 0x1b:
		return decodeEscape(p)
	case c < 0x20:
		return Key{Code: controlKeys[c]}, 1
	case c == 0x7f:
		return Key{Code: KeyBackspace}, 1
	case !utf8.FullRune(p):
		return Key{}, 0
	}
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError && n == 1 || r >= 0x80 && r < 0xa0 {
		return Key{}, n
	}
	return Key{Code: KeyRune, Rune: r}, n
}

func decodeEscape(p []byte) (Key, int) {
	if len(p) == 1 {
		return Key{}, 0
	}
	switch p[1] {
	case '[':
		return decodeCSI(p)
	case 'O': // SS3: keys in application mode
		if len(p) == 2 {
			return Key{}, 0
		}
		return Key{Code: finalKey(p[2], false)}, 3
	case 'b', 'B':
		return Key{Code: KeyWordLeft}, 2
	case 'f', 'F':
		return Key{Code: KeyWordRight}, 2
	case 'd', 'D':
		return Key{Code: KeyKillWordRight}, 2
	case '<':
		return Key{Code: KeyOldest}, 2
	case '>':
		return Key{Code: KeyNewest}, 2
	case 0x7f, 0x08:
		return Key{Code: KeyKillWordLeft}, 2
	case 0x1b:
		return Key{Code: KeyEscape}, 1
	}
	return Key{}, 2
}

// decodeCSI reads ESC [ parameters final.
func decodeCSI(p []byte) (Key, int) {
	for i := 2; i < len(p); i++ {
		c := p[i]
		switch {
		case i >= maxEscape, c < 0x20, c > 0x7e:
			return Key{}, i // broken: what follows is read on its own
		case c < 0x40:
			continue
		}
		if c == '[' && i == 2 { // the Linux console's function keys: ESC [ [ A
			if len(p) == 3 {
				return Key{}, 0
			}
			return Key{}, 4
		}
		return csiKey(string(p[2:i]), c), i + 1
	}
	return Key{}, 0
}

func csiKey(parameters string, final byte) Key {
	if final != '~' {
		_, modifier, _ := bytes.Cut([]byte(parameters), []byte(";"))
		control := len(modifier) == 1 && modifier[0] >= '3' // Alt or Ctrl, with or without Shift
		return Key{Code: finalKey(final, control)}
	}
	switch parameters {
	case "1", "7":
		return Key{Code: KeyHome}
	case "4", "8":
		return Key{Code: KeyEnd}
	case "3":
		return Key{Code: KeyDelete}
	case "3;5", "3;3":
		return Key{Code: KeyKillWordRight}
	case "200":
		return Key{Code: KeyPaste}
	}
	return Key{}
}

// finalKey is the key of a sequence by its last byte.
func finalKey(c byte, control bool) KeyCode {
	plain := map[byte]KeyCode{
		'A': KeyUp, 'B': KeyDown, 'C': KeyRight, 'D': KeyLeft, 'F': KeyEnd, 'H': KeyHome, 'M': KeyEnter,
	}
	with := map[byte]KeyCode{
		'A': KeyOldest, 'B': KeyNewest, 'C': KeyWordRight, 'D': KeyWordLeft, 'F': KeyEnd, 'H': KeyHome,
	}
	if control {
		return with[c]
	}
	return plain[c]
}
