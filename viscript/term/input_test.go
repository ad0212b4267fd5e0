package term

import "testing"

func TestKeys(t *testing.T) {
	app, other1, other2 := Modes{AppCursor: true, AppKeypad: true}, Modes{OtherKeys: 1}, Modes{OtherKeys: 2}
	for _, c := range []struct {
		key  Key
		m    Modes
		want string
	}{
		{Key{Rune: 'a'}, Modes{}, "a"}, {Key{Rune: '日'}, Modes{}, "日"}, {Key{Rune: 'A', Mods: Shift}, Modes{}, "A"},
		{Key{Rune: 'a', Mods: Alt}, Modes{}, "\x1ba"}, {Key{Rune: 'é', Mods: Alt}, Modes{}, "\x1bé"},
		{Key{Rune: 'a', Mods: Ctrl}, Modes{}, "\x01"}, {Key{Rune: 'A', Mods: Ctrl | Shift}, Modes{}, "\x01"}, {Key{Rune: 'a', Mods: Ctrl | Alt}, Modes{}, "\x1b\x01"},
		{Key{Rune: ' ', Mods: Ctrl}, Modes{}, "\x00"}, {Key{Rune: '[', Mods: Ctrl}, Modes{}, "\x1b"}, {Key{Rune: '3', Mods: Ctrl}, Modes{}, "\x1b"},
		{Key{Rune: '7', Mods: Ctrl}, Modes{}, "\x1f"}, {Key{Rune: '8', Mods: Ctrl}, Modes{}, "\x7f"}, {Key{Rune: '_', Mods: Ctrl}, Modes{}, "\x1f"},
		{Key{Rune: '1', Mods: Ctrl}, Modes{}, "1"}, {Key{Rune: '1', Mods: Ctrl}, other1, "\x1b[27;5;49~"}, {Key{Rune: 'a', Mods: Ctrl}, other1, "\x01"},
		{Key{Rune: 'a', Mods: Ctrl}, other2, "\x1b[27;5;97~"}, {Key{Rune: 'a', Mods: Alt}, other2, "\x1b[27;3;97~"}, {Key{Code: Enter, Mods: Shift}, other2, "\x1b[27;2;13~"},
		{Key{Rune: 0x1b}, Modes{}, ""}, {Key{Rune: 0x9b}, Modes{}, ""}, {Key{Rune: 0xd800}, Modes{}, ""}, {Key{Rune: 0}, Modes{}, ""},
		{Key{Code: Enter}, Modes{}, "\r"}, {Key{Code: Enter, Mods: Alt}, Modes{}, "\x1b\r"}, {Key{Code: KeypadEnter}, app, "\x1bOM"}, {Key{Code: KeypadEnter}, Modes{}, "\r"},
		{Key{Code: Tab}, Modes{}, "\t"}, {Key{Code: Tab, Mods: Shift}, Modes{}, "\x1b[Z"}, {Key{Code: Escape}, Modes{}, "\x1b"},
		{Key{Code: Backspace}, Modes{}, "\x7f"}, {Key{Code: Backspace, Mods: Ctrl}, Modes{}, "\b"}, {Key{Code: Backspace, Mods: Alt}, Modes{}, "\x1b\x7f"},
		{Key{Code: Backspace}, Modes{BackarrowBS: true}, "\b"},
		{Key{Code: Up}, Modes{}, "\x1b[A"}, {Key{Code: Up}, app, "\x1bOA"}, {Key{Code: Up, Mods: Shift}, app, "\x1b[1;2A"}, {Key{Code: Left, Mods: Ctrl | Alt}, Modes{}, "\x1b[1;7D"},
		{Key{Code: Down}, Modes{}, "\x1b[B"}, {Key{Code: Right}, Modes{}, "\x1b[C"}, {Key{Code: Home}, Modes{}, "\x1b[H"}, {Key{Code: End}, app, "\x1bOF"},
		{Key{Code: Insert}, Modes{}, "\x1b[2~"}, {Key{Code: Delete}, app, "\x1b[3~"}, {Key{Code: PageUp, Mods: Shift}, Modes{}, "\x1b[5;2~"}, {Key{Code: PageDown}, Modes{}, "\x1b[6~"},
		{Key{Code: F1}, Modes{}, "\x1bOP"}, {Key{Code: F4, Mods: Shift}, Modes{}, "\x1b[1;2S"}, {Key{Code: F5}, Modes{}, "\x1b[15~"}, {Key{Code: F12, Mods: Ctrl}, Modes{}, "\x1b[24;5~"},
		{Key{Code: 200}, Modes{}, ""},
	} {
		if got := string(c.key.Append(nil, c.m)); got != c.want {
			t.Errorf("%+v with %+v: %q, want %q", c.key, c.m, got, c.want)
		}
	}
}

