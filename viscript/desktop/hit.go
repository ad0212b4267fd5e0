package desktop

import "github.com/skycoin/viscript/viscript/desktop/scene"

// A Part is what of the desktop is at a place.
type Part uint8

// The parts.
const (
	OnDesktop Part = iota
	OnBody
	OnTab
	OnClose
	OnBorder
	OnRight
	OnBottom
	OnCorner
	OnBackscroll // the bar that tells of lines below
	OnSearch
	OnBar
	OnStart
	OnTask
	OnMenu
	OnMenuItem
	OnNotice
	OnNoticeClose
	OnCompletion
)

// A Hit is what is at a place: of windows which one, of lists which entry.
type Hit struct {
	Part   Part
	Window WindowID
	Index  int
}

// Owners of items in a scene that belong to no window; those of windows are their WindowID.
const (
	OwnDesktop scene.Owner = 0
	OwnBar     scene.Owner = 1<<31 + iota
	OwnMenu
	OwnNotices
	OwnCompletion
)

// At is what is at p, as it is drawn.
func (d *Desktop) At(p scene.Point) Hit {
	if d.menu.open {
		if r := d.menuRect(); r.Has(p) {
			if i := d.menuItemAt(p); i >= 0 {
				return Hit{Part: OnMenuItem, Index: i}
			}
			return Hit{Part: OnMenu}
		}
	}
	for i := range d.notices {
		if r := d.noticeRect(i); r.Has(p) {
			if noticeClose(r, d.font).Has(p) {
				return Hit{Part: OnNoticeClose, Index: i}
			}
			return Hit{Part: OnNotice, Index: i}
		}
	}
	if d.barRect().Has(p) {
		return d.barAt(p)
	}
	if d.completion != nil {
		if r := d.completionRect(); r.Has(p) {
			return Hit{Part: OnCompletion, Index: d.completionAt(r, p)}
		}
	}
	return d.windowAt(p)
}

func (d *Desktop) windowAt(p scene.Point) Hit {
	if !d.area().Has(p) {
		return Hit{}
	}
	for i := len(d.stack) - 1; i >= 0; i-- {
		w := d.stack[i]
		if !w.frame().outer.Has(p) {
			continue
		}
		part := w.part(p)
		if part == OnBody && w.term != nil {
			switch {
			case w.searchRect().Has(p):
				part = OnSearch
			case w.backscrollRect().Has(p):
				part = OnBackscroll
			}
		}
		return Hit{Part: part, Window: w.id}
	}
	return Hit{}
}

// window is the one with that id, nil if it is gone.
func (d *Desktop) window(id WindowID) *window {
	for _, w := range d.windows {
		if w.id == id {
			return w
		}
	}
	return nil
}

// hover finds out anew what is under the pointer.
func (d *Desktop) hover() {
	d.over = Hit{Index: -1}
	if d.inside {
		d.over = d.At(d.pointer)
	}
	if d.menu.open && d.over.Part == OnMenuItem && d.menu.at != d.pointer {
		d.menu.selected, d.menu.at = d.over.Index, d.pointer
	}
	d.hoverLinks()
}

// shape is how the pointer looks.
func (d *Desktop) shape() scene.Pointer {
	switch d.drag.kind {
	case dragMove:
		return scene.Move
	case dragRight:
		return scene.Horizontal
	case dragBottom:
		return scene.Vertical
	case dragCorner:
		return scene.Diagonal
	case dragSelect:
		return scene.IBeam
	}
	switch d.over.Part {
	case OnRight:
		return scene.Horizontal
	case OnBottom:
		return scene.Vertical
	case OnCorner:
		return scene.Diagonal
	case OnClose, OnStart, OnTask, OnMenuItem, OnNotice, OnNoticeClose, OnCompletion, OnBackscroll, OnTab:
		return scene.Hand
	case OnBody:
		return d.bodyShape(d.window(d.over.Window))
	}
	return scene.Arrow
}

func (d *Desktop) bodyShape(w *window) scene.Pointer {
	switch {
	case w == nil:
		return scene.Arrow
	case d.mods&Alt != 0:
		return scene.Move
	case w.term == nil:
		if d.panelHit(w, d.pointer) >= 0 {
			return scene.Hand
		}
		return scene.Arrow
	case d.link.window == w:
		return scene.Hand
	case d.programHasMouse(w):
		return scene.Arrow
	}
	return scene.IBeam
}
