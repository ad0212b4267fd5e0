package viscript

import (
	"bytes"
	"testing"

	"github.com/skycoin/viscript/viscript/term"
)

func TestLeaving(t *testing.T) {
	for _, c := range []struct {
		name  string
		typed []string
		out   string
		left  bool
	}{
		{"twice", []string{"a\x1d\x1db"}, "a", true},
		{"twice in two reads", []string{"a\x1d", "\x1d"}, "a", true},
		{"once", []string{"\x1d", "x"}, "\x1dx", false},
		{"once, and again later", []string{"\x1dx\x1dy"}, "\x1dx\x1dy", false},
		{"waiting", []string{"\x1d"}, "", false},
	} {
		var l leaving
		var out []byte
		left := false
		for _, p := range c.typed {
			var more []byte
			more, left = l.keys([]byte(p))
			out = append(out, more...)
		}
		if string(out) != c.out || left != c.left {
			t.Errorf("%s: %q, %v", c.name, out, left)
		}
	}
}

// TestShownIsTheSame shows a terminal in another one and compares the two.
func TestShownIsTheSame(t *testing.T) {
	from := term.New(30, 8, term.Config{})
	from.Write([]byte("plain \x1b[1;31mred\x1b[m 世界\r\n\x1b[?1;2004;1003;1006h\x1b=\x1b[4 qsecond\r\n\x1b[7mreverse"))
	var s term.Snapshot
	from.Snapshot(&s)
	for _, size := range [][2]int{{30, 8}, {40, 20}, {11, 2}, {1, 1}} {
		c := clip(&s, size[0], size[1])
		to := term.New(size[0], size[1], term.Config{})
		to.Write([]byte(showBegin))
		to.Write(c.Append(appendModes(nil, term.Modes{}, c.Modes), false))
		var got term.Snapshot
		to.Snapshot(&got)
		for y := range c.Lines {
			if want := c.Lines[y].String(); got.Lines[y].String() != want {
				t.Errorf("%v: row %d is %q, want %q", size, y, got.Lines[y].String(), want)
			}
		}
		m := got.Modes
		if !m.AppCursor || !m.AppKeypad || !m.BracketedPaste || m.Mouse != term.MouseMotion || !m.MouseSGR || m.Cursor != term.SteadyUnderline || m.AltScroll {
			t.Errorf("%v: modes %+v", size, m)
		}
		if again := appendModes(nil, c.Modes, c.Modes); !bytes.Equal(again, nil) {
			t.Errorf("the same modes: %q", again)
		}
		to.Write([]byte(showEnd))
		if m := to.Modes(); m.AltScreen || m.AppCursor || m.AppKeypad || m.BracketedPaste || m.Mouse != term.MouseOff || m.MouseSGR || !m.CursorVisible || m.Cursor != term.DefaultCursor {
			t.Errorf("%v: left behind: %+v", size, m)
		}
	}
}
