//go:build cgo && linux && !headless

package gl

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// cpu is the processor time of this process, with the threads of a software renderer.
func cpu(t testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// full is a terminal of cols by rows over the whole window.
func full(cols, rows int) func(*scene.Scene) {
	version := uint64(0)
	return func(s *scene.Scene) {
		version++
		th := scene.Dark()
		f := scene.DejaVu().At(14, s.Scale)
		s.Rect(s.Bounds, th.Desktop, 0)
		s.Grid(scene.Rect{W: float32(cols) * f.Advance, H: float32(rows) * f.Line}, scene.Cells{
			Term: "1", Cell: scene.Size{W: f.Advance, H: f.Line}, FontSize: f.Size, Cols: cols, Rows: rows, Version: version,
			Cursor: scene.SolidCursor, CursorSize: 1, Back: th.GridBack, Text: th.GridText, CursorColor: th.Cursor,
		})
	}
}

// page is a screen full of coloured text, another one for each n.
func page(cols, rows, n int) string {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for y := range rows {
		for x := range cols {
			if x%8 == 0 {
				fmt.Fprintf(&b, "\x1b[38;5;%d;48;5;%dm", (x+y+n)%256, 232+(x/8+y+n)%12)
			}
			b.WriteByte(byte('!' + (x+y*3+n)%90))
		}
	}
	return b.String()
}

// frames draws frames of a terminal one after the other, each after change.
func frames(b *testing.B, cols, rows int, change func(t *term.Terminal, n int)) {
	startX(b, "1700x900x24")
	w := open(b, 1600, 800)
	t := term.New(cols, rows, term.Config{})
	_, _ = t.Write([]byte(page(cols, rows, 0)))
	s := &term.Snapshot{}
	app := &still{draw: full(cols, rows), content: func(*scene.Cells) Content { return Content{Screen: s} }}
	w.app = app
	w.resized()
	n := 0
	step := func() {
		n++
		change(t, n)
		t.Snapshot(s)
		if err := w.frame(); err != nil {
			b.Fatal(err)
		}
	}
	step()
	step()
	before := cpu(b)
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/frame")
}

// BenchmarkFrame10k: all of 10,000 cells change in every frame.
func BenchmarkFrame10k(b *testing.B) {
	var pages [12][]byte
	for n := range pages {
		pages[n] = []byte(page(200, 50, n))
	}
	frames(b, 200, 50, func(t *term.Terminal, n int) { _, _ = t.Write(pages[n%len(pages)]) })
}

// BenchmarkFrameRow: a line changes.
func BenchmarkFrameRow(b *testing.B) {
	frames(b, 200, 50, func(t *term.Terminal, n int) { _, _ = fmt.Fprintf(t, "\x1b[20;1H%d some text that changes", n) })
}

// BenchmarkFrameCursor: only the cursor changes.
func BenchmarkFrameCursor(b *testing.B) {
	frames(b, 200, 50, func(t *term.Terminal, n int) { _, _ = fmt.Fprintf(t, "\x1b[20;%dH", n%100) })
}

// BenchmarkStart: a process from its start to its first frame, and its memory then.
func BenchmarkStart(b *testing.B) {
	if os.Getenv("GL_BENCH_START") != "" {
		w, err := Open(Config{})
		if err != nil {
			b.Fatal(err)
		}
		app := newWhole()
		w.app = app
		w.resized()
		if err := w.frame(); err != nil {
			b.Fatal(err)
		}
		status, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "RssAnon") {
				fmt.Println(line)
			}
		}
		fmt.Println("first frame")
		os.Exit(0)
	}
	startX(b, "1300x800x24")
	var total, used time.Duration
	rss := map[string]float64{}
	for b.Loop() {
		cmd := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkStart$", "-test.benchtime", "1x")
		cmd.Env = append(os.Environ(), "GL_BENCH_START=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if lines.Text() == "first frame" {
				total += time.Since(start)
			}
			var kb float64
			if name, rest, ok := strings.Cut(lines.Text(), ":"); ok {
				if _, err := fmt.Sscan(rest, &kb); err == nil {
					rss[name] = kb / 1024
				}
			}
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/start")
	b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms-to-frame")
	for name, mb := range rss {
		b.ReportMetric(mb, name+"-MB")
	}
}
