//go:build linux

package terminals

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// TestFloodLeavesOthersAlone writes at full speed in one terminal while somebody types in another.
func TestFloodLeavesOthersAlone(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	typed := b.open(signal.TermNew{Args: []string{"cat"}})
	script := fmt.Sprintf(`while ! [ -e "$0" ]; do head -c %dM /dev/zero | tr '\0' x | fold -w 79; done; echo the end; read x`, flood)
	enough := filepath.Join(t.TempDir(), "enough")
	loud := b.open(signal.TermNew{Args: []string{"sh", "-c", script, enough}, Cols: 100, Rows: 30})
	v.until("both", func() bool { return len(v.terms) == 2 })
	v.watch(typed)
	v.watch(loud)
	v.sees(loud, "xxx")
	var seen []time.Duration
	begin, frames := time.Now(), v.count()
	for flooding := true; flooding; {
		mark := fmt.Sprintf("<%d>", len(seen))
		sent := time.Now()
		v.Input(typed, []byte("\x15"+mark))
		v.sees(typed, mark)
		seen = append(seen, time.Since(sent))
		flooding = !strings.Contains(v.screen(loud), "the end")
		if len(seen) == 10 { // it ends with the megabytes it is at
			if err := os.WriteFile(enough, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Millisecond) // as fast as keys repeat
	}
	frames = v.count() - frames
	took := time.Since(begin)
	slices.Sort(seen)
	keys := len(seen)
	p99, slowest := seen[(keys-1)*99/100], seen[keys-1]
	t.Logf("%d MB in %v; %d keys, half seen within %v, 99 %% within %v, all within %v; %d frames", flood, took, keys, seen[keys/2], p99, slowest, frames)
	if keys < 10 {
		t.Errorf("%d keys were seen meanwhile", keys)
	}
	if most := 2 * (int(took/frameGap) + 2); frames > most { // of both terminals, one may have been under way
		t.Errorf("%d frames in %v, at most %d should be", frames, took, most)
	}
}

// TestSlowWindowDelaysNobody has a window that shows nothing of what it gets, and one that reads nothing.
func TestSlowWindowDelaysNobody(t *testing.T) {
	b := newBench(t, Config{})
	stuck := b.look(signal.WindowParams{}, signal.WindowHandler{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "ready") // so will be the other one's only frame
	stuck.until(id, func() bool { return len(stuck.terms) == 1 })
	stuck.mu.Lock()
	stuck.lazy = true
	stuck.mu.Unlock()
	stuck.watch(id)
	stuck.sees(id, "ready")
	for i := range 50 {
		v.Input(id, fmt.Appendf(nil, "\r\n<%d>", i))
		v.sees(id, fmt.Sprintf("<%d>", i))
	}
	stuck.mu.Lock() // it reads nothing any more: its next event waits here
	if stuck.frames != 1 || strings.Contains(text(stuck.shots[id]), "<1>") {
		t.Errorf("%d frames came without the first being shown", stuck.frames)
	}
	for i := range 50 {
		v.Input(id, fmt.Appendf(nil, "\x1b]0;title %d\a\r\n(%d)", i, i))
		v.sees(id, fmt.Sprintf("(%d)", i))
	}
	stuck.lazy = false
	version := stuck.shots[id].Version
	stuck.mu.Unlock()
	stuck.Shown(id, version)
	stuck.sees(id, "(49)")
	if stuck.screen(id) != v.screen(id) {
		t.Errorf("one sees\n%s\nthe other\n%s", stuck.screen(id), v.screen(id))
	}
}

// TestKeysStayBehindAPaste pastes more than a pseudo terminal holds into a program that does not read yet, and types.
func TestKeysStayBehindAPaste(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	now := filepath.Join(t.TempDir(), "now")
	const size = 300_000
	script := fmt.Sprintf(`stty raw -echo; echo begun; while ! [ -e "$0" ]; do sleep 0.02; done; head -c %d | tail -c 5; read x`, size+2)
	busy := b.open(signal.TermNew{Args: []string{"sh", "-c", script, now}})
	other := b.open(signal.TermNew{})
	v.until("both", func() bool { return len(v.terms) == 2 })
	v.watch(busy)
	v.watch(other)
	v.sees(busy, "begun")
	v.Char(busy, '(')
	v.Paste(busy, strings.Repeat("p", size))
	v.Char(busy, ')')
	v.Input(other, []byte("meanwhile")) // nobody waits for the program
	v.sees(other, "meanwhile")
	if err := os.WriteFile(now, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v.sees(busy, "pppp)")
}

func TestResizeStorm(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{Args: []string{"sh", "-c", `trap 'stty size' WINCH; seq 2000; while :; do sleep 0.05; done`}})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "2000")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		switch {
		case i%10 == 0:
			v.Resize(id, 1, 1)
		case i%10 == 5:
			v.Resize(id, 500, 200)
		default:
			v.Resize(id, r.IntN(600)-50, r.IntN(300)-50)
		}
	}
	v.Resize(id, 123, 45)
	v.until("the last size", func() bool { return v.terms[id].Cols == 123 && v.terms[id].Rows == 45 && v.shots[id].Cols == 123 })
	v.sees(id, "45 123") // so does the program
	if _, err := b.CloseTerm(within(t), id); err != nil {
		t.Error(err)
	}
}

