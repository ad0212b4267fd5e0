package discovery

import (
	"github.com/skycoin/viscript/node/identity"
)

// Watch is somebody who wants to hear of changes. tell is called without locks, from any goroutine, and must not block; records
// may come out of order.
type Watch struct {
	tell func(Record)
	keys map[identity.PubKey]struct{} // guarded by the book's mu
}

// NewWatch makes a watch of nothing.
func NewWatch(tell func(Record)) *Watch { return &Watch{tell: tell} }

// Set makes w hear of these keys, and no others, from now on.
func (b *Book) Set(w *Watch, keys []identity.PubKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unset(w)
	w.keys = map[identity.PubKey]struct{}{}
	for _, k := range keys {
		w.keys[k] = struct{}{}
		if b.watchers[k] == nil {
			b.watchers[k] = map[*Watch]struct{}{}
		}
		b.watchers[k][w] = struct{}{}
	}
}

// Follow makes w hear of every key.
func (b *Book) Follow(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follows[w] = struct{}{}
}

// Drop ends a watch.
func (b *Book) Drop(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unset(w)
	delete(b.follows, w)
}

func (b *Book) unset(w *Watch) {
	for k := range w.keys {
		delete(b.watchers[k], w)
		if len(b.watchers[k]) == 0 {
			delete(b.watchers, k)
		}
	}
	w.keys = nil
}

// interested lists who hears of a key, once each.
func (b *Book) interested(key identity.PubKey) []*Watch {
	var list []*Watch
	for w := range b.follows {
		list = append(list, w)
	}
	for w := range b.watchers[key] {
		if _, is := b.follows[w]; !is {
			list = append(list, w)
		}
	}
	return list
}
