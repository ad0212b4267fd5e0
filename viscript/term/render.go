package term

import (
	"strconv"
	"unicode/utf8"
)

// Append appends the bytes that show the snapshot on another terminal that has at least its size:
// all of it, or, as an update, its Damage only. Links are left out. The cursor ends where it is.
func (s *Snapshot) Append(dst []byte, update bool) []byte {
	dst = append(dst, "\x1b[?25l\x1b[m"...)
	if !update {
		dst = append(dst, "\x1b[2J"...)
		for y := range s.Lines {
			dst = s.appendRow(dst, y)
		}
	} else {
		for _, y := range s.Damage {
			dst = s.appendRow(dst, y)
		}
	}
	dst = appendMove(dst, s.Y, s.X)
	if s.Modes.CursorVisible {
		dst = append(dst, "\x1b[?25h"...)
	}
	return dst
}

func appendMove(dst []byte, y, x int) []byte {
	dst = append(dst, "\x1b["...)
	dst = strconv.AppendInt(dst, int64(y+1), 10)
	dst = append(dst, ';')
	dst = strconv.AppendInt(dst, int64(x+1), 10)
	return append(dst, 'H')
}

// appendRow appends line y, styles reset at its ends.
func (s *Snapshot) appendRow(dst []byte, y int) []byte {
	r := &s.Lines[y]
	dst = appendMove(dst, y, 0)
	end := len(r.Cells)
	for end > 0 && r.Cells[end-1] == (Cell{}) {
		end--
	}
	var style Cell
	var color Color
	var last string
	for x := range r.Cells[:end] {
		c := r.Cells[x]
		if c.text&tail != 0 {
			continue
		}
		if u := r.UnderlineColor(x); !c.SameStyle(style) || u != color {
			style, color = c, u
			dst = append(dst, "\x1b["...)
			dst = append(appendSGR(dst, c, u), 'm')
		}
		text := r.Text(x)
		if joinsText(last, text) { // a sequence between keeps them apart
			dst = appendMove(dst, y, x)
		}
		last = text
		if text != "" && c.text&filler == 0 {
			dst = append(dst, text...)
		} else {
			dst = append(dst, ' ')
		}
	}
	dst = append(dst, "\x1b[m"...)
	if end < s.Cols {
		dst = append(dst, "\x1b[K"...)
	}
	return dst
}

// joinsText: next would become a part of the character last, see Terminal.joins.
func joinsText(last, next string) bool {
	r, _ := utf8.DecodeRuneInString(next)
	end, _ := utf8.DecodeLastRuneInString(last)
	return end == zwj || r >= skinTone && r <= skinToneTo
}

// appendSGR appends the parameters that select the style of c, from 0 on.
func appendSGR(dst []byte, c Cell, underline Color) []byte {
	dst = append(dst, '0')
	for i, code := range [8]string{";1", ";2", ";3", ";5", ";7", ";8", ";9", ";53"} {
		if c.Attr()&(1<<i) != 0 {
			dst = append(dst, code...)
		}
	}
	if u := c.Underline(); u == SingleUnderline {
		dst = append(dst, ";4"...)
	} else if u != NoUnderline {
		dst = append(dst, ";4:"...)
		dst = append(dst, '0'+byte(u))
	}
	dst = appendColor(dst, 38, c.Foreground())
	dst = appendColor(dst, 48, c.Background())
	return appendColor(dst, 58, underline)
}

func appendColor(dst []byte, what int64, c Color) []byte {
	if i, ok := c.Index(); ok {
		dst = strconv.AppendInt(append(dst, ';'), what, 10)
		return strconv.AppendInt(append(dst, ";5;"...), int64(i), 10)
	}
	r, g, b, ok := c.RGB()
	if !ok {
		return dst
	}
	dst = strconv.AppendInt(append(dst, ';'), what, 10)
	dst = append(dst, ";2"...)
	for _, v := range [3]uint8{r, g, b} {
		dst = strconv.AppendInt(append(dst, ';'), int64(v), 10)
	}
	return dst
}
