package viscript

import (
	"bytes"
	"io"
	"sync"
)

// Notices carries lines that nobody asked for (an app ended, the daemon's own log) to where
// a person sees them: above the prompts there are, and to a plain writer while nobody sits at
// the daemon's own terminal. It is an io.Writer for whole lines. Safe for concurrent use.
type Notices struct {
	mu      sync.Mutex // guards the following; held while a line is written, so that lines stay whole
	plain   io.Writer
	prompts map[*seat]bool
}

// seat is a prompt that shows notices.
type seat struct {
	above func(line string)
	own   bool // at the daemon's own terminal
}

// NewNotices makes one that writes to plain while there is no prompt.
func NewNotices(plain io.Writer) *Notices { return &Notices{plain: plain, prompts: map[*seat]bool{}} }

// Line shows one line, given without its end.
func (n *Notices) Line(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	own := false
	for s := range n.prompts {
		s.above(line)
		own = own || s.own
	}
	if !own {
		_, _ = io.WriteString(n.plain, line+"\n") // nobody is there to hear that it failed
	}
}

// Tell shows one line above the prompts there are, and nowhere else: what it says is for people, not for a log.
func (n *Notices) Tell(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.prompts {
		s.above(line)
	}
}

// Write shows each line of p.
func (n *Notices) Write(p []byte) (int, error) {
	for _, line := range bytes.Split(bytes.TrimSuffix(p, []byte("\n")), []byte("\n")) {
		n.Line(string(line))
	}
	return len(p), nil
}

// attach shows notices above a prompt until detach is called.
func (n *Notices) attach(above func(string), own bool) (detach func()) {
	s := &seat{above, own}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.prompts[s] = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.prompts, s)
	}
}