func TestMouse(t *testing.T) {
	sgr := func(m MouseMode) Modes { return Modes{Mouse: m, MouseSGR: true} }
	old := func(m MouseMode) Modes { return Modes{Mouse: m} }
	for _, c := range []struct {
		e    Mouse
		m    Modes
		want string
	}{
		{Mouse{Button: LeftButton, X: 1, Y: 2}, Modes{}, ""},
		{Mouse{Button: LeftButton, X: 1, Y: 2}, sgr(MouseClick), "\x1b[<0;2;3M"},
		{Mouse{Action: Release, Button: RightButton, X: 1, Y: 2}, sgr(MouseClick), "\x1b[<2;2;3m"},
		{Mouse{Button: MiddleButton, Mods: Shift | Alt | Ctrl}, sgr(MouseClick), "\x1b[<29;1;1M"},
		{Mouse{Button: WheelUp, X: 300}, sgr(MouseClick), "\x1b[<64;301;1M"}, {Mouse{Button: WheelRight}, sgr(MouseClick), "\x1b[<67;1;1M"},
		{Mouse{Action: Release, Button: WheelUp}, sgr(MouseMotion), ""},
		{Mouse{Action: Motion, Button: LeftButton}, sgr(MouseClick), ""}, {Mouse{Action: Motion, Button: LeftButton}, sgr(MouseDrag), "\x1b[<32;1;1M"},
		{Mouse{Action: Motion}, sgr(MouseDrag), ""}, {Mouse{Action: Motion}, sgr(MouseMotion), "\x1b[<35;1;1M"},
		{Mouse{Button: LeftButton, X: 1, Y: 2}, old(MouseClick), "\x1b[M \"#"}, {Mouse{Action: Release, Button: LeftButton, X: 1, Y: 2}, old(MouseClick), "\x1b[M#\"#"},
		{Mouse{Button: LeftButton, X: 222, Y: 222}, old(MouseClick), "\x1b[M \xff\xff"}, {Mouse{Button: LeftButton, X: 223}, old(MouseClick), ""},
		{Mouse{Button: LeftButton, Mods: Ctrl}, old(MousePress), "\x1b[M !!"}, {Mouse{Action: Release, Button: LeftButton}, old(MousePress), ""}, {Mouse{Button: WheelUp}, old(MousePress), ""},
		{Mouse{Button: LeftButton, X: -1}, sgr(MouseClick), ""}, {Mouse{}, sgr(MouseClick), ""},
		{Mouse{Button: WheelUp}, Modes{AltScreen: true, AltScroll: true}, "\x1b[A\x1b[A\x1b[A"}, {Mouse{Button: WheelDown}, Modes{AltScreen: true, AltScroll: true, AppCursor: true}, "\x1bOB\x1bOB\x1bOB"},
		{Mouse{Button: WheelUp}, Modes{AltScroll: true}, ""}, {Mouse{Button: WheelUp}, Modes{AltScreen: true}, ""},
	} {
		if got := string(c.e.Append(nil, c.m)); got != c.want {
			t.Errorf("%+v with %+v: %q, want %q", c.e, c.m, got, c.want)
		}
	}
}

func TestPasteAndFocus(t *testing.T) {
	in := "a\tb\r\nc\nd\re\x1b[201~f\x03\u009bg日\xff"
	if got, want := string(AppendPaste(nil, in, Modes{})), "a\tb\rc\rd\re[201~fg日\ufffd"; got != want {
		t.Errorf("pasted %q, want %q", got, want)
	}
	if got, want := string(AppendPaste(nil, "x\x1b[201~y", Modes{BracketedPaste: true})), "\x1b[200~x[201~y\x1b[201~"; got != want {
		t.Errorf("pasted %q, want %q", got, want)
	}
	wanted := Modes{FocusEvents: true}
	if got := string(AppendFocus(nil, true, wanted)) + string(AppendFocus(nil, false, wanted)) + string(AppendFocus(nil, true, Modes{})); got != "\x1b[I\x1b[O" {
		t.Errorf("focus: %q", got)
	}
}

// TestModes: the modes that sequences set, and the keys that follow them.
func TestModes(t *testing.T) {
	start := Modes{CursorVisible: true, AltScroll: true}
	with := func(f func(*Modes)) Modes { m := start; f(&m); return m }
	for in, want := range map[string]Modes{
		"":                                     start,
		"\x1b[?1;25;66;67;1004;1006;2004h":     {CursorVisible: true, AltScroll: true, AppCursor: true, AppKeypad: true, BackarrowBS: true, FocusEvents: true, MouseSGR: true, BracketedPaste: true},
		"\x1b[?25;1007l":                       {},
		"\x1b[?9h":                             with(func(m *Modes) { m.Mouse = MousePress }),
		"\x1b[?1000h":                          with(func(m *Modes) { m.Mouse = MouseClick }),
		"\x1b[?1000h\x1b[?1002h":               with(func(m *Modes) { m.Mouse = MouseDrag }),
		"\x1b[?1003h":                          with(func(m *Modes) { m.Mouse = MouseMotion }),
		"\x1b[?1003h\x1b[?1003l":               start,
		"\x1b[?5h":                             with(func(m *Modes) { m.Reverse = true }),
		"\x1b[?1049h":                          with(func(m *Modes) { m.AltScreen = true }),
		"\x1b[?2026h":                          with(func(m *Modes) { m.Synchronized = true }),
		"\x1b[6 q":                             with(func(m *Modes) { m.Cursor = SteadyBar }),
		"\x1b[6 q\x1b[?12h":                    with(func(m *Modes) { m.Cursor = BlinkingBar }),
		"\x1b[?12h":                            with(func(m *Modes) { m.Cursor = BlinkingBlock }),
		"\x1b[3 q\x1b[?12l":                    with(func(m *Modes) { m.Cursor = SteadyUnderline }),
		"\x1b[3 q\x1b[ q":                      start,
		"\x1b[9 q\x1b[?12l":                    start,
		"\x1b=":                                with(func(m *Modes) { m.AppKeypad = true }),
		"\x1b=\x1b>":                           start,
		"\x1b[>4;2m":                           with(func(m *Modes) { m.OtherKeys = 2 }),
		"\x1b[>4;9m\x1b[>4m":                   start,
		"\x1b[?1;5;1049;2026h\x1b[?1003h\x1bc": start,
		"\x1b[1;9999h\x1b[?9999h\x1b[?h":       start,
	} {
		term := New(10, 4, Config{})
		term.Write([]byte(in))
		if got := term.Modes(); got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}
