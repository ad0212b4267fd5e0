//go:build cgo && linux && !headless

package gl

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// changing is an App with a terminal, a thing that moves, and something in a corner.
type changing struct {
	still
	term *term.Terminal
	snap term.Snapshot
	n    int
}

func newChanging() *changing {
	a := &changing{term: term.New(80, 24, term.Config{})}
	a.content = func(*scene.Cells) Content { return Content{Screen: &a.snap} }
	a.draw = func(s *scene.Scene) {
		cells := everything("1")
		cells(s)
		s.Grids[0].Version = a.snap.Version
		s.Rect(scene.Rect{X: 600 + float32(a.n), Y: 100, W: 40, H: 40}, scene.Color(0xff+a.n*0x1f3f5f00), 0)
		s.Rect(scene.Rect{X: 700, Y: 500, W: 20, H: 20}, scene.Color(0xff+a.n*0x3f1f7f00), 0)
	}
	return a
}

// change is step n of what happens.
func (a *changing) change() {
	a.n++
	switch a.n % 4 {
	case 0:
		_, _ = a.term.Write([]byte(page(80, 24, a.n)))
	case 1:
		_, _ = fmt.Fprintf(a.term, "\x1b[7;1Hline %d \x1b[%dm世界\x1b[m", a.n, 30+a.n%8)
	case 2:
		_, _ = fmt.Fprintf(a.term, "\x1b[%d;%dH", 1+a.n%24, 1+a.n%80)
	}
	a.term.Snapshot(&a.snap)
}

// TestScreenShowsWhatIsDrawn: after many changes of parts, another size, and a loss of what is on the screen, that
// is what was drawn, with a back buffer that is kept and with a picture.
func TestScreenShowsWhatIsDrawn(t *testing.T) {
	for _, tool := range []string{"import", "xdotool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no ", tool, ": .ci/tools installs it")
		}
	}
	startX(t, "1000x700x24")
	for _, kept := range []bool{true, false} {
		w := open(t, 800, 560)
		if !kept {
			var err error
			if w.r, err = newRenderer(w.win, false); err != nil {
				t.Fatal(err)
			}
		} else if w.r.back == nil {
			t.Error("the software renderer cannot keep its back buffer")
		}
		id := fmt.Sprintf("%d", uint64(w.win.GetX11Window()))
		app := newChanging()
		changed := 0
		var acting sync.WaitGroup
		before := &image.RGBA{}
		size := func(width, height int) func() bool {
			return func() bool { return app.bounds.W == float32(width) && app.bounds.H == float32(height) }
		}
		for _, step := range []struct {
			name string
			args []string // of xdotool
			done func() bool
		}{
			{"changed", nil, func() bool { changed++; return changed == 40 }},
			{"larger", []string{"windowsize", id, "900", "600"}, size(900, 600)},
			{"dragged", storm(id), size(850, 610)},
			{"changed again", nil, func() bool { changed++; return changed == 60 }},
			{"smaller", []string{"windowsize", id, "700", "500"}, size(700, 500)},
			{"hidden", []string{"windowunmap", "--sync", id}, func() bool { return true }},
			{"seen again", []string{"windowmap", "--sync", id}, func() bool { return true }},
			{"given up", nil, func() bool {
				for range maxMisfits + 1 {
					w.r.misfit()
				}
				return w.r.back == nil
			}},
		} {
			if step.args != nil {
				acting.Go(func() {
					if out, err := exec.Command("xdotool", step.args...).CombinedOutput(); err != nil {
						t.Errorf("xdotool %q: %v: %s", step.args, err, out)
					}
				})
			}
			runApp(t, w, app, func() bool { app.change(); return step.done() })
			acting.Wait()
			if step.name == "hidden" {
				continue
			}
			var drawn, shown *image.RGBA
			at := time.Now()
			runApp(t, w, app, func() bool {
				drawn, shown = w.Image(), onScreen(t, id)
				return same(drawn, shown) || time.Since(at) > patience/2
			})
			if !same(drawn, shown) {
				t.Errorf("kept %v, %s: the screen shows something else than was drawn", kept, step.name)
				save(t, drawn, fmt.Sprintf("part-%v-%s-drawn", kept, step.name))
				save(t, shown, fmt.Sprintf("part-%v-%s-shown", kept, step.name))
			}
			if same(drawn, before) {
				t.Errorf("kept %v, %s: nothing has changed", kept, step.name)
			}
			before = drawn
		}
		w.Close()
	}
}

// storm is many sizes, one right after the other.
func storm(id string) []string {
	var args []string
	for i := range 60 {
		args = append(args, "windowsize", id, fmt.Sprint(300+i*97%600), fmt.Sprint(200+i*61%450))
	}
	return append(args, "windowsize", id, "850", "610")
}

// onScreen is what the X server shows of a window.
func onScreen(t *testing.T, id string) *image.RGBA {
	out, err := exec.Command("import", "-window", id, "png:-").Output()
	if err != nil {
		t.Fatal("import: ", err)
	}
	decoded, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(decoded.Bounds())
	draw.Draw(img, img.Rect, decoded, img.Rect.Min, draw.Src)
	return img
}

// same: the pictures are, but for what lies behind the colours.
func same(a, b *image.RGBA) bool {
	if a == nil || a.Rect != b.Rect {
		return false
	}
	for i := range a.Pix {
		if i%4 != 3 && a.Pix[i] != b.Pix[i] {
			return false
		}
	}
	return true
}
