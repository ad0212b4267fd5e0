package scene

import "github.com/skycoin/viscript/viscript/term"

// A Kind is what an Item draws.
type Kind uint8

// The kinds, and which fields of an Item they use beside Rect, Clip and Color.
const (
	Box    Kind = iota + 1 // rounded rectangle: Radius; Width and Border if it has an outline, inside Rect
	Text                   // Text at the upper left of Rect: Face, Size, Advance; Rect.H is the line's height
	Grid                   // the cells of a terminal: Scene.Grids[First]
	Line                   // polyline through Scene.Points[First:First+Count]: Width; round ends and joints
	Circle                 // in Rect, which is a square: Width and Border if it has an outline
)

// A Face is a cut of the font.
type Face uint8

// The faces.
const (
	Regular Face = iota
	Bold
	Oblique
)

// An Owner says which part of the desktop an item belongs to; the desktop numbers them.
type Owner uint32

// An Item is one thing to draw. Items compare with == except for what lies in Scene.Points and
// Scene.Grids.
type Item struct {
	Kind          Kind
	Face          Face
	Owner         Owner
	Rect, Clip    Rect // Clip is inside the scene's bounds
	Color, Border Color
	Radius, Width float32
	Size, Advance float32
	Text          string // without control characters
	First, Count  int32
}

// A Cells is the grid of a terminal as it is to be shown.
type Cells struct {
	Term        string  // id of the terminal
	Cell        Size    // of one cell, whole pixels
	FontSize    float32 // of an em
	Cols, Rows  int
	Top         uint64 // number of the line in the first row
	Version     uint64 // of the content, so that changes count as damage
	Dim         float32
	Cursor      Cursor
	CursorSize  float32 // part of the cell that a solid cursor fills, from 0 to 1
	Back, Text  Color   // default colors
	CursorColor Color
}

// A Content is what the grid of a terminal shows. Who draws it only reads it.
type Content struct {
	// Screen is the terminal's screen; nil: nothing is known, the grid is blank.
	Screen *term.Snapshot
	// Older are the lines from Cells.Top on, as far as they are above the screen. Missing ones are blank.
	Older []term.Row
	// Stamp changes when Older does although the terminal's version does not.
	Stamp uint64
}

// A Cursor is how the cursor of a grid looks; its place and shape are the terminal's.
type Cursor uint8

// The looks.
const (
	NoCursor Cursor = iota
	HollowCursor
	SolidCursor
)

// A Pointer is the shape of the mouse pointer.
type Pointer uint8

// The shapes.
const (
	Arrow Pointer = iota
	Hand
	IBeam
	Move
	Horizontal
	Vertical
	Diagonal
)

// A Scene is the picture. The zero value is empty. It is reused from frame to frame: Begin keeps
// the memory.
type Scene struct {
	Bounds  Rect
	Scale   float32 // pixels for a window unit
	Items   []Item
	Points  []Point
	Grids   []Cells
	Pointer Pointer

	clip  Rect
	owner Owner
}

// Begin empties s.
func (s *Scene) Begin(bounds Rect, scale float32) {
	s.Bounds, s.Scale, s.clip, s.owner, s.Pointer = bounds, scale, bounds, 0, Arrow
	s.Items, s.Points, s.Grids = s.Items[:0], s.Points[:0], s.Grids[:0]
}

// Own says whose the items that follow are.
func (s *Scene) Own(o Owner) { s.owner = o }

// Clip restricts what follows to r and what was in force, which it returns for Unclip.
func (s *Scene) Clip(r Rect) (before Rect) {
	before, s.clip = s.clip, s.clip.Intersect(r)
	return before
}

// Unclip sets the clip back to what Clip returned.
func (s *Scene) Unclip(before Rect) { s.clip = before }

// add leaves out what cannot be seen.
func (s *Scene) add(it Item) {
	if it.Clip = s.clip; it.Rect.Intersect(s.clip).Empty() {
		return
	}
	it.Owner = s.owner
	s.Items = append(s.Items, it)
}

// Rect adds a filled rectangle with rounded corners.
func (s *Scene) Rect(r Rect, c Color, radius float32) {
	s.add(Item{Kind: Box, Rect: r, Color: c, Radius: radius})
}

// Frame adds a rectangle with an outline of width inside it.
func (s *Scene) Frame(r Rect, fill, border Color, width, radius float32) {
	s.add(Item{Kind: Box, Rect: r, Color: fill, Border: border, Width: width, Radius: radius})
}

// Text adds a line of text with its upper left corner at p and returns the X after it.
func (s *Scene) Text(p Point, text string, f Font, face Face, c Color) float32 {
	if text == "" {
		return p.X
	}
	w := float32(term.Width(text)) * f.Advance
	s.add(Item{Kind: Text, Face: face, Rect: Rect{p.X, p.Y, w, f.Line}, Color: c, Size: f.Size, Advance: f.Advance, Text: text})
	return p.X + w
}

// Grid adds the cells of a terminal in r.
func (s *Scene) Grid(r Rect, c Cells) {
	if r.Intersect(s.clip).Empty() {
		return
	}
	s.Grids = append(s.Grids, c)
	s.add(Item{Kind: Grid, Rect: r, First: int32(len(s.Grids) - 1), Count: 1})
}

// Line adds a polyline. Fewer than two points are nothing.
func (s *Scene) Line(width float32, c Color, points ...Point) {
	if len(points) < 2 {
		return
	}
	low, high := points[0], points[0]
	for _, p := range points[1:] {
		low, high = Point{min(low.X, p.X), min(low.Y, p.Y)}, Point{max(high.X, p.X), max(high.Y, p.Y)}
	}
	box := Rect{low.X, low.Y, high.X - low.X, high.Y - low.Y}.Inset(-width)
	if box.Intersect(s.clip).Empty() {
		return
	}
	first := len(s.Points)
	s.Points = append(s.Points, points...)
	s.add(Item{Kind: Line, Rect: box, Color: c, Width: width, First: int32(first), Count: int32(len(points))})
}

// Circle adds a filled circle; with a width it has an outline of that width inside it.
func (s *Scene) Circle(center Point, radius float32, fill, border Color, width float32) {
	s.add(Item{Kind: Circle, Rect: Rect{center.X - radius, center.Y - radius, 2 * radius, 2 * radius}, Color: fill, Border: border, Width: width})
}

// Fit cuts s to columns; three dots stand for what was cut, as far as there is room for them.
func Fit(s string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if len(s) <= columns || term.Width(s) <= columns {
		return s
	}
	room := columns - 3
	if room <= 0 {
		return "..."[:min(columns, 3)]
	}
	n := 0
	for i, r := range s {
		if n += term.RuneWidth(r); n > room {
			return s[:i] + "..."
		}
	}
	return s
}
