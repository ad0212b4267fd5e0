package chat

import (
	"encoding/json"
	"strings"
	"testing"
)

// checkSearch compares what a search decides about a message with reading all of it.
func checkSearch(t *testing.T, text, words string) {
	t.Helper()
	words = strings.ToLower(strings.TrimSpace(words))
	text = strings.ToValidUTF8(text, "?")
	for _, m := range []Message{{N: 1, From: aKey(), ID: newID(), Text: text}, {N: 2, From: aKey(), File: &File{Name: text, Size: 1}}} {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Contains(strings.ToLower(text), words)
		if want && !mayHold(b, words) {
			t.Errorf("%q in %q is discarded", words, text)
		}
		got, err := holds(b, words)
		if err != nil || (got != nil) != want || got != nil && (got.N != m.N || got.Text != m.Text) {
			t.Errorf("%q in %q: %+v, %v; want %v", words, text, got, err, want)
		}
	}
}

// searchTexts are texts that JSON writes in another way, and letters whose lower case is another number of bytes, or several letters'.
func searchTexts() []string {
	return []string{
		"", "See you at EIGHT", "two\nlines\tand \"quotes\"", `C:\temp\new`, "<b>&amp;</b>", "\u2028\u2029", "\x00\x07\x7f", "\u212aelvin \u212bngstr\u00f6m",
		"\u0130stanbul I\u0307 \u0131", "Stra\u00dfe STRASSE \u1e9e", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3", "\u041f\u0440\u0438\u0432\u0435\u0442, \u041c\u0418\u0420",
		"\U0001f468\u200d\U0001f469\u200d\U0001f467 \U00010400\U00010428", "\ufffd \ufeff", "\u023a\u2c65 \u2c6f\u0250", "e\u0301 \u00e9 \u00c9", "\u202eright to left", "text", "n", "From", "ffd", `\u003c`, `\n`,
	}
}

// TestSearchDiscards: what is discarded before it is read cannot match, whatever is written and searched for.
func TestSearchDiscards(t *testing.T) {
	for _, text := range searchTexts() {
		for _, words := range searchTexts() {
			checkSearch(t, text, words)
			checkSearch(t, "before "+text+" after", words)
			checkSearch(t, text, strings.ToUpper(words))
		}
		runes := []rune(text)
		for i := range runes {
			checkSearch(t, text, string(runes[i:min(i+3, len(runes))]))
		}
	}
	plain, err := json.Marshal(Message{Text: "Привет, мир: see you at eight"})
	if err != nil {
		t.Fatal(err)
	}
	if mayHold(plain, "windmill") || mayHold(plain, "Ветер") {
		t.Error("what cannot match is not discarded")
	}
}

func FuzzSearch(f *testing.F) {
	for _, text := range searchTexts() {
		f.Add("before "+text, text)
	}
	f.Fuzz(func(t *testing.T, text, words string) { checkSearch(t, text, words) })
}
