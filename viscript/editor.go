package viscript

import (
	"slices"
	"strings"
	"unicode"

	"github.com/skycoin/viscript/viscript/term"
)

// maxInput bounds the line being typed, in characters.
const maxInput = 16 << 10

// Action is what the owner of an Editor has to do after a key.
type Action int

// The actions. After Accept, Interrupt and EOF the line is at its end: Line holds it until Reset.
const (
	Continue  Action = iota // draw the line again
	Accept                  // run the line
	Interrupt               // the line was given up (Ctrl-C)
	EOF                     // Ctrl-D on an empty line
	Clear                   // clear the screen
	Complete                // look for completions of Before and call Completed
	Bell                    // the key can do nothing here
)

// Editor is a line of input and what the keys do to it: no terminal, no clock, no I/O.
// Not safe for concurrent use.
type Editor struct {
	text    []rune
	pos     int // cursor: text[pos] is under it
	off     int // first character shown, when the line is wider than the screen
	killed  []rune
	history *History
	at      int    // position in the history; len(lines): the line typed now
	typed   []rune // that line while the history is shown
	search  *search
}

// search is an incremental search backwards through the history (Ctrl-R).
type search struct {
	text   []rune
	found  int // position in the history, -1: none
	before []rune
	pos    int
	failed bool // nothing older holds the text
}

// NewEditor makes an editor with an empty line.
func NewEditor(h *History) *Editor {
	e := &Editor{history: h}
	e.Reset()
	return e
}

// Reset begins a new line. What was killed stays for Ctrl-Y.
func (e *Editor) Reset() {
	e.text, e.pos, e.off, e.typed, e.search = nil, 0, 0, nil, nil
	e.at = len(e.history.lines)
}

// Line is the text so far.
func (e *Editor) Line() string { return string(e.text) }

// Before is the text before the cursor.
func (e *Editor) Before() string { return string(e.text[:e.pos]) }

// Key does what the key stands for.
func (e *Editor) Key(k Key) Action {
	if e.search != nil {
		if a, done := e.searchKey(k); done {
			return a
		}
	}
	switch k.Code {
	case KeyRune:
		return e.insert([]rune{k.Rune})
	case KeyPaste:
		return e.insert(pasted(k.Text))
	case KeyEnter:
		return Accept
	case KeyTab:
		return Complete
	case KeyInterrupt:
		return Interrupt
	case KeyEOF:
		if len(e.text) == 0 {
			return EOF
		}
		return e.cut(e.pos, e.right(), false)
	case KeyClear:
		return Clear
	case KeySearch:
		e.search = &search{found: -1, before: e.text, pos: e.pos}
		return Continue
	case KeyUp, KeyDown, KeyOldest, KeyNewest:
		return e.recall(k.Code)
	case KeyEscape, KeyAbort, KeyNone:
		return Continue
	}
	return e.edit(k.Code)
}

// edit moves the cursor or removes text.
func (e *Editor) edit(k KeyCode) Action {
	switch k {
	case KeyLeft:
		return e.move(e.left())
	case KeyRight:
		return e.move(e.right())
	case KeyWordLeft:
		return e.move(e.wordLeft())
	case KeyWordRight:
		return e.move(e.wordRight())
	case KeyHome:
		e.pos = 0
	case KeyEnd:
		e.pos = len(e.text)
	case KeyBackspace:
		return e.cut(e.left(), e.pos, false)
	case KeyDelete:
		return e.cut(e.pos, e.right(), false)
	case KeyKillEnd:
		return e.cut(e.pos, len(e.text), true)
	case KeyKillStart:
		return e.cut(0, e.pos, true)
	case KeyKillWordLeft:
		return e.cut(e.spaceLeft(), e.pos, true)
	case KeyKillWordRight:
		return e.cut(e.pos, e.wordRight(), true)
	case KeyYank:
		return e.insert(e.killed)
	}
	return Continue
}

