package terminals

import (
	"context"
	"io"

	"github.com/skycoin/viscript/signal"
)

// A Seat is a terminal of the daemon as the console's prompt has it: raw, its keys as they come. It
// is a command.Terminal, and can do what viscript.Offerer, Listener and Reflower say.
type Seat struct {
	t     *terminal
	input chan []byte
}

// Write shows p as it is.
func (s *Seat) Write(p []byte) (int, error) { return s.t.Write(p) }

// Input carries what is typed; closed when the terminal is.
func (s *Seat) Input() <-chan []byte { return s.input }

// Size is in cells.
func (s *Seat) Size() (cols, rows int) { return s.t.vt.Size() }

// Resized has a value after the size has changed.
func (s *Seat) Resized() <-chan struct{} { return s.t.resized }

// Reflows: a line that has become too long is several rows, see term.Terminal.Resize.
func (s *Seat) Reflows() bool { return true }

// Runs is told what runs at the terminal.
func (s *Seat) Runs(line string, lent bool) { s.t.runs(line, lent) }

// Offer shows suggestions in the desktops that watch the terminal; false if none does.
func (s *Seat) Offer(back int, items []signal.TermSuggestion) bool {
	t := s.t
	at := t.vt.State()
	o := &signal.TermOffer{ID: t.id, At: signal.TermPos{Line: at.Top + uint64(at.Y), X: max(0, at.X-back)}, Items: items}
	if items == nil {
		o.Items = []signal.TermSuggestion{}
	}
	seen := false
	for _, w := range t.watchers() {
		if w.params.Desktop {
			seen = true
			w.touch(t, func(v *view) { v.offer = o })
		}
	}
	if !seen || len(items) == 0 {
		select {
		case <-t.taken: // of an offer that is no more
		default:
		}
	}
	return seen
}

// Taken has the text of a suggestion that was taken.
func (s *Seat) Taken() <-chan string { return s.t.taken }

// lastLeft is what Ctrl-D says at the last terminal.
const lastLeft = "this is the last terminal; `quit` ends the daemon\r\n"

// prompt holds a prompt in t until it is left.
func (t *terminal) prompt(ctx context.Context) {
	s := &Seat{t: t, input: make(chan []byte)}
	ctx, stop := context.WithCancel(ctx)
	pumping := make(chan struct{})
	go func() {
		defer close(pumping)
		defer close(s.input)
		t.pump(ctx, func(p []byte) error {
			select {
			case s.input <- p:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() { stop(); <-pumping }()
	for t.owner.cfg.Prompt(ctx, s) {
		if t.owner.leave(t) {
			return
		}
		_, _ = io.WriteString(t, lastLeft)
	}
	<-ctx.Done() // the daemon ends, and ends its terminals
}
