package desktop

import "github.com/skycoin/viscript/viscript/desktop/scene"

// maxQuery is how many characters are searched for.
const maxQuery = 200

// A searchBar is open in a terminal while somebody looks for text in it.
type searchBar struct {
	text     []rune
	seq      uint32 // of the newest question; other answers are old
	asked    bool   // no answer yet
	found    bool
	failed   bool
	from, to Pos
}

// openSearch opens the bar of the focused terminal, or looks further if it is open.
func (d *Desktop) openSearch() {
	w := d.focus
	switch {
	case w == nil || w.term == nil:
	case w.term.search == nil:
		w.term.search = &searchBar{}
	default:
		d.lookFor(w, true)
	}
}

// lookFor asks for the next match before (back) or after the last one, at first before the end of what is seen.
func (d *Desktop) lookFor(w *window, back bool) {
	t, s := w.term, w.term.search
	if len(s.text) == 0 {
		s.found, s.failed = false, false
		return
	}
	from := Pos{Line: t.top() + uint64(w.rows)}
	switch {
	case s.found && back:
		from = s.from
	case s.found:
		from = s.to
	}
	s.seq++
	s.asked = true
	d.ask(Request{Kind: Search, Term: t.ID, Text: string(s.text), From: from, Back: back, Seq: s.seq})
}

// Found answers a Search: the match, or that there is none. The lines scroll to where it is seen.
func (d *Desktop) Found(id TermID, seq uint32, from, to Pos, ok bool) {
	w := d.termWindow(id)
	if w == nil || w.term.search == nil || w.term.search.seq != seq || !w.term.search.asked {
		return
	}
	t, s := w.term, w.term.search
	s.asked = false
	if s.failed = !ok || !from.Before(to); s.failed {
		return
	}
	s.found, s.from, s.to = true, from, to
	if top := t.top(); from.Line < top || from.Line >= top+uint64(w.rows) {
		half := uint64(w.rows / 2)
		t.following = false
		t.scrollTo(max(from.Line, half) - half)
	}
}

// searchKey is a key while the bar is open; false if it is not for it.
func (d *Desktop) searchKey(w *window, key KeyCode, r rune) bool {
	s := w.term.search
	switch {
	case key == KeyEscape:
		w.term.search = nil
	case key == KeyEnter || key == KeypadEnter:
		d.lookFor(w, d.mods&Shift == 0)
	case key == KeyUpArrow && d.mods == 0, key == KeyDownArrow && d.mods == 0:
		d.lookFor(w, key == KeyUpArrow)
	case key == KeyBackspace:
		if n := len(s.text); n > 0 {
			s.text, s.found = s.text[:n-1], false
			d.lookFor(w, true)
		}
	case key == Character && d.mods == Ctrl && r == 'u':
		s.text, s.found, s.failed = s.text[:0], false, false
	default:
		return d.mods == 0 // keys without a meaning here are not for the program either
	}
	return true
}

func (d *Desktop) searchChar(w *window, r rune) {
	s := w.term.search
	if r >= ' ' && r != 0x7f && len(s.text) < maxQuery {
		s.text, s.found = append(s.text, r), false
		d.lookFor(w, true)
	}
}

// searchRect is the bar at the bottom of the cells, empty if it is not open.
func (w *window) searchRect() scene.Rect {
	if w.term == nil || w.term.search == nil {
		return scene.Rect{}
	}
	b := w.frame().body
	h := min(b.H, w.font.Line+6)
	return scene.Rect{X: b.X, Y: b.Bottom() - h, W: b.W, H: h}
}
