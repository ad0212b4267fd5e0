//go:build linux

package viscript

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// seatTerminal is a terminal in memory that can do what those of the daemon can.
type seatTerminal struct {
	vt      *term.Terminal
	input   chan []byte
	resized chan struct{}
	taken   chan string

	mu      sync.Mutex // guards the following
	offered []signal.TermSuggestion
	back    int
	ran     []string
}

func (s *seatTerminal) Write(p []byte) (int, error) { return s.vt.Write(p) }
func (s *seatTerminal) Input() <-chan []byte        { return s.input }
func (s *seatTerminal) Size() (int, int)            { return s.vt.Size() }
func (s *seatTerminal) Resized() <-chan struct{}    { return s.resized }
func (s *seatTerminal) Reflows() bool               { return true }
func (s *seatTerminal) Taken() <-chan string        { return s.taken }

func (s *seatTerminal) Offer(back int, items []signal.TermSuggestion) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered, s.back = items, back
	return true
}

func (s *seatTerminal) Runs(line string, lent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, line)
}

func (s *seatTerminal) screen() string {
	_, n := s.vt.Size()
	rows := make([]term.Row, n)
	var text []string
	var shot term.Snapshot
	s.vt.Snapshot(&shot)
	for i := range s.vt.Lines(shot.Top, rows) {
		text = append(text, rows[i].String())
	}
	return strings.TrimRight(strings.Join(text, "\n"), "\n")
}

// until waits for a condition.
func until(t *testing.T, what string, s *seatTerminal, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not happen; the screen is\n%s", what, s.screen())
		}
	}
}

func (s *seatTerminal) offers() (n, back int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.offered), s.back
}

func TestPromptAtSeat(t *testing.T) {
	c, err := New(Options{Host: quietHost{}})
	if err != nil {
		t.Fatal(err)
	}
	s := &seatTerminal{vt: term.New(60, 6, term.Config{}), input: make(chan []byte), resized: make(chan struct{}, 1), taken: make(chan string, 1)}
	left := make(chan bool, 1)
	go func() { left <- c.PromptAt(context.Background(), s) }()
	sees := func(want string) {
		t.Helper()
		until(t, want, s, func() bool { return s.screen() == want })
	}
	sees("viscript>")
	s.input <- []byte("why 123456789 123456789 123456789")
	sees("viscript> why 123456789 123456789 123456789")
	line := NewEditor(&History{})
	typeIn(line, "why 123456789 123456789 123456789")
	for _, cols := range []int{30, 24, 50, 22, 60} { // nothing of the line as it was is left
		s.vt.Resize(cols, 6)
		s.resized <- struct{}{}
		sees(line.View(prompt, cols).Text) // no two that follow each other are the same
	}

	s.input <- []byte("\x15h\t") // help, hosts
	until(t, "an offer", s, func() bool { n, back := s.offers(); return n == 2 && back == 1 })
	s.taken <- "events" // was not offered
	until(t, "its end", s, func() bool { n, _ := s.offers(); return n == 0 })
	s.input <- []byte("\t")
	until(t, "an offer", s, func() bool { n, _ := s.offers(); return n == 2 })
	s.taken <- "hosts"
	sees("viscript> hosts")
	s.input <- []byte("\x15ver")
	sees("viscript> ver")
	s.taken <- "version" // too late
	s.input <- []byte("\x15version\r")
	until(t, "the answer", s, func() bool { return strings.Contains(s.screen(), "\nviscript") })
	until(t, "the end of the line", s, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.ran) == 2 && s.ran[0] == "version" && s.ran[1] == ""
	})
	s.input <- []byte{4}
	if !<-left {
		t.Error("Ctrl-D does not leave")
	}
}
