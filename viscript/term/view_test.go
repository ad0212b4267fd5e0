package term

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDamage(t *testing.T) {
	term := New(10, 4, Config{})
	var s Snapshot
	if !term.Snapshot(&s) || len(s.Damage) != 4 {
		t.Fatalf("first: %v", s.Damage)
	}
	if term.Snapshot(&s) || len(s.Damage) != 0 {
		t.Errorf("nothing was written: %v", s.Damage)
	}
	for _, c := range []struct {
		in   string
		want []int
	}{
		{"a", []int{0}}, {"\x1b[3;1Hb\x1b[2;1Hc", []int{1, 2}}, {"\x1b[4;4H", nil}, {"\x1b[2;3r\x1b[2S\x1b[r", []int{1, 2}},
		{"\x1b[4;1H\n", []int{0, 1, 2, 3}}, {"\x1b[1;1H\x1b[1K", []int{0}}, {"\x1b]0;t\x07", nil}, {"\x1b[?5h", []int{0, 1, 2, 3}},
	} {
		term.Write([]byte(c.in))
		if !term.Snapshot(&s) || !slices.Equal(s.Damage, c.want) {
			t.Errorf("%q: damage %v, want %v", c.in, s.Damage, c.want)
		}
	}
	if s.Title != "t" || s.Modes.Reverse != true {
		t.Errorf("title %q, %+v", s.Title, s.Modes)
	}
	term.Resize(5, 6)
	if term.Snapshot(&s); s.Cols != 5 || s.Rows != 6 || len(s.Lines) != 6 || len(s.Damage) != 6 || len(s.Lines[5].Cells) != 5 {
		t.Errorf("%dx%d, %d lines, damage %v", s.Cols, s.Rows, len(s.Lines), s.Damage)
	}
	term.Resize(5, 2)
	if term.Snapshot(&s); len(s.Lines) != 2 {
		t.Errorf("%d lines", len(s.Lines))
	}
}

func TestSynchronized(t *testing.T) {
	now := time.Unix(1000, 0)
	term := New(10, 2, Config{Now: func() time.Time { return now }})
	var s Snapshot
	term.Snapshot(&s)
	term.Write([]byte("\x1b[?2026hhalf"))
	if term.Snapshot(&s) || s.Lines[0].String() != "" {
		t.Error("a half update is seen")
	}
	var first Snapshot
	if term.Snapshot(&first); first.Lines[0].String() != "half" {
		t.Error("a new reader sees nothing")
	}
	term.Write([]byte(" done\x1b[?2026l"))
	if !term.Snapshot(&s) || s.Lines[0].String() != "half done" {
		t.Errorf("then %q", s.Lines[0].String())
	}
	term.Write([]byte("\x1b[?2026h\rx"))
	now = now.Add(syncLimit)
	if !term.Snapshot(&s) || s.Lines[0].String() != "xalf done" {
		t.Error("held back without end")
	}
}

func TestSelection(t *testing.T) {
	term := New(10, 4, Config{})
	term.Write([]byte("one\r\ntwo  \r\nabcdefghijklm日x\r\n\r\nlast e\u0301 /usr/bin-x"))
	at := func(line uint64, x int) Pos { return Pos{line, x} }
	for _, c := range []struct {
		a, b  Pos
		block bool
		want  string
	}{
		{at(0, 0), at(0, 3), false, "one"}, {at(0, 0), at(0, 2), false, "on"}, {at(0, 2), at(0, 0), false, "on"}, {at(0, 0), at(1, 10), false, "one\ntwo"},
		{at(2, 8), at(3, 2), false, "ijkl"}, {at(2, 0), at(3, 10), false, "abcdefghijklm日x"}, {at(3, 0), at(5, 4), false, "klm日x\n\nlast"},
		{at(0, 1), at(2, 3), true, "ne\nwo\nbc"}, {at(0, 3), at(2, 1), true, "ne\nwo\nbc"}, {at(5, 5), at(5, 6), false, "e\u0301"}, {at(99, 0), at(100, 0), false, ""},
		{at(3, 3), at(3, 5), false, "日"}, {at(3, -1), at(3, 99), false, "klm日x"},
	} {
		if got := term.Text(c.a, c.b, c.block); got != c.want {
			t.Errorf("%v to %v, block %t: %q, want %q", c.a, c.b, c.block, got, c.want)
		}
	}
	for p, want := range map[Pos]string{
		at(0, 1): "one", at(0, 5): "", at(2, 2): "abcdefghijklm日x", at(3, 1): "abcdefghijklm日x", at(5, 9): "/usr/bin-x", at(5, 5): "e\u0301",
		at(6, 0): "/usr/bin-x", at(4, 3): "", at(50, 0): "", at(0, 99): "",
	} {
		from, to := term.Word(p)
		if got := term.Text(from, to, false); got != want {
			t.Errorf("word at %v: %q from %v to %v, want %q", p, got, from, to, want)
		}
	}
	if from, to := term.LineAt(at(3, 2)); from != at(2, 0) || to != at(3, 10) {
		t.Errorf("line from %v to %v", from, to)
	}
}

