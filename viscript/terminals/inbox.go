package terminals

import "sync"

// maxWaiting bounds what waits for a program that does not read, in bytes. What does not fit as a
// whole is dropped, so that no key sequence is cut.
const maxWaiting = 1 << 20

// inbox is what was typed and has not been read. Safe for concurrent use.
type inbox struct {
	mu   sync.Mutex // guards the following
	buf  []byte
	come chan struct{} // capacity 1: has a value when buf is not empty
}

func newInbox() *inbox { return &inbox{come: make(chan struct{}, 1)} }

// put adds p; false if there is no room.
func (b *inbox) put(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf)+len(p) > maxWaiting {
		return false
	}
	b.buf = append(b.buf, p...)
	select {
	case b.come <- struct{}{}:
	default:
	}
	return true
}

// take returns all there is; the slice is the caller's.
func (b *inbox) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.buf
	b.buf = nil
	return p
}
