// Package term is a terminal as data, and what text looks like in its cells: how many columns a
// character takes, and which bytes of foreign text may reach a screen. It draws nothing and talks
// to no device.
//
//	bytes of a program -> Terminal.Write -> parser -> screen -> scrollback
//	                         |                          |
//	    Answer, Event <------+        Snapshot, Lines, Text, Search -> a window
//	    Key.Append, Mouse.Append, AppendPaste -> bytes for the program
//
// It understands what programs write for an xterm with 256 colours and more (ECMA-48, DEC VT220
// and some of the VT420, xterm's and later extensions), in UTF-8 only: bytes 0x80 to 0x9f are no
// controls. Not there: graphics (sixel), double-size lines, rectangular operations, keyboard
// protocols beyond modifyOtherKeys, mouse coordinates other than those of modes 1000 and 1006.
//
// A program may be hostile: everything kept is bounded, titles and clipboard are never told to it,
// and answers are never much longer than the questions.
package term

import (
	"sort"
	"unicode"
)

// RuneWidth is the number of columns r takes: 0 for combining marks, joiners and control
// characters, 2 for East Asian wide and full-width characters and for emoji, else 1.
func RuneWidth(r rune) int {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return 0
	case r < 0x300: // the common case; U+00AD is drawn by terminals
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf), r >= 0x1160 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff:
		return 0
	}
	i := sort.Search(len(wide), func(i int) bool { return wide[i][1] >= r })
	if i < len(wide) && wide[i][0] <= r {
		return 2
	}
	return 1
}

// Width is the number of columns of s, which holds no control characters.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += RuneWidth(r)
	}
	return n
}

// Truncate cuts s to at most columns columns; an ellipsis of one column stands for what was cut.
func Truncate(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	if columns <= 0 {
		return ""
	}
	n := 0
	for i, r := range s {
		if n += RuneWidth(r); n > columns-1 {
			return s[:i] + "…"
		}
	}
	return s
}
