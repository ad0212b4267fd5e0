package term

import (
	"fmt"
	"strings"
	"testing"
)

// view is the rows of a terminal with / between, blanks at the ends left out, and the cursor.
func view(t *Terminal) string {
	var s Snapshot
	t.Snapshot(&s)
	var rows []string
	for i := range s.Lines {
		rows = append(rows, trimmed(&s.Lines[i]))
	}
	return fmt.Sprintf("%s %d,%d", strings.TrimRight(strings.Join(rows, "/"), "/"), s.X, s.Y)
}

const (
	abc  = "a\r\nb\r\nc\r\nd" // a letter a line, cursor at 1,3
	full = "abcdefghij"       // a full row of ten; the wrap is pending
)

// sequences: what a terminal of 10x4 shows, and its cursor.
var sequences = []struct{ name, in, want string }{
	{"text", "hello", "hello 5,0"},
	{"wrap pending", full, "abcdefghij 9,0"},
	{"wrap", full + "k", "abcdefghij/k 1,1"},
	{"wrap pending, CR", full + "\rX", "Xbcdefghij 1,0"},
	{"wrap pending, BS", full + "\bX", "abcdefghXj 9,0"},
	{"wrap pending, CUB", full + "\x1b[DX", "abcdefghXj 9,0"},
	{"wrap pending, EL", full + "\x1b[KX", "abcdefghiX 9,0"},
	{"wrap pending, LF", full + "\nX", "abcdefghij/         X 9,1"},
	{"no DECAWM", "\x1b[?7l" + full + "kl", "abcdefghil 9,0"},
	{"LF", "a\nb", "a/ b 2,1"},
	{"VT, FF", "a\vb\fc", "a/ b/  c 3,2"},
	{"LNM", "\x1b[20ha\nb", "a/b 1,1"},
	{"scroll", abc + "\r\ne", "b/c/d/e 1,3"},
	{"BS", "ab\b\b\bc", "cb 1,0"},
	{"BS with mode 45", "\x1b[?45h\r\nab\r\x1b[2;1H\bX", "         X/ab 9,0"},
	{"HT", "\tx", "        x 9,0"},
	{"HT to the edge", "\t\t\tx", "         x 9,0"},
	{"HTS, TBC", "\x1b[3g\x1b[4G\x1bH\r\tx", "   x 4,0"},
	{"TBC 0", "\x1b[9G\x1b[g\r\tx", "         x 9,0"},
	{"CBT", "abcdefghi\x1b[ZX", "abcdefghX 9,0"},
	{"CHT", "\x1b[1Ix", "        x 9,0"},
	{"CUP", "\x1b[2;3Hx", "/  x 3,1"},
	{"CUP without parameters", "ab\x1b[Hx", "xb 1,0"},
	{"CUP 0", "\x1b[0;0Hx", "x 1,0"},
	{"CUP beyond", "\x1b[99;99Hx", "///         x 9,3"},
	{"HVP", "\x1b[2fx", "/x 1,1"},
	{"CUU, CUD, CUF, CUB", "\x1b[3;3H\x1b[A\x1b[2C\x1b[B\x1b[Dx", "//   x 4,2"},
	{"CUU 0", "\x1b[3;1H\x1b[0Ax", "/x 1,1"},
	{"CUU stops at the region", "\x1b[2;3r\x1b[3;1H\x1b[9Ax", "/x 1,1"},
	{"CUU above the region", "\x1b[3;4r\x1b[2;1H\x1b[9Ax", "x 1,0"},
	{"CUD stops at the region", "\x1b[2;3r\x1b[2;1H\x1b[9Bx", "//x 1,2"},
	{"CNL, CPL", "ab\x1b[2Ex\x1b[Fy", "ab/y/x 1,1"},
	{"CHA, VPA", "\x1b[5Gx\x1b[3dy", "    x//     y 6,2"},
	{"HPA, HPR, VPR", "\x1b[3`x\x1b[2ay\x1b[ez", "  x  y/      z 7,1"},
	{"ED 0", abc + "\x1b[2;1H\x1b[J", "a 0,1"},
	{"ED 1", abc + "\x1b[2;1H\x1b[1J", "//c/d 0,1"},
	{"ED 2", abc + "\x1b[2J", " 1,3"},
	{"EL 0, 1, 2", "abcd\r\nabcd\r\nabcd\x1b[1;3H\x1b[K\x1b[2;3H\x1b[1K\x1b[3;3H\x1b[2K", "ab/   d 2,2"},
	{"ECH", "abcdef\x1b[1;3H\x1b[2X", "ab  ef 2,0"},
	{"ECH beyond", "abcdef\x1b[1;3H\x1b[99X", "ab 2,0"},
	{"ICH", "abcdefghij\x1b[1;3H\x1b[2@", "ab  cdefgh 2,0"},
	{"DCH", "abcdefghij\x1b[1;3H\x1b[2P", "abefghij 2,0"},
	{"DCH beyond", "abcdefghij\x1b[1;3H\x1b[99P", "ab 2,0"},
	{"IL", abc + "\x1b[2;1H\x1b[L", "a//b/c 0,1"},
	{"DL", abc + "\x1b[2;1H\x1b[M", "a/c/d 0,1"},
	{"DL from the top", abc + "\x1b[H\x1b[2M", "c/d 0,0"},
	{"IL in a region", abc + "\x1b[2;3r\x1b[2;1H\x1b[9L", "a///d 0,1"},
	{"IL out of the region", abc + "\x1b[2;3r\x1b[1;1H\x1b[L", "a/b/c/d 0,0"},
	{"SU", abc + "\x1b[2S", "c/d 1,3"},
	{"SD", abc + "\x1b[2T", "//a/b 1,3"},
	{"SD with mouse parameters", abc + "\x1b[1;2;3;4;5T", "a/b/c/d 1,3"},
	{"REP", "ab\x1b[3b", "abbbb 5,0"},
	{"REP of nothing", "\x1b[3b", " 0,0"},
	{"REP beyond", "\x1b[?7lx\x1b[65535b", "xxxxxxxxxx 9,0"},
	{"REP of a wide character", "日\x1b[b", "日日 4,0"},
	{"DECSTBM", abc + "\x1b[2;3r\x1b[3;1H\n", "a/c//d 0,2"},
	{"DECSTBM, RI", abc + "\x1b[2;3r\x1b[2;1H\x1bM", "a//b/d 0,1"},
	{"DECSTBM of one line", "x\x1b[2;2ry", "xy 2,0"},
	{"DECSTBM homes", "x\x1b[2;3ry", "y 1,0"},
	{"DECOM", "\x1b[2;3r\x1b[?6hx\x1b[9;1Hy", "/x/y 1,2"},
	{"DECOM off homes", "\x1b[2;3r\x1b[?6h\x1b[?6lx", "x 1,0"},
	{"IND, NEL, RI", "a\x1bDb\x1bEc\x1bM\x1bMd", "ad/ b/c 2,0"},
	{"RI scrolls", abc + "\x1b[H\x1bM", "/a/b/c 0,0"},
	{"DECSC, DECRC", "\x1b[2;2H\x1b7\x1b[Hx\x1b8y", "x/ y 2,1"},
	{"SCOSC, SCORC", "\x1b[2;2H\x1b[s\x1b[Hx\x1b[uy", "x/ y 2,1"},
	{"DECRC keeps the wrap", full + "\x1b7\x1b[H\x1b8k", "abcdefghij/k 1,1"},
	{"DECRC restores the charset", "\x1b(0\x1b7\x1b(B\x1b8q", "─ 1,0"},
	{"DECALN", "\x1b[2;3r\x1b#8", "EEEEEEEEEE/EEEEEEEEEE/EEEEEEEEEE/EEEEEEEEEE 0,0"},
	{"IRM", "abc\x1b[4h\x1b[1;2HX", "aXbc 2,0"},
	{"line drawing", "\x1b(0lqk\x1b(Blqk", "┌─┐lqk 6,0"},
	{"SO, SI", "\x1b)0a\x0eq\x0fq", "a─q 3,0"},
	{"SS2, SS3", "\x1b*0\x1b+0\x1bNqq\x1bOqq", "─q─q 4,0"},
	{"LS2", "\x1b*0\x1bnqq\x0fq", "──q 3,0"},
	{"British", "\x1b(A#", "£ 1,0"},
	{"alternate screen", "ab\x1b[?1049hcd\x1b[Hef", "efcd 2,0"},
	{"alternate screen and back", "ab\x1b[?1049hcd\x1b[Hef\x1b[?1049l", "ab 2,0"},
	{"1049 twice", "ab\x1b[?1049h\x1b[Hcd\x1b[?1049hef\x1b[?1049l", "ab 2,0"},
	{"mode 47 keeps the text", "ab\x1b[?47h\x1b[Hcd\x1b[?47l\x1b[?47h", "cd 2,0"},
	{"mode 1047 does not", "ab\x1b[?1047h\x1b[Hcd\x1b[?1047l\x1b[?1047h", " 2,0"},
	{"mode 1048", "ab\x1b[?1048h\x1b[3;3H\x1b[?1048lc", "abc 3,0"},
	{"left and right margins", "\x1b[?69h\x1b[3;5sabcdefg", "abcde/  fg 4,1"},
	{"LF within margins", "\x1b[?69h\x1b[3;5s\x1b[4;3Hx\n", "//  x 3,3"},
	{"ICH within margins", "abcdefghij\x1b[?69h\x1b[3;6s\x1b[1;4H\x1b[@", "abc deghij 3,0"},
	{"DCH within margins", "abcdefghij\x1b[?69h\x1b[3;6s\x1b[1;4H\x1b[P", "abcef ghij 3,0"},
	{"IL within margins", "abcdef\r\nghijkl\x1b[?69h\x1b[3;4s\x1b[1;3H\x1b[L", "ab  ef/ghcdkl/  ij 2,0"},
	{"DL within margins", "abcdef\r\nghijkl\x1b[?69h\x1b[3;4s\x1b[1;3H\x1b[M", "abijef/gh  kl 2,0"},
	{"SL, SR", "abcdef\x1b[2 @\x1b[1 A", " cdef 6,0"},
	{"DECIC, DECDC", "abcdef\x1b[1;2H\x1b[2'}\x1b[1;5H\x1b['~", "a  bdef 4,0"},
	{"DECBI, DECFI", "abc\r\x1b6\x1b9", " abc 1,0"},
	{"DECFI at the edge", "abcdefghij\x1b9", "bcdefghij 9,0"},
	{"DECSCA, DECSED", "ab\x1b[1\"qcd\x1b[\"qef\x1b[?2J", "  cd 6,0"},
	{"DECSEL", "ab\x1b[1\"qcd\x1b[\"qef\r\x1b[?K", "  cd 0,0"},
	{"ED does not spare protected", "\x1b[1\"qcd\x1b[2J", " 2,0"},
	{"DECSTR", "\x1b[4h\x1b[2;3r\x1b[?6h\x1b[!pab", "/ab 2,1"},
	{"RIS", "abc\x1b[4h\x1bcx", "x 1,0"},
	{"DECCOLM", "abc\x1b[?3hx", "x 1,0"},

	{"wide", "日本", "日本 4,0"},
	{"wide at the edge", "123456789日", "123456789/日 2,1"},
	{"wide without wrapping", "\x1b[?7l123456789日", "12345678日 9,0"},
	{"over the tail", "日\x1b[2Gx", " x 2,0"},
	{"over the lead", "日\rx", "x 1,0"},
	{"wide over two halves", "日本\x1b[2G語", " 語 3,0"},
	{"EL within a wide one", "日本\x1b[4G\x1b[K", "日 3,0"},
	{"EL 1 within a wide one", "日本\x1b[1G\x1b[1K", "  本 0,0"},
	{"ECH within wide ones", "日本語\x1b[2G\x1b[3X", "    語 1,0"},
	{"ICH within a wide one", "日本\x1b[4G\x1b[@", "日 3,0"},
	{"ICH pushes a half out", "12345678日\x1b[1G\x1b[@", " 12345678 0,0"},
	{"DCH of a half", "日本\x1b[2G\x1b[P", " 本 1,0"},
	{"combining", "e\u0301x", "e\u0301x 2,0"},
	{"combining at the edge", "abcdefghie\u0301x", "abcdefghie\u0301/x 1,1"},
	{"combining without a base", "\u0301x", "x 1,0"},
	{"combining on a wide one", "日\u0301x", "日\u0301x 3,0"},
	{"joined", "\U0001f468\u200d\U0001f469x", "\U0001f468\u200d\U0001f469x 3,0"},
	{"skin tone", "\U0001f44d\U0001f3fdx", "\U0001f44d\U0001f3fdx 3,0"},
	{"skin tone alone", "a\U0001f3fd", "a\U0001f3fd 3,0"},
	{"ZWJ, then moved", "a\u200d\x1b[2Gb", "a\u200db 2,0"},
	{"broken UTF-8", "a\xffb\xe2\x82c\xc3", "a\ufffdb\ufffdc 5,0"},
	{"overlong, surrogate", "\xc0\x80\xed\xa0\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd 5,0"},
	{"C1 as UTF-8", "a\u009b2Jb", "a2Jb 4,0"},
	{"C1 as bytes", "a\x9b2Jb", "a\ufffd2Jb 5,0"},

	{"control within CSI", "abc\x1b[2\bDx", "xbc 1,0"},
	{"CAN", "a\x1b[2\x18Ab", "aAb 3,0"},
	{"SUB", "a\x1b]0;t\x1aAb", "aAb 3,0"},
	{"ESC within CSI", "a\x1b[2\x1b[Cb", "a b 3,0"},
	{"UTF-8 within CSI", "a\x1b[2é", "aé 2,0"},
	{"DEL", "a\x7fb\x1b[\x7fCc", "ab c 4,0"},
	{"private after digits", "a\x1b[2?Jb", "ab 2,0"},
	{"digits after intermediate", "a\x1b[ 2qb", "ab 2,0"},
	{"three intermediates", "a\x1b[!!!pb\x1b((0c", "abc 3,0"},
	{"unknown final", "a\x1b[5yb\x1b[?5yb", "abb 3,0"},
	{"many parameters", "a\x1b[" + strings.Repeat("1;", 500) + "Hb", "b 1,0"},
	{"huge parameter", "a\x1b[99999999999999999999999999Cb", "a        b 9,0"},
	{"OSC with ST byte in UTF-8", "\x1b]0;✳✓“\x07x", "x 1,0"},
	{"OSC ended by a sequence", "\x1b]0;t\x1b[2Cx", "  x 3,0"},
	{"endless OSC", "\x1b]0;" + strings.Repeat("x", 10_000) + "\x07y", "y 1,0"},
	{"DCS, PM, APC, SOS", "\x1bPq#0\x1b\\a\x1b^b\x1b\\c\x1b_d\x1b\\e\x1bXf\x1b\\g", "aceg 4,0"},
	{"BEL does not end a DCS", "\x1bPq\aabc\x1b\\d", "d 1,0"},
	{"DCS with private marker", "\x1bP>|x\x1b\\d", "d 1,0"},
}

