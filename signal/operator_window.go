package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// A WindowHandler takes what a window is told and asked. Functions that are nil: what is told is
// ignored, what is asked is answered with CodeNoMethod.
type WindowHandler struct {
	// Event takes what is told, in order, on the goroutine that reads the connection: while it runs
	// nothing else is read, and it must not wait for an answer of the daemon.
	Event func(TermEvent)
	// What the daemon asks of a window with Desktop, each on a goroutine of its own, for two seconds.
	List    func(ctx context.Context) ([]WindowTerm, error)
	Focus   func(ctx context.Context, prefix string) error
	Defocus func(ctx context.Context) error
	Move    func(ctx context.Context, x, y int) error
}

// A TermEvent is something a window is told. Method says what, and which fields are set.
type TermEvent struct {
	Method    string        // MethodTermList and those below it
	ID        string        // of the terminal, but for MethodTermList
	Terms     []Term        // MethodTermList
	Term      Term          // MethodTermOpened, MethodTermChanged
	Version   uint64        // MethodTermFrame: for Shown
	Update    []byte        // MethodTermFrame: for Snapshot.Apply, whole, the receiver's to keep
	Clipboard TermClipboard // MethodTermClipboard
	Offer     TermOffer     // MethodTermOffer
}

// A WindowConn is the connection of a window: what it shows are the terminals of the daemon. Its
// methods may be called from several goroutines. Those without a result keep their order; they wait
// while the daemon takes nothing, and lose what is said after the end.
type WindowConn struct {
	handler WindowHandler
	peer    *Peer
	ctx     context.Context // of the connection
	cancel  context.CancelFunc
	work    sync.WaitGroup
	listed  chan struct{} // closed when the first list has come
	done    chan struct{} // closed when the daemon has ended it, or the connection is over
	err     error         // why; set before done is closed

	updates map[string][]byte // pieces of updates; of the goroutine that reads
	once    sync.Once
}

// Window makes this connection a window, until ctx ends, the daemon does, or Close. Event gets the
// list of terminals before it returns.
func (o *Operator) Window(ctx context.Context, p WindowParams, h WindowHandler) (*WindowConn, error) {
	frames, err := o.dial(ctx)
	if err != nil {
		return nil, err
	}
	w := &WindowConn{handler: h, listed: make(chan struct{}), done: make(chan struct{}), updates: map[string][]byte{}}
	w.peer = NewPeer(frames, PeerOptions{Handle: w.answer, Notify: w.hear})
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.work.Go(func() { _ = w.peer.Run(w.ctx) })
	w.work.Go(func() { w.end(w.peer.Call(w.ctx, MethodWindow, p, nil)) })
	select {
	case <-w.listed:
		return w, nil
	case <-w.done:
		w.Close()
		return nil, w.err
	}
}

func (w *WindowConn) end(err error) {
	if errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: the daemon has gone", ErrClosed)
	}
	w.err = err
	close(w.done)
	w.cancel()
}

// Done is closed when the window has ended.
func (w *WindowConn) Done() <-chan struct{} { return w.done }

// Err is why it has, after Done: nil when the daemon ended it, ErrClosed in the chain when the daemon
// went away, that of the context otherwise.
func (w *WindowConn) Err() error {
	select {
	case <-w.done:
		return w.err
	default:
		return nil
	}
}

// Close ends the window and waits until nothing of it runs; not from Event. Idempotent.
func (w *WindowConn) Close() error {
	w.cancel()
	w.work.Wait()
	return nil
}

// hear takes a notification.
func (w *WindowConn) hear(method string, params json.RawMessage) {
	e := TermEvent{Method: method}
	var at TermParams
	var err error
	switch method {
	case MethodTermList:
		err = DecodeParams(params, &e.Terms)
		defer w.once.Do(func() { close(w.listed) })
	case MethodTermOpened, MethodTermChanged:
		err = DecodeParams(params, &e.Term)
		e.ID = e.Term.ID
	case MethodTermClosed, MethodTermBell:
		err = DecodeParams(params, &at)
		e.ID = at.ID
		if method == MethodTermClosed {
			delete(w.updates, e.ID)
		}
	case MethodTermClipboard:
		err = DecodeParams(params, &e.Clipboard)
		e.ID = e.Clipboard.ID
	case MethodTermOffer:
		err = DecodeParams(params, &e.Offer)
		e.ID = e.Offer.ID
	case MethodTermFrame:
		if !w.frame(params, &e) {
			return
		}
	default:
		return // of a later version
	}
	if err == nil && w.handler.Event != nil {
		w.handler.Event(e)
	}
}

