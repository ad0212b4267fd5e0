package terminals

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// Config is what Terminals are made of.
type Config struct {
	// Prompt serves a person at a terminal until ctx ends or the daemon does, or they leave, which is true.
	Prompt func(ctx context.Context, s *Seat) (left bool)
	// Split splits a line into words, for commands that come as one; nil: at blanks.
	Split func(line string) ([]string, error)
	// File is where the prompts there are, are noted, for the daemon after this one; "": nowhere.
	File string
	// Env is added to the environment of commands, KEY=VALUE.
	Env []string
	Log *slog.Logger // nil: discarded
}

// Errors of the methods that take ids; they are *signal.Error.
var (
	ErrNoWindow = signal.Errorf(signal.CodeUnavailable, "no window shows the terminals: `viscript gui` opens one where there is a display")
	errLast     = signal.Errorf(signal.CodeLastTerm, "the last terminal stays while a window shows it; `quit` ends the daemon")
	errClosed   = signal.Errorf(signal.CodeStopping, "the daemon is ending")
)

// EnvTerm is the variable that tells a program the id of the terminal it runs in.
const EnvTerm = "VISCRIPT_TERM"

// Size of a terminal for which none was asked for.
const (
	defaultCols = 80
	defaultRows = 24
)

// Terminals are those of a daemon, and the windows on them. Safe for concurrent use.
type Terminals struct {
	cfg      Config
	patience time.Duration  // with a window that is asked
	work     sync.WaitGroup // every goroutine; only by spawn and begin
	saving   sync.Mutex     // one writer of the file
	typing   typing

	mu      sync.Mutex // guards the following
	last    int        // number of the last id
	all     []*terminal
	windows []*Window // the one that was used last is the last
	closed  bool
}

// New makes none yet: Restore brings those of the daemon before this one.
func New(cfg Config) *Terminals {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Split == nil {
		cfg.Split = func(line string) ([]string, error) { return strings.Fields(line), nil }
	}
	return &Terminals{cfg: cfg, patience: askTime}
}

// spawn starts a goroutine that Close waits for; false after Close.
func (a *Terminals) spawn(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.work.Go(f)
	return true
}

// Close ends what the terminals hold, and the windows, and waits. The prompts there were stay noted.
func (a *Terminals) Close() {
	a.save()
	a.mu.Lock()
	a.closed = true
	all, windows := slices.Clone(a.all), slices.Clone(a.windows)
	a.mu.Unlock()
	for _, t := range all {
		t.end()
	}
	for _, w := range windows {
		w.finish()
	}
	a.work.Wait()
}

// Open opens a terminal with a prompt, or with a command.
func (a *Terminals) Open(_ context.Context, p signal.TermNew) (signal.Term, error) {
	args, err := a.words(p)
	if err != nil {
		return signal.Term{}, err
	}
	t, err := a.add(p, args, 0)
	if err != nil {
		return signal.Term{}, err
	}
	a.save()
	return t.info(), nil
}

// words are the program and arguments, none for a prompt.
func (a *Terminals) words(p signal.TermNew) ([]string, error) {
	args := p.Args
	if len(args) == 0 && p.Line != "" {
		var err error
		if args, err = a.cfg.Split(p.Line); err != nil {
			return nil, signal.Errorf(signal.CodeParams, "%v", err)
		}
	}
	n := 0
	for _, w := range args {
		n += len(w) + 1
		if strings.ContainsRune(w, 0) {
			return nil, signal.Errorf(signal.CodeParams, "a word holds a NUL character")
		}
	}
	switch {
	case n > signal.MaxTermWords:
		return nil, signal.Errorf(signal.CodeTooLarge, "a command of %d bytes, limit %d", n, signal.MaxTermWords)
	case p.Cols < 0 || p.Cols > signal.MaxTermCols || p.Rows < 0 || p.Rows > signal.MaxTermRows:
		return nil, signal.Errorf(signal.CodeParams, "a size of %dx%d, from 1x1 to %dx%d", p.Cols, p.Rows, signal.MaxTermCols, signal.MaxTermRows)
	case p.Shell && len(args) > 0:
		return nil, signal.Errorf(signal.CodeParams, "a shell or a command, not both")
	case p.Shell:
		return []string{userShell()}, nil
	case len(args) > 0 && args[0] == "":
		return nil, signal.Errorf(signal.CodeParams, "the command is empty")
	}
	if len(args) > 0 {
		if _, err := exec.LookPath(args[0]); err != nil && !errors.Is(err, exec.ErrDot) {
			return nil, signal.Errorf(signal.CodeStart, "%s: no such program", term.Clean(cut(args[0], 256)))
		}
	}
	return args, nil
}

