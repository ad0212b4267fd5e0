package term

import (
	"encoding/binary"
	"unicode/utf8"
)

const pageSize = 64 << 10

// history holds the lines that left the top of the screen, oldest first, as bytes: about one byte
// a character. Pages are filled and freed in order, so that in the steady state nothing is
// allocated and nothing is fragmented.
type history struct {
	maxLines, maxBytes int

	records   []record // a ring
	head, n   int
	pages     [][]byte // pages[0] has the number firstPage
	firstPage uint32
	spare     []byte
	bytes     int
}

type record struct{ page, off, len uint32 }

func (h *history) at(i int) *record {
	i += h.head
	if i >= len(h.records) {
		i -= len(h.records)
	}
	return &h.records[i]
}

// line is the encoded line i, valid until the next push or truncate.
func (h *history) line(i int) []byte {
	r := h.at(i)
	return h.pages[r.page-h.firstPage][r.off : r.off+r.len]
}

// push appends a line; the oldest go where a limit is passed.
func (h *history) push(p []byte) {
	if h.maxLines <= 0 || len(p) > h.maxBytes {
		return
	}
	for h.n > 0 && (h.n >= h.maxLines || h.bytes+len(p) > h.maxBytes) {
		h.drop()
	}
	if h.n == len(h.records) {
		h.grow()
	}
	last := len(h.pages) - 1
	if last < 0 || cap(h.pages[last])-len(h.pages[last]) < len(p) {
		h.pages = append(h.pages, h.newPage(len(p)))
		last++
	}
	off := len(h.pages[last])
	h.pages[last] = append(h.pages[last], p...)
	h.n++
	*h.at(h.n - 1) = record{h.firstPage + uint32(last), uint32(off), uint32(len(p))}
	h.bytes += len(p)
}

func (h *history) newPage(n int) []byte {
	if n > pageSize {
		return make([]byte, 0, n)
	}
	if p := h.spare; p != nil {
		h.spare = nil
		return p
	}
	return make([]byte, 0, pageSize)
}

func (h *history) grow() {
	bigger := make([]record, min(h.maxLines, max(64, 2*len(h.records))))
	for i := range h.n {
		bigger[i] = *h.at(i)
	}
	h.records, h.head = bigger, 0
}

// drop forgets the oldest line and the page that it was the last user of.
func (h *history) drop() {
	h.bytes -= int(h.at(0).len)
	if h.head++; h.head == len(h.records) {
		h.head = 0
	}
	h.n--
	free := len(h.pages) - 1 // the page being filled stays
	if h.n > 0 {
		free = int(h.at(0).page - h.firstPage)
	}
	for ; free > 0; free-- {
		if cap(h.pages[0]) == pageSize {
			h.spare = h.pages[0][:0]
		}
		left := copy(h.pages, h.pages[1:])
		h.pages[left] = nil
		h.pages = h.pages[:left]
		h.firstPage++
	}
}

// truncate keeps the n oldest lines.
func (h *history) truncate(n int) {
	for h.n > n {
		r := h.at(h.n - 1)
		last := int(r.page - h.firstPage)
		clear(h.pages[last+1:])
		h.pages = h.pages[:last+1]
		h.pages[last] = h.pages[last][:r.off]
		h.bytes -= int(r.len)
		h.n--
	}
}

// An encoded line: uvarint of cells<<1 | wrapped, then runs of equal style up to that many cells.
// A run: a byte that says which of fg, bg and extra follow, uvarint cells, those as four bytes
// each, then the cells. A cell: one of the marks below or UTF-8 of its code point.
const (
	hasFg = 1 << iota
	hasBg
	hasExtra
)

const (
	markBlank   = 0
	markWide    = 1 // the next one takes two cells
	markFiller  = 2
	markCluster = 3 // then one byte length and the text
)

// appendLine encodes cells whose clusters are numbered by list.
func appendLine(dst []byte, cells []Cell, wrapped bool, list []string) []byte {
	head := uint64(len(cells)) << 1
	if wrapped {
		head |= 1
	}
	dst = binary.AppendUvarint(dst, head)
	for len(cells) > 0 {
		first, n := cells[0], 1
		for n < len(cells) && cells[n].fg == first.fg && cells[n].bg == first.bg && cells[n].extra == first.extra {
			n++
		}
		dst = appendStyle(dst, first, n)
		for _, c := range cells[:n] {
			if c.text-0x20 < 0x5f {
				dst = append(dst, byte(c.text))
			} else {
				dst = appendCell(dst, c.text, list)
			}
		}
		cells = cells[n:]
	}
	return dst
}

func appendStyle(dst []byte, c Cell, n int) []byte {
	at := len(dst)
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(n))
	for i, v := range [3]uint32{c.fg, c.bg, c.extra} {
		if v != 0 {
			dst[at] |= 1 << i
			dst = binary.LittleEndian.AppendUint32(dst, v)
		}
	}
	return dst
}

func appendCell(dst []byte, text uint32, list []string) []byte {
	switch {
	case text&tail != 0:
		return dst
	case text&filler != 0:
		return append(dst, markFiller)
	case text&wideLead != 0:
		dst = append(dst, markWide)
	}
	switch {
	case text&clustered != 0:
		s := list[text&textMask]
		dst = append(dst, markCluster, byte(len(s)))
		return append(dst, s...)
	case text&textMask == 0:
		return append(dst, markBlank)
	}
	return utf8.AppendRune(dst, rune(text&textMask))
}

// decodeLine reads what appendLine wrote, appending to cells and numbering clusters in list.
func decodeLine(p []byte, cells []Cell, list []string) (_ []Cell, _ []string, wrapped bool) {
	head, k := binary.Uvarint(p)
	p = p[k:]
	for left := int(head >> 1); left > 0; {
		has := p[0]
		n, k := binary.Uvarint(p[1:])
		p = p[1+k:]
		var style [3]uint32
		for i := range style {
			if has&(1<<i) != 0 {
				style[i], p = binary.LittleEndian.Uint32(p), p[4:]
			}
		}
		left -= int(n)
		for n > 0 {
			var text uint32
			text, list, p = decodeCell(p, list)
			cells = append(cells, Cell{text, style[0], style[1], style[2]})
			n--
			if text&wideLead != 0 {
				cells = append(cells, Cell{tail, style[0], style[1], style[2]})
				n--
			}
		}
	}
	return cells, list, head&1 != 0
}

func decodeCell(p []byte, list []string) (uint32, []string, []byte) {
	var text uint32
	if p[0] == markWide {
		text, p = wideLead, p[1:]
	}
	switch p[0] {
	case markBlank:
		return text, list, p[1:]
	case markFiller:
		return text | filler, list, p[1:]
	case markCluster:
		n := int(p[1])
		list = append(list, string(p[2:2+n]))
		return text | clustered | uint32(len(list)-1), list, p[2+n:]
	}
	r, k := utf8.DecodeRune(p)
	return text | uint32(r), list, p[k:]
}
