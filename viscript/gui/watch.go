package gui

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

// watches is what somebody looks at, and so what feeds have to bring. Safe for concurrent use.
type watches struct {
	mu      sync.Mutex // guards the following
	panels  map[desktop.Content]bool
	pages   map[signal.ID]bool
	inSight []uint64      // apps whose rows are seen; nil: not known
	changed chan struct{} // closed at the next change
}

func newWatches() *watches {
	return &watches{panels: map[desktop.Content]bool{}, pages: map[signal.ID]bool{}, changed: make(chan struct{})}
}

func (w *watches) set(c desktop.Content, app uint64, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c == desktop.AppContent && on:
		w.pages[signal.ID(app)] = true
	case c == desktop.AppContent:
		delete(w.pages, signal.ID(app))
	default:
		w.panels[c] = on
	}
	w.changeLocked()
}

// look wakes every feed, as if something else were watched now.
func (w *watches) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changeLocked()
}

func (w *watches) changeLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watches) on(c desktop.Content) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.panels[c]
}

// pageList are the apps whose pages are open.
func (w *watches) pageList() []signal.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.pages))
}

func (w *watches) see(apps []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inSight = apps
}

func (w *watches) seen() []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inSight
}

// wait returns after d, or at once when something else is watched; a d of zero waits for that alone. It
// reports false when ctx has ended.
func (w *watches) wait(ctx context.Context, d time.Duration) bool {
	w.mu.Lock()
	changed := w.changed
	w.mu.Unlock()
	return waitFor(ctx, changed, d)
}

func waitFor(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	var passed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-passed:
	}
	return ctx.Err() == nil
}

// state is the channel that the next change closes; taken before what is watched is read, no change is missed.
func (w *watches) state() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
