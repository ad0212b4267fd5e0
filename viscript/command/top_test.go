package command

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/signal"
)

func sample(cpu ...float64) []topRow {
	var rows []topRow
	for i, c := range cpu {
		r := topRow{App: fmt.Sprintf("app%d", i+1), State: signal.Ready}
		r.ID, r.Pid, r.Processes, r.Threads = signal.ID(i+1), 100*(i+1), 1, 7
		r.CPUSeconds, r.RSSBytes, r.Goroutines = c, uint64(10-i)<<20, 9
		rows = append(rows, r)
	}
	return rows
}

func TestTopView(t *testing.T) {
	v := newTopView()
	v.observe(clock, sample(1, 10))
	now := clock.Add(2 * time.Second)
	second := sample(2, 10.1)
	second[0].Tree = []signal.ProcessUsage{{Pid: 100, Parent: 1, Name: "sh", CPUSeconds: 1}, {Pid: 101, Parent: 100, Name: "worker\x1b[2J", CPUSeconds: 1, RSSBytes: 1 << 20, Threads: 3}}
	v.observe(now, second)
	text := strings.Join(v.lines(now, 200, 50), "\n")
	has(t, text, "2 apps: 2 ready   CPU 55.0 %   memory 19.0 MiB", "app1", "50.0", "5.0", "▁▅", "  sh", "    worker\ufffd[2J", "1.0 MiB")
	if strings.Contains(text, "\x1b") {
		t.Errorf("an escape came through: %q", text)
	}
	third := sample(2, 10.1)
	third[0].Tree = []signal.ProcessUsage{{Pid: 100, Parent: 1, Name: "sh", CPUSeconds: 2}, {Pid: 101, Parent: 100, Name: "worker", CPUSeconds: 1.5}}
	v.observe(now.Add(time.Second), third)
	text = strings.Join(v.lines(now, 200, 50), "\n")
	has(t, text, "100.0", "50.0")
	v.key('t')
	if text := strings.Join(v.lines(now, 200, 50), "\n"); strings.Contains(text, "worker") {
		t.Errorf("the tree is shown: %s", text)
	}
	order := func(key byte) string {
		v.key(key)
		text := strings.Join(v.lines(now, 200, 50), "\n")
		if strings.Index(text, "app1") < strings.Index(text, "app2") {
			return "12"
		}
		return "21"
	}
	v.observe(now.Add(2*time.Second), sample(2, 11))
	if got := order('i') + order('c') + order('m'); got != "122112" {
		t.Errorf("orders %s", got)
	}
	restarted := sample(0.5, 11)
	restarted[0].Pid = 999 // a new process: its time begins anew
	v.observe(now.Add(3*time.Second), restarted)
	if l := v.load(restarted[0]); l != 0 {
		t.Errorf("load %v of a new process", l)
	}
	broken := sample(0.5, 0)
	broken[1].Error = "no answer"
	v.observe(now.Add(4*time.Second), broken)
	has(t, strings.Join(v.lines(now, 200, 50), "\n"), "no answer")
}

func TestTopFits(t *testing.T) {
	v := newTopView()
	for i := range 100 {
		v.observe(clock.Add(time.Duration(i)*time.Second), sample(make([]float64, 50)...))
	}
	for _, size := range [][2]int{{80, 24}, {20, 5}, {1, 1}, {300, 200}} {
		lines := v.lines(clock, size[0], size[1])
		if len(lines) > size[1] {
			t.Errorf("%d lines on %d rows", len(lines), size[1])
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > size[0] {
				t.Errorf("%q is longer than %d", l, size[0])
			}
		}
	}
	if n := utf8.RuneCountInString(sparkline(v.past[1].load)); n != topSamples {
		t.Errorf("%d samples are drawn", n)
	}
	for in, want := range map[string][]float64{"": nil, "▁█": {0, 100}, "▁▅█": {-5, 200, 400}} {
		if got := sparkline(want); got != in {
			t.Errorf("%v: got %s, want %s", want, got, in)
		}
	}
}

func TestLiveTop(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	for _, end := range []string{"q", "\x03", ""} {
		screen := newFakeTerminal()
		done, out := attached(b, screen, "top")
		screen.sees(t, "\x1b[?1049h")
		screen.sees(t, "echo")
		screen.input <- []byte("\x1b[A") // an arrow is no Escape
		screen.input <- []byte("cmi")
		screen.resize(30, 3)
		screen.sees(t, "more lines)")
		if end == "" {
			close(screen.input)
		} else {
			screen.input <- []byte(end)
		}
		if code := <-done; code != OK || out.Len() > 0 {
			t.Errorf("%q: %d %s", end, code, out)
		}
		if !strings.HasSuffix(screen.text(), alternateOff) {
			t.Errorf("the screen is not given back: %q", screen.text())
		}
	}
	screen := newFakeTerminal()
	if out, _ := b.runWith(screen, "top -1", OK); !strings.Contains(out, "echo") || screen.text() != "" {
		t.Errorf("%s, %q", out, screen.text())
	}
}
