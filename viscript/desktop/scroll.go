package desktop

import "github.com/skycoin/viscript/viscript/desktop/scene"

// wheelLines is how many lines a notch of the wheel scrolls.
const wheelLines = 3

// top is the number of the line in the first row.
func (t *terminal) top() uint64 {
	if t.following {
		return t.Base
	}
	return t.at
}

// scrollTo puts that line into the first row, as far as there are lines.
func (t *terminal) scrollTo(line uint64) {
	t.at = max(t.First, min(line, t.Base))
	t.following = t.following || t.at == t.Base
	if t.at < t.Base && line < t.Base {
		t.following = false
	}
}

// scroll goes up by that many lines, or down if negative.
func (t *terminal) scroll(up int) {
	if t.AltScreen {
		return
	}
	top := t.top()
	t.following = false
	switch {
	case up > 0 && uint64(up) > top:
		t.scrollTo(0)
	case up > 0:
		t.scrollTo(top - uint64(up))
	default:
		t.scrollTo(top + uint64(-up))
	}
}

// follow shows the newest line.
func (t *terminal) follow() { t.following = true }

// backscrollRect is the bar that tells of lines below, empty if there are none.
func (w *window) backscrollRect() scene.Rect {
	if w.term == nil || w.term.top() >= w.term.Base {
		return scene.Rect{}
	}
	b := w.frame().body
	b.H = min(b.H, w.font.Line)
	return b
}

// wheelBy scrolls what is under the pointer: with Ctrl it zooms, with Alt it pages.
func (d *Desktop) wheelBy(dx, dy float32) {
	_ = dx // no content is wider than its window
	const most = 100
	d.wheel[1] += max(-most, min(dy, most))
	n := int(d.wheel[1])
	if n == 0 {
		return
	}
	d.wheel[1] -= float32(n)
	h := d.At(d.pointer)
	w := d.window(h.Window)
	switch {
	case h.Part == OnMenu || h.Part == OnMenuItem:
		d.scrollMenu(-n)
	case h.Part == OnCompletion:
		d.moveCompletion(-n)
	case w == nil:
	case d.mods&Ctrl != 0:
		d.zoom(w, max(-5, min(n, 5)))
	case w.term == nil:
		d.scrollPanel(w, -n*d.notch(w))
	case d.programHasMouse(w) || w.term.AltScreen:
		d.programWheel(w, n)
	default:
		w.term.scroll(n * d.notch(w))
		d.dragOn()
	}
}

// notch is how many lines one is.
func (d *Desktop) notch(w *window) int {
	if d.mods&Alt != 0 {
		return max(1, w.rows-1)
	}
	return wheelLines
}

// dragOn lets a selection follow when the lines move under the pointer.
func (d *Desktop) dragOn() {
	if d.drag.kind == dragSelect {
		d.dragTo(d.pointer)
	}
}

// programHasMouse: the program in w gets the events of the mouse. Shift keeps them here.
func (d *Desktop) programHasMouse(w *window) bool {
	return w.term != nil && w.term.Mouse != MouseOff && d.mods&Shift == 0 && w.term.following
}

func (d *Desktop) programWheel(w *window, n int) {
	b := WheelUp
	if n < 0 {
		b, n = WheelDown, -n
	}
	for range min(n, 10) {
		d.toProgram(w, MousePress, b)
	}
}

func (d *Desktop) toProgram(w *window, a MouseAction, b Button) {
	x, y := w.cell(d.pointer)
	d.ask(Request{Kind: SendMouse, Term: w.term.ID, Mouse: Mouse{a, b, x, y, d.mods}})
}

// programMotion tells the program of the pointer once a cell.
func (d *Desktop) programMotion(w *window, b Button) {
	if w.term.Mouse < MouseDrags || b == NoButton && w.term.Mouse < MouseMoves {
		return
	}
	x, y := w.cell(d.pointer)
	if at := (Pos{uint64(y), x}); at != d.cellOver {
		d.cellOver = at
		d.toProgram(w, MouseMotion, b)
	}
}
