package desktop

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A TermID names a terminal of the daemon. One that is empty or longer than 64 bytes is ignored.
type TermID string

const maxID = 64

// A Term is what the daemon reports of a terminal.
type Term struct {
	ID         TermID
	Title      string
	Cols, Rows int
	Fixed      bool   // cannot be resized
	Prompt     bool   // our prompt reads the keys: PageUp and PageDown scroll, apps are started here
	First      uint64 // number of the oldest line there is
	Base       uint64 // number of the first line on the screen
	AltScreen  bool   // no lines above; the wheel goes to the program
	Mouse      MouseMode
	Version    uint64 // changes with the content
}

// A MouseMode is which events of the mouse a program wants.
type MouseMode uint8

// The modes, each with all before it.
const (
	MouseOff MouseMode = iota
	MousePresses
	MouseDrags
	MouseMoves
)

// A terminal is a Term with what somebody has made of it here.
type terminal struct {
	Term
	at        uint64 // number of the line in the first row, unless following
	following bool
	sel       selection
	search    *searchBar
	mark      *mark
	bell      bool
	flash     time.Duration // until when the bell shows
	closing   time.Duration // until when it counts as closed, since that was asked for
	gone      bool
}

// Errors of the methods that take ids.
var (
	ErrNoTerm    = errors.New("desktop: no terminal has an ID that begins so")
	ErrAmbiguous = errors.New("desktop: several terminals have an ID that begins so")
	ErrLast      = errors.New("desktop: the last terminal cannot be closed")
	ErrNoFocus   = errors.New("desktop: no terminal has the focus")
)

func (t *Term) clean() bool {
	if t.ID == "" || len(t.ID) > maxID || panel.Text(string(t.ID)) != string(t.ID) {
		return false
	}
	t.Title = panel.Text(t.Title)
	t.Cols, t.Rows = max(1, min(t.Cols, maxCols)), max(1, min(t.Rows, maxRows))
	t.Base = max(t.First, t.Base)
	return true
}

// TermOpened takes in a terminal of the daemon: at its place in the restored layout, else next in the
// cascade. It gets the focus if it was asked for here, or if nothing else has it.
func (d *Desktop) TermOpened(t Term) {
	if !t.clean() {
		return
	}
	if w := d.termWindow(t.ID); w != nil {
		d.TermChanged(t)
		return
	}
	if len(d.windows) >= maxWindows {
		return
	}
	w := &window{content: TerminalContent, cols: t.Cols, rows: t.Rows, zoom: 1, fixed: t.Fixed}
	w.term = &terminal{Term: t, following: true}
	w.setZoom(d, 1)
	kept, ok := d.takePlace(t.ID)
	if ok {
		d.add(w)
		d.put(w, kept)
	} else {
		d.cascade(w)
		d.add(w)
	}
	switch {
	case d.asked > 0 && d.now < d.until:
		d.asked--
		d.setFocus(w)
	case kept.Focused, d.focus == nil && len(d.windows) == 1:
		d.setFocus(w)
	}
}

// TermChanged takes in what is new of a terminal. A size that another client gave it is taken over,
// unless it is being resized here.
func (d *Desktop) TermChanged(t Term) {
	w := d.termWindow(t.ID)
	if w == nil || !t.clean() {
		return
	}
	old := w.term.Term
	w.term.Term, w.fixed = t, t.Fixed
	if (old.Cols != t.Cols || old.Rows != t.Rows) && d.drag.window != w {
		w.cols, w.rows = t.Cols, t.Rows
		d.clamp(w)
	}
	if old.AltScreen != t.AltScreen || old.Cols != t.Cols || t.Base < old.Base {
		w.term.dropSelection()
	}
	if t.AltScreen && !old.AltScreen {
		w.term.following = true
	}
	w.term.scrollTo(w.term.top())
}

// TermClosed takes away a terminal that is no more.
func (d *Desktop) TermClosed(id TermID) {
	if w := d.termWindow(id); w != nil {
		w.term.gone = true
		d.remove(w)
		d.hover()
	}
}

// Terms takes in all terminals there are, after the window has come to the daemon, again or for the
// first time.
func (d *Desktop) Terms(list []Term) {
	there := map[TermID]bool{}
	for _, t := range list {
		there[t.ID] = true
		d.TermOpened(t)
	}
	for i := len(d.windows) - 1; i >= 0; i-- {
		if w := d.windows[i]; w.term != nil && !there[w.term.ID] {
			d.TermClosed(w.term.ID)
		}
	}
	d.restack()
}

// Bell takes in that a program wants to be noticed.
func (d *Desktop) Bell(id TermID) {
	if w := d.termWindow(id); w != nil {
		w.term.bell = w != d.focus || !d.active
		w.term.flash = d.now + bellTime
	}
}

func (d *Desktop) termWindow(id TermID) *window {
	for _, w := range d.windows {
		if w.term != nil && w.term.ID == id {
			return w
		}
	}
	return nil
}

