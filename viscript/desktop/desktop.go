package desktop

import (
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A Config is what a Desktop begins with.
type Config struct {
	Theme   scene.Theme   // Dark if it has no name
	Size    float32       // of the font in window units, default 14
	Metrics scene.Metrics // of the font, default DejaVu Sans Mono
	Lines   Lines         // text of terminals; without it no words and links are found
}

// Lines reads what stands in a terminal's lines, for words and links under the pointer. The calls come
// from within Handle.
type Lines interface {
	// Line fills into with the line numbered n; false if there is no such line.
	Line(id TermID, n uint64, into *Line) bool
	// Link is the address of a hyperlink of that terminal, "" if it is not known.
	Link(id TermID, link uint32) string
}

// A Line is the text of a row of cells.
type Line struct {
	Cells   []rune   // one a cell: 0 for a blank and for the second half of a wide character
	Links   []uint32 // hyperlink of each cell, 0 for none; may be shorter than Cells
	Wrapped bool     // goes on in the next line
}

// A Desktop is what the window shows. New makes one.
type Desktop struct {
	cfg   Config
	theme scene.Theme
	size  scene.Size
	scale float32
	font  scene.Font // of taskbar and menus; its cell is what windows snap to

	windows []*window // in the order in which they came
	stack   []*window // the same from bottom to top; the focused one is the last
	focus   *window   // nil: none
	lastID  WindowID
	asked   int           // terminals that are to get the focus when they come
	until   time.Duration // when that is forgotten
	kept    []place

	now     time.Duration
	typed   time.Duration // time of the last key, for the cursor
	active  bool          // the window has the keyboard
	mods    Mods
	pointer scene.Point
	inside  bool
	over    Hit
	drag    drag
	clicks  clicks
	wheel   [2]float32 // parts of a notch

	apps       []App
	menu       menu
	notices    []notice
	completion *completion
	link       hoverLink
	cellOver   Pos // last cell reported to a program that follows the pointer
	data       data
	text       logical
	requests   []Request
	taken      []Request
	scratch    scene.Scene
}

const (
	defaultSize         = 14
	minScale            = 0.25
	maxScale            = 8
	maxExtent   float32 = 32768 // of the window, in units
)

// New returns a desktop without windows, 1280 by 720.
func New(cfg Config) *Desktop {
	if cfg.Theme.Name == "" {
		cfg.Theme = scene.Dark()
	}
	if !(cfg.Size >= 4 && cfg.Size <= 200) {
		cfg.Size = defaultSize
	}
	if !(cfg.Metrics.Advance > 0 && cfg.Metrics.Line > 0) {
		cfg.Metrics = scene.DejaVu()
	}
	d := &Desktop{cfg: cfg, theme: cfg.Theme, active: true, data: newData()}
	d.resize(1280, 720, 1)
	return d
}

// Handle takes an input in.
func (d *Desktop) Handle(in Input) {
	if !in.finite() {
		return
	}
	d.now = max(d.now, in.At)
	d.mods = in.Mods
	switch in.Kind {
	case Motion:
		d.pointer, d.inside = in.point(), true
		d.motion()
	case Press:
		d.pointer, d.inside = in.point(), true
		d.press(in.Button)
	case Release:
		d.pointer = in.point()
		d.release(in.Button)
	case Wheel:
		d.pointer, d.inside = in.point(), true
		d.wheelBy(in.DX, in.DY)
	case KeyDown:
		d.key(in.Key, in.Rune)
	case Char:
		d.char(in.Rune)
	case Resized:
		d.resize(in.X, in.Y, in.Scale)
	case FocusIn, FocusOut:
		d.setActive(in.Kind == FocusIn)
	case Leave:
		d.inside = false
	case Tick:
		if d.drag.moved {
			d.dragOn()
		}
	}
	d.fade()
	d.hover()
}

// resize lays everything out anew.
func (d *Desktop) resize(w, h, scale float32) {
	if !(scale >= minScale && scale <= maxScale) {
		scale = 1
	}
	d.size = scene.Size{W: max(1, min(w, maxExtent)), H: max(1, min(h, maxExtent))}
	d.scale = scale
	d.font = d.cfg.Metrics.At(d.cfg.Size, scale)
	for _, w := range d.windows {
		w.setZoom(d, w.zoom)
		d.clamp(w)
	}
}

func (d *Desktop) setActive(on bool) {
	if d.active == on {
		return
	}
	d.active = on
	if !on {
		d.endDrag()
	}
	d.tellFocus(d.focus, on)
}

// SetTheme changes the colors.
func (d *Desktop) SetTheme(t scene.Theme) { d.theme = t }

// Theme is the colors in use.
func (d *Desktop) Theme() scene.Theme { return d.theme }

// bounds is the whole window.
func (d *Desktop) bounds() scene.Rect { return scene.Rect{W: d.size.W, H: d.size.H} }

// barHeight is of the taskbar.
func (d *Desktop) barHeight() float32 { return min(d.font.Line+12, d.size.H) }

// area is where windows float: all but the taskbar.
func (d *Desktop) area() scene.Rect {
	return scene.Rect{W: d.size.W, H: d.size.H - d.barHeight()}
}

// data is what the panels show.
type data struct {
	version   uint64
	processes []panel.Process
	pages     map[uint64]*panel.App
	mesh      panel.Mesh
	places    map[string]panel.Place
	lines     []panel.LogLine
	logApps   []panel.LogApp
}

func newData() data { return data{pages: map[uint64]*panel.App{}, places: map[string]panel.Place{}} }
