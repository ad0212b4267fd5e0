package desktop

import (
	"strings"

	"github.com/skycoin/viscript/viscript/term"
)

// maxURL is how long an address may be, in bytes.
const maxURL = 2048

// A hoverLink is the link under the pointer.
type hoverLink struct {
	window   *window // nil: none
	from, to Pos
	uri      string
}

// schemes are those of addresses that a click opens. A program in a terminal may write any link, so
// none that runs something here.
var schemes = [...]string{"https://", "http://", "ftp://", "mailto:"}

func (d *Desktop) hoverLinks() {
	w := d.window(d.over.Window)
	if !d.inside || d.over.Part != OnBody || w == nil || w.term == nil || d.drag.kind != noDrag || d.programHasMouse(w) {
		d.link = hoverLink{}
		return
	}
	d.link = d.linkAt(w, w.between(d.pointer, true))
}

// linkAt is the link on cell p: one that the program made, else an address in the text.
func (d *Desktop) linkAt(w *window, p Pos) hoverLink {
	if !d.read(w.term.ID, p.Line) {
		return hoverLink{}
	}
	l := &d.text
	i := l.index(p)
	if i < 0 {
		return hoverLink{}
	}
	var a, b int
	uri := ""
	if id := l.links[i]; id != 0 {
		uri = d.cfg.Lines.Link(w.term.ID, id)
		for a = i; a > 0 && l.links[a-1] == id; a-- {
		}
		for b = i + 1; b < len(l.cells) && l.links[b] == id; b++ {
		}
	} else {
		a, b, uri = l.address(i)
	}
	if !openable(uri) {
		return hoverLink{}
	}
	return hoverLink{w, l.at[a], l.end(b - 1), uri}
}

// openable: uri has one of the schemes and only characters that belong into an address.
func openable(uri string) bool {
	if len(uri) > maxURL {
		return false
	}
	for _, r := range uri {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`"<>\^{|}`+"`", r) {
			return false
		}
	}
	return term.Clean(uri) == uri && scheme(uri) != ""
}

func scheme(s string) string {
	for _, p := range schemes {
		if len(s) > len(p) && strings.EqualFold(s[:len(p)], p) {
			return p
		}
	}
	return ""
}

// address is the address in the text around cell i, cells a to b; "" if there is none.
func (l *logical) address(i int) (a, b int, uri string) {
	for a = i; a > 0 && l.inAddress(a-1); a-- {
	}
	for b = i; b < len(l.cells) && l.inAddress(b); b++ {
	}
	if b-a < 8 || b-a > maxURL {
		return 0, 0, ""
	}
	for ; a <= i; a++ { // it may stand behind a bracket or a word
		if scheme(l.ascii(a, b)) != "" {
			break
		}
	}
	if a > i {
		return 0, 0, ""
	}
	for b > a && l.trailing(a, b) {
		b--
	}
	if i >= b {
		return 0, 0, ""
	}
	return a, b, l.string(a, b)
}

func (l *logical) inAddress(i int) bool {
	r := l.cells[i]
	if r == 0 {
		return l.wideTail(i)
	}
	return r > ' ' && r != 0x7f && !strings.ContainsRune(`"'<>\^{|}`+"`", r)
}

func (l *logical) wideTail(i int) bool {
	return i > 0 && l.cells[i] == 0 && term.RuneWidth(l.cells[i-1]) == 2
}

// ascii is the start of the text from a, enough for a scheme and one more character.
func (l *logical) ascii(a, b int) string {
	var buf [9]byte
	n := 0
	for ; n < len(buf) && a+n < b && l.cells[a+n] < 0x80; n++ {
		buf[n] = byte(l.cells[a+n])
	}
	return string(buf[:n])
}

// trailing: the last character of a to b is punctuation of the sentence around, or a bracket that was
// opened before.
func (l *logical) trailing(a, b int) bool {
	switch last := l.cells[b-1]; last {
	case '.', ',', ';', ':', '!', '?':
		return true
	case ')', ']':
		open := map[rune]rune{')': '(', ']': '['}[last]
		depth := 0
		for _, r := range l.cells[a:b] {
			switch r {
			case open:
				depth++
			case last:
				depth--
			}
		}
		return depth < 0
	}
	return false
}

func (l *logical) string(a, b int) string {
	var s strings.Builder
	for _, r := range l.cells[a:b] {
		if r != 0 {
			s.WriteRune(r)
		}
	}
	return s.String()
}

func (d *Desktop) visit(uri string) {
	if openable(uri) {
		d.ask(Request{Kind: Visit, Text: uri})
	}
}