func TestFiftyTerminals(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	var ids []string
	for i := range 50 {
		p := signal.TermNew{}
		if i%5 == 0 {
			p.Args = []string{"cat"}
		}
		ids = append(ids, b.open(p))
	}
	v.until("all", func() bool { return len(v.terms) == 51 })
	for _, id := range ids {
		v.watch(id)
	}
	for _, id := range ids {
		v.Input(id, []byte("I am "+id+"."))
	}
	for _, id := range ids {
		v.sees(id, "I am "+id+".")
	}
	for _, id := range ids {
		if err := v.CloseTerm(within(t), id); err != nil {
			t.Error(err)
		}
	}
	v.until("one is left", func() bool { return len(v.terms) == 1 })
}

// TestGarbage shows what no program should write: nothing breaks, nothing is done unasked, and every
// update can be read.
func TestGarbage(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "ready")
	seat := &Seat{t: b.get(id)}
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"\x1b[", "\x1b]52;c;?\a", "\x1b]0;", "\x1b]8;;http://x/", "\x1bP", "\x1b[?1049h", "\x1b[999;999H", "世", "\xff\xfe", "e\u0301", "\x1b[38;2;1;2;3m", "\x1b[?2026h", "\x1b[6n", "\n", "m", "H", "\x1b\\", "\x1b[?1049l", "\x1b[21t"}
	for range 300 {
		var p []byte
		for range 200 {
			if r.IntN(3) > 0 {
				p = append(p, pieces[r.IntN(len(pieces))]...)
			} else {
				p = append(p, byte(r.IntN(256)))
			}
		}
		seat.Write(p)
	}
	seat.Write([]byte("\x1b\\\x18\x1b[?2026l\x1bc" + strings.Repeat("z", 60)))
	v.sees(id, strings.Repeat("z", 60))
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range v.events {
		if e.Method == signal.MethodTermClipboard && strings.HasPrefix(string(e.Clipboard.Text), "?") {
			t.Error("the clipboard was asked for")
		}
	}
}

// TestLargeFrames shows a screen of many links, and of a different colour in every cell.
func TestLargeFrames(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{Cols: 200, Rows: 80})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "ready")
	var p []byte
	for y := range 80 {
		p = fmt.Appendf(p, "\x1b[%d;1H", y+1)
		for x := range 200 {
			p = fmt.Appendf(p, "\x1b[38;2;%d;%d;%d;48;2;%d;1;2m\x1b]8;id=%d;http://x/%s\a%c", x%256, y, (x+y)%256, x%255, x%2, strings.Repeat("y", 1500*(x%2)), 'a'+rune(x%26))
		}
	}
	(&Seat{t: b.get(id)}).Write(p)
	end := string(rune('a' + 199%26))
	v.until("the last row", func() bool { return strings.HasSuffix(text(v.shots[id]), end) })
	(&Seat{t: b.get(id)}).Write([]byte("\x1b[H\x1b[mtop left"))
	v.sees(id, "top left")
}

// TestLoudNewsAreBounded rings and changes its title without end.
func TestLoudNewsAreBounded(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{})
	seat := &Seat{t: b.get(id)}
	begin := time.Now()
	for i := 0; time.Since(begin) < 500*time.Millisecond; i++ {
		fmt.Fprintf(seat, "\a\x1b]0;title %d\a\x1b]52;c;%s\a", i, strings.Repeat("YWJj", 1000))
	}
	seat.Write([]byte("\x1b]0;the last\a"))
	v.until("the last title", func() bool { return v.terms[id].Title == "the last" })
	v.mu.Lock()
	defer v.mu.Unlock()
	if most := int(3 * (time.Since(begin)/newsGap + 2)); len(v.events) > most {
		t.Errorf("%d events in %v, want at most %d", len(v.events), time.Since(begin), most)
	}
}

// TestIdleCostsNothing: nothing happens while nothing happens.
func TestIdleCostsNothing(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{Desktop: true}, signal.WindowHandler{})
	ids := []string{"t1"}
	for range 20 {
		ids = append(ids, b.open(signal.TermNew{}))
	}
	v.until("all", func() bool { return len(v.terms) == 21 })
	for _, id := range ids {
		v.watch(id)
		v.sees(id, "ready")
	}
	v.until("quiet", func() bool { return v.terms["t1"].Viewers == 1 })
	time.Sleep(100 * time.Millisecond)
	frames := v.count()
	runtime.GC()
	used := usedInASecond(t)
	for end := time.Now().Add(patience); used > 50*time.Millisecond && time.Now().Before(end); { // it comes to rest later on a slow machine
		used = usedInASecond(t)
	}
	if n := v.count() - frames; n != 0 {
		t.Errorf("%d frames", n)
	}
	if used > 50*time.Millisecond {
		t.Errorf("%v of processor time in a second", used)
	}
}