func TestSearch(t *testing.T) {
	term := New(10, 3, Config{})
	term.Write([]byte("first Word\r\nnothing\r\nabcdefg wORd\r\nmore\r\n日本 word word\r\nend"))
	at := func(line uint64, x int) Pos { return Pos{line, x} }
	for _, c := range []struct {
		text           string
		from           Pos
		backward, fold bool
		start, end     Pos
		ok             bool
	}{
		{"word", at(0, 0), false, true, at(0, 6), at(0, 10), true}, {"word", at(0, 7), false, true, at(2, 8), at(3, 2), true},
		{"word", at(0, 0), false, false, at(5, 5), at(5, 9), true}, {"word", at(5, 6), false, false, at(6, 0), at(6, 4), true},
		{"word", at(6, 1), false, false, Pos{}, Pos{}, false}, {"word", at(6, 0), true, false, at(5, 5), at(5, 9), true},
		{"word", at(99, 0), true, false, at(6, 0), at(6, 4), true}, {"WORD", at(5, 5), true, true, at(2, 8), at(3, 2), true},
		{"本", at(0, 0), false, false, at(5, 2), at(5, 3), true}, {"missing", at(0, 0), false, true, Pos{}, Pos{}, false}, {"", at(0, 0), false, true, Pos{}, Pos{}, false},
		{"d\nm", at(0, 0), false, false, Pos{}, Pos{}, false},
	} {
		start, end, ok := term.Search(c.text, c.from, c.backward, c.fold)
		if start != c.start || end != c.end || ok != c.ok {
			t.Errorf("%q from %v backward %t fold %t: %v to %v %t, want %v to %v %t", c.text, c.from, c.backward, c.fold, start, end, ok, c.start, c.end, c.ok)
		}
	}
}

// TestSteadyStateAllocatesNothing: once the scrollback is full.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for name, text := range map[string][]byte{"plain": plainText(), "sgr": styledText(), "wide": wideText(), "screen": fullScreen()} {
		term := New(160, 50, Config{Scrollback: 1000, Answer: func([]byte) {}, Event: func(Event) {}})
		for range 2 {
			term.Write(text)
		}
		i := 0
		allocs := testing.AllocsPerRun(8, func() {
			term.Write(text[i : i+block])
			i = (i + block) % (len(text) - block)
		})
		if allocs > 0 {
			t.Errorf("%s: %v allocations a write of %d bytes", name, allocs, block)
		}
		var s Snapshot
		term.Snapshot(&s)
		if allocs := testing.AllocsPerRun(8, func() {
			term.Write([]byte("\x1b[5;5Hsome text\r\n"))
			term.Snapshot(&s)
		}); allocs > 0 {
			t.Errorf("%s: %v allocations a snapshot", name, allocs)
		}
	}
}