// pasted is a pasted text fit for one line: line ends and tabs become spaces, so that a
// paste never runs anything, and other control characters are dropped.
func pasted(text string) []rune {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n\r")
	var out []rune
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			out = append(out, ' ')
		case !unicode.IsControl(r) && r != unicode.ReplacementChar:
			out = append(out, r)
		}
	}
	return out
}

func (e *Editor) insert(r []rune) Action {
	if len(r) == 0 || len(e.text)+len(r) > maxInput {
		return Bell
	}
	e.text = slices.Insert(slices.Clone(e.text), e.pos, r...)
	e.pos += len(r)
	return Continue
}

func (e *Editor) move(to int) Action {
	if to == e.pos {
		return Bell
	}
	e.pos = to
	return Continue
}

// cut removes text[from:to]; keep puts it where Ctrl-Y finds it.
func (e *Editor) cut(from, to int, keep bool) Action {
	if from == to {
		return Bell
	}
	if keep {
		e.killed = slices.Clone(e.text[from:to])
	}
	e.text = slices.Delete(slices.Clone(e.text), from, to)
	e.pos = from
	return Continue
}

// left is the position one character back; marks without width belong to the one before them.
func (e *Editor) left() int {
	p := e.pos
	for p > 0 {
		if p--; term.RuneWidth(e.text[p]) > 0 {
			break
		}
	}
	return p
}

func (e *Editor) right() int {
	p := min(e.pos+1, len(e.text))
	for p < len(e.text) && term.RuneWidth(e.text[p]) == 0 {
		p++
	}
	return p
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

func (e *Editor) wordLeft() int {
	p := e.pos
	for p > 0 && !inWord(e.text[p-1]) {
		p--
	}
	for p > 0 && inWord(e.text[p-1]) {
		p--
	}
	return p
}

func (e *Editor) wordRight() int {
	p := e.pos
	for p < len(e.text) && !inWord(e.text[p]) {
		p++
	}
	for p < len(e.text) && inWord(e.text[p]) {
		p++
	}
	return p
}

// spaceLeft is the beginning of the word before the cursor, words being what spaces separate.
func (e *Editor) spaceLeft() int {
	p := e.pos
	for p > 0 && unicode.IsSpace(e.text[p-1]) {
		p--
	}
	for p > 0 && !unicode.IsSpace(e.text[p-1]) {
		p--
	}
	return p
}

// recall shows another line of the history. The line being typed is the newest of them.
func (e *Editor) recall(k KeyCode) Action {
	lines := e.history.lines
	to := map[KeyCode]int{KeyUp: e.at - 1, KeyDown: e.at + 1, KeyOldest: 0, KeyNewest: len(lines)}[k]
	if to < 0 || to > len(lines) || to == e.at {
		return Bell
	}
	if e.at == len(lines) {
		e.typed = e.text
	}
	e.at = to
	if to == len(lines) {
		e.text = e.typed
	} else {
		e.text = []rune(lines[to])
	}
	e.pos, e.off = len(e.text), 0
	return Continue
}

// Completed takes what Before could be continued with: candidates for the word that begins
// at byte from of Before. It inserts what they have in common and returns those to show when
// that is nothing more than what was typed.
func (e *Editor) Completed(from int, candidates []string) (show []string) {
	before := e.Before()
	if len(candidates) == 0 || from > len(before) {
		return nil
	}
	common := candidates[0]
	for _, c := range candidates[1:] {
		common = commonPrefix(common, c)
	}
	if len(candidates) == 1 && !(e.pos < len(e.text) && e.text[e.pos] == ' ') {
		common += " "
	}
	if common == before[from:] || len(candidates) > 1 && len(common) < len(before[from:]) {
		return candidates
	}
	start := len([]rune(before[:from]))
	e.text = slices.Concat(e.text[:start], []rune(common), e.text[e.pos:])
	e.pos = start + len([]rune(common))
	return nil
}

func commonPrefix(a, b string) string {
	n := 0
	for i, r := range a {
		if !strings.HasPrefix(b[min(i, len(b)):], string(r)) {
			break
		}
		n = i + len(string(r))
	}
	return a[:n]
}
