package viscript

import (
	"reflect"
	"strings"
	"testing"
)

var keyCases = []struct {
	in   string
	want []Key
}{
	{"aé日", []Key{{Code: KeyRune, Rune: 'a'}, {Code: KeyRune, Rune: 'é'}, {Code: KeyRune, Rune: '日'}}},
	{"\r\n\t", []Key{{Code: KeyEnter}, {Code: KeyEnter}, {Code: KeyTab}}},
	{"\x01\x05\x0b\x15\x17\x19\x0c\x12\x03\x04", []Key{
		{Code: KeyHome}, {Code: KeyEnd}, {Code: KeyKillEnd}, {Code: KeyKillStart}, {Code: KeyKillWordLeft}, {Code: KeyYank},
		{Code: KeyClear}, {Code: KeySearch}, {Code: KeyInterrupt}, {Code: KeyEOF},
	}},
	{"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F", []Key{{Code: KeyUp}, {Code: KeyDown}, {Code: KeyRight}, {Code: KeyLeft}, {Code: KeyHome}, {Code: KeyEnd}}},
	{"\x1bOA\x1bOD\x1bOH", []Key{{Code: KeyUp}, {Code: KeyLeft}, {Code: KeyHome}}},
	{"\x1b[1;5C\x1b[1;5D\x1b[1;3C\x1b[1;5A\x1b[1;2C", []Key{
		{Code: KeyWordRight}, {Code: KeyWordLeft}, {Code: KeyWordRight}, {Code: KeyOldest}, {Code: KeyRight},
	}},
	{"\x1b[1~\x1b[4~\x1b[3~\x1b[3;5~\x1b[5~", []Key{{Code: KeyHome}, {Code: KeyEnd}, {Code: KeyDelete}, {Code: KeyKillWordRight}}},
	{"\x1bb\x1bf\x1bd\x1b\x7f\x7f\b", []Key{
		{Code: KeyWordLeft}, {Code: KeyWordRight}, {Code: KeyKillWordRight}, {Code: KeyKillWordLeft}, {Code: KeyBackspace}, {Code: KeyBackspace},
	}},
	{"\x1b[200~ls\nrm\x1b[201~x", []Key{{Code: KeyPaste, Text: "ls\nrm"}, {Code: KeyRune, Rune: 'x'}}},
	{"\x1b[[Ax\x1b[99;99Zy\xff\u0085z", []Key{{Code: KeyRune, Rune: 'x'}, {Code: KeyRune, Rune: 'y'}, {Code: KeyRune, Rune: 'z'}}},
	{"\x1b\x1b[A", []Key{{Code: KeyEscape}, {Code: KeyUp}}},
}

func read(d *Decoder) (got []Key) {
	for {
		k, ok := d.Next()
		if !ok {
			return got
		}
		got = append(got, k)
	}
}

// TestDecoder reads each sequence whole and cut at every byte.
func TestDecoder(t *testing.T) {
	for _, c := range keyCases {
		for cut := range len(c.in) {
			var d Decoder
			d.Feed([]byte(c.in[:cut]))
			got := read(&d)
			d.Feed([]byte(c.in[cut:]))
			got = append(got, read(&d)...)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q cut at %d: %v, want %v", c.in, cut, got, c.want)
			}
		}
	}
}

func TestDecoderEscape(t *testing.T) {
	var d Decoder
	d.Feed([]byte("\x1b"))
	if _, ok := d.Next(); ok || !d.Pending() {
		t.Fatal("a lone ESC is a key already")
	}
	if k, ok := d.Flush(); !ok || k.Code != KeyEscape || d.Pending() {
		t.Fatal("a lone ESC is no Escape")
	}
	d.Feed([]byte("\x1b[" + strings.Repeat("1;", 100) + "Ax"))
	for _, k := range read(&d) {
		if k.Code != KeyRune {
			t.Errorf("an endless sequence gives %v", k)
		}
	}
}

func TestDecoderLongPaste(t *testing.T) {
	var d Decoder
	d.Feed([]byte("\x1b[200~"))
	for range 100 {
		d.Feed([]byte(strings.Repeat("x", 4096)))
		if got := read(&d); got != nil {
			t.Fatal(got)
		}
	}
	if len(d.buf) > len(pasteEnd) || len(d.paste) > maxPaste {
		t.Fatalf("%d and %d bytes are kept", len(d.buf), len(d.paste))
	}
	d.Feed([]byte("\x1b[201~"))
	if got := read(&d); len(got) != 1 || len(got[0].Text) != maxPaste {
		t.Fatalf("%d keys", len(got))
	}
}

// FuzzPrompt feeds any bytes to the decoder, the editor and its picture.
func FuzzPrompt(f *testing.F) {
	for _, c := range keyCases {
		f.Add([]byte(c.in), 80)
	}
	f.Add([]byte("start \x12no\x7f\x12\r\x1b[A\x1b[D\x0b\x19\x17"), 7)
	f.Fuzz(func(t *testing.T, in []byte, columns int) {
		columns = columns&0xff + 1
		var d Decoder
		h := &History{lines: []string{"start node", "ping 日本", "e\u0301"}}
		e := NewEditor(h)
		d.Feed(in)
		for {
			k, ok := d.Next()
			if !ok {
				break
			}
			if e.Key(k) == Accept {
				h.add(e.Line())
				e.Reset()
			}
			checkView(t, e, columns)
		}
		if len(d.buf) > maxEscape+8 {
			t.Fatalf("%d bytes wait", len(d.buf))
		}
	})
}

func TestNoticesAttached(t *testing.T) {
	var plain strings.Builder
	n := NewNotices(&plain)
	n.Line("one")
	var above []string
	detach := n.attach(func(l string) { above = append(above, l) }, true)
	n.Write([]byte("two\nthree\n"))
	detach()
	n.Line("four")
	detach = n.attach(func(l string) { above = append(above, l) }, false)
	n.Line("five")
	detach()
	if plain.String() != "one\nfour\nfive\n" || strings.Join(above, ",") != "two,three,five" {
		t.Errorf("plain %q, above %q", plain.String(), above)
	}
}
