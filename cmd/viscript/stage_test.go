//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl"
)

// stage is a display of its own with a daemon whose window is on it, and a person at mouse and keyboard.
type stage struct {
	*site
	xvfb    *exec.Cmd
	display string
	eyes    *signal.WindowConn // reads terminals as a text client does
}

// newStage starts a display; the daemon comes with open.
func newStage(t *testing.T, config any) *stage {
	t.Helper()
	if !gl.Built {
		t.Skip("this build has no window")
	}
	for _, tool := range []string{"Xvfb", "xdotool", "xclip", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatal("these tests need Xvfb, xdotool, xclip and ImageMagick (.ci/tools installs them): ", err)
		}
	}
	s := &stage{site: newSite(t, config)}
	s.startDisplay()
	t.Cleanup(s.killDisplay)
	return s
}

// startDisplay starts an X server on a number that is free: that of one before may be another test's by now. Keys do not repeat, however
// long they seem to be held.
func (s *stage) startDisplay() {
	s.t.Helper()
	args := []string{"-screen", "0", "1280x720x24", "+extension", "GLX", "-nolisten", "tcp", "-noreset", "-r", "-displayfd", "3"}
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	s.xvfb = exec.Command("Xvfb", args...)
	s.xvfb.ExtraFiles = []*os.File{w}
	err = s.xvfb.Start()
	w.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	_ = r.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		s.t.Fatal("Xvfb does not start: ", err)
	}
	s.display = ":" + strings.TrimSpace(line)
	s.settle("the display is there", func() error { return s.x("xdotool", "getdisplaygeometry").Run() })
}

func (s *stage) killDisplay() {
	if s.xvfb != nil {
		_ = s.xvfb.Process.Kill()
		_ = s.xvfb.Wait()
		s.xvfb = nil
	}
}

// x is a program on the display.
func (s *stage) x(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(cleanEnv(), "DISPLAY="+s.display, "HOME="+s.dir, "LP_NUM_THREADS=1")
	return cmd
}

// xdo is what the person does, one step after the other.
func (s *stage) xdo(args ...string) {
	s.t.Helper()
	if out, err := s.x("xdotool", args...).CombinedOutput(); err != nil {
		s.t.Fatalf("xdotool %q: %v: %s", args, err, out)
	}
}

// types types text, then keys by name.
func (s *stage) types(text string, keys ...string) {
	s.t.Helper()
	if text != "" {
		s.xdo("type", "--delay", "12", text)
	}
	for _, k := range keys {
		s.xdo("key", k)
	}
}

// begin starts the daemon with its window.
func (s *stage) begin() {
	s.t.Helper()
	s.daemon = s.product("--state", s.state, "--config", "config.yaml", "--signal", "none")
	s.daemon.Env = append(s.daemon.Env, "DISPLAY="+s.display, "HOME="+s.dir)
	s.daemon.Stdout, s.daemon.Stderr = s.out, s.out
	if err := s.daemon.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// open starts the daemon and returns when its window shows the terminals.
func (s *stage) open() {
	s.t.Helper()
	s.begin()
	s.settle("the daemon serves", func() (err error) {
		s.Operator, err = signal.DialOperator(s.t.Context(), socketPath(s.state))
		return err
	})
	s.watch()
	s.shown(1)
}

// watch makes the test a window without a desktop.
func (s *stage) watch() {
	s.t.Helper()
	var err error
	if s.eyes, err = s.Window(s.t.Context(), signal.WindowParams{Name: "test"}, signal.WindowHandler{}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.eyes.Close() })
}

// shown waits until a window shows at least n terminals.
func (s *stage) shown(n int) {
	s.t.Helper()
	s.settle(fmt.Sprintf("%d terminals are shown", n), func() error {
		list, err := s.lt()
		if err == nil && len(list) < n {
			err = fmt.Errorf("%d are", len(list))
		}
		for _, l := range list {
			if err == nil && l.Width == 0 {
				err = fmt.Errorf("%s is not", l.ID)
			}
		}
		return err
	})
}

// lt are the terminals as `exec --json lt` tells of them.
func (s *stage) lt() ([]signal.WindowTerm, error) {
	out, errs, code := s.exec("--json", "lt")
	if code != exitOK {
		return nil, fmt.Errorf("lt: %d: %s", code, errs)
	}
	var list []signal.WindowTerm
	err := json.Unmarshal([]byte(out), &list)
	return list, err
}

// viewers is how many windows show a terminal.
func (s *stage) viewers(id string) (n int) {
	s.t.Helper()
	out, errs, code := s.exec("--json", "lt")
	if code != exitOK {
		s.t.Fatal(errs)
	}
	var list []signal.Term
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, t := range list {
		if t.ID == id {
			n = t.Viewers
		}
	}
	return n
}

// term waits until a terminal is as it should be.
func (s *stage) term(id, what string, is func(signal.WindowTerm) bool) signal.WindowTerm {
	s.t.Helper()
	var found signal.WindowTerm
	s.settle(id+": "+what, func() error {
		list, err := s.lt()
		for _, l := range list {
			if l.ID == id {
				found = l
				if is(l) {
					return nil
				}
			}
		}
		return fmt.Errorf("it is %+v, %v", found, err)
	})
	return found
}

// here is a terminal as it is now.
func (s *stage) here(id string) signal.WindowTerm {
	s.t.Helper()
	return s.term(id, "is shown", func(l signal.WindowTerm) bool { return l.Width > 0 })
}

// newTerm opens a terminal with a command; none is a prompt.
func (s *stage) newTerm(args ...string) string {
	s.t.Helper()
	ctx, cancel := within(s.t.Context())
	defer cancel()
	t, err := s.eyes.New(ctx, signal.TermNew{Args: args})
	if err != nil {
		s.t.Fatal(err)
	}
	s.here(t.ID)
	return t.ID
}

