package process

import (
	"slices"
	"strings"
	"testing"
)

func TestParseEnvFile(t *testing.T) {
	text := "\ufeff# comment\r\nPLAIN=one\r\n\n   # indented\nSPACES =x\n"
	if _, err := ParseEnvFile("f", []byte(text)); err == nil || err.Error() != "f:5: "+errEnvName.Error() {
		t.Errorf("a space before the = : %v", err)
	}
	got, err := ParseEnvFile("f", []byte(strings.Join([]string{
		"\ufeff# comment\r", "PLAIN=one\r", "", " \t", "EMPTY=", "  export EXPORTED=two", "export=three", "URL=http://x/#y # comment",
		"HASH=#comment", "TRIM=  a b  ", "SINGLE='a \"b\" \\n $x # y'", `DOUBLE="a \"b\"\n\t\r\\\$x # y" # comment`,
		"EQUALS=a=b", "UTF=é", "QUOTE=it's", "_x9='' ", "TAB=a\t# c", "LAST=no line end",
	}, "\n")))
	want := []string{
		"PLAIN=one", "EMPTY=", "EXPORTED=two", "export=three", "URL=http://x/#y", "HASH=", "TRIM=a b", `SINGLE=a "b" \n $x # y`,
		"DOUBLE=a \"b\"\n\t\r\\$x # y", "EQUALS=a=b", "UTF=é", "QUOTE=it's", "_x9=", "TAB=a", "LAST=no line end",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

func TestParseEnvFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nword\n":              "f:2: " + errEnvLine.Error(),
		"A=1\n\n=x\n":              "f:3: " + errEnvName.Error(),
		"9A=x":                     "f:1: " + errEnvName.Error(),
		"A-B=x":                    "f:1: " + errEnvName.Error(),
		"export A":                 "f:1: " + errEnvLine.Error(),
		"A='x":                     "f:1: " + errEnvQuote.Error(),
		"A=\"x\nB=y\"":             "f:1: " + errEnvQuote.Error(),
		`A="x\`:                    "f:1: " + errEnvQuote.Error(),
		`A="x\z"`:                  "f:1: " + errEnvEscape.Error(),
		"A='x'y":                   "f:1: " + errEnvBehind.Error(),
		"A=1\nB=2\nA=3":            "f:3: A is set twice, first in line 1",
		"A=1\x00":                  "f:1: " + errEnvControl.Error(),
		"A=\xff":                   "f:1: " + errEnvControl.Error(),
		strings.Repeat("#", 1<<20): "f: the env file is too large; allowed: 262144 bytes",
	} {
		if _, err := ParseEnvFile("f", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
	var many strings.Builder
	for i := range maxEnvVars + 1 {
		many.WriteString("A" + strings.Repeat("a", i%100) + "_" + strings.Repeat("b", i/100) + "=1\n")
	}
	if _, err := ParseEnvFile("f", []byte(many.String())); err == nil || !strings.Contains(err.Error(), "f:1025: too many") {
		t.Errorf("%v", err)
	}
}

// TestEnvErrorsHoldNoSecret: a value does not get into a log by way of an error.
func TestEnvErrorsHoldNoSecret(t *testing.T) {
	for _, text := range []string{"hunter2", "A B=hunter2", "A='hunter2", `A="hunter2\q"`, "A='x' hunter2", "A=1\nA=hunter2", "A=hunter2\x00"} {
		if _, err := ParseEnvFile("f", []byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseEnvFile(f *testing.F) {
	f.Add([]byte("# c\nexport A=1\nB='x y' # c\nC=\"\\n\\\"\"\n"))
	f.Add([]byte("A=\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		vars, err := ParseEnvFile("f", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("no place in %q", err)
			}
			return
		}
		for _, v := range vars {
			if key, value, ok := strings.Cut(v, "="); !ok || !IsEnvName(key) || strings.ContainsRune(value, 0) {
				t.Fatalf("%q", v)
			}
		}
	})
}
