package term

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Clean returns s fit for one line of a screen: control characters and bytes that are no
// UTF-8 become U+FFFD, so text of others can move no cursor and send no escape sequence.
func Clean(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if unsafeRune(r) {
			r = utf8.RuneError
		}
		out = append(out, r)
	}
	return string(out)
}

// unsafeRune: C0 and C1 controls, and the marks that reorder the text around them (Unicode
// Bidirectional Algorithm, UAX 9), with which a line can be made to look like another.
func unsafeRune(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// maxSequence bounds what a Cleaner holds back while it waits for the end of an escape sequence.
const maxSequence = 64

// A Cleaner passes the output of a program on to a screen: text, line ends, tabs and
// colours (CSI ... m) go through; every other control character or sequence is dropped. A
// sequence or character may be split over writes. Not safe for concurrent use.
type Cleaner struct {
	w    io.Writer
	hold []byte // the unfinished end of the last write
}

// NewCleaner returns a Cleaner that writes to w.
func NewCleaner(w io.Writer) *Cleaner { return &Cleaner{w: w} }

// Write never reports fewer bytes than it got unless w failed.
func (c *Cleaner) Write(p []byte) (int, error) {
	in := p
	if len(c.hold) > 0 {
		in = append(bytes.Clone(c.hold), p...)
	}
	out, rest := cleanOutput(make([]byte, 0, len(in)), in)
	c.hold = append(c.hold[:0], rest...)
	if len(out) > 0 {
		if _, err := c.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// cleanOutput appends what of p may reach a screen and returns the unfinished tail of p.
func cleanOutput(out, p []byte) ([]byte, []byte) {
	for len(p) > 0 {
		switch c := p[0]; {
		case c == 0x1b:
			n, pass := escapeLen(p)
			if n == 0 {
				return out, p
			}
			if pass {
				out = append(out, p[:n]...)
			}
			p = p[n:]
		case c == '\n' || c == '\t' || c >= 0x20 && c < 0x7f:
			out, p = append(out, c), p[1:]
		case c < 0x80:
			p = p[1:]
		case !utf8.FullRune(p):
			return out, p
		default:
			r, n := utf8.DecodeRune(p)
			if unsafeRune(r) {
				r = utf8.RuneError
			}
			out, p = utf8.AppendRune(out, r), p[n:]
		}
	}
	return out, nil
}

// escapeLen measures the escape sequence at the start of p (ECMA-48 5.4, 5.6) and says
// whether it may pass. 0: it is not complete yet.
func escapeLen(p []byte) (n int, pass bool) {
	if len(p) == 1 {
		return 0, false
	}
	switch p[1] {
	case '[':
		for i := 2; i < len(p) && i < maxSequence; i++ {
			if c := p[i]; c >= 0x40 && c <= 0x7e {
				return i + 1, c == 'm' && plainParameters(p[2:i])
			} else if c < 0x20 || c > 0x7e {
				return i, false
			}
		}
	case ']', 'P', '^', '_', 'X': // strings: up to BEL or ST
		for i := 2; i < len(p) && i < maxSequence; i++ {
			if p[i] == 0x07 {
				return i + 1, false
			}
			if p[i] == 0x1b {
				return i, false // the ST that follows is dropped on its own
			}
		}
	default:
		if p[1] < 0x20 || p[1] > 0x2f { // two bytes; else intermediates and a final one
			return 2, false
		}
		for i := 2; i < len(p) && i < maxSequence; i++ {
			if p[i] < 0x20 || p[i] > 0x2f {
				return i + 1, false
			}
		}
	}
	if len(p) >= maxSequence {
		return maxSequence, false
	}
	return 0, false
}

func plainParameters(p []byte) bool {
	for _, c := range p {
		if (c < '0' || c > '9') && c != ';' && c != ':' {
			return false
		}
	}
	return true
}
