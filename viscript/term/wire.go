package term

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// ErrWire is what Row.Parse and Snapshot.Apply say to bytes that their counterparts do not write.
var ErrWire = errors.New("term: malformed row or snapshot")

// snapshotWire is the first byte of an encoded snapshot.
const snapshotWire = 1

// AppendWire appends the row, for another process: the number of its links and underline colours
// as a uvarint, each as color, address and id (uvarint; uvarint length and bytes), then the cells as
// in the scrollback, see appendLine. Version is not part of it. At most about 2.5 MiB in the worst
// case, usually a byte a character.
func (r *Row) AppendWire(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r.extras)))
	for _, e := range r.extras {
		dst = binary.AppendUvarint(dst, uint64(e.color))
		dst = appendString(appendString(dst, e.uri), e.id)
	}
	return appendLine(dst, r.Cells, r.Wrapped, r.clusters)
}

// Parse reads a row at the start of p and returns what follows it. It accepts only what AppendWire
// writes. After an error the row is undefined.
func (r *Row) Parse(p []byte) ([]byte, error) {
	r.reset()
	in := wireReader{p: p}
	for n := in.number(MaxCols); n > 0 && !in.bad; n-- {
		r.extras = append(r.extras, extra{color: Color(in.color()), uri: in.string(maxURI), id: in.string(maxLinkID)})
	}
	head := in.number(MaxCols<<1 | 1)
	r.Wrapped = head&1 != 0
	for !in.bad && len(r.Cells) < head>>1 {
		in.run(r, head>>1)
	}
	if in.bad || len(r.Cells) != head>>1 {
		return nil, ErrWire
	}
	if again := r.AppendWire(nil); !bytes.Equal(again, p[:len(p)-len(in.p)]) {
		return nil, ErrWire // another encoding of the same
	}
	return in.p, nil
}

// run reads cells of one style; the row then has at most end cells.
func (in *wireReader) run(r *Row, end int) {
	has, n := in.number(7), in.number(MaxCols)
	var c Cell
	if has&hasFg != 0 {
		c.fg = in.uint32()
	}
	if has&hasBg != 0 {
		c.bg = in.uint32()
	}
	if has&hasExtra != 0 {
		c.extra = in.uint32()
	}
	if n == 0 || len(r.Cells)+n > end || !validColor(c.fg) || !validColor(c.bg) || int64(c.extra) > int64(len(r.extras)) {
		in.bad = true
	}
	for ; n > 0 && !in.bad; n-- {
		c.text = in.text(r)
		r.Cells = append(r.Cells, c)
		if c.text&wideLead != 0 {
			if n--; n == 0 {
				in.bad = true
			}
			c.text = tail
			r.Cells = append(r.Cells, c)
		}
	}
}

func validColor(v uint32) bool {
	c := Color(v & colorMask)
	return c == 0 || c&^0xff == colorPalette || c>>24 == colorRGB>>24
}

// text reads a cell as appendCell wrote it.
func (in *wireReader) text(r *Row) (text uint32) {
	mark := in.byte()
	if mark == markWide {
		text, mark = wideLead, in.byte()
	}
	switch {
	case mark == markBlank:
		return text
	case mark == markFiller:
		return text | filler
	case mark == markCluster:
		s := in.take(int(in.byte()))
		if len(s) > maxCluster || utf8.RuneCount(s) < 2 || !utf8.Valid(s) || !printable(s) {
			in.bad = true
		}
		r.clusters = append(r.clusters, string(s))
		return text | clustered | uint32(len(r.clusters)-1)
	case mark < 0x20 || mark == 0x7f:
		in.bad = true
		return 0
	case mark < utf8.RuneSelf:
		return text | uint32(mark)
	}
	c, n := utf8.DecodeRune(append([]byte{mark}, in.p[:min(len(in.p), utf8.UTFMax-1)]...))
	if c < 0xa0 || n == 1 {
		in.bad = true
		return 0
	}
	in.take(n - 1)
	return text | uint32(c)
}

// printable: no control characters.
func printable(s []byte) bool {
	for _, r := range string(s) {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

// A wireReader takes fields off the front of p; bad: one was not there or out of bounds.
type wireReader struct {
	p   []byte
	bad bool
}

func (in *wireReader) take(n int) []byte {
	if in.bad || n > len(in.p) {
		in.bad, in.p = true, nil
		return nil
	}
	s := in.p[:n]
	in.p = in.p[n:]
	return s
}

func (in *wireReader) byte() byte {
	if s := in.take(1); s != nil {
		return s[0]
	}
	return 0
}

func (in *wireReader) uint32() uint32 {
	if s := in.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

func (in *wireReader) uint64() uint64 {
	v, n := binary.Uvarint(in.p)
	if n <= 0 {
		in.bad, in.p = true, nil
		return 0
	}
	in.take(n)
	return v
}

func (in *wireReader) number(limit int) int {
	v := in.uint64()
	if v > uint64(limit) {
		in.bad = true
		return 0
	}
	return int(v)
}

func (in *wireReader) color() uint32 {
	v := uint32(in.number(colorMask))
	in.bad = in.bad || !validColor(v)
	return v
}

func (in *wireReader) string(limit int) string { return string(in.take(in.number(limit))) }

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
