package viscript

import (
	"fmt"
	"strings"

	"github.com/skycoin/viscript/viscript/term"
)

const (
	prompt = "viscript> "
	// minText is how many columns the text keeps; where the screen is too narrow for that
	// beside the prompt, the prompt goes.
	minText = 12
	// more stands at an end of the line where some of it is not shown.
	more = "…"
)

// View is a picture of the line: one row, never wider than the screen less one column, which
// the cursor needs behind the end of the text.
type View struct {
	Text   string
	Cursor int // column, from 0
}

// View draws the line, with lead before it, for a screen of so many columns.
func (e *Editor) View(lead string, columns int) View {
	columns = max(columns, 2)
	if e.search != nil {
		name := "search"
		if e.search.failed {
			name = "failed search"
		}
		lead = fmt.Sprintf("(%s)`%s': ", name, string(e.search.text))
	}
	if term.Width(lead)+minText > columns {
		lead = term.Truncate(lead, max(0, columns-minText))
	}
	text, cursor := e.window(columns - 1 - term.Width(lead))
	return View{lead + text, term.Width(lead) + cursor}
}

// window is the part of the text that fits into width columns with the cursor in it.
func (e *Editor) window(width int) (string, int) {
	width = max(width, 1)
	if term.Width(string(e.text)) <= width {
		e.off = 0
		return string(e.text), term.Width(string(e.text[:e.pos]))
	}
	e.scroll(width)
	var b strings.Builder
	column, cursor := 0, 0
	if e.off > 0 {
		b.WriteString(more)
		column = 1
	}
	i := e.off
	for ; i < len(e.text); i++ {
		w := term.RuneWidth(e.text[i])
		room := width - 1 // a column for the mark
		if i == len(e.text)-1 {
			room = width
		}
		if column+w > room {
			break
		}
		if i == e.pos {
			cursor = column
		}
		b.WriteRune(e.text[i])
		column += w
	}
	if e.pos >= i {
		cursor = column
	}
	if i < len(e.text) {
		b.WriteString(more)
	}
	return b.String(), min(cursor, width)
}

// scroll moves the first character shown so that the cursor is in sight: as little as
// possible, but a third of the width when it left by the front.
func (e *Editor) scroll(width int) {
	e.off = min(e.off, len(e.text))
	if e.pos <= e.off && e.off > 0 {
		e.off = e.pos
		for back := 0; e.off > 0 && back < width/3; {
			e.off--
			back += term.RuneWidth(e.text[e.off])
		}
	}
	used := 0
	for _, r := range e.text[e.off:e.pos] {
		used += term.RuneWidth(r)
	}
	// The marks at both ends, and the character under the cursor, which may be a wide one.
	for room := max(0, width-3); used > room && e.off < e.pos; e.off++ {
		used -= term.RuneWidth(e.text[e.off])
	}
	for e.off < len(e.text) && e.off > 0 && e.off < e.pos && term.RuneWidth(e.text[e.off]) == 0 {
		e.off++
	}
}

// Draw is what a terminal must be sent to show the view in its current row (ECMA-48: CR, EL, CUF).
func (v View) Draw() string {
	s := "\r" + v.Text + "\x1b[K\r"
	if v.Cursor > 0 {
		s += fmt.Sprintf("\x1b[%dC", v.Cursor)
	}
	return s
}

// layOut lays words out below each other in columns, as a list of completions is shown.
func layOut(words []string, columns int) string {
	width := 0
	for _, w := range words {
		width = max(width, term.Width(w)+2)
	}
	perRow := max(1, columns/max(width, 1))
	rows := (len(words) + perRow - 1) / perRow
	var b strings.Builder
	for r := range rows {
		var row strings.Builder
		for i := r; i < len(words); i += rows {
			w := term.Clean(words[i])
			row.WriteString(w + strings.Repeat(" ", max(0, width-term.Width(w))))
		}
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	return b.String()
}
