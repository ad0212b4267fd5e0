package desktop

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A saved layout: windows from bottom to top.
type saved struct {
	Version int     `json:"version"`
	Theme   string  `json:"theme"`
	Windows []place `json:"windows"`
}

// A place is where a window was. Terminals are put there when they come.
type place struct {
	Content string  `json:"content"`
	Term    TermID  `json:"term,omitempty"`
	App     uint64  `json:"app,omitempty"`
	X       float32 `json:"x"` // window units
	Y       float32 `json:"y"`
	Cols    int     `json:"cols"`
	Rows    int     `json:"rows"`
	Zoom    float32 `json:"zoom"`
	Filter  string  `json:"filter,omitempty"` // of logs
	Focused bool    `json:"focused,omitempty"`

	depth int // its index in the file
}

const (
	layoutVersion = 1
	maxLayout     = 256 << 10 // bytes of a file
)

// ErrLayout: a layout is none, or too large.
var ErrLayout = errors.New("desktop: not a layout")

// Layout is where everything stands, as JSON, for Restore.
func (d *Desktop) Layout() []byte {
	s := saved{Version: layoutVersion, Theme: d.theme.Name, Windows: []place{}}
	for _, w := range d.stack {
		p := place{Content: w.content.String(), X: w.pos.X, Y: w.pos.Y, Cols: w.cols, Rows: w.rows, Zoom: w.zoom, Focused: w == d.focus}
		if w.term != nil {
			p.Term = w.term.ID
		} else {
			p.App, p.Filter = w.view.app, w.view.filter
		}
		s.Windows = append(s.Windows, p)
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("desktop: layout: " + err.Error()) // plain values only
	}
	return append(out, '\n')
}

// Restore puts everything where a layout has it: panels are opened, terminals that are there moved,
// others when they come. What is out of bounds is brought within them; with an error nothing changes.
// Windows are kept on the desktop as large as it is now, so the first Resized comes before.
func (d *Desktop) Restore(file []byte) error {
	if len(file) > maxLayout {
		return fmt.Errorf("%w: more than %d bytes", ErrLayout, maxLayout)
	}
	var s saved
	if err := json.Unmarshal(file, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrLayout, err)
	}
	if s.Version != layoutVersion {
		return fmt.Errorf("%w: version %d, not %d", ErrLayout, s.Version, layoutVersion)
	}
	d.theme = scene.Named(s.Theme)
	d.kept = d.kept[:0]
	for i, p := range s.Windows[:min(len(s.Windows), maxWindows)] {
		p.depth = i
		d.restore(p)
	}
	d.restack()
	return nil
}

func (d *Desktop) restore(p place) {
	content := TerminalContent
	for content < contents && content.String() != p.Content {
		content++
	}
	switch {
	case content == contents:
	case content == TerminalContent:
		if p.Term != "" && len(p.Term) <= maxID {
			d.kept = append(d.kept, p)
		}
	default:
		if content != AppContent {
			p.App = 0
		}
		w := d.panelWindow(content, p.App)
		if w == nil {
			if w = d.newPanel(content, p.App); w == nil {
				return
			}
			d.add(w)
		}
		if len(p.Filter) <= maxQuery {
			w.view.filter = panel.Text(p.Filter)
		}
		d.put(w, p)
		if p.Focused {
			d.setFocus(w)
		}
	}
}

// put applies what a place says to w.
func (d *Desktop) put(w *window, p place) {
	w.pos = scene.Point{X: p.X, Y: p.Y}
	w.setZoom(d, p.Zoom)
	if !w.fixed && p.Cols > 0 && p.Rows > 0 {
		d.setSize(w, p.Cols, p.Rows)
	}
	w.depth = p.depth + 1
	d.clamp(w)
}

// takePlace is where a terminal was.
func (d *Desktop) takePlace(id TermID) (place, bool) {
	for i, p := range d.kept {
		if p.Term == id {
			d.kept = slices.Delete(d.kept, i, i+1)
			return p, true
		}
	}
	return place{}, false
}

// restack orders windows as the restored layout has them; those it does not know are above. Once there
// are terminals that is done, and people order them.
func (d *Desktop) restack() {
	for _, w := range d.windows {
		if w.term == nil {
			continue
		}
		if p, ok := d.takePlace(w.term.ID); ok {
			d.put(w, p)
			if p.Focused {
				d.setFocus(w)
			}
		}
	}
	depth := func(w *window) int {
		switch {
		case w == d.focus:
			return maxWindows + 2
		case w.depth == 0:
			return maxWindows + 1
		}
		return w.depth
	}
	slices.SortStableFunc(d.stack, func(a, b *window) int { return cmp.Compare(depth(a), depth(b)) })
	if slices.ContainsFunc(d.windows, func(w *window) bool { return w.term != nil }) {
		for _, w := range d.windows {
			w.depth = 0
		}
	}
}
