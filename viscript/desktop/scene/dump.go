package scene

import (
	"fmt"
	"strconv"
)

var kindNames = [...]string{Box: "box", Text: "text", Grid: "grid", Line: "line", Circle: "circle"}
var faceNames = [...]string{Regular: "", Bold: " bold", Oblique: " oblique"}
var pointerNames = [...]string{"arrow", "hand", "ibeam", "move", "horizontal", "vertical", "diagonal"}

// String is the name of p.
func (p Pointer) String() string { return pointerNames[p] }

// AppendText appends s for people to read and tests to compare: one item a line, numbers with at
// most one decimal, clips only where they differ from the item before.
func (s *Scene) AppendText(dst []byte) []byte {
	dst = fmt.Appendf(dst, "scene %s scale %s pointer %s\n", rectText(s.Bounds), number(s.Scale), s.Pointer)
	clip := s.Bounds
	for i := range s.Items {
		it := &s.Items[i]
		if it.Clip != clip {
			clip = it.Clip
			dst = fmt.Appendf(dst, "clip %s\n", rectText(clip))
		}
		dst = fmt.Appendf(dst, "%s %s", kindNames[it.Kind], rectText(it.Rect))
		dst = append(s.appendDetail(dst, it), '\n')
	}
	return dst
}

func (s *Scene) appendDetail(dst []byte, it *Item) []byte {
	if it.Kind != Grid {
		dst = fmt.Appendf(dst, " #%08x", uint32(it.Color))
	}
	switch it.Kind {
	case Box, Circle:
		if it.Width > 0 {
			dst = fmt.Appendf(dst, " border %s #%08x", number(it.Width), uint32(it.Border))
		}
		if it.Radius > 0 {
			dst = fmt.Appendf(dst, " radius %s", number(it.Radius))
		}
	case Text:
		dst = fmt.Appendf(dst, " size %s%s %q", number(it.Size), faceNames[it.Face], it.Text)
	case Line:
		dst = fmt.Appendf(dst, " width %s", number(it.Width))
		for _, p := range s.Points[it.First : it.First+it.Count] {
			dst = fmt.Appendf(dst, " %s,%s", number(p.X), number(p.Y))
		}
	case Grid:
		g := &s.Grids[it.First]
		dst = fmt.Appendf(dst, " %q %dx%d cell %sx%s top %d cursor %d dim %s", g.Term, g.Cols, g.Rows, number(g.Cell.W), number(g.Cell.H), g.Top, g.Cursor, number(g.Dim))
	}
	return dst
}

func rectText(r Rect) string {
	return number(r.X) + "," + number(r.Y) + " " + number(r.W) + "x" + number(r.H)
}

func number(f float32) string {
	s := strconv.FormatFloat(float64(f), 'f', 1, 32)
	if s == "-0.0" {
		return "0"
	}
	if n := len(s); s[n-2:] == ".0" {
		return s[:n-2]
	}
	return s
}
