package gui

import (
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/term"
)

// A view is what the window has of a terminal of the daemon. It belongs to the goroutine that draws.
type view struct {
	told    signal.Term // as it was last told of
	snap    term.Snapshot
	framed  bool      // there was a frame
	version uint64    // of what the desktop is told: grows with every change of screen or cache
	unseen  uint64    // version of a frame that is not drawn yet, 0: none
	shown   time.Time // when the daemon was told of the last one that was
	broken  bool      // a frame could not be read: a whole one is asked for

	above   map[uint64]term.Row // lines of the scrollback that were fetched
	asked   [2]uint64           // those that are being fetched, from and to
	asking  bool
	links   []string // addresses, numbered from 1 for the desktop
	numbers map[string]uint32
	older   []term.Row // what linesFrom returned
}

const (
	// maxAbove is how many lines of a scrollback are kept here, those around what is shown.
	maxAbove = 4000
	// maxLinks is how many addresses are numbered before they are numbered anew.
	maxLinks = 4096
)

func newView(t signal.Term) *view {
	return &view{told: t, above: map[uint64]term.Row{}, numbers: map[string]uint32{}}
}

// apply takes a frame in. After one that cannot be read the view is as new.
func (v *view) apply(update []byte, version uint64) {
	epoch := v.snap.Epoch
	if err := v.snap.Apply(update); err != nil {
		v.snap, v.framed, v.broken = term.Snapshot{}, false, true
		return
	}
	v.framed, v.broken, v.unseen = true, false, version
	v.version++
	if v.snap.Epoch != epoch {
		v.forget()
	}
}

// forget drops what was fetched: lines have other numbers now.
func (v *view) forget() {
	clear(v.above)
	v.asking = false
}

// term is what the desktop is told of the terminal: what was said of it, and what its last frame says. The size is
// the one that was said: of a terminal that is covered there are no frames.
func (v *view) term() desktop.Term {
	t := desktop.Term{
		ID: desktop.TermID(v.told.ID), Title: v.told.Title, Cols: v.told.Cols, Rows: v.told.Rows, Fixed: v.told.Fixed,
		Prompt: v.told.Prompt, First: v.told.First, Base: v.told.Base, AltScreen: v.told.Alt, Mouse: mouseMode(v.told.Mouse), Version: v.version,
	}
	if v.framed {
		t.First, t.Base, t.AltScreen, t.Mouse = v.snap.First, v.snap.Top, v.snap.Modes.AltScreen, mouseMode(int(v.snap.Modes.Mouse))
	}
	return t
}

func mouseMode(mode int) desktop.MouseMode {
	switch mode {
	case signal.TermMousePress, signal.TermMouseClick:
		return desktop.MousePresses
	case signal.TermMouseDrag:
		return desktop.MouseDrags
	case signal.TermMouseMotion:
		return desktop.MouseMoves
	}
	return desktop.MouseOff
}

// row is line n, nil if it is not here.
func (v *view) row(n uint64) *term.Row {
	if n >= v.snap.Top {
		if n-v.snap.Top < uint64(len(v.snap.Lines)) {
			return &v.snap.Lines[n-v.snap.Top]
		}
		return nil
	}
	if r, ok := v.above[n]; ok {
		return &r
	}
	return nil
}

// linesFrom are the lines from number top on as far as they are above the screen, at most a screen of them; those that
// are not here yet are blank. They are valid until the next call.
func (v *view) linesFrom(top uint64) []term.Row {
	v.older = v.older[:0]
	for n := top; n < min(v.snap.Top, top+uint64(v.snap.Rows)); n++ {
		v.older = append(v.older, v.above[n])
	}
	return v.older
}

// missing are the lines to fetch so that top and what is around it can be shown; false if all are here or asked for.
func (v *view) missing(top uint64) (from uint64, n int, ok bool) {
	rows := uint64(max(1, v.snap.Rows))
	if !v.framed || v.asking || top >= v.snap.Top {
		return 0, 0, false
	}
	for y := top; y < min(top+rows, v.snap.Top); y++ {
		if _, here := v.above[y]; here {
			continue
		}
		from = y - min(y-v.snap.First, 2*rows)
		to := min(y+2*rows, v.snap.Top)
		return from, int(to - from), y >= v.snap.First
	}
	return 0, 0, false
}

// fetched takes lines from above in.
func (v *view) fetched(from uint64, r signal.TermRows) {
	v.asking = false
	if r.Epoch != v.snap.Epoch {
		return
	}
	if len(v.above)+r.N > maxAbove {
		clear(v.above)
	}
	data := r.Data
	for i := range min(r.N, maxAbove) {
		var row term.Row
		var err error
		if data, err = row.Parse(data); err != nil {
			return
		}
		v.above[from+uint64(i)] = row
	}
	v.version++
}

// line fills into with line n for the desktop.
func (v *view) line(n uint64, into *desktop.Line) bool {
	r := v.row(n)
	if r == nil {
		return false
	}
	into.Wrapped = r.Wrapped
	for x, c := range r.Cells {
		char := c.Rune()
		if c.Clustered() {
			for _, char = range r.Text(x) {
				break
			}
		}
		into.Cells = append(into.Cells, char)
		uri, _ := r.Link(x)
		into.Links = append(into.Links, v.number(uri))
	}
	return true
}

// number is the number of an address, 0 for none.
func (v *view) number(uri string) uint32 {
	if uri == "" {
		return 0
	}
	if n := v.numbers[uri]; n != 0 {
		return n
	}
	if len(v.links) >= maxLinks {
		v.links = v.links[:0]
		clear(v.numbers)
	}
	v.links = append(v.links, uri)
	v.numbers[uri] = uint32(len(v.links))
	return v.numbers[uri]
}

func (v *view) address(n uint32) string {
	if n == 0 || int(n) > len(v.links) {
		return ""
	}
	return v.links[n-1]
}
