package viscript

import (
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/term"
)

// typeIn feeds the bytes of a terminal to an editor and returns the last action.
func typeIn(e *Editor, in string) (last Action) {
	var d Decoder
	d.Feed([]byte(in))
	for _, k := range read(&d) {
		last = e.Key(k)
	}
	if k, ok := d.Flush(); ok {
		last = e.Key(k)
	}
	return last
}

// withCursor is the line with a | at the cursor.
func withCursor(e *Editor) string { return e.Before() + "|" + e.Line()[len(e.Before()):] }

const (
	up, down, right, left = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
	ctrlRight, ctrlLeft   = "\x1b[1;5C", "\x1b[1;5D"
)

func TestEditing(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"abc", "abc|"},
		{"abc" + left + left + "x", "ax|bc"},
		{"abc\x01x\x05y", "xabcy|"},
		{"abc\x7f", "ab|"},
		{"abc\x01\x1b[3~", "|bc"},
		{"abc\x01\x04", "|bc"},
		{"one two three" + ctrlLeft + ctrlLeft, "one |two three"},
		{"one two" + "\x01" + ctrlRight, "one| two"},
		{"one two" + "\x1bb" + "\x1bd", "one |"},
		{"one two\x17", "one |"},
		{"one /a/b-c \x17", "one |"},
		{"one two" + ctrlLeft + "\x15", "|two"},
		{"one two" + ctrlLeft + "\x0b", "one |"},
		{"one two" + ctrlLeft + "\x0b\x01\x19 ", "two |one "},
		{"a\x17b\x19\x19", "baa|"},
		{"日本語" + left + "x", "日本x|語"},
		{"e\u0301a" + left + left + "x", "x|e\u0301a"},
		{"e\u0301\x7f", "|"},
		{"\x01\x7f", "|"},
		{"a\x1b[200~b\nc\td\x07\r\n\x1b[201~e", "ab c de|"},
		{"a\x1bb\x1b", "|a"},
	} {
		e := NewEditor(&History{})
		typeIn(e, c.in)
		if got := withCursor(e); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestActions(t *testing.T) {
	for in, want := range map[string]Action{
		"x\r": Accept, "\r": Accept, "x\x03": Interrupt, "\x04": EOF, "x\x04": Bell, "\x0c": Clear, "x\t": Complete, left: Bell, "\x0b": Bell,
		"\x19": Bell, up: Bell, "a": Continue, "\x1b": Continue,
	} {
		if got := typeIn(NewEditor(&History{}), in); got != want {
			t.Errorf("%q: action %d, want %d", in, got, want)
		}
	}
	e := NewEditor(&History{})
	for range maxInput + 5 {
		e.Key(Key{Code: KeyRune, Rune: 'x'})
	}
	if len(e.text) != maxInput {
		t.Errorf("%d characters are kept", len(e.text))
	}
}

func TestRecall(t *testing.T) {
	h := &History{lines: []string{"first", "second", "third"}}
	for _, c := range []struct{ in, want string }{
		{up, "third|"},
		{up + up, "second|"},
		{up + up + up + up, "first|"},
		{"new" + up + down, "new|"},
		{"new" + up + up + down, "third|"},
		{"new\x1b[1;5A", "first|"},
		{"new\x1b[1;5A\x1b[1;5B", "new|"},
		{"new" + up + "x" + up + down, "third|"},
		{"x\x10\x0e", "x|"},
	} {
		e := NewEditor(h)
		typeIn(e, c.in)
		if got := withCursor(e); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSearch(t *testing.T) {
	h := &History{lines: []string{"start node a", "ping 1", "start node b", "stop"}}
	for _, c := range []struct{ in, want string }{
		{"\x12no", "start |node b"},
		{"\x12no\x12", "start |node a"},
		{"\x12no\x12\x12", "start |node a"},
		{"\x12nop", "start |node b"}, // not found: the last match stays
		{"\x12node\x12\x7f", "start |node b"},
		{"\x12ping\x05x", "ping 1x|"},
		{"typed\x12no\x07", "typed|"},
		{"typed\x12no\x03", "typed|"},
		{"typed\x12no\x1b", "start |node b"}, // as in bash: Escape keeps what was found
		{"\x12ping" + up, "start node a|"},
		{"\x12ping" + down + down + down, "|"},
		{"typed\x12\x7f", "typed|"},
	} {
		e := NewEditor(h)
		typeIn(e, c.in)
		if got := withCursor(e); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	e := NewEditor(h)
	if a := typeIn(e, "\x12ping\r"); a != Accept || e.Line() != "ping 1" {
		t.Errorf("Enter in a search: %d, %q", a, e.Line())
	}
	e.Reset()
	typeIn(e, "\x12ping")
	if v := e.View(prompt, 80); v.Text != "(search)`ping': ping 1" || v.Cursor != 16 {
		t.Errorf("%+v", v)
	}
}

func TestCompleted(t *testing.T) {
	for _, c := range []struct {
		before, after string
		from          int
		candidates    []string
		want          string
		shown         int
	}{
		{"st", "", 0, []string{"start"}, "start |", 0},
		{"start n", "", 6, []string{"node"}, "start node |", 0},
		{"start n", "", 6, []string{"node-a", "node-b"}, "start node-|", 0},
		{"start node-", "", 6, []string{"node-a", "node-b"}, "start node-|", 2},
		{"s", "", 0, []string{"shutdown", "start"}, "s|", 2},
		{"", "", 0, []string{"a", "b"}, "|", 2},
		{"sta", " x", 0, []string{"start"}, "start| x", 0},
		{"x", "", 0, nil, "x|", 0},
		{"日本 st", "", 7, []string{"start"}, "日本 start |", 0},
		{"s 'odd", "", 2, []string{"'odd name'"}, "s 'odd name' |", 0},
		{"s od", "", 2, []string{"'odd a'", "'odd b'"}, "s 'odd |", 0},
	} {
		e := NewEditor(&History{})
		e.text, e.pos = []rune(c.before+c.after), len([]rune(c.before))
		shown := e.Completed(c.from, c.candidates)
		if got := withCursor(e); got != c.want || len(shown) != c.shown {
			t.Errorf("%q with %q: %q and %d shown, want %q and %d", c.before, c.candidates, got, len(shown), c.want, c.shown)
		}
	}
}

func TestView(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		text    string
		cursor  int
	}{
		{"", 80, "viscript> ", 10},
		{"start", 80, "viscript> start", 15},
		{"start\x01", 80, "viscript> start", 10},
		{"日本", 80, "viscript> 日本", 14},
		{"日本" + left, 80, "viscript> 日本", 12},
		{"0123456789abcdef", 25, "viscript> …56789abcdef", 22},
		{"0123456789abcdef\x01", 25, "viscript> 0123456789abc…", 10},
		{"x", 16, "vis…x", 5},
		{"x", 4, "x", 1},
		{"abcdefgh", 5, "…h", 2},
	} {
		e := NewEditor(&History{})
		typeIn(e, c.in)
		v := e.View(prompt, c.columns)
		if v.Text != c.text || v.Cursor != c.cursor {
			t.Errorf("%q in %d columns: %q, cursor %d; want %q, %d", c.in, c.columns, v.Text, v.Cursor, c.text, c.cursor)
		}
	}
	if got := (View{"viscript> ab", 11}).Draw(); got != "\rviscript> ab\x1b[K\r\x1b[11C" {
		t.Errorf("drawn as %q", got)
	}
}

// checkView looks for what must hold of any picture of any line.
func checkView(t *testing.T, e *Editor, columns int) {
	t.Helper()
	v := e.View(prompt, columns)
	w := term.Width(v.Text)
	if w > max(columns, 2)-1 && columns > 3 {
		t.Fatalf("%q is %d wide in %d columns", v.Text, w, columns)
	}
	if v.Cursor < 0 || v.Cursor > w || v.Cursor >= max(columns, 2) {
		t.Fatalf("%q: cursor at %d in %d columns", v.Text, v.Cursor, columns)
	}
	if strings.ContainsAny(v.Text, "\x1b\r\n\t\a") {
		t.Fatalf("%q holds control characters", v.Text)
	}
}

// TestViewAnywhere puts the cursor everywhere in a long line of mixed widths.
func TestViewAnywhere(t *testing.T) {
	line := []rune(strings.Repeat("ab日本e\u0301 😀x", 12))
	for columns := 1; columns < 60; columns++ {
		e := NewEditor(&History{})
		e.text = line
		for _, k := range []KeyCode{KeyRight, KeyLeft} {
			for range len(line) + 1 {
				checkView(t, e, columns)
				e.Key(Key{Code: k})
			}
		}
		for p := range line { // jumps
			e.pos = (p * 37) % len(line)
			checkView(t, e, columns)
		}
	}
}

func TestLayOut(t *testing.T) {
	if got, want := layOut([]string{"alpha", "b", "c", "d", "e"}, 21), "alpha  c      e\nb      d\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := layOut([]string{"日本", "b"}, 3); got != "日本\nb\n" {
		t.Errorf("got %q", got)
	}
}
