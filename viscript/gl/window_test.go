//go:build cgo && linux && !headless

package gl

import (
	"context"
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// everything draws each kind of item, and a terminal.
func everything(id string) func(*scene.Scene) {
	return func(s *scene.Scene) {
		th := scene.Dark()
		f := scene.DejaVu().At(14, s.Scale)
		s.Rect(s.Bounds, th.Desktop, 0)
		s.Rect(scene.Rect{X: 10, Y: 10, W: 100, H: 60}, 0xff0000ff, 0)
		s.Rect(scene.Rect{X: 120, Y: 10, W: 100, H: 60}, 0x00ff00ff, 16)
		s.Frame(scene.Rect{X: 230, Y: 10, W: 100, H: 60}, 0x000080ff, 0xffff00ff, 3, 12)
		s.Circle(scene.Point{X: 380, Y: 40}, 28, 0x804000ff, 0xffffffff, 3)
		s.Line(4, 0xff00ff80, scene.Point{X: 430, Y: 15}, scene.Point{X: 470, Y: 65}, scene.Point{X: 510, Y: 20}, scene.Point{X: 550, Y: 60})
		s.Line(1, 0xffffffff, scene.Point{X: 430, Y: 75}, scene.Point{X: 560, Y: 75})
		s.Text(scene.Point{X: 10, Y: 80}, "Regular text: The quick brown fox jumps", f, scene.Regular, th.PanelText)
		s.Text(scene.Point{X: 10, Y: 100}, "Bold text: 0123456789 {}[]() é́", f, scene.Bold, th.PanelText)
		s.Text(scene.Point{X: 10, Y: 120}, "Oblique text: 世界 (FixedSize)", f, scene.Oblique, th.PanelText)
		before := s.Clip(scene.Rect{X: 330, Y: 80, W: 60, H: 30})
		s.Text(scene.Point{X: 320, Y: 85}, "this is clipped text", f, scene.Regular, 0x00ffffff)
		s.Rect(scene.Rect{X: 300, Y: 105, W: 300, H: 30}, 0xffffff80, 0)
		s.Unclip(before)
		s.Grid(scene.Rect{X: 10, Y: 150, W: 80 * f.Advance, H: 24 * f.Line}, scene.Cells{
			Term: id, Cell: scene.Size{W: f.Advance, H: f.Line}, FontSize: f.Size, Cols: 80, Rows: 24,
			Cursor: scene.SolidCursor, CursorSize: 1, Back: th.GridBack, Text: th.GridText, CursorColor: th.Cursor,
		})
	}
}

// showcase is text that uses all that a cell can look like.
func showcase() string {
	var b strings.Builder
	b.WriteString("\x1b[1mbold\x1b[m \x1b[2mfaint\x1b[m \x1b[3mitalic\x1b[m \x1b[1;3mboth\x1b[m \x1b[7minverse\x1b[m \x1b[8mhidden\x1b[m \x1b[9mstrike\x1b[m \x1b[53moverline\x1b[m \x1b[5mblink\x1b[m\r\n")
	b.WriteString("\x1b[4msingle\x1b[m \x1b[4:2mdouble\x1b[m \x1b[4:3;58;2;255;0;0mcurly red\x1b[m \x1b[4:4mdotted\x1b[m \x1b[4:5;58;5;3mdashed\x1b[m\r\n")
	b.WriteString("┌─┬┐ ╔═╦╗ ┏━┳┓ ╭─╮ ╓─╥╖ ╒═╤╕ ┄┄┄ ┅┅┅ ╌╌ ╱╲╳ ╼╾ ▁▂▃▄▅▆▇█\r\n")
	b.WriteString("├─┼┤ ╠═╬╣ ┣━╋┫ │ │ ╟─╫╢ ╞═╪╡ ┆┇┊┋ ░▒▓ ▖▗▘▙▚▛▜▝▞▟ ▏▎▍▌▋▊▉█\r\n")
	b.WriteString("└─┴┘ ╚═╩╝ ┗━┻┛ ╰─╯ ╙─╨╜ ╘═╧╛ ⠁⠃⠇⡇⣇⣧⣷⣿ \ue0b0\ue0b1\ue0b2\ue0b3\ue0b4\ue0b5\ue0b6\ue0b7\r\n")
	b.WriteString("世界 こんにちは 한국어 e\u0301 a\u0308 👍 \U0001F468\u200d\U0001F469 \ue123 \U000F1234 ✓ → λ Ж\r\n")
	for i := range 16 {
		fmt.Fprintf(&b, "\x1b[48;5;%dm  \x1b[38;5;%dm\x1b[49mXX\x1b[m", i, i)
	}
	b.WriteString("\r\n")
	for i := range 76 {
		fmt.Fprintf(&b, "\x1b[48;2;%d;%d;%dm▀", 3*i, 255-3*i, 128)
	}
	b.WriteString("\x1b[m\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz\r\n!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~\r\n$ ")
	return b.String()
}

func snapshot(text string) *term.Snapshot {
	t := term.New(80, 24, term.Config{})
	_, _ = t.Write([]byte(text))
	s := &term.Snapshot{}
	t.Snapshot(s)
	return s
}

func TestWindowDrawsEverything(t *testing.T) {
	startX(t, "1000x700x24")
	w := open(t, 800, 560)
	s := snapshot(showcase())
	app := &still{draw: everything("1"), content: func(*scene.Cells) Content { return Content{Screen: s} }}
	var img *image.RGBA
	runUntil(t, w, app, func() bool {
		if app.drawn > 0 {
			img = w.Image()
		}
		return img != nil
	})
	save(t, img, "everything")
	if img.Bounds().Dx() != 800 || img.Bounds().Dy() != 560 {
		t.Fatalf("the picture is %v", img.Bounds())
	}
	for _, c := range []struct {
		name string
		x, y int
		want scene.Color
	}{
		{"desktop", 700, 40, scene.Dark().Desktop}, {"box", 60, 40, 0xff0000ff}, {"box corner", 10, 10, 0xff0000ff}, {"box end", 109, 69, 0xff0000ff}, {"behind box", 110, 70, scene.Dark().Desktop},
		{"rounded", 170, 40, 0x00ff00ff}, {"rounded corner", 121, 11, scene.Dark().Desktop}, {"framed", 280, 40, 0x000080ff}, {"frame", 231, 40, 0xffff00ff},
		{"circle", 380, 40, 0x804000ff}, {"circle edge", 353, 40, 0xffffffff}, {"straight line", 500, 75, 0xffffffff}, {"grid", 600, 500, scene.Dark().GridBack},
	} {
		if got := at(img, c.x, c.y); !near(got, c.want, 3) {
			t.Errorf("%s at %d,%d: %08x, want %08x", c.name, c.x, c.y, uint32(got), uint32(c.want))
		}
	}
}

// TestBlink: text that blinks is seen and not seen, though nothing happens.
func TestBlink(t *testing.T) {
	startX(t, "800x600x24")
	w := open(t, 640, 400)
	s := snapshot("\x1b[5mMMMM\x1b[m steady\x1b[?25l")
	app := &still{draw: full(80, 24), content: func(*scene.Cells) Content { return Content{Screen: s} }}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := map[bool]bool{}
	look := &looking{still: app, after: func() {
		img := w.Image()
		lit := false
		for x := range 32 {
			lit = lit || !near(at(img, x, 8), scene.Dark().GridBack, 3)
		}
		if seen[lit] = true; len(seen) == 2 {
			cancel()
		}
	}}
	if err := w.Run(ctx, look); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 {
		t.Errorf("in %v: %v", patience, seen)
	}
}

// looking looks at what was drawn before it draws anew.
type looking struct {
	*still
	after func()
}

func (l *looking) Draw(s *scene.Scene) {
	if l.drawn > 0 {
		l.after()
	}
	l.still.Draw(s)
}

func at(img *image.RGBA, x, y int) scene.Color {
	c := img.RGBAAt(x, y)
	return scene.Color(c.R)<<24 | scene.Color(c.G)<<16 | scene.Color(c.B)<<8 | 0xff
}

func near(a, b scene.Color, by int) bool {
	for shift := 0; shift < 32; shift += 8 {
		if d := int(a>>shift&255) - int(b>>shift&255); d > by || d < -by {
			return false
		}
	}
	return true
}
