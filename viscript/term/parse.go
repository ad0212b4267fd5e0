package term

import (
	"bytes"
	"unicode/utf8"
)

const (
	maxParams   = 32
	maxParam    = 65535
	maxString   = 4 << 10 // of OSC and DCS
	maxTransfer = 1 << 20 // of OSC 52, in base64

	transferPrefix = len("52;")
)

// state is where the parser is within the grammar of ECMA-48, as DEC terminals read it.
type state uint8

const (
	ground    state = iota
	escape          // after ESC
	escapeMid       // ESC and intermediates
	csi             // parameters
	csiMid          // intermediates after them
	csiSkip         // malformed: up to the final byte
	oscString
	dcs // parameters and intermediates, as CSI
	dcsMid
	dcsString
	skipString // SOS, PM, APC, malformed DCS
)

// A parser holds the part of a sequence that was read. Everything in it is bounded: parameters
// beyond the limits are dropped, strings beyond theirs are ignored as a whole.
type parser struct {
	state    state
	private  byte // '<', '=', '>' or '?' before the parameters
	mid      [2]byte
	nmid     int
	params   [maxParams]int32
	n        int    // parameters begun
	joined   uint32 // bit i: a colon stands before parameter i
	str      []byte
	overflow bool
	partial  [utf8.UTFMax]byte // a character cut by the end of a write
	npartial int
}

// parse reads p, up to a sequence that exhausts maxWork, and returns how many bytes it took.
func (t *Terminal) parse(p []byte) int {
	all := len(p)
	for len(p) > 0 && t.work < maxWork {
		var n int
		switch t.parser.state {
		case ground:
			n = t.ground(p)
		case csi:
			n = t.parameters(p)
		case oscString, dcsString, skipString:
			n = t.collect(p)
		default:
			t.step(p[0])
			n = 1
		}
		p = p[n:]
		t.credit = min(t.credit+answersPerByte*n, maxCredit)
	}
	return all - len(p)
}

// ground reads text and controls up to the end of p or into an escape sequence, and returns how
// many bytes it took.
func (t *Terminal) ground(p []byte) int {
	i := 0
	for i < len(p) {
		if c := p[i]; c-0x20 < 0x5f && t.parser.npartial == 0 {
			j := i + 1
			for j < len(p) && p[j]-0x20 < 0x5f {
				j++
			}
			t.printASCII(p[i:j])
			i = j
			continue
		} else if c >= 0x80 || t.parser.npartial > 0 {
			i += t.utf8(p[i:])
			continue
		} else if c == 0x1b {
			t.parser.begin()
			if i+1 < len(p) && p[i+1] == '[' {
				t.parser.state = csi
				return i + 2
			}
			return i + 1
		} else {
			t.control(c)
		}
		i++
	}
	return i
}

// utf8 prints the character at the start of p, with the bytes held from the last write before it.
// What is no UTF-8 becomes U+FFFD, one for each longest part that could have begun a character.
func (t *Terminal) utf8(p []byte) int {
	q := &t.parser
	if q.npartial == 0 && (len(p) >= utf8.UTFMax || utf8.FullRune(p)) {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			n = brokenLen(p)
		}
		t.print(r)
		return n
	}
	held := q.npartial
	n := held + copy(q.partial[held:], p)
	b := q.partial[:n]
	if !utf8.FullRune(b) {
		q.npartial = n
		return n - held
	}
	r, size := utf8.DecodeRune(b)
	if r == utf8.RuneError && size == 1 {
		size = max(held, brokenLen(b)) // what was held could begin a character
	}
	q.npartial = 0
	t.print(r)
	return size - held
}

// brokenLen is the length of the broken character that p begins with.
func brokenLen(p []byte) int {
	for n := min(len(p), utf8.UTFMax-1); n > 1; n-- {
		if !utf8.FullRune(p[:n]) {
			return n
		}
	}
	return 1
}

func (q *parser) begin() {
	q.state, q.private, q.nmid, q.n, q.joined, q.overflow = escape, 0, 0, 0, 0, false
	q.params[0] = 0
}

// step reads one byte within a sequence.
func (t *Terminal) step(c byte) {
	q := &t.parser
	switch {
	case c == 0x1b:
		q.begin()
	case c == 0x18 || c == 0x1a:
		q.state = ground
	case c >= 0x80: // not within any sequence: it is text
		q.state = ground
		t.utf8([]byte{c})
	case c < 0x20:
		if q.state != dcs && q.state != dcsMid {
			t.control(c)
		}
	case c == 0x7f:
	case q.state == escape || q.state == escapeMid:
		t.stepEscape(c)
	case q.state == csiMid || q.state == csiSkip:
		t.stepCSI(c)
	default:
		t.stepDCS(c)
	}
}

