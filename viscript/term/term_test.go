package term

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "한": 2, "😀": 2, "ａ": 2,
		"\u200d": 0, "─": 1, "—": 1, "\u1112\u1161": 2, "\U0002070E": 2, "я": 1,
	} {
		if got := Width(s); got != want {
			t.Errorf("Width(%q) = %d, want %d", s, got, want)
		}
	}
	for i := 1; i < len(wide); i++ {
		if wide[i][0] <= wide[i-1][1] || wide[i][0] > wide[i][1] {
			t.Errorf("range %d is out of order: %x", i, wide[i])
		}
	}
}

func TestTruncate(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 4, "日…"}, {"abc", 0, ""}, {"abc", 1, "…"}} {
		if got := Truncate(c.in, c.columns); got != c.want {
			t.Errorf("Truncate(%q, %d) = %q, want %q", c.in, c.columns, got, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\x1b[2Jb": "a\ufffd[2Jb", "x\xffy": "x\ufffdy", "a\nb": "a\ufffdb",
		"日本": "日本", "a\u202eb": "a\ufffdb", "\u009b2J": "\ufffd2J",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

var cleanerCases = []struct{ in, want string }{
	{"line\n\tindented\n", "line\n\tindented\n"},
	{"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"},
	{"a\x1b[2Jb\x1b[Hc", "abc"},
	{"\x1b]0;title\x07x", "x"},
	{"\x1b]52;c;AAAA\x1b\\x", "x"},
	{"\x1bcreset", "reset"},
	{"\x1b(Bx\x1b#8y", "xy"},
	{"a\r\nb\bc\x07", "a\nbc"},
	{"日本\xff!", "日本\ufffd!"},
	{"\u009b2Jx", "\ufffd2Jx"},
	{"\x1b[?1;31mx", "x"},
	{"\x1bP" + strings.Repeat("q", 200) + "\x1b\\y", strings.Repeat("q", 138) + "y"},
}

func TestCleaner(t *testing.T) {
	for _, c := range cleanerCases {
		for step := 1; step <= len(c.in); step++ {
			var out bytes.Buffer
			w := NewCleaner(&out)
			for p := []byte(c.in); len(p) > 0; p = p[min(step, len(p)):] {
				if _, err := w.Write(p[:min(step, len(p))]); err != nil {
					t.Fatal(err)
				}
			}
			if got := out.String(); got != c.want {
				t.Errorf("%q in steps of %d: %q, want %q", c.in, step, got, c.want)
			}
		}
	}
}

func FuzzCleaner(f *testing.F) {
	for _, c := range cleanerCases {
		f.Add([]byte(c.in), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		var whole, parts bytes.Buffer
		NewCleaner(&whole).Write(p)
		w := NewCleaner(&parts)
		cut = max(0, min(cut, len(p)))
		w.Write(p[:cut])
		w.Write(p[cut:])
		if len(w.hold) > maxSequence {
			t.Fatalf("%d bytes held back", len(w.hold))
		}
		if whole.String() != parts.String() {
			t.Fatalf("whole %q, in parts %q", whole.String(), parts.String())
		}
		if !utf8.Valid(whole.Bytes()) {
			t.Fatalf("not UTF-8: %q", whole.String())
		}
	})
}