func TestSequences(t *testing.T) {
	for _, c := range sequences {
		for _, step := range []int{len(c.in), 1} {
			term := New(10, 4, Config{})
			for in := []byte(c.in); len(in) > 0; in = in[min(step, len(in)):] {
				term.Write(in[:min(step, len(in))])
			}
			if got := view(term); got != c.want {
				t.Errorf("%s: %q in steps of %d:\n got %q\nwant %q", c.name, c.in, step, got, c.want)
			}
			if err := check(term); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestStyles(t *testing.T) {
	type style struct {
		fg, bg Color
		attr   Attr
		line   Underline
		color  Color
	}
	for in, want := range map[string]style{
		"":                               {},
		"\x1b[1;31m":                     {fg: Palette(1), attr: Bold},
		"\x1b[1;2;3;5;7;8;9;53m":         {attr: Bold | Faint | Italic | Blink | Inverse | Hidden | Strike | Overline},
		"\x1b[1;2;22m":                   {},
		"\x1b[3;5;7;8;9;53;23;25;27;28m": {attr: Strike | Overline},
		"\x1b[9;53;29;55m":               {},
		"\x1b[6m":                        {attr: Blink},
		"\x1b[97;107m":                   {fg: Palette(15), bg: Palette(15)},
		"\x1b[31;41;39;49m":              {},
		"\x1b[38;5;200;48;5;100m":        {fg: Palette(200), bg: Palette(100)},
		"\x1b[38;5;256m":                 {},
		"\x1b[38;2;1;2;3;1m":             {fg: RGB(1, 2, 3), attr: Bold},
		"\x1b[38;2;1;2;256;1m":           {attr: Bold},
		"\x1b[38:2::1:2:3;1m":            {fg: RGB(1, 2, 3), attr: Bold},
		"\x1b[38:2:1:2:3;1m":             {fg: RGB(1, 2, 3), attr: Bold},
		"\x1b[48:5:9m":                   {bg: Palette(9)},
		"\x1b[38;5m":                     {},
		"\x1b[38;2;1m":                   {},
		"\x1b[38m":                       {},
		"\x1b[38:2m\x1b[38:5m\x1b[4:9m":  {},
		"\x1b[4m":                        {line: SingleUnderline},
		"\x1b[21m":                       {line: DoubleUnderline},
		"\x1b[4:3m":                      {line: CurlyUnderline},
		"\x1b[4:5m\x1b[4:0m":             {},
		"\x1b[4;24m":                     {},
		"\x1b[4;58;5;3m":                 {line: SingleUnderline, color: Palette(3)},
		"\x1b[58:2::1:2:3m":              {color: RGB(1, 2, 3)},
		"\x1b[58;5;3;59m":                {},
		"\x1b[31;1;4;58;5;3m\x1b[m":      {},
		"\x1b[31;1m\x1b[;4m":             {line: SingleUnderline},
		"\x1b[31;1m\x1b[0;4m":            {line: SingleUnderline},
		"\x1b[31m\x1b7\x1b[m\x1b8":       {fg: Palette(1)},
		"\x1b[>4;1m\x1b[?4m":             {},
	} {
		term := New(10, 2, Config{})
		term.Write([]byte(in + "x"))
		var s Snapshot
		term.Snapshot(&s)
		c := s.Lines[0].Cells[0]
		got := style{c.Foreground(), c.Background(), c.Attr(), c.Underline(), s.Lines[0].UnderlineColor(0)}
		if got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

// TestErasedColor: what is erased or scrolled in has the background of the pen.
func TestErasedColor(t *testing.T) {
	for _, in := range []string{"\x1b[J", "\x1b[K", "\x1b[2X", "\x1b[2@", "\x1b[2P", "\x1b[L", "\x1b[4M", "\x1b[4S", "\x1b[4T", "\x1b[?J", "\r\n\n\n\n\n\n\n"} {
		term := New(4, 4, Config{})
		term.Write([]byte("\x1b[1;3;31;44m\x1b[1;3H" + in))
		var s Snapshot
		term.Snapshot(&s)
		c := s.Lines[term.y].Cells[3]
		if c.Background() != Palette(4) || c.Foreground() != 0 || c.Attr() != 0 {
			t.Errorf("%q: %v", in, c)
		}
	}
}
