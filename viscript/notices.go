package viscript

import (
	"bytes"
	"io"
	"sync"
)

// Notices carries lines that nobody asked for (an app ended, the daemon's own log) to where
// a person sees them: above the prompt while there is one, otherwise to a plain writer. It is
// an io.Writer for whole lines. Safe for concurrent use.
type Notices struct {
	mu    sync.Mutex // guards the following; held while a line is written, so that lines stay whole
	plain io.Writer
	above func(line string) // nil: no prompt
}

// NewNotices makes one that writes to plain while there is no prompt.
func NewNotices(plain io.Writer) *Notices { return &Notices{plain: plain} }

// Line shows one line, given without its end.
func (n *Notices) Line(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.above != nil {
		n.above(line)
		return
	}
	_, _ = io.WriteString(n.plain, line+"\n") // nobody is there to hear that it failed
}

// Write shows each line of p.
func (n *Notices) Write(p []byte) (int, error) {
	for _, line := range bytes.Split(bytes.TrimSuffix(p, []byte("\n")), []byte("\n")) {
		n.Line(string(line))
	}
	return len(p), nil
}

func (n *Notices) attach(above func(string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.above = above
}
