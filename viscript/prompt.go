package viscript

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/skycoin/viscript/signal"
)

const (
	// escapeWait is how long a lone ESC byte waits for the rest of a sequence.
	escapeWait = 60 * time.Millisecond
	// maxTypedAhead bounds what is typed while a command runs, in bytes; the rest is dropped.
	maxTypedAhead = 64 << 10
	// maxListed is how many completions are listed; of more only the number is told.
	maxListed = 200
)

// session is one prompt at one terminal. Its fields belong to the goroutine of run.
type session struct {
	*Console
	in, out *os.File
	screen  *screen
	keys    Decoder
	editor  *Editor
	history *History
}

// Prompt reads lines at a terminal and runs them until `quit`, Ctrl-D, the loss of the
// terminal or the end of ctx; then the terminal is as it was and the error nil.
func (c *Console) Prompt(ctx context.Context, in, out *os.File) error {
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("preparing the terminal: %w", err)
	}
	defer term.Restore(int(in.Fd()), old)
	history, err := OpenHistory(historyFile(c.env.StateDir))
	s := &session{Console: c, in: in, out: out, screen: &screen{out: out}, editor: NewEditor(history), history: history}
	c.notices.attach(s.screen.notice)
	defer c.notices.attach(nil)
	if err != nil {
		c.log.Warn("reading the history", "err", err)
	}
	return s.run(ctx)
}

func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	input, stop, err := readTerminal(s.in)
	if err != nil {
		cancel()
		return fmt.Errorf("reading the terminal: %w", err)
	}
	defer stop()
	defer cancel()
	resized, unwatch := watchSize()
	defer unwatch()
	s.screen.raw(pasteOn)
	defer s.screen.raw(pasteOff)
	s.draw()
	for {
		var escape <-chan time.Time
		if s.keys.Pending() {
			escape = time.After(escapeWait)
		}
		select {
		case <-ctx.Done():
			s.screen.leave()
			return nil
		case <-s.Done():
			s.screen.leave()
			return nil
		case <-resized:
			s.draw()
		case <-escape:
			if k, ok := s.keys.Flush(); ok {
				s.press(ctx, input, k)
			}
		case p, ok := <-input:
			if !ok {
				return nil
			}
			s.keys.Feed(p)
		}
		if !s.typed(ctx, input) {
			return nil
		}
	}
}

// Bracketed paste (xterm): pasted text comes between marks.
const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
)

// typed handles the keys that have come; false ends the prompt.
func (s *session) typed(ctx context.Context, input <-chan []byte) bool {
	for ctx.Err() == nil {
		select {
		case <-s.Done():
			return true // run sees it too
		default:
		}
		k, ok := s.keys.Next()
		if !ok {
			return true
		}
		if !s.press(ctx, input, k) {
			return false
		}
	}
	return true
}

// press handles one key; false ends the prompt.
func (s *session) press(ctx context.Context, input <-chan []byte, k Key) bool {
	if s.Config().Settings.VerboseInput {
		s.log.Info("input", "key", int(k.Code), "rune", string(k.Rune))
	}
	switch s.editor.Key(k) {
	case Accept:
		return s.accept(ctx, input)
	case Interrupt:
		s.screen.accept(s.view(), "^C")
		s.editor.Reset()
	case EOF:
		s.screen.leave()
		return false
	case Clear:
		s.screen.clear()
	case Complete:
		s.completeLine(ctx)
	case Bell:
		s.screen.bell()
	}
	s.draw()
	return true
}

// accept runs the line; false: the terminal is gone.
func (s *session) accept(ctx context.Context, input <-chan []byte) bool {
	line := s.editor.Line()
	s.editor.Key(Key{Code: KeyEnd})
	s.screen.accept(s.view(), "")
	if err := s.history.Add(line); err != nil {
		s.log.Warn("writing the history", "err", err)
	}
	s.editor.Reset()
	alive := s.runLine(ctx, input, line)
	select {
	case <-s.Done():
	default:
		s.draw()
	}
	return alive
}

// runLine runs one command. Meanwhile Ctrl-C ends it, and other input is kept for later.
func (s *session) runLine(ctx context.Context, input <-chan []byte, line string) bool {
	if isBlank(line) {
		return true
	}
	s.screen.raw(pasteOff)
	defer s.screen.raw(pasteOn)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	lender := newLoan(s, input)
	go func() {
		defer close(done)
		s.exec(ctx, signal.ExecRequest{Line: line, Columns: s.columns()}, s.screen, s.screen, origin{"prompt", lender})
	}()
	alive, typed := true, input
	for {
		select {
		case <-done:
			return alive
		case <-lender.taken:
			typed = nil
		case <-lender.back:
			if alive {
				typed = input
			}
		case p, ok := <-typed:
			if !ok {
				alive, typed = false, nil
				cancel()
				continue
			}
			s.ahead(p, cancel)
		}
	}
}

// ahead keeps what was typed while a command runs; Ctrl-C drops it and ends the command.
func (s *session) ahead(p []byte, cancel func()) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] == 'C'-'@' {
			s.keys = Decoder{}
			cancel()
			p = p[i+1:]
			break
		}
	}
	if len(s.keys.buf)+len(p) <= maxTypedAhead {
		s.keys.Feed(p)
	}
}

func (s *session) completeLine(ctx context.Context) {
	from, candidates := s.complete(ctx, s.editor.Before())
	if len(candidates) == 0 {
		s.screen.bell()
		return
	}
	show := s.editor.Completed(from, candidates)
	switch {
	case len(show) > maxListed:
		s.screen.accept(s.view(), "")
		fmt.Fprintf(s.screen, "%d possibilities\n", len(show))
	case len(show) > 0:
		s.screen.accept(s.view(), "")
		fmt.Fprint(s.screen, layOut(show, s.columns()))
	}
}

func (s *session) draw() { s.screen.draw(s.view()) }

func (s *session) view() View { return s.editor.View(s.columns()) }

// columns is the width of the terminal, 80 where it does not tell.
func (s *session) columns() int {
	if w, _, err := term.GetSize(int(s.out.Fd())); err == nil && w > 0 {
		return w
	}
	return 80
}

func isBlank(line string) bool {
	for _, r := range line {
		if r != ' ' && r != '\t' {
			return false
		}
	}
	return true
}
