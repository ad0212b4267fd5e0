package viscript

import (
	"context"
	"sync"

	"github.com/skycoin/viscript/viscript/command"
)

// loan is how a session lends its terminal to the command it runs: while it is taken, what is
// typed goes to the command, and the session waits for the end of the command only.
type loan struct {
	session *session
	line    string // that runs
	taken   chan struct{}
	back    chan struct{}
}

func newLoan(s *session, line string) *loan {
	return &loan{session: s, line: line, taken: make(chan struct{}), back: make(chan struct{})}
}

// Borrow implements command.Lender.
func (l *loan) Borrow(ctx context.Context) (command.Terminal, func(), error) {
	select {
	case l.taken <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	s := l.session
	s.screen.hold()
	s.tell(l.line, true)
	var once sync.Once
	return s.tty, func() {
		once.Do(func() {
			s.tell(l.line, false)
			s.screen.release()
			l.back <- struct{}{}
		})
	}, nil
}
