package viscript

import (
	"context"
	"os"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
)

const (
	// escapeWait is how long a lone ESC byte waits for the rest of a sequence.
	escapeWait = 60 * time.Millisecond
	// maxTypedAhead bounds what is typed while a command runs, in bytes; the rest is dropped.
	maxTypedAhead = 64 << 10
)

// session is one prompt at one terminal. Its fields belong to the goroutine of run.
type session struct {
	*Console
	tty     command.Terminal
	screen  *screen
	keys    Decoder
	editor  *Editor
	history *History
	offered offer // what a window shows beside the line
	left    bool  // by Ctrl-D

	lead     string                                                              // before the line
	runs     func(ctx context.Context, input <-chan []byte, line string) lineEnd // a line that was typed
	complete func(ctx context.Context, before string) (from int, candidates []suggestion)
}

// lineEnd is how a line has ended.
type lineEnd struct {
	gone bool // the terminal is
	over bool // it was the last line of this prompt
}

// Prompt reads lines at a terminal and runs them until `quit`, Ctrl-D, the loss of the
// terminal or the end of ctx; then the terminal is as it was and the error nil.
func (c *Console) Prompt(ctx context.Context, in, out *os.File) error {
	t, err := OpenTerminal(in, out)
	if err != nil {
		return err
	}
	defer t.Close()
	s := c.newSession(t)
	defer c.notices.attach(s.screen.notice, true)()
	s.run(ctx)
	return nil
}

// PromptAt is Prompt at a terminal of the daemon's own, which is raw and stays open. Notices go to it
// and, while nobody sits at Prompt, also where they went before. left: the person there typed Ctrl-D.
func (c *Console) PromptAt(ctx context.Context, t command.Terminal) (left bool) {
	s := c.newSession(t)
	defer c.notices.attach(s.screen.notice, false)()
	s.run(ctx)
	return s.left
}

func (c *Console) newSession(t command.Terminal) *session {
	history, err := OpenHistory(historyFile(c.env.StateDir))
	if err != nil {
		c.log.Warn("reading the history", "err", err)
	}
	s := &session{Console: c, tty: t, screen: &screen{out: t}, editor: NewEditor(history), history: history, lead: prompt}
	s.runs, s.complete = s.runLine, c.suggest
	return s
}

func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	input := s.tty.Input()
	s.screen.raw(pasteOn)
	defer s.screen.raw(pasteOff)
	s.draw()
	for {
		var escape <-chan time.Time
		if s.keys.Pending() {
			escape = time.After(escapeWait)
		}
		more := true
		select {
		case <-ctx.Done():
			s.screen.leave()
			return
		case <-s.Done():
			s.screen.leave()
			return
		case <-s.tty.Resized():
			if r, ok := s.tty.(Reflower); ok && r.Reflows() {
				s.screen.reflowed(s.columns())
			}
			s.draw()
		case <-escape:
			if k, ok := s.keys.Flush(); ok {
				more = s.press(ctx, input, k)
			}
		case text := <-s.taken():
			s.take(text)
		case p, ok := <-input:
			if !ok {
				return
			}
			s.keys.Feed(p)
		}
		if !more || !s.typed(ctx, input) {
			return
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
	s.withdraw()
	switch s.editor.Key(k) {
	case Accept:
		return s.accept(ctx, input)
	case Interrupt:
		s.screen.accept(s.view(), "^C")
		s.editor.Reset()
	case EOF:
		s.screen.leave()
		s.left = true
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

// accept runs the line; false ends the prompt.
func (s *session) accept(ctx context.Context, input <-chan []byte) bool {
	line := s.editor.Line()
	s.editor.Key(Key{Code: KeyEnd})
	s.screen.accept(s.view(), "")
	if err := s.history.Add(line, s.history.path != "" && s.lasting(ctx, line)); err != nil {
		s.log.Warn("writing the history", "err", err)
	}
	s.editor.Reset()
	o := s.runs(ctx, input, line)
	if o.over {
		return false
	}
	select {
	case <-s.Done():
	default:
		s.draw()
	}
	return !o.gone
}

// runLine runs one command. Meanwhile Ctrl-C ends it, and other input is kept for later.
func (s *session) runLine(ctx context.Context, input <-chan []byte, line string) lineEnd {
	if isBlank(line) {
		return lineEnd{}
	}
	s.screen.raw(pasteOff)
	defer s.screen.raw(pasteOn)
	s.tell(line, false)
	defer s.tell("", false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	lender := newLoan(s, line)
	go func() {
		defer close(done)
		s.exec(ctx, signal.ExecRequest{Line: line, Columns: s.columns()}, s.screen, s.screen, origin{"prompt", lender})
	}()
	alive, typed := true, input
	for {
		select {
		case <-done:
			return lineEnd{gone: !alive}
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

func (s *session) draw() { s.screen.draw(s.view()) }

func (s *session) view() View { return s.editor.View(s.lead, s.columns()) }

// columns is the width of the terminal.
func (s *session) columns() int {
	w, _ := s.tty.Size()
	return w
}

func isBlank(line string) bool {
	for _, r := range line {
		if r != ' ' && r != '\t' {
			return false
		}
	}
	return true
}
