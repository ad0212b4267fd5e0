package terminals

import (
	"context"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	// frameGap is the least time between two frames of one terminal: a flood costs a window no more.
	frameGap = 12 * time.Millisecond
	// newsGap is the least time between other news of one terminal: a program can ring and change its
	// title without end.
	newsGap = 50 * time.Millisecond
	// heldWait is when a screen that a program holds back is looked at again.
	heldWait = 1050 * time.Millisecond
)

// A Window is the server's side of one window. What is to be told is kept as state, a view a
// terminal, not as a queue: a window that is slow misses steps and holds nothing up. Run alone sends.
type Window struct {
	owner  *Terminals
	params signal.WindowParams
	peer   *signal.Peer
	awake  chan struct{} // capacity 1: there is something to tell
	over   chan struct{} // closed by finish
	once   sync.Once

	mu    sync.Mutex // guards the following, and news of the views
	views []*view    // in the order in which the terminals came
	byID  map[string]*view
}

// view is a terminal as one window knows it.
type view struct {
	t *terminal
	news

	// The following belong to Run.
	known bool        // opened was told
	told  signal.Term // without what changes all the time
	shot  term.Snapshot
	next  time.Time // no frame before
	since time.Time // when one had to wait for an echo elsewhere; zero: none does
	later time.Time // no other news before
}

// news is what is to be told of a terminal.
type news struct {
	stale     bool // what is known of it may have changed
	watched   bool
	fresh     bool   // the next frame is complete
	dirty     bool   // there may be a new frame
	waiting   uint64 // version of the frame that is not shown yet; 0: none
	bell      bool
	clipboard *signal.TermClipboard
	offer     *signal.TermOffer
	gone      bool
}

