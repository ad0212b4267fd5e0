package gui

import (
	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

// maxHeld is how much input waits for a paste. When there is more, it is dropped: whoever has the clipboard has a moment to answer.
const maxHeld = 1024

// held is what a person did at a terminal since a paste there whose text has not come yet: the text is asked of another program, and what
// is typed after it must not come before it. The window waits for nothing meanwhile. The first step is a paste that waits.
type held struct{ steps []*step }

// A step is one input; nil: nothing came of it.
type step struct {
	say   func(*signal.WindowConn)
	ready bool
}

// input tells a terminal what a person did there, after what was done there before.
func (p *Program) input(id string, say func(*signal.WindowConn)) {
	if p.held[id] == nil {
		p.tell(say)
		return
	}
	p.hold(id, &step{say, true})
}

// hold has a step wait for those before it; false if there are too many.
func (p *Program) hold(id string, s *step) bool {
	h := p.held[id]
	if h == nil {
		h = &held{}
		p.held[id] = h
	}
	if len(h.steps) >= maxHeld {
		p.cfg.Log.Warn("input is dropped: the clipboard is not there yet")
		return false
	}
	h.steps = append(h.steps, s)
	return true
}

// paste asks for the text; what is typed at the terminal until it has come waits. A terminal or a daemon that goes takes it along.
func (p *Program) paste(r desktop.Request) {
	id, s := string(r.Term), &step{}
	if p.screen == nil || p.life == 0 || !p.hold(id, s) {
		return
	}
	h := p.held[id]
	p.screen.Paste(r.Primary, func(text string) {
		if s.ready = true; text != "" {
			s.say = func(w *signal.WindowConn) { w.Paste(id, text) }
		}
		if p.held[id] == h {
			p.release(id, h)
		}
	})
}

// release tells what waits for nothing any more.
func (p *Program) release(id string, h *held) {
	for len(h.steps) > 0 && h.steps[0].ready {
		if say := h.steps[0].say; say != nil {
			p.tell(say)
		}
		h.steps = h.steps[1:]
	}
	if len(h.steps) == 0 {
		delete(p.held, id)
	}
}
