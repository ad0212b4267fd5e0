package viscript

import "slices"

// searchKey handles a key during a search. done is false when the key ends the search and has
// its usual meaning for the line that was found.
func (e *Editor) searchKey(k Key) (a Action, done bool) {
	s := e.search
	switch k.Code {
	case KeyRune:
		if len(s.text) < maxHistoryLine {
			s.text = append(slices.Clone(s.text), k.Rune)
		}
		return e.find(s.found, true), true
	case KeyPaste:
		if p := pasted(k.Text); len(s.text)+len(p) < maxHistoryLine {
			s.text = slices.Concat(s.text, p)
		}
		return e.find(s.found, true), true
	case KeyBackspace:
		if len(s.text) > 0 {
			s.text = s.text[:len(s.text)-1]
		}
		return e.find(-1, true), true
	case KeySearch:
		return e.find(s.found, false), true
	case KeyInterrupt, KeyAbort:
		e.text, e.pos, e.search = s.before, s.pos, nil
		return Continue, true
	case KeyNone:
		return Continue, true
	}
	if s.found >= 0 {
		e.at = s.found
		e.typed = s.before
	}
	e.search = nil
	return Continue, k.Code == KeyEscape // which keeps the line and does nothing else
}

// find looks for the text from line from on backwards (-1: from the newest), from itself
// included with stay.
func (e *Editor) find(from int, stay bool) Action {
	s := e.search
	switch {
	case from < 0:
		from = len(e.history.lines)
	case stay:
		from++
	}
	if len(s.text) == 0 {
		s.found, s.failed, e.text, e.pos = -1, false, s.before, s.pos
		return Continue
	}
	i := e.history.search(string(s.text), from)
	if s.failed = i < 0; s.failed {
		return Bell
	}
	s.found = i
	e.text = []rune(e.history.lines[i])
	e.pos, e.off = indexRunes(e.text, s.text), 0
	return Continue
}

func indexRunes(text, part []rune) int {
	for i := 0; i+len(part) <= len(text); i++ {
		if slices.Equal(text[i:i+len(part)], part) {
			return i
		}
	}
	return 0
}