// TestClusterFlood: ever new combinations are bounded, and what is shown keeps its text.
func TestClusterFlood(t *testing.T) {
	term := New(40, 4, Config{Scrollback: 10})
	keep := "k\u0301e\u0302p"
	term.Write([]byte(keep + "\r\n"))
	for i := range 60_000 {
		term.Write([]byte("\x1b[2;1H" + string(rune('a'+i%26)) + string(rune(0x300+i/26%100)) + string(rune(0x300+i/2600%100))))
	}
	if n := len(term.clusters.list); n > minClusters {
		t.Errorf("%d clusters kept", n)
	}
	term.Write([]byte("\x1b[3;1Hz" + strings.Repeat("\u0301", 10_000)))
	var s Snapshot
	term.Snapshot(&s)
	if s.Lines[0].String() != keep || len(s.Lines[2].Text(0)) > maxCluster {
		t.Errorf("%q, %d bytes", s.Lines[0].String(), len(s.Lines[2].Text(0)))
	}
	if err := check(term); err != nil {
		t.Error(err)
	}
}

// TestConcurrentUse is for the race detector: one writer, several readers, a resizer.
func TestConcurrentUse(t *testing.T) {
	answered := 0
	var term *Terminal
	term = New(80, 24, Config{
		Scrollback: 300,
		Answer:     func(p []byte) { answered += len(p); term.Version() }, // no lock is held
		Event:      func(Event) { term.Title() },
	})
	text := append(styledText()[:100_000], "\x1b[6n\x1b]0;t\x07"...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var s Snapshot
			for running(done) {
				if term.Snapshot(&s) {
					for i := range s.Lines {
						_ = s.Lines[i].String()
					}
				}
				term.Search("colour", Pos{s.Top, 0}, true, true)
				term.Text(Pos{s.First, 0}, Pos{s.Top, 5}, false)
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Go(func() {
		for i := 0; running(done); i++ {
			term.Resize(70+i%20, 20+i%9)
			time.Sleep(2 * time.Millisecond)
		}
	})
	for range 3 {
		for p := text; len(p) > 0; p = p[min(len(p), 4096):] {
			term.Write(p[:min(len(p), 4096)])
		}
	}
	close(done)
	wg.Wait()
	if answered == 0 {
		t.Error("nothing was answered")
	}
	if err := check(term); err != nil {
		t.Error(err)
	}
}

func running(done chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// TestWorkIsShared: a reader gets its turn between sequences that cost much.
func TestWorkIsShared(t *testing.T) {
	for _, in := range []string{"\x1b[999S", "\x1b[999T", "\x1b[2J", "\x1b#8", "\x1b[999L", "\x1b[999M", "\x1b[99 @", "\x1bc", "\x1b[?69h\x1b[2;90s\x1b[9S"} {
		term := New(400, 200, Config{})
		p := []byte("\x1b[44m" + strings.Repeat(in, 1000))
		if n := term.take(p); n == 0 || n > len(p)/10 {
			t.Errorf("%q: %d of %d bytes at once", in, n, len(p))
		}
	}
}

func TestResetAndLimits(t *testing.T) {
	term := New(0, -5, Config{})
	if c, r := term.Size(); c != 1 || r != 1 {
		t.Errorf("%dx%d", c, r)
	}
	term.Write([]byte("日本\r\nab\x1b[5L"))
	term.Resize(1<<30, 1<<30)
	if c, r := term.Size(); c != MaxCols || r != MaxRows {
		t.Errorf("%dx%d", c, r)
	}
	term.Resize(20, 3)
	writeLines(term, numbered(0, 10))
	term.Write([]byte("\x1b[?1049h\x1b]0;never ended"))
	term.Reset()
	term.Write([]byte("new"))
	var s Snapshot
	if term.Snapshot(&s); view(term) != "new 3,0" || s.First != s.Top || s.Modes.AltScreen {
		t.Errorf("%q, %d lines above", view(term), s.Top-s.First)
	}
	writeLines(term, numbered(0, 10))
	term.ClearScrollback()
	if term.Snapshot(&s); s.First != s.Top {
		t.Error("scrollback left")
	}
	if err := check(term); err != nil {
		t.Error(err)
	}
}
