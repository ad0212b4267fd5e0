package desktop

import (
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A second press within this time and distance is a double click.
const (
	clickTime = 400 * time.Millisecond
	clickSlop = float32(4)
	maxClicks = 3
)

// clicks counts presses at one place.
type clicks struct {
	count int
	at    scene.Point
	when  time.Duration
	link  hoverLink // that was under the press in the focused terminal
}

func (d *Desktop) countClick() {
	near := abs(d.pointer.X-d.clicks.at.X) <= clickSlop && abs(d.pointer.Y-d.clicks.at.Y) <= clickSlop
	if !near || d.clicks.count == 0 || d.now-d.clicks.when > clickTime || d.clicks.count == maxClicks {
		d.clicks.count = 0
	}
	d.clicks.count++
	d.clicks.at, d.clicks.when, d.clicks.link = d.pointer, d.now, hoverLink{}
}

func abs(f float32) float32 { return max(f, -f) }

func (d *Desktop) motion() {
	if d.drag.kind != noDrag {
		d.dragTo(d.pointer)
		return
	}
	h := d.At(d.pointer)
	if w := d.window(h.Window); w != nil && h.Part == OnBody && d.programHasMouse(w) {
		d.programMotion(w, NoButton)
	}
}

func (d *Desktop) press(b Button) {
	if d.drag.kind != noDrag {
		return // another button is held
	}
	if b == Left {
		d.countClick()
	}
	h := d.At(d.pointer)
	d.over = h
	if d.menu.open && h.Part != OnMenu && h.Part != OnMenuItem && h.Part != OnStart {
		d.menu.open = false
	}
	if d.completion != nil && h.Part != OnCompletion {
		d.endCompletion()
	}
	if w := d.window(h.Window); w != nil {
		d.pressWindow(w, h.Part, b)
	} else if b == Left {
		d.pressOther(h)
	}
}

// pressOther is a press on what is no window.
func (d *Desktop) pressOther(h Hit) {
	switch h.Part {
	case OnStart:
		d.toggleMenu()
	case OnTask:
		d.setFocus(d.windows[h.Index])
	case OnMenuItem:
		d.choose(h.Index)
	case OnNotice:
		d.actOn(h.Index)
	case OnNoticeClose:
		d.dismiss(h.Index)
	case OnCompletion:
		d.takeCompletion(h.Index)
	}
}

func (d *Desktop) pressWindow(w *window, part Part, b Button) {
	focused := d.focus == w
	if b == Left || b == Right || part == OnBody {
		d.setFocus(w)
	}
	if part == OnBody {
		d.pressBody(w, b, focused)
		return
	}
	if b != Left {
		return
	}
	switch part {
	case OnClose:
		d.closeWindow(w)
	case OnTab:
		d.beginDrag(dragMove, b, w)
	case OnRight:
		d.beginDrag(dragRight, b, w)
	case OnBottom:
		d.beginDrag(dragBottom, b, w)
	case OnCorner:
		d.beginDrag(dragCorner, b, w)
	case OnBackscroll:
		w.term.follow()
	}
}

// pressBody is a press on the cells or the panel; focused: the window had the focus before.
func (d *Desktop) pressBody(w *window, b Button, focused bool) {
	switch {
	case b == Left && d.mods&Alt != 0 && d.mods&Shift == 0:
		d.beginDrag(dragMove, b, w)
	case w.term == nil:
		if b == Left {
			d.pressPanel(w)
		}
	case d.programHasMouse(w):
		d.beginDrag(dragProgram, b, w)
		d.toProgram(w, MousePress, b)
	case b == Middle:
		d.ask(Request{Kind: Paste, Term: w.term.ID, Primary: true})
	case b == Right && w.term.sel.on:
		d.beginDrag(dragSelect, b, w)
		d.selectTo(w)
	case b == Left:
		d.hoverLinks()
		if focused {
			d.clicks.link = d.link
		}
		d.beginDrag(dragSelect, b, w)
		d.selectFrom(w)
	}
}

func (d *Desktop) release(b Button) {
	g := d.drag
	if g.kind == noDrag || g.button != b {
		return
	}
	d.drag = drag{}
	switch g.kind {
	case dragProgram:
		d.toProgram(g.window, MouseRelease, b)
	case dragSelect:
		d.selected(g.window)
	}
}

// closeWindow closes what the window shows; the last terminal stays.
func (d *Desktop) closeWindow(w *window) {
	if w.term == nil {
		d.ask(Request{Kind: Watch, Content: w.content, App: w.view.app})
		d.remove(w)
		return
	}
	if d.closeTerm(w) != nil {
		d.Notify(Notice{Title: "The last terminal stays open", Level: Info})
	}
}