// usedInASecond is the processor time that this process takes in the next second.
func usedInASecond(t *testing.T) time.Duration {
	t.Helper()
	var total time.Duration
	for _, sign := range []time.Duration{-1, 1} {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			t.Fatal(err)
		}
		if total += sign * time.Duration(r.Utime.Nano()+r.Stime.Nano()); sign < 0 {
			time.Sleep(time.Second)
		}
	}
	return total
}

func TestReading(t *testing.T) {
	b := newBench(t, Config{})
	v := b.look(signal.WindowParams{}, signal.WindowHandler{})
	id := b.open(signal.TermNew{Args: []string{"sh", "-c", "seq 3000; read x"}, Cols: 20, Rows: 5})
	v.until(id, func() bool { return len(v.terms) == 1 })
	v.watch(id)
	v.sees(id, "3000")
	r, err := v.Lines(within(t), signal.TermLines{ID: id, From: 9, N: 1 << 30})
	if err != nil || r.N != maxLines {
		t.Fatalf("%d lines, %v", r.N, err)
	}
	rest := r.Data
	var row term.Row
	for i := range r.N {
		if rest, err = row.Parse(rest); err != nil || row.String() != fmt.Sprint(10+i) {
			t.Fatalf("line %d: %q, %v", i, row.String(), err)
		}
	}
	if r, err = v.Lines(within(t), signal.TermLines{ID: id, From: 1 << 63, N: 5}); err != nil || r.N != 0 {
		t.Errorf("lines that are not there: %+v, %v", r, err)
	}
	for _, block := range []bool{false, true} {
		got, err := v.Text(within(t), signal.TermRange{ID: id, From: signal.TermPos{}, To: signal.TermPos{Line: 2999, X: 20}, Block: block})
		var want strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&want, "%d\n", i+1)
		}
		if err != nil || got != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("block %v: %d bytes, %v; want %d", block, len(got), err, want.Len())
		}
	}
	f, err := v.Search(within(t), signal.TermSearch{ID: id, Text: "1234", From: signal.TermPos{Line: 3001}, Back: true})
	if err != nil || !f.Found || f.From.Line != 1233 || f.To.X != 4 {
		t.Errorf("found %+v, %v", f, err)
	}
	if _, err := v.Search(within(t), signal.TermSearch{ID: id, Text: strings.Repeat("x", 2000)}); signal.CodeOf(err) != signal.CodeTooLarge {
		t.Errorf("a long search: %v", err)
	}
	if _, err := v.Text(within(t), signal.TermRange{ID: "t9"}); signal.CodeOf(err) != signal.CodeNoTerm {
		t.Errorf("text of no terminal: %v", err)
	}
	v.Input(id, []byte("\r"))
}

// FuzzSay gives a window's words and questions to the daemon.
func FuzzSay(f *testing.F) {
	for _, m := range []struct {
		method string
		params any
	}{
		{signal.MethodTermWatch, signal.TermWatch{ID: "t1", On: true}}, {signal.MethodTermShown, signal.TermShown{ID: "t1", Version: 1}},
		{signal.MethodTermKey, signal.TermKey{ID: "t1", Key: 5, Rune: 'x', Mods: 7}}, {signal.MethodTermChar, signal.TermChar{ID: "t1", Rune: 0x1f600}},
		{signal.MethodTermMouse, signal.TermMouse{ID: "t1", Action: 2, Button: 1, X: 500, Y: -1}}, {signal.MethodTermPaste, signal.TermPaste{ID: "t1", Text: []byte("a\nb")}},
		{signal.MethodTermFocus, signal.TermFocus{ID: "t1", On: true}}, {signal.MethodTermInput, signal.TermInput{ID: "t1", Data: []byte("x")}},
		{signal.MethodTermResize, signal.TermResize{ID: "t1", Cols: 10, Rows: 10}}, {signal.MethodTermTake, signal.TermTake{ID: "t1", Text: "x"}},
		{signal.MethodTermSearch, signal.TermSearch{ID: "t1", Text: "e", From: signal.TermPos{Line: 9}, Back: true}},
		{signal.MethodTermLines, signal.TermLines{ID: "t1", From: 0, N: 9}}, {signal.MethodTermText, signal.TermRange{ID: "t1", To: signal.TermPos{Line: 99, X: 9}, Block: true}},
	} {
		p, err := json.Marshal(m.params)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.method, p)
	}
	a := New(Config{Prompt: echo})
	f.Cleanup(a.Close)
	w := a.Window(signal.WindowParams{Desktop: true}, signal.NewPeer(signal.NewFrames(nil), signal.PeerOptions{}))
	w.enter()
	f.Fuzz(func(t *testing.T, method string, params []byte) {
		if method == signal.MethodTermNew || method == signal.MethodTermClose {
			return // it would start programs
		}
		w.Say(method, params)
		answer, err := w.Ask(within(t), method, params)
		if err == nil {
			if _, err := json.Marshal(answer); err != nil {
				t.Error(err)
			}
		}
	})
}
