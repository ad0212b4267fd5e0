package term

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// plainText is like the output of find: paths, a line each.
func plainText() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "/usr/share/doc/package-%d/%s/file%03d.html\r\n", i%997, strings.Repeat("sub/", i%7), i)
	}
	return b.Bytes()
}

// styledText is a colour change every few characters, as of ls --color or a build log.
func styledText() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "\x1b[1;%dmword%d\x1b[0m \x1b[38;5;%dmmore\x1b[48;2;%d;%d;7mcolour\x1b[m\x1b[4mtext\x1b[24m ", 31+i%7, i%100, i%256, i%256, i*7%256)
		if i%4 == 3 {
			b.WriteString("\r\n")
		}
	}
	return b.Bytes()
}

// wideText is Chinese, Russian and combined characters.
func wideText() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		b.WriteString("終端機的文字 Терминал e\u0301 ü ─── ")
		if i%2 == 1 {
			b.WriteString("\r\n")
		}
	}
	return b.Bytes()
}

// fullScreen is an editor that redraws: cursor movement, erasing, regions.
func fullScreen() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[K\x1b[32m%d\x1b[m some text of a line\x1b[%dC|\x1b[3;40r\x1b[40;1H\n\x1b[r\x1b[%d;1H\x1b[2L", i%50+1, i%40+1, i, i%9, i%40+5)
	}
	return b.Bytes()
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name string
		text []byte
	}{{"plain", plainText()}, {"sgr", styledText()}, {"wide", wideText()}, {"screen", fullScreen()}} {
		b.Run(c.name, func(b *testing.B) {
			t := New(160, 50, Config{})
			t.Write(c.text)
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				t.Write(c.text)
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	t := New(200, 50, Config{})
	t.Write(styledText())
	var s Snapshot
	b.ReportAllocs()
	for b.Loop() {
		t.Write([]byte("\r\n"))
		t.Snapshot(&s)
	}
}

func BenchmarkResize(b *testing.B) {
	t := New(160, 50, Config{})
	for range 3 {
		t.Write(plainText())
	}
	for i := 0; b.Loop(); i++ {
		t.Resize(159+i%2, 50)
	}
}

func BenchmarkSearch(b *testing.B) {
	t := New(160, 50, Config{})
	t.Write(plainText())
	for b.Loop() {
		t.Search("not there", Pos{}, false, true)
	}
}