// text is all that a terminal says.
func (s *stage) text(id string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.eyes.Text(ctx, signal.TermRange{ID: id, To: signal.TermPos{Line: 1 << 40}})
}

// says waits until it says that.
func (s *stage) says(id, want string) {
	s.t.Helper()
	s.settle(fmt.Sprintf("%s says %q", id, want), func() error {
		got, err := s.text(id)
		if err == nil && !strings.Contains(got, want) {
			err = fmt.Errorf("it says %q", got[max(0, len(got)-2000):])
		}
		return err
	})
}

// focus gives a terminal the keyboard.
func (s *stage) focus(id string) {
	s.t.Helper()
	if _, errs, code := s.exec("focus", id); code != exitOK {
		s.t.Fatal(errs)
	}
	s.term(id, "has the focus", func(l signal.WindowTerm) bool { return l.Focused })
}

// shot is what is on the screen; with a name it is kept where SCREENSHOTS says.
func (s *stage) shot(name string) *image.RGBA {
	s.t.Helper()
	out, err := s.x("import", "-window", "root", "png:-").Output()
	if err != nil {
		s.t.Fatal("import: ", err)
	}
	if dir := os.Getenv("SCREENSHOTS"); dir != "" && name != "" {
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), out, 0o644)
		}
		if err != nil {
			s.t.Error(err)
		}
	}
	decoded, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		s.t.Fatal(err)
	}
	return rgba(decoded)
}

func rgba(i image.Image) *image.RGBA {
	if same, ok := i.(*image.RGBA); ok {
		return same
	}
	out := image.NewRGBA(i.Bounds())
	for y := out.Rect.Min.Y; y < out.Rect.Max.Y; y++ {
		for x := out.Rect.Min.X; x < out.Rect.Max.X; x++ {
			out.Set(x, y, i.At(x, y))
		}
	}
	return out
}

// differ is the part of the pixels of a region, from 0 to 1, that look different.
func differ(a, b *image.RGBA, r image.Rectangle) float64 {
	n := 0
	r = r.Intersect(a.Rect).Intersect(b.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p, q := a.RGBAAt(x, y), b.RGBAAt(x, y)
			if apart(p.R, q.R) || apart(p.G, q.G) || apart(p.B, q.B) {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, r.Dx()*r.Dy()))
}

func apart(a, b uint8) bool { return max(a, b)-min(a, b) > 24 }

// region is where a terminal's frame is on the screen.
func region(l signal.WindowTerm) image.Rectangle {
	return image.Rect(int(l.Left), int(l.Top), int(l.Left+l.Width), int(l.Top+l.Height))
}

// cellAt is the middle of a cell on the screen.
func cellAt(l signal.WindowTerm, x, y int) (string, string) {
	f := scene.DejaVu().At(14*l.Zoom, 1)
	edge := (l.Width - float32(l.Cols)*f.Advance) / 2
	top := l.Height - float32(l.Rows)*f.Line - edge
	return place(l.Left+edge+(float32(x)+0.5)*f.Advance, l.Top+top+(float32(y)+0.5)*f.Line)
}

func place(x, y float32) (string, string) {
	return strconv.Itoa(max(0, int(x))), strconv.Itoa(max(0, int(y)))
}

// drag moves the mouse with the left button held, in steps as a hand does.
func (s *stage) drag(x, y, dx, dy float32, mods ...string) {
	s.t.Helper()
	fromX, fromY := place(x, y)
	args := []string{"mousemove", fromX, fromY}
	for _, m := range mods {
		args = append(args, "keydown", m)
	}
	args = append(args, "mousedown", "1")
	for i := 1; i <= 4; i++ {
		toX, toY := place(x+dx*float32(i)/4, y+dy*float32(i)/4)
		args = append(args, "mousemove", toX, toY, "sleep", "0.03")
	}
	args = append(args, "mouseup", "1")
	for _, m := range mods {
		args = append(args, "keyup", m)
	}
	s.xdo(args...)
}

// click clicks at a place.
func (s *stage) click(x, y string, buttons ...string) {
	s.t.Helper()
	args := []string{"mousemove", x, y}
	if len(buttons) == 0 {
		buttons = []string{"1"}
	}
	for _, b := range buttons {
		args = append(args, "click", b)
	}
	s.xdo(args...)
}

// menuPlace is where the menu has an entry: found with a desktop of the same size and apps.
func (s *stage) menuPlace(part desktop.Part, index int, apps []desktop.App) (string, string) {
	s.t.Helper()
	d := desktop.New(desktop.Config{})
	d.Handle(desktop.Input{Kind: desktop.Resized, X: windowWidth, Y: windowHeight, Scale: 1})
	d.Apps(apps)
	d.Handle(desktop.Input{Kind: desktop.KeyDown, Key: desktop.Character, Rune: ' ', Mods: desktop.Ctrl | desktop.Shift})
	for y := float32(windowHeight - 1); y > 0; y-- {
		if h := d.At(scene.Point{X: 20, Y: y}); h.Part == part && h.Index == index {
			return place(20, y-8)
		}
	}
	s.t.Fatalf("the menu has no entry %d", index)
	return "", ""
}

// The size that a window opens with.
const (
	windowWidth  = 1280
	windowHeight = 720
)

// windows are the windows of a stage, by pid.
func (s *stage) windows() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		words, _ := os.ReadFile(name)
		if bytes.Contains(words, []byte("\x00gui\x00")) && bytes.Contains(words, []byte(s.state)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}
