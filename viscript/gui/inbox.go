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
	mu    sync.Mutex // guards wake
	wake  func()     // makes the goroutine that draws look; nil until there is one
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
	b.mu.Lock()
	wake := b.wake
	b.mu.Unlock()
	if wake != nil {
		wake()
	}
	return true
}

// onPost says how the goroutine that draws is woken.
func (b *inbox) onPost(wake func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake = wake
}

// take calls what was posted so far and reports whether there was anything.
func (b *inbox) take(d *desktop.Desktop) (any bool) {
	for range maxPosts { // what is posted meanwhile can wait for the next picture
		select {
		case f := <-b.posts:
			f(d)
			any = true
		default:
			return any
		}
	}
	return any
}
