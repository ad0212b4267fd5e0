package batch

import (
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// cursor adds the cursor if it is in sight.
func (g *Grid) cursor(cells *scene.Cells, s *term.Snapshot) {
	line := s.Top + uint64(s.Y)
	if cells.Cursor == scene.NoCursor || line < cells.Top || line-cells.Top >= uint64(g.Rows) || s.X >= g.Cols || s.Y >= len(s.Lines) {
		return
	}
	x, y, n := s.X, int(line-cells.Top), 1
	if row := s.Lines[s.Y].Cells; x < len(row) {
		switch {
		case row[x].Width() == 2:
			n = 2
		case row[x].Width() == 0 && x > 0:
			x, n = x-1, 2
		}
	}
	n = min(n, g.Cols-x)
	color := cells.CursorColor
	if s.Colors.Cursor != term.DefaultColors().Cursor {
		color = direct(s.Colors.Cursor)
	}
	all := g.cellRect(x, y, n)
	if cells.Cursor == scene.HollowCursor {
		g.add(y, Quad{Kind: Rounded, Rect: all, Shape: [4]float32{0, float32(g.Atlas.face.Thickness())}, Border: pack(color.Mix(cells.Back, cells.Dim))})
		return
	}
	r := cursorShape(all, s.Modes.Cursor, cells.CursorSize, float32(g.Atlas.w))
	g.add(y, Quad{Kind: Solid, Rect: r, Color: pack(color | 0xff)})
	if s.Modes.Cursor > term.SteadyBlock {
		return
	}
	for i := range n { // the character again, in the colour of what is behind it
		c := g.Cells[y*g.Cols+x+i]
		if c.At == 0 {
			continue
		}
		u, v := c.pixel()
		g.add(y, Quad{Kind: Glyph, Rect: g.cellRect(x+i, y, 1), Clip: r, Shape: [4]float32{float32(u), float32(v)}, Color: c.Bg})
	}
}

// cursorShape is the part of the cell that the cursor fills: a block grows from the bottom, a line under the
// text from its middle, a bar from the bottom.
func cursorShape(r [4]float32, style term.CursorStyle, size, cell float32) [4]float32 {
	size = max(0.1, min(size, 1))
	thick := max(1, round(cell/5))
	switch style {
	case term.BlinkingUnderline, term.SteadyUnderline:
		gap := round((r[2] - r[0]) * (1 - size) / 2)
		return [4]float32{r[0] + gap, r[3] - thick, r[2] - gap, r[3]}
	case term.BlinkingBar, term.SteadyBar:
		return [4]float32{r[0], r[3] - round((r[3]-r[1])*size), r[0] + thick, r[3]}
	}
	return [4]float32{r[0], r[3] - round((r[3]-r[1])*size), r[2], r[3]}
}
