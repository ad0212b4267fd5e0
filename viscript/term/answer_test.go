package term

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recorder collects what a terminal says.
type recorder struct {
	answers []byte
	events  []Event
}

func recorded(cols, rows int) (*Terminal, *recorder) {
	r := &recorder{}
	return New(cols, rows, Config{
		Answer: func(p []byte) { r.answers = append(r.answers, p...) },
		Event:  func(e Event) { r.events = append(r.events, e) },
	}), r
}

func TestAnswers(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[c": "\x1b[?62;22c", "\x1b[0c": "\x1b[?62;22c", "\x1b[1c": "", "\x1b[>c": "\x1b[>1;10;0c", "\x1b[=c": "\x1bP!|00000000\x1b\\",
		"\x1bZ":     "\x1b[?6c",
		"\x1b[5n":   "\x1b[0n",
		"ab\x1b[6n": "\x1b[1;3R", "abcdefghij\x1b[6n": "\x1b[1;10R", "\x1b[2;4r\x1b[?6h\x1b[6n": "\x1b[1;1R", "\x1b[?6n": "\x1b[?1;1R",
		"\x1b[?15n": "\x1b[?13n", "\x1b[?25n": "\x1b[?21n", "\x1b[?26n": "\x1b[?27;0n", "\x1b[?996n": "\x1b[?997;1n",
		"\x1b]11;#fff\x07\x1b[?996n": "\x1b[?997;2n",
		"\x1b[x":                     "\x1b[2;1;1;128;128;1;0x", "\x1b[1x": "\x1b[3;1;1;128;128;1;0x", "\x1b[2x": "",
		"\x1b[18t": "\x1b[8;4;10t", "\x1b[21t": "", "\x1b[14t": "",
		"\x1b[>q":   "\x1bP>|viscript\x1b\\",
		"\x1b[4$p":  "\x1b[4;2$y",
		"\x1b[9$p":  "\x1b[9;0$y",
		"\x1b[?7$p": "\x1b[?7;1$y", "\x1b[?2026$p": "\x1b[?2026;2$y", "\x1b[?2026h\x1b[?2026$p": "\x1b[?2026;1$y", "\x1b[?12345$p": "\x1b[?12345;0$y",
		"\x1b[?1002h\x1b[?1002$p": "\x1b[?1002;1$y", "\x1b[?1002h\x1b[?1000$p": "\x1b[?1000;2$y",
		"\x1bP$qm\x1b\\":             "\x1bP1$r0m\x1b\\",
		"\x1b[1;31m\x1bP$qm\x1b\\":   "\x1bP1$r0;1;38;5;1m\x1b\\",
		"\x1b[2;3r\x1bP$qr\x1b\\":    "\x1bP1$r2;3r\x1b\\",
		"\x1b[4 q\x1bP$q q\x1b\\":    "\x1bP1$r4 q\x1b\\",
		"\x1bP$qzz\x1b\\":            "\x1bP0$r\x1b\\",
		"\x1b]10;?\x07":              "\x1b]10;rgb:e5e5/e5e5/e5e5\a",
		"\x1b]10;?;?\x1b\\":          "\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\\x1b]11;rgb:0000/0000/0000\x1b\\",
		"\x1b]4;1;?\x07":             "\x1b]4;1;rgb:cdcd/0000/0000\a",
		"\x1b]4;1;rgb:1/2/3;1;?\x07": "\x1b]4;1;rgb:1111/2222/3333\a",
		"\x1b]4;300;?;x;?\x07":       "",
		"\x1b]52;c;?\x07":            "", "\x05": "", "\x1bP+q544e\x1b\\": "", "\x1b]0;x\x07\x1b[20t\x1b[21t": "",
	} {
		term, r := recorded(10, 4)
		term.Write([]byte(in))
		if string(r.answers) != want {
			t.Errorf("%q: answered %q, want %q", in, r.answers, want)
		}
	}
}

// TestAnswersAreBounded: no output makes much more input of itself.
func TestAnswersAreBounded(t *testing.T) {
	for _, ask := range []string{"\x1b[c", "\x1b[6n", "\x1bP$qm\x1b\\", "\x1b]4;" + strings.Repeat("1;?;", 500) + "\x07", "\x1b[x"} {
		for _, whole := range []bool{true, false} {
			term, r := recorded(80, 24)
			term.Write([]byte("\x1b[1;2;3;4;5;7;8;9;38;2;100;100;100;48;2;200;200;200;58;2;100;100;100m"))
			in := []byte(strings.Repeat(ask, 100_000/len(ask)))
			if whole {
				term.Write(in)
			}
			for i := 0; i < len(in) && !whole; i += 7 {
				term.Write(in[i:min(i+7, len(in))])
			}
			if limit := maxCredit + answersPerByte*(len(in)+80); len(r.answers) > limit {
				t.Errorf("%.10q: %d bytes answered to %d", ask, len(r.answers), len(in))
			}
		}
	}
	term, r := recorded(80, 24)
	for i := range 5000 { // short questions are all answered, however many
		term.Write([]byte("\x1b[6n"))
		if want := 6 * (i + 1); len(r.answers) != want {
			t.Fatalf("%d bytes after %d questions", len(r.answers), i+1)
		}
	}
}

func TestEvents(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("copied\n"))
	long := strings.Repeat("x", 4000)
	for in, want := range map[string][]Event{
		"\x1b]0;a\x07": {{Kind: TitleChanged, Text: "a"}}, "\x1b]2;ä日\x1b\\": {{Kind: TitleChanged, Text: "ä日"}}, "\x1b]1;icon\x07": nil,
		"\x1b]2;a\u0085\u202eb\xff\x07":              {{Kind: TitleChanged, Text: "a\ufffd\ufffdb\ufffd"}},
		"\x1b]2;" + long + "\x07":                    {{Kind: TitleChanged, Text: long[:maxTitle]}},
		"\x1b]2;a\x07\x1b[22t\x1b]2;b\x07\x1b[23;0t": {{Kind: TitleChanged, Text: "a"}}, "\x1b[23t": nil,
		"\x1b]7;file://host/home\x07":            {{Kind: DirectoryChanged, Text: "file://host/home"}},
		"\x1b]52;c;" + data + "\x07":             {{Kind: ClipboardOffered, Text: "copied\n", Target: "c"}},
		"\x1b]52;;" + data + "\x07":              {{Kind: ClipboardOffered, Text: "copied\n"}},
		"\x1b]52;c;!!!\x07":                      nil,
		"\x1b]52;c;?\x07":                        nil,
		"\x1b]52;" + long + ";" + data + "\x07":  nil,
		"\a\a\x1b[2J\a":                          {{Kind: Bell}},
		"\x1b]4;1;#123456\x07\x1b]104\x07":       {{Kind: ColorsChanged}},
		"\x1b]4;1;nonsense;2;#12345\x07":         nil,
		"\x1b]11;rgb:ff/ff/ff\x07\x1b]111\x1b\\": {{Kind: ColorsChanged}},
		"\x1b]0;cut off":                         nil,
		"\x1b]0;aborted\x18":                     nil,
		"\x1b];x\x07\x1b]x;y\x07\x1b]\x07":       nil,
	} {
		term, r := recorded(10, 4)
		term.Write([]byte(in))
		if !slices.Equal(r.events, want) {
			t.Errorf("%.40q: %q, want %q", in, r.events, want)
		}
	}
}

func TestBigClipboard(t *testing.T) {
	text := strings.Repeat("0123456789", 70_000)
	data := base64.StdEncoding.EncodeToString([]byte(text))
	term, r := recorded(10, 4)
	for p := []byte("\x1b]52;c;" + data + "\x07"); len(p) > 0; p = p[min(len(p), 1000):] {
		term.Write(p[:min(len(p), 1000)])
	}
	if len(r.events) != 1 || r.events[0].Text != text {
		t.Fatalf("%d events", len(r.events))
	}
	term.Write([]byte("\x1b]52;c;" + data + data + "\x07x"))
	if len(r.events) != 1 {
		t.Error("more than a MiB was taken")
	}
	if view(term) != "x 1,0" {
		t.Errorf("then %q", view(term))
	}
}

func TestColors(t *testing.T) {
	for in, want := range map[string]Color{
		"#f00": RGB(0xf0, 0, 0), "#ff8000": RGB(255, 128, 0), "#fff000fff": RGB(0xff, 0, 0xff), "#ffff80000000": RGB(255, 128, 0),
		"rgb:f/8/0": RGB(255, 0x88, 0), "rgb:ff/80/00": RGB(255, 128, 0), "rgb:ffff/8080/0": RGB(255, 128, 0),
		"": 0, "#": 0, "#ff": 0, "#ggg": 0, "rgb:f/f": 0, "rgb:fffff/0/0": 0, "rgb:/0/0": 0, "red": 0, "#+1+1+1": 0, "?": 0,
	} {
		got, ok := parseColor(in)
		if got != want || ok != (want != 0) {
			t.Errorf("%q: %x %t, want %x", in, got, ok, want)
		}
	}
	c := DefaultColors()
	for col, want := range map[Color][3]uint8{
		Palette(16): {0, 0, 0}, Palette(231): {255, 255, 255}, Palette(208): {255, 135, 0}, Palette(232): {8, 8, 8},
		Palette(255): {238, 238, 238}, RGB(1, 2, 3): {1, 2, 3}, 0: {0, 0, 0},
	} {
		if r, g, b := c.Resolve(col, c.Background); [3]uint8{r, g, b} != want {
			t.Errorf("%x is %d %d %d, want %d", col, r, g, b, want)
		}
	}
	term, r := recorded(10, 4)
	term.SetColors(Colors{Foreground: RGB(1, 1, 1), Background: RGB(255, 255, 255)})
	term.Write([]byte("\x1b]10;?\x07\x1b]10;#000000\x07\x1b]110\x07\x1b]10;?\x07"))
	if one := "\x1b]10;rgb:0101/0101/0101\a"; string(r.answers) != one+one {
		t.Errorf("answered %q", r.answers)
	}
}

func TestLinks(t *testing.T) {
	term := New(20, 3, Config{})
	term.Write([]byte("a\x1b]8;x=1:id=7;http://h/p?q;r\x1b\\bc\x1b[m日\x1b]8;;\x1b\\d\x1b]8;;http://bad address\x07e\x1b]8;;" + strings.Repeat("u", 3000) + "\x07f"))
	var s Snapshot
	term.Snapshot(&s)
	for x, want := range []string{"", "http://h/p?q;r", "http://h/p?q;r", "http://h/p?q;r", "http://h/p?q;r", "", "", ""} {
		if uri, id := s.Lines[0].Link(x); uri != want || (uri != "") != (id == "7") {
			t.Errorf("column %d leads to %q, %q", x, uri, id)
		}
	}
	term.Write([]byte("\r\n\n\n\n"))
	var rows [1]Row
	term.Lines(0, rows[:])
	if uri, _ := rows[0].Link(3); uri != "http://h/p?q;r" {
		t.Errorf("in the scrollback %q", uri)
	}
	for i := range 3 * maxExtras { // the oldest are forgotten, and not mixed up
		term.Write([]byte("\x1b]8;;http://" + strings.Repeat("y", 50+i%1000) + "/" + string(rune('a'+i%26)) + "\x07"))
	}
	term.Lines(0, rows[:])
	if uri, _ := rows[0].Link(3); uri != "" || rows[0].Text(3) != "日" {
		t.Errorf("then %q, %q", uri, rows[0].Text(3))
	}
	if n := len(term.extras.list); n > maxExtras || n != len(term.extras.byValue) || term.extras.bytes > maxExtraBytes+maxURI {
		t.Errorf("%d links, %d bytes kept", n, term.extras.bytes)
	}
}

// TestWholePalette: a program that asks for all colours at once learns them.
func TestWholePalette(t *testing.T) {
	term, r := recorded(80, 24)
	var ask strings.Builder
	for i := range 256 {
		ask.WriteString("\x1b]4;" + strconv.Itoa(i) + ";?\x1b\\")
	}
	term.Write([]byte(ask.String()))
	if n := strings.Count(string(r.answers), "rgb:"); n != 256 {
		t.Errorf("%d colours told", n)
	}
}