// frame collects the pieces of an update; true when it is complete.
func (w *WindowConn) frame(params json.RawMessage, e *TermEvent) bool {
	var f TermFrame
	if DecodeParams(params, &f) != nil {
		return false
	}
	have := w.updates[f.ID]
	if len(have)+len(f.Data) > MaxTermUpdate || have == nil && len(w.updates) >= MaxTerms {
		w.peer.Close() // no daemon of ours
		return false
	}
	if have = append(have, f.Data...); f.More {
		w.updates[f.ID] = have
		return false
	}
	delete(w.updates, f.ID)
	e.ID, e.Version, e.Update = f.ID, f.Version, have
	return true
}

// answer answers what the daemon asks.
func (w *WindowConn) answer(ctx context.Context, method string, params json.RawMessage) (any, error) {
	h := w.handler
	switch {
	case method == MethodWindowList && h.List != nil:
		all, err := h.List(ctx)
		if all == nil {
			all = []WindowTerm{}
		}
		return all, err
	case method == MethodWindowFocus && h.Focus != nil:
		var p TermParams
		if err := DecodeParams(params, &p); err != nil {
			return nil, err
		}
		return struct{}{}, h.Focus(ctx, p.ID)
	case method == MethodWindowDefocus && h.Defocus != nil:
		return struct{}{}, h.Defocus(ctx)
	case method == MethodWindowMove && h.Move != nil:
		var p WindowMove
		if err := DecodeParams(params, &p); err != nil {
			return nil, err
		}
		return struct{}{}, h.Move(ctx, p.X, p.Y)
	}
	return nil, NoMethod(method)
}

func (w *WindowConn) say(method string, params any) { _ = w.peer.Notify(w.ctx, method, params) }

// Watch has frames of a terminal sent, or no more. The first one is complete.
func (w *WindowConn) Watch(id string, on bool) { w.say(MethodTermWatch, TermWatch{id, on}) }

// Shown says that the frame of that version is on the screen; the next one comes after it.
func (w *WindowConn) Shown(id string, version uint64) { w.say(MethodTermShown, TermShown{id, version}) }

// Key presses a key that writes no character, or one with Ctrl or Alt.
func (w *WindowConn) Key(k TermKey) { w.say(MethodTermKey, k) }

// Char types a character.
func (w *WindowConn) Char(id string, r rune) { w.say(MethodTermChar, TermChar{id, r}) }

// Mouse tells an event of the mouse.
func (w *WindowConn) Mouse(m TermMouse) { w.say(MethodTermMouse, m) }

// Paste pastes text; what is above MaxTermPaste bytes is left out.
func (w *WindowConn) Paste(id, text string) {
	w.say(MethodTermPaste, TermPaste{id, []byte(cut(text, MaxTermPaste))})
}

// Focus tells that a terminal has got or lost the keyboard.
func (w *WindowConn) Focus(id string, on bool) { w.say(MethodTermFocus, TermFocus{id, on}) }

// Input sends bytes as a terminal does, in pieces.
func (w *WindowConn) Input(id string, data []byte) {
	for len(data) > 0 {
		n := min(len(data), MaxTermInput)
		w.say(MethodTermInput, TermInput{id, data[:n]})
		data = data[n:]
	}
}

// Resize gives a terminal another size.
func (w *WindowConn) Resize(id string, cols, rows int) {
	w.say(MethodTermResize, TermResize{id, cols, rows})
}

// Take takes a suggestion.
func (w *WindowConn) Take(id, text string) { w.say(MethodTermTake, TermTake{id, text}) }

// New opens a terminal.
func (w *WindowConn) New(ctx context.Context, p TermNew) (Term, error) {
	var t Term
	err := w.peer.Call(ctx, MethodTermNew, p, &t)
	return t, err
}

// CloseTerm ends a terminal and what runs in it; the last one is refused.
func (w *WindowConn) CloseTerm(ctx context.Context, id string) error {
	return w.peer.Call(ctx, MethodTermClose, TermParams{id}, nil)
}

// Search looks for text.
func (w *WindowConn) Search(ctx context.Context, p TermSearch) (TermFound, error) {
	var f TermFound
	err := w.peer.Call(ctx, MethodTermSearch, p, &f)
	return f, err
}

// Lines reads lines, for Row.Parse.
func (w *WindowConn) Lines(ctx context.Context, p TermLines) (TermRows, error) {
	var r TermRows
	err := w.peer.Call(ctx, MethodTermLines, p, &r)
	return r, err
}

// maxText bounds what Text collects, in bytes.
const maxText = 64 << 20

// Text reads text, all of it; what is above 64 MiB is left out.
func (w *WindowConn) Text(ctx context.Context, p TermRange) (string, error) {
	var all []byte
	for {
		var t TermText
		if err := w.peer.Call(ctx, MethodTermText, p, &t); err != nil {
			return "", err
		}
		all = append(all, t.Data...)
		if !t.More || len(t.Data) == 0 || len(all) > maxText {
			return string(all), nil
		}
		p.From = t.From
	}
}
