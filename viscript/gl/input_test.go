//go:build cgo && linux && !headless

package gl

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
)

// describe is an input without its time, for tests to compare.
func describe(in desktop.Input) string {
	mods := ""
	for i, name := range []string{"S", "A", "C", "W"} {
		if in.Mods&(1<<i) != 0 {
			mods += name
		}
	}
	switch in.Kind {
	case desktop.Motion:
		return fmt.Sprintf("motion %v,%v %s", in.X, in.Y, mods)
	case desktop.Press:
		return fmt.Sprintf("press %d %v,%v %s", in.Button, in.X, in.Y, mods)
	case desktop.Release:
		return fmt.Sprintf("release %d %v,%v %s", in.Button, in.X, in.Y, mods)
	case desktop.Wheel:
		return fmt.Sprintf("wheel %v,%v %s", in.DX, in.DY, mods)
	case desktop.KeyDown:
		return fmt.Sprintf("key %d %q %s", in.Key, in.Rune, mods)
	case desktop.Char:
		return fmt.Sprintf("char %q", in.Rune)
	case desktop.Resized:
		return fmt.Sprintf("resized %vx%v %v", in.X, in.Y, in.Scale)
	case desktop.FocusIn:
		return "in"
	case desktop.FocusOut:
		return "out"
	case desktop.Leave:
		return "leave"
	}
	return "tick"
}

