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
	input   <-chan []byte
	taken   chan struct{}
	back    chan struct{}
}

func newLoan(s *session, input <-chan []byte) *loan {
	return &loan{session: s, input: input, taken: make(chan struct{}), back: make(chan struct{})}
}

// Borrow implements command.Lender.
func (l *loan) Borrow(ctx context.Context) (command.Terminal, func(), error) {
	select {
	case l.taken <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	l.session.screen.hold()
	t := lentTerminal(l.session.out, l.input)
	var once sync.Once
	return t, func() {
		once.Do(func() {
			t.Close()
			l.session.screen.release()
			l.back <- struct{}{}
		})
	}, nil
}
