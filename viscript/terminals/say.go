package terminals

import (
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// Say takes a notification of the window, in order; it does not block. What makes no sense, or is
// about a terminal that is gone, counts for nothing.
func (w *Window) Say(method string, params json.RawMessage) {
	switch method {
	case signal.MethodTermWatch:
		say(w, params, func(p signal.TermWatch) string { return p.ID }, w.watch)
	case signal.MethodTermShown:
		say(w, params, func(p signal.TermShown) string { return p.ID }, func(t *terminal, p signal.TermShown) {
			w.owner.typing.shown(t, time.Now())
			w.touch(t, func(v *view) {
				if v.waiting == p.Version {
					v.waiting = 0
				}
			})
		})
	case signal.MethodTermResize:
		say(w, params, func(p signal.TermResize) string { return p.ID }, func(t *terminal, p signal.TermResize) { t.resize(p.Cols, p.Rows) })
	case signal.MethodTermTake:
		say(w, params, func(p signal.TermTake) string { return p.ID }, func(t *terminal, p signal.TermTake) { offerTo(t.taken, p.Text) })
	default:
		w.sayKeys(method, params)
	}
}

// sayKeys takes what a person did with keyboard and mouse.
func (w *Window) sayKeys(method string, params json.RawMessage) {
	switch method {
	case signal.MethodTermKey:
		say(w, params, func(p signal.TermKey) string { return p.ID }, func(t *terminal, p signal.TermKey) {
			key := term.Key{Code: term.KeyCode(p.Key), Rune: p.Rune, Mods: term.Mods(p.Mods & 15)}
			t.person(key.Append(nil, *t.modes.Load()))
		})
	case signal.MethodTermChar:
		say(w, params, func(p signal.TermChar) string { return p.ID }, func(t *terminal, p signal.TermChar) {
			if p.Rune >= 0x20 && p.Rune != 0x7f && !(p.Rune >= 0x80 && p.Rune < 0xa0) && utf8.ValidRune(p.Rune) {
				t.person(utf8.AppendRune(nil, p.Rune))
			}
		})
	case signal.MethodTermPaste:
		say(w, params, func(p signal.TermPaste) string { return p.ID }, func(t *terminal, p signal.TermPaste) {
			if len(p.Text) <= signal.MaxTermPaste {
				t.person(term.AppendPaste(nil, string(p.Text), *t.modes.Load()))
			}
		})
	case signal.MethodTermMouse:
		say(w, params, func(p signal.TermMouse) string { return p.ID }, func(t *terminal, p signal.TermMouse) {
			t.typeKeys(mouse(p).Append(nil, *t.modes.Load()))
		})
	case signal.MethodTermFocus:
		say(w, params, func(p signal.TermFocus) string { return p.ID }, func(t *terminal, p signal.TermFocus) {
			if p.On {
				w.owner.used(w)
			}
			t.typeKeys(term.AppendFocus(nil, p.On, *t.modes.Load()))
		})
	case signal.MethodTermInput:
		say(w, params, func(p signal.TermInput) string { return p.ID }, func(t *terminal, p signal.TermInput) {
			if len(p.Data) <= signal.MaxTermInput {
				t.person(p.Data)
			}
		})
	}
}

func mouse(p signal.TermMouse) term.Mouse {
	m := term.Mouse{Action: term.MouseAction(p.Action), Button: term.MouseButton(p.Button), X: p.X, Y: p.Y, Mods: term.Mods(p.Mods & 15)}
	if m.Action > term.Motion || m.Button > term.WheelRight {
		return term.Mouse{Action: term.Release} // which means nothing
	}
	return m
}

// say reads parameters and hands them on with their terminal.
func say[T any](w *Window, params json.RawMessage, id func(T) string, act func(*terminal, T)) {
	var p T
	if signal.DecodeParams(params, &p) != nil {
		return
	}
	if t := w.owner.get(id(p)); t != nil {
		act(t, p)
	}
}

// watch turns frames on, beginning with a complete one, or off.
func (w *Window) watch(t *terminal, p signal.TermWatch) {
	t.watch(w, p.On)
	w.touch(t, func(v *view) {
		v.watched, v.fresh, v.dirty, v.waiting = p.On, p.On, p.On, 0
	})
	t.tellAll()
}

// used notes that a person works at that window.
func (a *Terminals) used(w *Window) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.windows, w); i >= 0 {
		a.windows = append(slices.Delete(a.windows, i, i+1), w)
	}
}

// desktopLocked is the desktop that was used last, nil if there is none.
func (a *Terminals) desktopLocked() *Window {
	for i := len(a.windows) - 1; i >= 0; i-- {
		if a.windows[i].params.Desktop {
			return a.windows[i]
		}
	}
	return nil
}

// Ask answers what a window asks.
func (w *Window) Ask(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case signal.MethodTermNew:
		return decoded(params, func(p signal.TermNew) (any, error) { return w.owner.Open(ctx, p) })
	case signal.MethodTermClose:
		return decoded(params, func(p signal.TermParams) (any, error) {
			_, err := w.owner.CloseTerm(ctx, p.ID)
			return struct{}{}, err
		})
	case signal.MethodTermSearch:
		return decoded(params, w.owner.search)
	case signal.MethodTermLines:
		return decoded(params, w.owner.lines)
	case signal.MethodTermText:
		return decoded(params, w.owner.text)
	}
	return nil, signal.NoMethod(method)
}

func decoded[T any](params json.RawMessage, act func(T) (any, error)) (any, error) {
	var p T
	if err := signal.DecodeParams(params, &p); err != nil {
		return nil, err
	}
	return act(p)
}
