package term

import "unicode/utf8"

// A Row is a copy of one line of the grid or of the scrollback. It belongs to its reader and
// resolves what its cells only number.
type Row struct {
	Cells   []Cell // as many as the grid has columns; those of the scrollback may be fewer
	Wrapped bool   // the text goes on in the next row
	Version uint64 // of the terminal, when the row was last changed; 0 for the scrollback

	clusters []string
	extras   []extra // number 1 is extras[0]
}

// extra is what few cells have.
type extra struct {
	uri, id string // OSC 8
	color   Color  // of the underline
}

// Text is the text of cell x: "" if it is blank or the tail of a wide character.
func (r *Row) Text(x int) string {
	c := r.Cells[x]
	switch {
	case c.text&clustered != 0:
		return r.clusters[c.text&textMask]
	case c.text&textMask == 0:
		return ""
	}
	return string(rune(c.text & textMask))
}

// Link is the address that cell x leads to, "" for none, and the id by which a program joins cells
// of one link. It is at most 2,048 bytes of printable ASCII, chosen by the program that wrote it:
// show it before it is opened.
func (r *Row) Link(x int) (uri, id string) {
	e := r.extra(x)
	return e.uri, e.id
}

// UnderlineColor is the colour of the line under cell x; the default is the colour of the text.
func (r *Row) UnderlineColor(x int) Color { return r.extra(x).color }

func (r *Row) extra(x int) extra {
	if n := r.Cells[x].extra; n != 0 {
		return r.extras[n-1]
	}
	return extra{}
}

// DropExtras removes the links and the colours of underlines.
func (r *Row) DropExtras() {
	for x := range r.Cells {
		r.Cells[x].extra = 0
	}
	r.extras = r.extras[:0]
}

// String is the text of the row without the blanks at its end.
func (r *Row) String() string { return string(r.appendText(nil, 0, len(r.Cells))) }

// appendText appends the cells from x to end; blanks at the end of the row are left out, unless
// the row is wrapped.
func (r *Row) appendText(dst []byte, x, end int) []byte {
	end = min(end, len(r.Cells))
	keep := len(dst)
	for ; x < end; x++ {
		c := r.Cells[x]
		switch {
		case c.text&(tail|filler) != 0:
			continue
		case c.text&clustered != 0:
			dst = append(dst, r.clusters[c.text&textMask]...)
		case c.text&textMask == 0:
			dst = append(dst, ' ')
		default:
			dst = utf8.AppendRune(dst, rune(c.text&textMask))
		}
		if c.text != 0 && c.text != ' ' {
			keep = len(dst)
		}
	}
	if r.Wrapped || end < len(r.Cells) {
		keep = len(dst)
	}
	return dst[:keep]
}

func (r *Row) reset() {
	clear(r.clusters)
	clear(r.extras)
	r.Cells, r.clusters, r.extras = r.Cells[:0], r.clusters[:0], r.extras[:0]
	r.Wrapped, r.Version = false, 0
}

// fill copies cells whose clusters are numbered by list and whose extras are numbered by all.
// Neighbours with the same number share one; the tables are as long as the row at most.
func (r *Row) fill(cells []Cell, list []string, all *extras) {
	r.Cells = append(r.Cells[:0], cells...)
	for x := range r.Cells {
		c := &r.Cells[x]
		if c.text&clustered == 0 {
			continue
		}
		s := list[c.text&textMask]
		c.text = c.text&^textMask | uint32(len(r.clusters))
		r.clusters = append(r.clusters, s)
	}
	r.localize(all)
}

// localize renumbers the extras of the whole terminal to those of the row.
func (r *Row) localize(all *extras) {
	var last, local uint32
	for x := range r.Cells {
		c := &r.Cells[x]
		if c.extra == 0 {
			continue
		}
		if c.extra != last {
			last, local = c.extra, 0
			if e, ok := all.get(c.extra); ok {
				r.extras = append(r.extras, e)
				local = uint32(len(r.extras))
			}
		}
		c.extra = local
	}
}
