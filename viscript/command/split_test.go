package command

import (
	"slices"
	"strings"
	"testing"
)

var splitCases = []struct {
	line string
	want []string
	err  error
}{
	{"", nil, nil},
	{"  \t ", nil, nil},
	{"start App Arg", []string{"start", "App", "Arg"}, nil},
	{" a  b ", []string{"a", "b"}, nil},
	{`s x 'two words' "and two"`, []string{"s", "x", "two words", "and two"}, nil},
	{`a'b'"c"d`, []string{"abcd"}, nil},
	{`'' ""`, []string{"", ""}, nil},
	{`a\ b \'c\'`, []string{"a b", "'c'"}, nil},
	{`"a\"b\\c\n"`, []string{`a"b\c\n`}, nil},
	{`'a\b'`, []string{`a\b`}, nil},
	{"a\\\u00e9b", []string{"a\u00e9b"}, nil},
	{"日本 語", []string{"日本", "語"}, nil},
	{"a\u00a0b", []string{"a", "b"}, nil},
	{"bad\xffbyte", []string{"bad\xffbyte"}, nil},
	{`"\é"`, []string{`\é`}, nil},
	{"$HOME *", []string{"$HOME", "*"}, nil},
	{"a 'b", nil, errQuote},
	{`a "b\"`, nil, errQuote},
	{`a\`, nil, errBackslash},
	{"a\x00b", nil, errNul},
	{strings.Repeat("x", maxLine+1), nil, errLine},
}

func TestSplit(t *testing.T) {
	for _, c := range splitCases {
		got, err := Split(c.line)
		if !slices.Equal(got, c.want) || err != c.err {
			t.Errorf("Split(%.40q) = %q, %v; want %q, %v", c.line, got, err, c.want, c.err)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "": "''", "two words": "'two words'", "it's": `'it'\''s'`, "a=b:c/d-e_f,g": "a=b:c/d-e_f,g", "日本": "日本",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, c := range splitCases {
		f.Add(c.line)
		f.Add(Join(c.want))
	}
	table, env := New(), &Env{Config: func() *Config { return &Config{} }}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			if words != nil {
				t.Fatalf("words and an error: %q, %v", words, err)
			}
			return
		}
		again, err := Split(Join(words))
		if err == errLine && len(Join(words)) > maxLine {
			return // the quotes made it too long
		}
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q -> %q -> %q -> %q, %v", line, words, Join(words), again, err)
		}
		if len(words) > 0 && table.Lookup(words[0]) == nil {
			if from, _ := table.Complete(t.Context(), env, line); from > len(line) {
				t.Fatalf("completion begins at %d of %d", from, len(line))
			}
		}
	})
}

func TestSuggest(t *testing.T) {
	names := New().names()
	for word, want := range map[string]string{
		"strat": "start", "shutdwon": "shutdown", "pong": "ping", "list": "list_apps", "LOGS": "logs", "zzzzzz": "", "relaod": "reload",
		strings.Repeat("a", 1000): "",
	} {
		got := suggest(word, names)
		if want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("suggest(%.20q) = %q, want %q first", word, got, want)
		}
	}
}
