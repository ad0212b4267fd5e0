package terminals

import (
	"context"
	"time"

	"github.com/skycoin/viscript/signal"
)

// askTime is how long a window has to answer; Terminals.patience.
const askTime = 2 * time.Second

// ask asks the desktop that was used last.
func (a *Terminals) ask(ctx context.Context, method string, params, result any) error {
	a.mu.Lock()
	w := a.desktopLocked()
	a.mu.Unlock()
	if w == nil {
		return ErrNoWindow
	}
	asking, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	err := w.peer.Call(asking, method, params, result)
	switch {
	case err == nil, signal.CodeOf(err) != 0:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case asking.Err() != nil:
		return signal.Errorf(signal.CodeTimeout, "the window did not answer within %v", a.patience)
	}
	return ErrNoWindow // it has gone meanwhile
}

// Placed is where the window has the terminals. ErrNoWindow without one.
func (a *Terminals) Placed(ctx context.Context) ([]signal.WindowTerm, error) {
	var all []signal.WindowTerm
	err := a.ask(ctx, signal.MethodWindowList, nil, &all)
	return all[:min(len(all), signal.MaxTerms)], err
}

// Focus gives a terminal the keyboard, in the window, and raises it.
func (a *Terminals) Focus(ctx context.Context, prefix string) (signal.Term, error) {
	a.mu.Lock()
	t, err := a.findLocked(prefix)
	a.mu.Unlock()
	if err != nil {
		return signal.Term{}, err
	}
	return t.info(), a.ask(ctx, signal.MethodWindowFocus, signal.TermParams{ID: t.id}, nil)
}

// Defocus takes the keyboard from every terminal of the window.
func (a *Terminals) Defocus(ctx context.Context) error {
	return a.ask(ctx, signal.MethodWindowDefocus, nil, nil)
}

// Move puts the focused terminal of the window at column x and row y of the desktop.
func (a *Terminals) Move(ctx context.Context, x, y int) error {
	return a.ask(ctx, signal.MethodWindowMove, signal.WindowMove{X: x, Y: y}, nil)
}
