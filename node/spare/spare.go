// Package spare keeps buffers that are used again and again, across garbage collections. A sync.Pool alone is emptied by
// them: under load each collection then makes all buffers be allocated anew, which brings the next one the sooner, and leaves
// memory behind that nobody uses yet.
package spare

import "sync"

// List holds buffers of one kind that are not in use: up to keep of them for good, more for as long as a sync.Pool does.
// Safe for concurrent use.
type List[T any] struct {
	more sync.Pool

	mu   sync.Mutex // guards the following
	free []*T       // at most cap(free)
}

// New makes a list that holds keep buffers for good. create makes one where none is free; it may be called by several at once.
func New[T any](keep int, create func() *T) *List[T] {
	return &List[T]{more: sync.Pool{New: func() any { return create() }}, free: make([]*T, 0, keep)}
}

// Get returns a buffer that is the caller's until Put; what it holds is left over from its last user.
func (l *List[T]) Get() *T {
	l.mu.Lock()
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free[n-1] = nil
		l.free = l.free[:n-1]
		l.mu.Unlock()
		return b
	}
	l.mu.Unlock()
	return l.more.Get().(*T)
}

// Put gives a buffer back. The caller keeps no reference.
func (l *List[T]) Put(b *T) {
	l.mu.Lock()
	if len(l.free) < cap(l.free) {
		l.free = append(l.free, b)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	l.more.Put(b)
}
