//go:build cgo && linux && !headless

package gl

import (
	"bufio"
	"context"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// startX starts an X server on a free display, sets DISPLAY, and ends the server with the test.
func startX(t testing.TB, size string) *exec.Cmd {
	t.Helper()
	return startXWith(t, size, "+extension", "GLX")
}

func startXWith(t testing.TB, size string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		t.Skip("no Xvfb: .ci/tools installs it")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(path, append([]string{"-displayfd", "3", "-screen", "0", size, "-nolisten", "tcp", "-noreset", "-r"}, args...)...) // -r: keys do not repeat, however long they seem to be held
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb told no display: %v", err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(line))
	t.Setenv("XAUTHORITY", filepath.Join(t.TempDir(), "none"))
	return cmd
}

// still is an App that shows one picture and keeps the inputs.
type still struct {
	draw    func(*scene.Scene)
	content func(*scene.Cells) Content
	inputs  []desktop.Input
	scale   float32
	bounds  scene.Rect
	drawn   int
	at      time.Duration // of the next tick, 0 none
}

func (a *still) Handle(in desktop.Input) {
	if in.Kind == desktop.Resized {
		a.bounds, a.scale = scene.Rect{W: in.X, H: in.Y}, in.Scale
	}
	a.inputs = append(a.inputs, in)
}

func (a *still) Draw(s *scene.Scene) {
	a.drawn++
	s.Begin(a.bounds, a.scale)
	if a.draw != nil {
		a.draw(s)
	}
}

func (a *still) Content(c *scene.Cells) Content {
	if a.content == nil {
		return Content{}
	}
	return a.content(c)
}

func (a *still) NextTick() (time.Duration, bool) { return a.at, a.at > 0 }

// open opens a window of that size and closes it with the test, which must not leave its goroutine before.
func open(t testing.TB, width, height int) *Window {
	t.Helper()
	w, err := Open(Config{Title: "viscript test", Width: width, Height: height})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// patience is how long a test waits for what takes moments on an idle machine.
const patience = 2 * time.Minute

// runUntil runs the window until ok, which is asked on its goroutine after each event.
func runUntil(t testing.TB, w *Window, app *still, ok func() bool) {
	t.Helper()
	runApp(t, w, app, ok)
}

func runApp(t testing.TB, w *Window, app App, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := false
	quit := make(chan struct{})
	go func() {
		defer close(quit)
		for ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			if !w.Post(func() {
				if done = done || ok(); done {
					cancel()
				}
			}) {
				return
			}
		}
	}()
	if err := w.Run(ctx, app); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-quit
	if !done {
		t.Fatal("it did not come")
	}
}

// save keeps a picture for people to look at, when SCREENSHOTS names a folder.
func save(t testing.TB, img image.Image, name string) {
	t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// lines is what a process writes; safe for concurrent use.
type lines struct {
	mu sync.Mutex // guards the following
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
