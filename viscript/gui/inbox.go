package gui

import (
	"context"
	"sync"

	"github.com/skycoin/viscript/viscript/desktop"
)

// maxPosts is how many posts wait for the goroutine that draws.
const maxPosts = 256

// An inbox carries what feeds have to say to the goroutine that draws, which owns the desktop. When it is full
// those who post wait: a window that draws slowly is told less often. Safe for concurrent use.
type inbox struct {
	posts chan func(*desktop.Desktop)

	mu     sync.Mutex // guards the following
	wake   func()     // makes the goroutine that draws look; nil until there is one
	asleep bool       // it has not been woken since it looked last
}

func newInbox() *inbox { return &inbox{posts: make(chan func(*desktop.Desktop), maxPosts)} }

// post has f called on the goroutine that draws, after all that was posted before. It reports false when ctx
// ended first.
func (b *inbox) post(ctx context.Context, f func(*desktop.Desktop)) bool {
	select {
	case b.posts <- f:
	case <-ctx.Done():
		return false
	}
	b.rouse()
	return true
}

// rouse wakes the goroutine that draws unless that was done and it has not looked yet.
func (b *inbox) rouse() {
	b.mu.Lock()
	wake := b.wake
	if b.asleep {
		b.asleep = false
	} else {
		wake = nil
	}
	b.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// woken notes that the goroutine that draws is about to take.
func (b *inbox) woken() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asleep = true
}

// onPost says how the goroutine that draws is woken.
func (b *inbox) onPost(wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake, b.asleep = wake, true
}

// take calls what was posted so far. What is posted meanwhile waits for the next time.
func (b *inbox) take(d *desktop.Desktop) {
	for range len(b.posts) {
		(<-b.posts)(d)
	}
	if len(b.posts) > 0 {
		b.rouse()
	}
}