// after tells whether the inputs have all of want, in order, others between them.
func after(inputs []desktop.Input, want []string) bool {
	for _, in := range inputs {
		if len(want) > 0 && strings.TrimSpace(describe(in)) == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func xdotool(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("xdotool", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Errorf("xdotool %s: %v: %s", args, err, out)
	}
}

func TestInputs(t *testing.T) {
	if _, err := exec.LookPath("xdotool"); err != nil {
		t.Skip("no xdotool: .ci/tools installs it")
	}
	startX(t, "1000x700x24")
	// A key for é: for one that the keyboard does not have xdotool changes the keyboard for a moment, which a window may come too late to
	// see. Without xmodmap it does.
	if out, err := exec.Command("xmodmap", "-e", "keycode 248 = eacute").CombinedOutput(); err != nil {
		t.Logf("xmodmap: %v: %s", err, out)
	}
	w := open(t, 640, 400)
	x, y := w.win.GetPos()
	move := func(px, py int) string { return fmt.Sprintf("mousemove %d %d", x+px, y+py) }
	steps := []struct {
		do   string
		want []string
	}{
		{move(5, 5), []string{"motion 5,5"}},
		{move(100, 200) + " click 1", []string{"motion 100,200", "press 1 100,200", "release 1 100,200"}},
		{"mousedown 1 " + move(300, 300) + " mouseup 1", []string{"press 1 100,200", "motion 300,300", "release 1 300,300"}},
		{"click 2 click 3", []string{"press 2 300,300", "press 3 300,300"}},
		{"click 4 click 5 click 6 click 7", []string{"wheel 0,1", "wheel 0,-1", "wheel 1,0", "wheel -1,0"}},
		{"type --delay 50 aB9", []string{`char 'a'`, `char 'B'`, `char '9'`}},
		{"key ctrl+c", []string{"motion 300,300 C", `key 0 'c' C`, "motion 300,300"}},
		{"key ctrl+shift+c", []string{`key 0 'c' SC`}},
		{"key ctrl+space", []string{`key 0 ' ' C`}},
		{"key alt+x", []string{`key 0 'x' A`}},
		{"key alt+exclam", []string{`key 0 '!' SA`}},
		{"key Return Tab BackSpace Escape", []string{`key 1 '\x00'`, `key 2 '\x00'`, `key 3 '\x00'`, `key 4 '\x00'`}},
		{"key shift+Prior ctrl+Left F1 F12", []string{`key 13 '\x00' S`, `key 8 '\x00' C`, `key 15 '\x00'`, `key 26 '\x00'`}},
		{"key ctrl+shift+Tab", []string{`key 2 '\x00' SC`}},
		{"key KP_Home", []string{`key 9 '\x00'`}},
		{"type --delay 100 é", []string{`char 'é'`}},
		{"keydown shift " + move(310, 310) + " keyup shift", []string{"motion 300,300 S", "motion 310,310 S", "motion 310,310"}},
		{move(700, 450), []string{"leave"}},
	}
	app := &still{}
	done := make(chan struct{})
	seen := make(chan []desktop.Input)
	go func() {
		defer close(done)
		for _, s := range steps {
			if !w.Post(func() { app.inputs = nil; seen <- nil }) {
				return
			}
			<-seen
			xdotool(t, s.do)
			deadline := time.Now().Add(patience / 2)
			for ok := false; !ok; {
				if !w.Post(func() { seen <- slices.Clone(app.inputs) }) {
					return
				}
				in := <-seen
				if ok = after(in, s.want); !ok && time.Now().After(deadline) {
					var got []string
					for _, i := range in {
						got = append(got, describe(i))
					}
					t.Errorf("xdotool %s\n got %q\nwant %q", s.do, got, s.want)
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	runUntil(t, w, app, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}

func TestResizeAndFocus(t *testing.T) {
	startX(t, "1000x700x24")
	w := open(t, 640, 400)
	app := &still{}
	asked := false
	runUntil(t, w, app, func() bool {
		if !asked && app.drawn > 0 {
			asked = true
			w.win.SetSize(500, 300)
		}
		if !asked || !after(app.inputs, []string{"resized 640x400 1", "resized 500x300 1"}) || app.bounds.W != 500 {
			return false
		}
		img := w.Image() // it follows with the next frame
		return img != nil && img.Bounds().Dx() == 500 && img.Bounds().Dy() == 300
	})
}

func TestTicks(t *testing.T) {
	startX(t, "800x600x24")
	w := open(t, 300, 200)
	app := &still{at: w.Now() + 50*time.Millisecond}
	runUntil(t, w, app, func() bool {
		for _, in := range app.inputs {
			if in.Kind == desktop.Tick {
				if in.At < app.at && app.at > 0 {
					t.Errorf("a tick at %v, asked for %v", in.At, app.at)
				}
				app.at = 0
				return true
			}
		}
		return false
	})
}

// TestIdle: a window in which nothing happens costs nothing.
func TestIdle(t *testing.T) {
	startX(t, "800x600x24")
	w := open(t, 640, 480)
	app := &still{draw: full(80, 24)}
	runUntil(t, w, app, func() bool { return app.drawn > 1 })
	const quiet = 2 * time.Second
	run := func() (frames int, used time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), quiet)
		defer cancel()
		drawn, before := app.drawn, cpu(t)
		if err := w.Run(ctx, app); err != nil {
			t.Fatal(err)
		}
		return app.drawn - drawn, cpu(t) - before
	}
	frames, used := run()
	for end := time.Now().Add(patience / 2); (frames > 4 || used > quiet/8) && time.Now().Before(end); { // it comes to rest later on a slow machine
		frames, used = run()
	}
	t.Logf("%v of processor time in %v, %d frames", used, quiet, frames)
	if frames > 4 { // the first one of this Run, and what the server tells late
		t.Errorf("%d frames of a picture that does not change", frames)
	}
	if used > quiet/8 {
		t.Errorf("%v of processor time in %v", used, quiet)
	}
}

// TestFlood: however much happens, frames keep their distance.
func TestFlood(t *testing.T) {
	startX(t, "800x600x24")
	w := open(t, 320, 200)
	app := &still{}
	begin := w.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	enough := func() {
		if w.Now()-begin > time.Second && app.drawn >= 2 {
			cancel()
		}
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil && w.Post(enough) {
			time.Sleep(time.Millisecond)
		}
	}()
	if err := w.Run(ctx, app); err != nil {
		t.Fatal(err)
	}
	<-done
	if most := int((w.Now()-begin)/FrameInterval) + 2; app.drawn > most || app.drawn < 2 {
		t.Errorf("%d frames, at most %d", app.drawn, most)
	}
}