// Window makes an operator's connection a window; Run serves it.
func (a *Terminals) Window(p signal.WindowParams, peer *signal.Peer) *Window {
	p.Name = cut(p.Name, signal.MaxName)
	return &Window{
		owner: a, params: p, peer: peer, byID: map[string]*view{},
		awake: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// enter takes the window in, with the terminals there are.
func (w *Window) enter() bool {
	a := w.owner
	if w.params.Desktop {
		a.ensure()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.windows = append(a.windows, w)
	for _, t := range a.all {
		w.add(t)
	}
	return true
}

// leave takes it out.
func (w *Window) leave() {
	a := w.owner
	a.mu.Lock()
	for i, o := range a.windows {
		if o == w {
			a.windows = append(a.windows[:i:i], a.windows[i+1:]...)
			break
		}
	}
	a.mu.Unlock()
	w.mu.Lock()
	views := w.views
	w.mu.Unlock()
	for _, v := range views {
		v.t.watch(w, false)
		v.t.tellAll()
	}
}

func (w *Window) finish() { w.once.Do(func() { close(w.over) }) }

// add takes in a terminal.
func (w *Window) add(t *terminal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := &view{t: t}
	v.stale = true
	w.views = append(w.views, v)
	w.byID[t.id] = v
	offerTo(w.awake, struct{}{})
}

// touch notes news of a terminal and wakes Run.
func (w *Window) touch(t *terminal, note func(*view)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.byID[t.id]; v != nil {
		note(v)
		offerTo(w.awake, struct{}{})
	}
}

// Run tells the window what happens, until ctx ends or the daemon's terminals are closed, and then
// returns nil.
func (w *Window) Run(ctx context.Context) error {
	if !w.enter() {
		return errClosed
	}
	defer w.leave()
	if err := w.list(ctx); err != nil {
		return nil // the window has gone
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.over:
			return nil
		case <-w.awake:
		case <-timer.C:
		}
		again, err := w.tell(ctx)
		if err != nil {
			return nil
		}
		timer.Stop()
		if again > 0 {
			timer.Reset(again)
		}
	}
}

// list tells of all terminals at once.
func (w *Window) list(ctx context.Context) error {
	w.mu.Lock()
	views := append([]*view(nil), w.views...)
	w.mu.Unlock()
	all := make([]signal.Term, 0, len(views))
	for _, v := range views {
		v.known, v.told = true, lasting(v.t.info())
		all = append(all, v.t.info())
	}
	return w.peer.Notify(ctx, signal.MethodTermList, all)
}

// tell tells all news once, in the order of the terminals; again is when there will be more without
// being woken, 0: not.
func (w *Window) tell(ctx context.Context) (again time.Duration, err error) {
	w.mu.Lock()
	views := append([]*view(nil), w.views...)
	w.mu.Unlock()
	sooner := func(wait time.Duration) {
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	for _, v := range views {
		n, wait := w.take(v)
		sooner(wait)
		if err := w.tellView(ctx, v, n); err != nil {
			return 0, err
		}
		if n.gone {
			continue
		}
		if wait, err = w.frame(ctx, v); err != nil {
			return 0, err
		}
		sooner(wait)
	}
	return again, nil
}

// take returns the news of a view, which are then old, but for those of frames. Soon after the last
// ones there are none yet, but wait.
func (w *Window) take(v *view) (n news, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !v.gone {
		if !v.stale && !v.bell && v.clipboard == nil && v.offer == nil {
			return n, 0
		}
		if wait = time.Until(v.later); wait > 0 {
			return n, wait
		}
		v.later = time.Now().Add(newsGap)
	}
	n = v.news
	v.stale, v.bell, v.clipboard, v.offer = false, false, nil, nil
	if v.gone {
		delete(w.byID, v.t.id)
		for i, o := range w.views {
			if o == v {
				w.views = append(w.views[:i:i], w.views[i+1:]...)
				break
			}
		}
	}
	return n, 0
}

// tellView tells what is no frame.
func (w *Window) tellView(ctx context.Context, v *view, n news) error {
	id := signal.TermParams{ID: v.t.id}
	if n.gone {
		v.t.watch(w, false)
		if !v.known {
			return nil
		}
		return w.peer.Notify(ctx, signal.MethodTermClosed, id)
	}
	if n.stale {
		if err := w.tellTerm(ctx, v); err != nil {
			return err
		}
	}
	if n.bell {
		if err := w.peer.Notify(ctx, signal.MethodTermBell, id); err != nil {
			return err
		}
	}
	if n.clipboard != nil {
		if err := w.peer.Notify(ctx, signal.MethodTermClipboard, n.clipboard); err != nil {
			return err
		}
	}
	if n.offer != nil {
		return w.peer.Notify(ctx, signal.MethodTermOffer, n.offer)
	}
	return nil
}

func (w *Window) tellTerm(ctx context.Context, v *view) error {
	info := v.t.info()
	now := lasting(info)
	method := signal.MethodTermChanged
	switch {
	case !v.known:
		method = signal.MethodTermOpened
	case now == v.told:
		return nil
	}
	v.known, v.told = true, now
	return w.peer.Notify(ctx, method, info)
}

// lasting is a Term without what changes all the time.
func lasting(t signal.Term) signal.Term {
	t.First, t.Base, t.Version = 0, 0, 0
	return t
}

// frame sends what is new on the screen, if the window wants it and has shown the last one; wait is
// when to look again, 0: when it is woken.
func (w *Window) frame(ctx context.Context, v *view) (wait time.Duration, err error) {
	w.mu.Lock()
	due := v.watched && v.dirty && v.waiting == 0
	if wait = time.Until(v.next); wait <= 0 && due {
		wait = w.owner.typing.hold(v.t, &v.since, time.Now())
	}
	if !due || wait > 0 && !v.fresh {
		w.mu.Unlock()
		if !due {
			wait = 0
		}
		return max(0, wait), nil
	}
	fresh := v.fresh
	v.dirty, v.fresh = false, false
	w.mu.Unlock()
	if fresh {
		v.shot = term.Snapshot{}
	}
	if !v.t.vt.Snapshot(&v.shot) {
		if v.t.vt.Version() == v.shot.Version {
			return 0, nil
		}
		v.next = time.Now().Add(heldWait) // a program holds the screen back
		w.mu.Lock()
		v.dirty = true
		w.mu.Unlock()
		return heldWait, nil
	}
	v.next = time.Now().Add(frameGap)
	w.mu.Lock()
	v.waiting = v.shot.Version
	w.mu.Unlock()
	return 0, w.sendFrame(ctx, v)
}

// sendFrame sends an update in pieces.
func (w *Window) sendFrame(ctx context.Context, v *view) error {
	update := v.shot.AppendUpdate(nil)
	for {
		n := min(len(update), signal.MaxTermPiece)
		f := signal.TermFrame{ID: v.t.id, Version: v.shot.Version, Data: update[:n], More: n < len(update)}
		if err := w.peer.Notify(ctx, signal.MethodTermFrame, f); err != nil || !f.More {
			return err
		}
		update = update[n:]
	}
}
