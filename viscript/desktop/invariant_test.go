package desktop

import (
	"fmt"
	"math"
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// check is what holds after every step.
func (s *stage) check() {
	s.t.Helper()
	if msg := s.Desktop.broken(); msg != "" {
		s.t.Fatalf("%s\n%s", msg, s.state())
	}
}

// broken names an invariant that does not hold.
func (d *Desktop) broken() string {
	a := d.area()
	pixel := 1/d.scale + 0.1
	for _, w := range d.windows {
		f := w.frame()
		tab := f.tab
		tab.W -= f.close.W
		in := f.tab.Intersect(a)
		switch {
		case !slices.Contains(d.stack, w):
			return "a window is not in the stack"
		case offPixel(f.body.X*d.scale) || offPixel(f.body.Y*d.scale):
			return fmt.Sprintf("cells begin between pixels: %v at scale %v", f.body, d.scale)
		case math.IsNaN(float64(w.pos.X)) || math.IsNaN(float64(w.pos.Y)):
			return "a window is nowhere"
		case a.Empty():
		case in.W < min(w.grab(), a.W)-pixel || in.H < min(f.tab.H, a.H)-pixel:
			return "a window cannot be grabbed: " + d.name(w)
		case a.W > w.grab() && tab.Intersect(a).W < w.font.Advance:
			return "only the close button is in sight: " + d.name(w)
		case w.cols < 1 || w.rows < 1 || w.cols > maxCols || w.rows > maxRows:
			return "a window has no size"
		case (w.term == nil) == (w.view == nil):
			return "a window has two contents or none"
		case w.term != nil && (w.term.top() < w.term.First || w.term.top() > w.term.Base):
			return "a terminal shows lines that are not there"
		}
	}
	switch {
	case len(d.stack) != len(d.windows):
		return "the stack is no permutation"
	case d.focus != nil && d.stack[len(d.stack)-1] != d.focus:
		return "the focused window is not on top"
	case d.drag.window != nil && !slices.Contains(d.windows, d.drag.window):
		return "a window that is gone is dragged"
	case len(d.notices) > maxNotices:
		return "too many notices"
	case d.completion != nil && (d.focus == nil || d.focus.term == nil || d.focus.term.ID != d.completion.term):
		return "suggestions for a terminal without focus"
	case d.menu.open && (d.menu.selected >= len(d.menu.items) || d.menu.first < 0):
		return "the menu is off its items"
	}
	return ""
}

// disagrees compares what At says with whose item is on top there in the scene.
func (d *Desktop) disagrees(s *scene.Scene, p scene.Point) bool {
	top := scene.Owner(0)
	for i := range s.Items {
		it := &s.Items[i]
		if it.Kind == scene.Box && it.Rect.Inset(it.Radius).Has(p) && it.Clip.Has(p) { // rounded ones without their corners
			top = it.Owner
		}
	}
	h := d.At(p)
	switch {
	case h.Window != 0:
		return top != scene.Owner(h.Window)
	case h.Part == OnDesktop:
		return top != OwnDesktop
	case h.Part == OnBar || h.Part == OnStart || h.Part == OnTask:
		return top != OwnBar
	}
	return false // rounded: their rectangles are compared by tests of their own
}

// offPixel: v is no whole number, but for what float32 cannot tell.
func offPixel(v float32) bool { return math.Abs(float64(v)-math.Round(float64(v))) > 0.05 }
