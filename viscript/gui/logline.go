package gui

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

// A logLine is a line that an app wrote, and when, as far as it says so or was seen.
type logLine struct {
	app  signal.ID
	name string
	at   time.Time // zero: not known
	text string
	bad  bool
}

// clock is how times are shown in logs.
const clock = "15:04:05"

func (l *logLine) panel() panel.LogLine {
	p := panel.LogLine{App: uint64(l.app), Name: l.name, Text: l.text, Error: l.bad, Time: strings.Repeat(" ", len(clock))}
	if !l.at.IsZero() {
		p.Time = l.at.Local().Format(clock)
	}
	return p
}

// parseLine reads a line of output: the time and level that log/slog and log write in front are taken from
// the text. Colours and other controls are left out.
func parseLine(s string) (l logLine) {
	l.text = plain(s)
	if rest, ok := strings.CutPrefix(l.text, "time="); ok {
		stamp, rest, _ := strings.Cut(rest, " ")
		if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			l.at, l.text = t, rest
		}
	} else if len(l.text) > len(stampLayout) {
		if t, err := time.ParseInLocation(stampLayout, l.text[:len(stampLayout)], time.Local); err == nil {
			l.at, l.text = t, strings.TrimLeft(l.text[len(stampLayout):], " ")
		}
	}
	l.level()
	return l
}

// stampLayout is what package log writes in front of a line.
const stampLayout = "2006/01/02 15:04:05"

// level takes level and msg of log/slog apart; what is at least a warning is bad.
func (l *logLine) level() {
	rest, ok := strings.CutPrefix(l.text, "level=")
	if !ok {
		low := strings.ToLower(l.text[:min(len(l.text), 64)])
		l.bad = strings.HasPrefix(low, "error") || strings.HasPrefix(low, "panic:") || strings.HasPrefix(low, "fatal") ||
			strings.Contains(low, " error:")
		return
	}
	level, rest, _ := strings.Cut(rest, " ")
	l.bad = strings.HasPrefix(level, "ERROR") || strings.HasPrefix(level, "WARN")
	if msg, ok := strings.CutPrefix(rest, "msg="); ok {
		rest = msg
		if quoted, err := strconv.QuotedPrefix(msg); err == nil {
			text, _ := strconv.Unquote(quoted)
			rest = plain(text) + msg[len(quoted):] // quoted, it may hold anything
		}
	}
	if l.text = rest; level != "INFO" {
		l.text = level + " " + rest
	}
}

// plain is s without escape sequences and control characters; tabs become spaces.
func plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == 0x1b:
			i += escape(s[i:])
			continue
		case c == '\t':
			out.WriteString("    ")
		case c >= ' ' && c != 0x7f:
			out.WriteByte(c)
		}
		i++
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

// escape is the length of the sequence at the start of s, which begins with ESC: of a CSI up to its final
// byte, of a string (OSC, DCS) up to its end, otherwise two bytes.
func escape(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', '_', '^', 'X':
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