// add makes the terminal and starts what it holds; id 0: the next one.
func (a *Terminals) add(p signal.TermNew, args []string, id int) (*terminal, error) {
	if p.Cols == 0 {
		p.Cols = defaultCols
	}
	if p.Rows == 0 {
		p.Rows = defaultRows
	}
	ctx, cancel := context.WithCancel(context.Background()) // it lives until it is closed
	t := &terminal{
		owner: a, holds: signal.TermPrompt, fixed: p.Fixed, in: newInbox(), cancel: cancel, done: make(chan struct{}),
		resized: make(chan struct{}, 1), taken: make(chan string, 1), viewers: map[*Window]bool{},
	}
	t.vt = term.New(p.Cols, p.Rows, term.Config{Answer: t.typeKeys, Event: t.event})
	modes := t.vt.Modes()
	t.modes.Store(&modes)
	hold := t.prompt
	t.setSize = func(int, int) { offerTo(t.resized, struct{}{}) }
	a.mu.Lock()
	switch {
	case a.closed:
		a.mu.Unlock()
		cancel()
		return nil, errClosed
	case len(a.all) >= signal.MaxTerms:
		a.mu.Unlock()
		cancel()
		return nil, signal.Errorf(signal.CodeBusy, "there are %d terminals, which is the limit", signal.MaxTerms)
	}
	if id == 0 {
		id = a.last + 1
	}
	a.last = max(a.last, id)
	t.id = "t" + strconv.Itoa(id)
	a.mu.Unlock()
	if len(args) > 0 {
		run, err := t.start(args, p)
		if err != nil {
			cancel()
			return nil, err
		}
		hold = run
	}
	if !a.begin(ctx, t, hold) {
		cancel()
		hold(ctx) // ends at once, and what was started with it
		return nil, errClosed
	}
	return t, nil
}

// begin takes t into the table; what it holds runs until it ends by itself or t is closed.
func (a *Terminals) begin(ctx context.Context, t *terminal, hold func(context.Context)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.all = append(a.all, t)
	for _, w := range a.windows {
		w.add(t)
	}
	a.work.Go(func() {
		defer close(t.done)
		hold(ctx)
		t.cancel()
		a.remove(t)
	})
	return true
}

func offerTo[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// remove takes t out of the table and tells windows. Desktops are never without any terminal.
func (a *Terminals) remove(t *terminal) {
	a.mu.Lock()
	i := slices.Index(a.all, t)
	if i < 0 {
		a.mu.Unlock()
		return
	}
	a.all = slices.Delete(a.all, i, i+1)
	for _, w := range a.windows {
		w.touch(t, func(v *view) { v.gone = true })
	}
	empty := len(a.all) == 0 && !a.closed && a.desktopLocked() != nil
	ending := a.closed
	a.mu.Unlock()
	if ending {
		return
	}
	if empty {
		a.ensure()
	}
	a.save()
}

// ensure opens a prompt if there is no terminal.
func (a *Terminals) ensure() {
	a.mu.Lock()
	empty := len(a.all) == 0
	a.mu.Unlock()
	if !empty {
		return
	}
	if _, err := a.add(signal.TermNew{}, nil, 0); err != nil && !errors.Is(err, error(errClosed)) {
		a.cfg.Log.Warn("opening the first terminal", "err", err)
	}
}

// leave is Ctrl-D at a prompt: it closes the terminal, unless it is the last one on a desktop.
func (a *Terminals) leave(t *terminal) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all) > 1 || a.desktopLocked() == nil
}

// CloseTerm ends what a terminal holds and takes it away; prefix is its id or a leading part that
// no other id has. The last one is refused while a window shows it.
func (a *Terminals) CloseTerm(ctx context.Context, prefix string) (signal.Term, error) {
	a.mu.Lock()
	t, err := a.findLocked(prefix)
	if err == nil && len(a.all) == 1 && a.desktopLocked() != nil {
		err = errLast
	}
	a.mu.Unlock()
	if err != nil {
		return signal.Term{}, err
	}
	info := t.info()
	t.end()
	select {
	case <-t.done:
		return info, nil
	case <-ctx.Done():
		return info, context.Cause(ctx)
	}
}

// findLocked is the terminal whose id is prefix or, if it is the only one, begins so.
func (a *Terminals) findLocked(prefix string) (found *terminal, err error) {
	for _, t := range a.all {
		switch {
		case t.id == prefix:
			return t, nil
		case prefix == "" || !strings.HasPrefix(t.id, prefix):
		case found != nil:
			return nil, signal.Errorf(signal.CodeNoTerm, "several terminals have an id that begins with %.64q", prefix)
		default:
			found = t
		}
	}
	if found == nil {
		return nil, signal.Errorf(signal.CodeNoTerm, "no terminal has the id %.64q; `list_terms` shows them", prefix)
	}
	return found, nil
}

// get is the terminal with exactly that id, nil if there is none.
func (a *Terminals) get(id string) *terminal {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.all {
		if t.id == id {
			return t
		}
	}
	return nil
}

// Terms lists the terminals in the order in which they came.
func (a *Terminals) Terms() []signal.Term {
	a.mu.Lock()
	all := slices.Clone(a.all)
	a.mu.Unlock()
	out := make([]signal.Term, 0, len(all))
	for _, t := range all {
		out = append(out, t.info())
	}
	return out
}

// each calls f with every window.
func (a *Terminals) each(f func(*Window)) {
	a.mu.Lock()
	windows := slices.Clone(a.windows)
	a.mu.Unlock()
	for _, w := range windows {
		f(w)
	}
}
