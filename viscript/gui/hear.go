package gui

import (
	"context"
	"errors"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

// handler takes what the daemon tells and asks, on other goroutines, to the one that draws.
func (p *Program) handler(ctx context.Context, life uint64) signal.WindowHandler {
	return signal.WindowHandler{
		Event: func(e signal.TermEvent) {
			p.inbox.post(ctx, func(d *desktop.Desktop) {
				if e.Method == signal.MethodTermList {
					p.back(d, life)
				}
				if p.life == life {
					p.hear(d, &e)
				}
			})
		},
		List: func(ctx context.Context) ([]signal.WindowTerm, error) {
			var list []signal.WindowTerm
			err := p.onScreen(ctx, func(d *desktop.Desktop) error {
				for _, l := range d.ListTerms() {
					list = append(list, windowTerm(l))
				}
				return nil
			})
			return list, err
		},
		Focus: func(ctx context.Context, prefix string) error {
			return p.onScreen(ctx, func(d *desktop.Desktop) error { return d.Focus(prefix) })
		},
		Defocus: func(ctx context.Context) error {
			return p.onScreen(ctx, func(d *desktop.Desktop) error { d.Defocus(); return nil })
		},
		Move: func(ctx context.Context, x, y int) error {
			return p.onScreen(ctx, func(d *desktop.Desktop) error { return d.MoveTerm(x, y) })
		},
	}
}

// onScreen calls f on the goroutine that draws and waits for it.
func (p *Program) onScreen(ctx context.Context, f func(*desktop.Desktop) error) error {
	done := make(chan error, 1)
	if !p.inbox.post(ctx, func(d *desktop.Desktop) { done <- f(d) }) {
		return ctx.Err()
	}
	select {
	case err := <-done:
		return asAnswer(err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asAnswer gives the desktop's errors the form of an answer.
func asAnswer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, desktop.ErrNoTerm), errors.Is(err, desktop.ErrAmbiguous), errors.Is(err, desktop.ErrNoFocus):
		return signal.Errorf(signal.CodeParams, "%v", err)
	}
	return signal.Errorf(signal.CodeInternal, "%v", err)
}

func windowTerm(l desktop.Listed) signal.WindowTerm {
	return signal.WindowTerm{
		ID: string(l.ID), Title: l.Title, Focused: l.Focused, Fixed: l.Fixed, X: l.X, Y: l.Y, Cols: l.Cols, Rows: l.Rows, Zoom: l.Zoom,
		Left: l.Left, Top: l.Top, Width: l.Width, Height: l.Height, Depth: l.Depth, Behind: l.Behind,
		Selected: l.Selected, Searching: l.Searching, Bell: l.Bell,
	}
}

const (
	// openedTime is how soon after a line was entered here a terminal that opens gets the keyboard. One that somebody
	// opens elsewhere does not take it from who is typing.
	openedTime = 2 * time.Second
	// openedLate is how soon it is when nothing was typed since.
	openedLate = 10 * time.Second
)

// awaited says whether the person here has just asked for a terminal, most likely by new_term at a prompt of this window.
func (p *Program) awaited(now time.Time) bool {
	since := now.Sub(p.entered)
	return since < openedTime || since < openedLate && !p.typing.at.After(p.entered)
}

// hear takes in what the daemon told.
func (p *Program) hear(d *desktop.Desktop, e *signal.TermEvent) {
	v := p.views[e.ID]
	switch e.Method {
	case signal.MethodTermList:
		p.list(d, e.Terms)
	case signal.MethodTermOpened:
		p.open(e.Term)
		d.TermOpened(p.views[e.ID].term())
		if p.awaited(time.Now()) {
			p.entered = time.Time{}
			_ = d.Focus(e.ID) // there is one of that id
		}
	case signal.MethodTermClosed:
		delete(p.views, e.ID)
		delete(p.held, e.ID)
		d.TermClosed(desktop.TermID(e.ID))
	case signal.MethodTermChanged:
		if v != nil {
			v.told = e.Term
			d.TermChanged(v.term())
		}
	case signal.MethodTermFrame:
		if v != nil {
			p.frame(d, v, e)
		}
	case signal.MethodTermBell:
		d.Bell(desktop.TermID(e.ID))
	case signal.MethodTermClipboard:
		p.offerClip(d, e.Clipboard)
	case signal.MethodTermOffer:
		p.offer(d, e.Offer)
	}
}

// list takes in all terminals of a daemon this window has come to.
func (p *Program) list(d *desktop.Desktop, terms []signal.Term) {
	clear(p.views)
	terms = terms[:min(len(terms), signal.MaxTerms)]
	list := make([]desktop.Term, 0, len(terms))
	for _, t := range terms {
		p.open(t)
		list = append(list, p.views[t.ID].term())
	}
	d.Terms(list)
	if len(list) == 0 {
		d.NewTerm("")
	}
	p.watches.look() // panels are fed from the beginning
}

// open begins to show a terminal.
func (p *Program) open(t signal.Term) {
	if _, known := p.views[t.ID]; !known && len(p.views) >= signal.MaxTerms {
		p.views[t.ID] = newView(t) // without frames: the daemon has no more than that
		return
	}
	p.views[t.ID] = newView(t)
	p.tell(func(w *signal.WindowConn) { w.Watch(t.ID, true) })
}

// frame takes in what is new on a terminal's screen. It is acknowledged when it is drawn, so that what nobody
// sees is not sent.
func (p *Program) frame(d *desktop.Desktop, v *view, e *signal.TermEvent) {
	v.apply(e.Update, e.Version)
	if v.broken {
		p.cfg.Log.Warn("a frame could not be read", "term", e.ID)
		p.tell(func(w *signal.WindowConn) { w.Watch(e.ID, false); w.Watch(e.ID, true) })
		return
	}
	d.TermChanged(v.term())
}

// offer shows how what is typed could go on.
func (p *Program) offer(d *desktop.Desktop, o signal.TermOffer) {
	items := make([]desktop.Suggestion, 0, min(len(o.Items), signal.MaxTermOffer))
	for _, i := range o.Items[:cap(items)] {
		items = append(items, desktop.Suggestion{Text: i.Text, Help: i.Help})
	}
	d.Offer(desktop.TermID(o.ID), desktop.Pos{Line: o.At.Line, X: o.At.X}, items)
}
