package term

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// endString executes the string that was read; bell: it ended with BEL.
func (t *Terminal) endString(bell bool) {
	q := &t.parser
	was := q.state
	q.state = ground
	if q.overflow {
		return
	}
	switch was {
	case oscString:
		end := "\x1b\\"
		if bell {
			end = "\a"
		}
		t.osc(q.str, end)
	case dcsString:
		if q.private == 'q' && q.nmid == 1 && q.mid[0] == '$' {
			t.reportSetting(string(q.str))
		}
	}
}

// osc executes an operating system command; what answers it ends as it did.
func (t *Terminal) osc(p []byte, end string) {
	number, s, _ := strings.Cut(string(p), ";")
	code, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return
	}
	switch code {
	case 0, 2:
		t.setTitle(s)
	case 4:
		t.oscPalette(s, end)
	case 7:
		t.setDirectory(s)
	case 8:
		t.link(s)
	case 10, 11, 12:
		t.oscSpecial(int(code), s, end)
	case 52:
		t.clipboard(s)
	case 104:
		t.oscResetPalette(s)
	case 110, 111, 112:
		*t.colors.special(int(code - 100)) = *t.theme.special(int(code - 100))
		t.colorsChanged()
	}
}

// link is OSC 8: parameters, a semicolon and an address; none ends the link.
func (t *Terminal) link(s string) {
	params, uri, _ := strings.Cut(s, ";")
	t.extra.uri, t.extra.id = "", ""
	if uri != "" && len(uri) <= maxURI && graphic(uri) {
		t.extra.uri = uri
		for p := range strings.SplitSeq(params, ":") {
			if id, ok := strings.CutPrefix(p, "id="); ok && len(id) <= maxLinkID && graphic(id) {
				t.extra.id = id
			}
		}
	}
	t.pen.extra = t.extras.intern(t.extra)
}

// graphic: printable ASCII only, without space.
func graphic(s string) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// clipboard is OSC 52. A question mark asks for the clipboard and is not answered.
func (t *Terminal) clipboard(s string) {
	target, data, ok := strings.Cut(s, ";")
	if !ok || data == "?" || len(target) > 8 || !graphic(target) {
		return
	}
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return
	}
	t.events.add(Event{Kind: ClipboardOffered, Text: string(text), Target: target})
}

// reply answers the program: prefix, numbers with semicolons between, suffix. What the credit does
// not cover is not said.
func (t *Terminal) reply(prefix, suffix string, numbers ...int) {
	start := len(t.out)
	t.out = append(t.out, prefix...)
	for i, n := range numbers {
		if i > 0 {
			t.out = append(t.out, ';')
		}
		t.out = strconv.AppendInt(t.out, int64(n), 10)
	}
	t.out = append(t.out, suffix...)
	if n := len(t.out) - start; n > t.credit || t.cfg.Answer == nil {
		t.out = t.out[:start]
	} else {
		t.credit -= n
	}
}

func (t *Terminal) replyColor(what string, c Color, end string) {
	r, g, b, _ := c.RGB()
	const digits = "0123456789abcdef"
	s := []byte("\x1b]" + what + ";rgb:")
	for i, v := range [3]uint8{r, g, b} {
		if i > 0 {
			s = append(s, '/')
		}
		hi, lo := digits[v>>4], digits[v&15]
		s = append(s, hi, lo, hi, lo)
	}
	t.reply(string(s), end)
}

// reportSetting is DECRQSS, for the settings that programs ask for.
func (t *Terminal) reportSetting(what string) {
	switch what {
	case "m":
		t.reply("\x1bP1$r"+t.penString(), "m\x1b\\")
	case "r":
		t.reply("\x1bP1$r", "r\x1b\\", t.top+1, t.bottom)
	case "s":
		t.reply("\x1bP1$r", "s\x1b\\", t.left+1, t.right)
	case " q":
		t.reply("\x1bP1$r", " q\x1b\\", int(t.modes.Cursor))
	default:
		t.reply("\x1bP0$r\x1b\\", "")
	}
}

func (t *Terminal) penString() string {
	c := t.pen.cell(0)
	return string(appendSGR(nil, c, t.extra.color))
}