// find is the terminal whose id is prefix or, if there is one only, begins with it.
func (d *Desktop) find(prefix string) (*window, error) {
	var found *window
	for _, w := range d.windows {
		switch {
		case prefix == "" || w.term == nil || !strings.HasPrefix(string(w.term.ID), prefix):
		case string(w.term.ID) == prefix:
			return w, nil
		case found != nil:
			return nil, fmt.Errorf("%w: %q", ErrAmbiguous, prefix)
		default:
			found = w
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q", ErrNoTerm, prefix)
	}
	return found, nil
}

// NewTerm asks for a terminal that runs command, or shows a prompt if that is empty. It gets the
// focus when it comes.
func (d *Desktop) NewTerm(command string) {
	d.expect()
	d.ask(Request{Kind: NewTerm, Text: command})
}

// expectWait is how long a terminal that was asked for may take to come and still get the focus.
const expectWait = 5 * time.Second

// expect one more terminal that was asked for here.
func (d *Desktop) expect() {
	if d.now >= d.until {
		d.asked = 0
	}
	d.asked, d.until = min(d.asked+1, 16), d.now+expectWait
}

// CloseTerm asks to close the terminal whose id begins so.
func (d *Desktop) CloseTerm(prefix string) error {
	w, err := d.find(prefix)
	if err != nil {
		return err
	}
	return d.closeTerm(w)
}

// closeWait is how long a terminal whose end was asked for does not count as one that stays.
const closeWait = 3 * time.Second

func (d *Desktop) closeTerm(w *window) error {
	others := 0
	for _, o := range d.windows {
		if o != w && o.term != nil && o.term.closing <= d.now {
			others++
		}
	}
	if others == 0 {
		return ErrLast
	}
	w.term.closing = d.now + closeWait
	d.ask(Request{Kind: CloseTerm, Term: w.term.ID})
	return nil
}

// Focus gives the terminal whose id begins so the keyboard, and raises it.
func (d *Desktop) Focus(prefix string) error {
	w, err := d.find(prefix)
	if err == nil {
		d.setFocus(w)
	}
	return err
}

// Defocus takes the keyboard from all.
func (d *Desktop) Defocus() { d.setFocus(nil) }

// MoveTerm puts the focused terminal at column x and row y of the desktop, in its characters; a corner
// of it stays in sight.
func (d *Desktop) MoveTerm(x, y int) error {
	if d.focus == nil || d.focus.term == nil {
		return ErrNoFocus
	}
	const far = 100_000
	x, y = max(-far, min(x, far)), max(-far, min(y, far))
	d.move(d.focus, scene.Point{X: float32(x) * d.font.Advance, Y: float32(y) * d.font.Line}, false)
	return nil
}

// A Listed is a terminal as list_terms tells it.
type Listed struct {
	ID        TermID  `json:"id"`
	Title     string  `json:"title"`
	Focused   bool    `json:"focused"`
	Fixed     bool    `json:"fixed"`
	X         int     `json:"x"` // in characters of the desktop, as MoveTerm takes them
	Y         int     `json:"y"`
	Cols      int     `json:"cols"`
	Rows      int     `json:"rows"`
	Zoom      float32 `json:"zoom"`
	Left      float32 `json:"left"` // of the frame, in window units
	Top       float32 `json:"top"`
	Width     float32 `json:"width"`
	Height    float32 `json:"height"`
	Depth     int     `json:"depth"`  // 0: on top
	Behind    uint64  `json:"behind"` // lines that are scrolled out below
	Selected  bool    `json:"selected"`
	Searching bool    `json:"searching"`
	Bell      bool    `json:"bell"` // it rang while it had no focus
}

// ListTerms lists the terminals in the order in which they came.
func (d *Desktop) ListTerms() []Listed {
	out := []Listed{}
	for depth := range d.stack {
		w := d.stack[len(d.stack)-1-depth]
		if w.term == nil {
			continue
		}
		f, t := w.frame().outer, w.term
		out = append(out, Listed{
			ID: t.ID, Title: t.Title, Focused: w == d.focus, Fixed: w.fixed,
			X: int(snap(f.X, d.font.Advance)/d.font.Advance + 0.5), Y: int(snap(f.Y, d.font.Line)/d.font.Line + 0.5),
			Cols: w.cols, Rows: w.rows, Zoom: w.zoom, Left: f.X, Top: f.Y, Width: f.W, Height: f.H,
			Depth: depth, Behind: t.Base - t.top(), Selected: t.sel.on, Searching: t.search != nil, Bell: t.bell,
		})
	}
	return d.inOrder(out)
}

// inOrder sorts a list of terminals by their windows.
func (d *Desktop) inOrder(list []Listed) []Listed {
	out := make([]Listed, 0, len(list))
	for _, w := range d.windows {
		for _, l := range list {
			if w.term != nil && w.term.ID == l.ID {
				out = append(out, l)
			}
		}
	}
	return out
}
