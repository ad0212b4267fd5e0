//go:build cgo && linux && !headless

package gl

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// whole is an App with a real desktop and terminals.
type whole struct {
	d     *desktop.Desktop
	snaps map[string]*term.Snapshot
	drawn int
	scale float32
}

func newWhole() *whole {
	a := &whole{d: desktop.New(desktop.Config{}), snaps: map[string]*term.Snapshot{}}
	a.d.Handle(desktop.Input{Kind: desktop.Resized, X: 1280, Y: 720, Scale: 1})
	a.d.Apps([]desktop.App{{Name: "meshnet-node"}, {Name: "socks-server"}, {Name: "apptracker"}})
	for i, text := range []string{"$ list_apps\r\n\x1b[31mERROR\x1b[m nothing is running\r\n$ ", showcase(), showcase() + "\x1b[2 q"} {
		id := fmt.Sprint(i + 1)
		t := term.New(76, 20, term.Config{})
		_, _ = t.Write([]byte(text))
		s := &term.Snapshot{}
		t.Snapshot(s)
		a.snaps[id] = s
		a.d.TermOpened(desktop.Term{ID: desktop.TermID(id), Title: "terminal " + id, Cols: 76, Rows: 20, Fixed: i == 1, Version: s.Version, First: s.First, Base: s.Top})
	}
	a.d.Notify(desktop.Notice{Title: "meshnet-node stopped", Text: "exit code 1 after 3 s", Level: desktop.Info})
	return a
}

func (a *whole) mesh() {
	var m panel.Mesh
	for i := range 7 {
		m.Nodes = append(m.Nodes, panel.Node{ID: fmt.Sprint(i), Label: fmt.Sprintf("node-%d", i), State: "up", Self: i == 0})
		if i > 0 {
			m.Links = append(m.Links, panel.Link{A: fmt.Sprint(i / 2), B: fmt.Sprint(i), Rate: float64(i) * 1e5, Latency: time.Duration(i) * time.Millisecond})
		}
	}
	m.Routes = []panel.Route{{ID: "r", Label: "web", Hops: []string{"0", "1", "3"}}}
	a.d.Mesh(m)
	a.d.OpenPanel(desktop.MeshContent, 0)
}

func (a *whole) Handle(in desktop.Input) {
	if in.Kind == desktop.Resized {
		a.scale = in.Scale
	}
	a.d.Handle(in)
	a.d.Requests()
}
func (a *whole) Draw(s *scene.Scene) { a.d.Scene(s); a.drawn++ }
func (a *whole) Content(c *scene.Cells) Content {
	return Content{Screen: a.snaps[c.Term]}
}
func (a *whole) NextTick() (time.Duration, bool) { return a.d.NextTick() }

// picture opens a window with app, lets it draw and saves the picture.
func pictureOf(t *testing.T, app *whole, name string, width, height int) *Window {
	t.Helper()
	w := open(t, width, height)
	runApp(t, w, app, func() bool { return app.drawn > 0 })
	img := w.Image()
	if img == nil {
		t.Fatal("no picture")
	}
	save(t, img, name)
	return w
}

func TestDesktopPictures(t *testing.T) {
	startX(t, "1300x740x24")
	for _, theme := range scene.Themes() {
		app := newWhole()
		app.d.SetTheme(theme)
		app.mesh()
		w := pictureOf(t, app, "desktop-"+theme.Name, 1280, 720)
		img := w.Image()
		if got := at(img, 1270, 600); !near(got, theme.Desktop, 2) {
			t.Errorf("%s: the desktop is %08x, want %08x", theme.Name, uint32(got), uint32(theme.Desktop))
		}
		w.Close()
	}
}

// TestHiDPI: with twice the dots an inch, a window unit has two pixels each way.
func TestHiDPI(t *testing.T) {
	if _, err := exec.LookPath("xrdb"); err != nil {
		t.Skip("no xrdb")
	}
	startX(t, "2600x1500x24")
	cmd := exec.Command("xrdb", "-nocpp", "-load", "-")
	cmd.Stdin = strings.NewReader("Xft.dpi: 192\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("xrdb: %v: %s", err, out)
	}
	app := newWhole()
	w := pictureOf(t, app, "desktop-hidpi", 1280, 720)
	if b := w.Image().Bounds(); app.scale != 2 || b.Dx() != 2560 || b.Dy() != 1440 {
		t.Errorf("scale %v, picture %v", app.scale, b)
	}
}
