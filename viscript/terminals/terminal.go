package terminals

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// block is how much is written at once before windows are woken.
const block = 32 << 10

// terminal is one of the daemon's.
type terminal struct {
	owner  *Terminals
	id     string
	holds  string
	fixed  bool
	vt     *term.Terminal
	in     *inbox
	cancel context.CancelFunc // ends what it holds
	done   chan struct{}      // closed when that has ended
	writes sync.Mutex         // one writer of vt at a time; guards work
	work   work

	resized chan struct{}        // capacity 1: for a prompt
	taken   chan string          // capacity 1: a suggestion that was taken
	setSize func(cols, rows int) // of what it holds; nil: nobody wants to know

	// modes are those after the last write, so that a key never waits while the grid is laid out anew.
	modes atomic.Pointer[term.Modes]

	mu      sync.Mutex // guards the following
	command string     // that runs
	lent    bool       // at a prompt: to that command
	want    [2]int     // size that was asked for
	sizing  bool       // a goroutine brings it about
	viewers map[*Window]bool
	look    look // what windows were told of last
	closed  bool

	typed time.Time // when somebody last did here; guarded by typing.mu
}

// look is what of a terminal concerns windows that do not watch it.
type look struct {
	title string
	alt   bool
	mouse term.MouseMode
	cols  int
	rows  int
}

// Write takes output of what the terminal holds and wakes who watches. While somebody types in another terminal it
// takes its time.
func (t *terminal) Write(p []byte) (int, error) {
	t.writes.Lock()
	defer t.writes.Unlock()
	for rest := p; len(rest) > 0; {
		n := min(len(rest), block)
		_, _ = t.vt.Write(rest[:n]) // it never fails
		rest = rest[n:]
		modes := t.vt.Modes()
		t.modes.Store(&modes)
		t.wake()
		t.rest()
	}
	return len(p), nil
}

// rest waits while somebody types elsewhere, if it must.
func (t *terminal) rest() {
	for {
		d := t.owner.typing.rest(t, &t.work, time.Now())
		if d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

// wake tells windows that something has changed: those that watch always, others when it shows in
// what they know of the terminal.
func (t *terminal) wake() {
	s := t.vt.State()
	now := look{s.Title, s.Modes.AltScreen, s.Modes.Mouse, s.Cols, s.Rows}
	t.mu.Lock()
	told := now == t.look
	t.look = now
	for w := range t.viewers {
		w.touch(t, func(v *view) { v.dirty = true })
	}
	t.mu.Unlock()
	if !told {
		t.tellAll()
	}
}

// tellAll has every window look at what is known of the terminal.
func (t *terminal) tellAll() {
	t.owner.each(func(w *Window) { w.touch(t, func(v *view) { v.stale = true }) })
}

// event takes what a program says that concerns more than the grid. It is called within Write.
func (t *terminal) event(e term.Event) {
	switch e.Kind {
	case term.Bell:
		t.owner.each(func(w *Window) { w.touch(t, func(v *view) { v.bell = true }) })
	case term.ClipboardOffered:
		c := signal.TermClipboard{ID: t.id, Target: e.Target, Text: []byte(e.Text)}
		t.owner.each(func(w *Window) { w.touch(t, func(v *view) { v.clipboard = &c }) })
	}
}

// info is what windows and list_terms are told.
func (t *terminal) info() signal.Term {
	s := t.vt.State()
	t.mu.Lock()
	defer t.mu.Unlock()
	title := s.Title
	switch {
	case title != "":
	case t.command != "":
		title = term.Clean(t.command)
	default:
		title = "viscript"
	}
	return signal.Term{
		ID: t.id, Title: title, Holds: t.holds, Command: t.command, Cols: s.Cols, Rows: s.Rows, Fixed: t.fixed,
		Prompt: t.holds == signal.TermPrompt && !t.lent, First: s.First, Base: s.Top, Alt: s.Modes.AltScreen,
		Mouse: int(s.Modes.Mouse), Version: s.Version, Viewers: len(t.viewers),
	}
}

// runs notes what runs at a prompt.
func (t *terminal) runs(line string, lent bool) {
	line = cut(line, signal.MaxTermWords)
	t.mu.Lock()
	t.command, t.lent = line, lent
	t.mu.Unlock()
	t.tellAll()
}

// resize gives it another size, soon: of many sizes in short order only the last is laid out.
func (t *terminal) resize(cols, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fixed || t.closed {
		return
	}
	t.want = [2]int{max(1, min(cols, term.MaxCols)), max(1, min(rows, term.MaxRows))}
	if !t.sizing {
		t.sizing = t.owner.spawn(t.layOut)
	}
}

// layOut brings the size about that was asked for last.
func (t *terminal) layOut() {
	for last := [2]int{}; ; {
		t.mu.Lock()
		want := t.want
		if want == last {
			t.sizing = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		t.vt.Resize(want[0], want[1])
		if t.setSize != nil {
			t.setSize(want[0], want[1])
		}
		t.wake()
		last = want
	}
}

// watch adds or removes a viewer.
func (t *terminal) watch(w *Window, on bool) {
	t.mu.Lock()
	if on {
		t.viewers[w] = true
	} else {
		delete(t.viewers, w)
	}
	t.mu.Unlock()
}

func (t *terminal) watchers() (found []*Window) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.viewers {
		found = append(found, w)
	}
	return found
}

// person is typeKeys for what a person does.
func (t *terminal) person(p []byte) {
	t.owner.typing.key(t, time.Now())
	t.typeKeys(p)
}

// typeKeys is the keyboard of the terminal.
func (t *terminal) typeKeys(p []byte) { t.in.put(p) }

// pump hands what is typed to give until ctx ends or give fails.
func (t *terminal) pump(ctx context.Context, give func([]byte) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.in.come:
			if p := t.in.take(); len(p) > 0 && give(p) != nil {
				return
			}
		}
	}
}

// end takes what it holds away; wait for done.
func (t *terminal) end() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