func (t *Terminal) stepEscape(c byte) {
	q := &t.parser
	if c < 0x30 {
		q.addMid(c)
		q.state = escapeMid
		return
	}
	q.state = ground
	if q.nmid > 0 {
		t.escapeWith(q.mid[0], c)
		return
	}
	switch c {
	case '[':
		q.state = csi
	case ']':
		q.startString(oscString)
	case 'P':
		q.state = dcs
	case 'X', '^', '_':
		q.startString(skipString)
	default:
		t.escape(c)
	}
}

func (q *parser) addMid(c byte) {
	if q.nmid < len(q.mid) {
		q.mid[q.nmid] = c
	}
	q.nmid++ // more than two are known by their number
}

func (q *parser) startString(s state) {
	q.state, q.overflow = s, false
	if cap(q.str) > 2*maxString {
		q.str = nil
	}
	q.str = q.str[:0]
}

// parameters reads within CSI, and returns how many bytes it took.
func (t *Terminal) parameters(p []byte) int {
	q := &t.parser
	for i, c := range p {
		switch {
		case c-'0' < 10:
			q.digit(c)
		case c == ';' || c == ':':
			q.separator(c)
		case c >= 0x40 && c < 0x7f:
			q.state = ground
			t.dispatch(c)
			return i + 1
		case c >= 0x3c && c < 0x40:
			if q.n > 0 || q.private != 0 {
				q.state = csiSkip
				return i + 1
			}
			q.private = c
		case c >= 0x20 && c < 0x30:
			q.addMid(c)
			q.state = csiMid
			return i + 1
		default:
			t.step(c)
			if q.state != csi {
				return i + 1
			}
		}
	}
	return len(p)
}

func (q *parser) digit(c byte) {
	if q.n == 0 {
		q.n = 1
	}
	if q.n <= maxParams {
		v := &q.params[q.n-1]
		*v = min(*v*10+int32(c-'0'), maxParam)
	}
}

func (q *parser) separator(c byte) {
	if q.n == 0 {
		q.n = 1
	}
	if q.n++; q.n <= maxParams {
		q.params[q.n-1] = 0
		if c == ':' {
			q.joined |= 1 << (q.n - 1)
		}
	} else {
		q.n = maxParams + 1 // the rest is dropped
	}
}

func (t *Terminal) stepCSI(c byte) {
	q := &t.parser
	switch {
	case c >= 0x40:
		skip := q.state == csiSkip
		q.state = ground
		if !skip {
			t.dispatch(c)
		}
	case c < 0x30 && q.state == csiMid:
		q.addMid(c)
	default: // a parameter after an intermediate
		q.state = csiSkip
	}
}

// args are the parameters, not more than the limit.
func (q *parser) args() []int32 { return q.params[:min(q.n, maxParams)] }

// arg is parameter i, or def where it is missing or 0.
func (q *parser) arg(i, def int) int {
	if i < q.n && i < maxParams && q.params[i] != 0 {
		return int(q.params[i])
	}
	return def
}

func (t *Terminal) stepDCS(c byte) {
	q := &t.parser
	switch {
	case c >= 0x40:
		q.private = c // the final byte
		q.startString(dcsString)
	case c < 0x30:
		q.addMid(c)
		q.state = dcsMid
	case q.state == dcsMid: // a parameter after an intermediate
		q.startString(skipString)
	} // the parameters of a DCS have no meaning here
}

// collect reads a string, and returns how many bytes it took.
func (t *Terminal) collect(p []byte) int {
	q := &t.parser
	for i, c := range p {
		if c >= 0x20 && c != 0x7f {
			continue
		}
		q.keep(p[:i])
		switch c {
		case 0x07:
			if q.state == oscString {
				t.endString(true)
			}
		case 0x1b: // ST, or a sequence that ends the string early
			t.endString(false)
			q.begin()
		case 0x18, 0x1a:
			q.state = ground
		} // other controls within are dropped
		return i + 1
	}
	q.keep(p)
	return len(p)
}

// keep adds to the string, within the limits.
func (q *parser) keep(p []byte) {
	if q.state == skipString || q.overflow {
		return
	}
	if n := min(transferPrefix-len(q.str), len(p)); n > 0 {
		q.str, p = append(q.str, p[:n]...), p[n:]
	}
	limit := maxString
	if q.state == oscString && bytes.HasPrefix(q.str, []byte("52;")) {
		limit = maxTransfer
	}
	if len(q.str)+len(p) > limit {
		q.overflow = true
		return
	}
	q.str = append(q.str, p...)
}
