package desktop

import (
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

const (
	startText  = "Start"
	barGap     = 4
	maxTaskCol = 24 // columns of a button at most
)

func (d *Desktop) barRect() scene.Rect {
	h := d.barHeight()
	return scene.Rect{Y: d.size.H - h, W: d.size.W, H: h}
}

func (d *Desktop) startRect() scene.Rect {
	b := d.barRect()
	return scene.Rect{X: barGap, Y: b.Y + barGap/2, W: float32(len(startText)+2) * d.font.Advance, H: b.H - barGap}
}

// taskRect is the button of window i. They shrink so that all fit.
func (d *Desktop) taskRect(i int) scene.Rect {
	s := d.startRect()
	from := s.Right() + 2*barGap
	room := max(0, d.size.W-from-barGap)
	step := min(maxTaskCol*d.font.Advance, room/float32(max(1, len(d.windows))))
	between := min(barGap, step/4)
	return scene.Rect{X: from + float32(i)*step, Y: s.Y, W: step - between, H: s.H}
}

func (d *Desktop) barAt(p scene.Point) Hit {
	if d.startRect().Has(p) {
		return Hit{Part: OnStart}
	}
	for i := range d.windows {
		if d.taskRect(i).Has(p) {
			return Hit{Part: OnTask, Index: i}
		}
	}
	return Hit{Part: OnBar}
}

// name is what the taskbar and the tab call w.
func (d *Desktop) name(w *window) string {
	switch w.content {
	case TerminalContent:
		if w.term.Title == "" {
			return string(w.term.ID)
		}
		return string(w.term.ID) + " " + w.term.Title
	case AppContent:
		if a := d.data.pages[w.view.app]; a != nil {
			return "App " + a.Name
		}
		return "App"
	}
	return w.content.String()
}

// String is the name of c, as saved layouts have it.
func (c Content) String() string {
	if c >= contents {
		return "?"
	}
	return [...]string{"Terminal", "Processes", "App", "Mesh", "Logs", "Keys"}[c]
}
