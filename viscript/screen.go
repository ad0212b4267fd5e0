package viscript

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/skycoin/viscript/viscript/term"
)

// screen is a terminal in raw mode with the line being typed in its last row. What else is
// written goes above that line. Safe for concurrent use.
type screen struct {
	mu      sync.Mutex // guards the following and the order of what is written
	out     io.Writer
	view    View     // the line as drawn
	shown   bool     // the line is on the screen
	midLine bool     // the last output did not end its row
	lent    bool     // a command has the terminal to itself
	held    []string // notices of that time, at most maxHeld
}

// maxHeld is how many notices wait while a command has the terminal; older ones are dropped.
const maxHeld = 100

// hold keeps notices back until release: the terminal is another's.
func (s *screen) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	s.freshRowLocked()
	s.lent = true
}

// release shows what was held back.
func (s *screen) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.held {
		s.send(term.Clean(line) + "\r\n")
	}
	s.lent, s.held, s.midLine = false, nil, false
}

// Write shows the output of a command: rows end with CR LF, since a raw terminal does not add the CR.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	if len(p) > 0 {
		s.midLine = p[len(p)-1] != '\n'
	}
	if _, err := s.out.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// draw shows the line.
func (s *screen) draw(v View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freshRowLocked()
	s.view, s.shown = v, true
	s.send(v.Draw())
}

// reflowed takes the line away from a terminal that has laid it out anew for so many columns: it may
// have become several rows.
func (s *screen) reflowed(columns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shown {
		return
	}
	if up := s.view.Cursor / max(1, columns); up > 0 {
		s.send(fmt.Sprintf("\x1b[%dA", up))
	}
	s.send("\r\x1b[J")
	s.shown = false
}

// notice shows a line of text above the line being typed.
func (s *screen) notice(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent {
		s.held = append(s.held, line)
		s.held = s.held[max(0, len(s.held)-maxHeld):]
		return
	}
	back := s.shown
	s.eraseLocked()
	s.freshRowLocked()
	s.send(term.Clean(line) + "\r\n")
	if back {
		s.shown = true
		s.send(s.view.Draw())
	}
}

// accept leaves the line where it is, with suffix behind it, and goes to the next row.
func (s *screen) accept(v View, suffix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Cursor = term.Width(v.Text)
	s.send(v.Draw() + suffix + "\r\n")
	s.shown, s.midLine = false, false
}

// leave goes to the row below the line, if it is there.
func (s *screen) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		s.send("\r\n")
		s.shown = false
	}
}

// clear erases everything.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send("\x1b[H\x1b[2J")
	s.shown, s.midLine = false, false
}

func (s *screen) bell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send("\a")
}

// raw sends a control sequence that moves nothing.
func (s *screen) raw(sequence string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(sequence)
}

func (s *screen) eraseLocked() {
	if s.shown {
		s.send("\r\x1b[K")
		s.shown = false
	}
}

// freshRowLocked begins a new row when output stopped in the middle of one.
func (s *screen) freshRowLocked() {
	if s.midLine {
		s.send("\r\n")
		s.midLine = false
	}
}

// send writes to the terminal. When that fails the terminal is gone, which reading from it tells.
func (s *screen) send(text string) { _, _ = io.Copy(s.out, strings.NewReader(text)) }
