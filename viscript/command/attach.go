package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// Attacher is a host that can make a terminal that of an app.
type Attacher interface {
	// Attach writes to out what the app printed last and what it prints from then on, and gives it
	// what comes from in and the sizes of the terminal. nil when the app has ended, otherwise
	// the error of ctx, or why it cannot be done. It does not wait for a Read of in to return.
	Attach(ctx context.Context, id signal.ID, in io.Reader, out io.Writer, size <-chan signal.WindowSize) error
}

func attachCommands() []*Command {
	return []*Command{{
		Name: "attach", Args: "ID",
		Help: "make this terminal the app's: what it printed last, then what it prints; Ctrl-Z detaches",
		More: "The app goes on when you detach, and several terminals may be attached to it. Keys\nreach an app that has a terminal of its own (`pty: true`, or `start -a`). A terminal of the daemon,\nsuch as t1, is shown by `viscript attach t1` from any other terminal.",
		run:  attach, complete: completeID,
	}}
}

func attach(ctx context.Context, c *call) error {
	if len(c.args) == 1 && c.Terminals != nil && c.Terminals.Text(c.args[0]) != nil {
		return usagef("attach: %s is a terminal, no app: `focus %s` raises it in a window, `viscript attach %s` shows it in another terminal", c.args[0], c.args[0], c.args[0])
	}
	id, err := c.onlyID(ctx)
	if err != nil && len(c.args) == 1 && c.Terminals != nil && IsTerm(c.args[0]) {
		return usagef("attach: %w", NoTerm(c.args[0], c.Terminals.Terms()))
	}
	if err != nil {
		return err
	}
	app, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	if !live(app) {
		return fmt.Errorf("app %d (%s) does not run; `why %d` and `logs %d` tell of it", id, nameOf(app), id, id)
	}
	return c.attachTo(ctx, id)
}

// attachTo lends the prompt's terminal to a running app until it ends or the person detaches.
func (c *call) attachTo(ctx context.Context, id signal.ID) error {
	if c.Terminal == nil || c.JSON {
		return usagef("%s: this needs a terminal, which `exec` does not have; use: viscript attach %d", c.cmd.Name, id)
	}
	a, ok := c.Host.(Attacher)
	if !ok {
		return fmt.Errorf("%s: this host cannot attach a terminal; use: viscript attach %d", c.cmd.Name, id)
	}
	t, giveBack, err := c.Terminal.Borrow(ctx)
	if err != nil {
		return err
	}
	detached, err := Attach(ctx, a, id, t)
	giveBack()
	if err != nil {
		return c.explain(ctx, id, err)
	}
	text, err := Parting(ctx, c.Host, id, detached)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.Out, text)
	return nil
}

// Lister is what Parting asks.
type Lister interface {
	List(ctx context.Context) ([]signal.App, error)
}

// partingWait is how long Parting waits for the end of an app whose output has ended; one that
// closed its output and goes on is told as it is.
const partingWait = 2 * time.Second

// Parting says how an Attach ended, for the person at the terminal.
func Parting(ctx context.Context, h Lister, id signal.ID, detached bool) (string, error) {
	for end := time.Now().Add(partingWait); ; {
		a, ok, err := row(ctx, h, id)
		switch {
		case err != nil:
			return "", err
		case !ok:
			return fmt.Sprintf("app %d has ended", id), nil
		case a.Pid == 0 && a.ExitCode != nil:
			return ending(a), nil
		case detached:
			return fmt.Sprintf("detached; app %d (%s) goes on", id, term.Clean(nameOf(a))), nil
		case time.Now().After(end):
			return fmt.Sprintf("app %d (%s) prints no more; it is %s", id, term.Clean(nameOf(a)), a.State), nil
		}
		select {
		case <-time.After(partingWait / 100):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// row finds an app in the table.
func row(ctx context.Context, h Lister, id signal.ID) (a signal.App, ok bool, err error) {
	all, err := h.List(ctx)
	if err != nil {
		return a, false, err
	}
	i := slices.IndexFunc(all, func(a signal.App) bool { return a.ID == id })
	if i < 0 {
		return a, false, nil
	}
	return all[i], true, nil
}

// ending says in one line how an app ended.
func ending(a signal.App) string {
	text := fmt.Sprintf("app %d (%s) has ended", a.ID, nameOf(a))
	if a.ExitCode != nil {
		text += ", exit code " + exitText(*a.ExitCode)
	}
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return term.Clean(text)
}

// errDetached ends the Attach of a person who typed Ctrl-Z, errGone that of a terminal which is gone.
var (
	errDetached = errors.New("detached")
	errGone     = errors.New("the terminal is gone")
)

// Attach connects t, which is raw, to an app until the app ends, the person types Ctrl-Z, or
// the terminal is gone; detached tells the latter two from the first.
func Attach(ctx context.Context, a Attacher, id signal.ID, t Terminal) (detached bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	typed, keys := io.Pipe()
	sizes := make(chan signal.WindowSize, 1)
	sizes <- windowSize(t) // it is there when the app asks first
	passing := make(chan struct{})
	go func() {
		defer close(passing)
		passOn(ctx, cancel, t, keys, sizes)
	}()
	err = a.Attach(ctx, id, typed, t, sizes)
	cause := context.Cause(ctx)
	cancel(nil)
	<-passing
	_, _ = io.WriteString(t, attachEnd) // a terminal that is gone needs none of it
	if errors.Is(cause, errDetached) || errors.Is(cause, errGone) {
		return true, nil
	}
	return false, err
}

// attachEnd undoes what an app may have done to the terminal and forgot: colours, no cursor, the
// other screen, mouse reports, pasting marks, keys in application mode. Then a new row.
const attachEnd = "\x1b[0m\x1b[?25h\x1b[?1049l\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\r\n"

// passOn gives the app what is typed, and the size of the terminal when it changes, until ctx ends; it ends ctx when the person detaches or the terminal is gone.
func passOn(ctx context.Context, end context.CancelCauseFunc, t Terminal, to *io.PipeWriter, sizes chan<- signal.WindowSize) {
	// Not EOF: that would tell the app that its input has ended.
	stop := context.AfterFunc(ctx, func() { to.CloseWithError(context.Cause(ctx)) })
	keys, written := make(chan []byte), make(chan struct{})
	go func() {
		defer close(written)
		for p := range keys {
			_, _ = to.Write(p) // fails when ctx has ended
		}
	}()
	defer func() {
		stop()
		to.CloseWithError(context.Cause(ctx))
		close(keys)
		<-written
	}()
	var offer chan<- signal.WindowSize // nil: there is nothing new to tell
	var size signal.WindowSize
	var kept []byte
	for {
		give := keys
		if len(kept) == 0 {
			give = nil
		}
		select {
		case <-ctx.Done():
			return
		case give <- kept:
			kept = nil
		case offer <- size:
			offer = nil
		case <-t.Resized():
			offer, size = sizes, windowSize(t)
		case p, ok := <-t.Input():
			if !ok {
				end(errGone)
				return
			}
			if bytes.IndexByte(p, keySuspend) >= 0 {
				end(errDetached)
				return
			}
			if len(kept)+len(p) <= maxTyped {
				kept = append(kept, p...)
			}
		}
	}
}

// maxTyped bounds what is kept of the keys while an app does not read them, in bytes; the rest is dropped.
const maxTyped = 64 << 10

func windowSize(t Terminal) signal.WindowSize {
	columns, rows := t.Size()
	return signal.WindowSize{Columns: clamp(columns), Rows: clamp(rows)}
}

func clamp(n int) uint16 { return uint16(max(0, min(n, 1<<15))) }
