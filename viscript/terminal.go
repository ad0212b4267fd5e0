package viscript

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/term"
)

// Terminal is the terminal of this process while a program has it to itself: raw, without
// echo. It is a command.Terminal. Not safe for concurrent use.
type Terminal struct {
	out      *os.File
	input    <-chan []byte
	resized  <-chan struct{}
	unwatch  func()
	restore  func()
	closeOne sync.Once
}

// OpenTerminal takes the terminal at in and out; Close gives it back as it was.
func OpenTerminal(in, out *os.File) (*Terminal, error) {
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("preparing the terminal: %w", err)
	}
	input, stop, err := readTerminal(in)
	if err != nil {
		_ = term.Restore(int(in.Fd()), old)
		return nil, fmt.Errorf("reading the terminal: %w", err)
	}
	t := &Terminal{out: out, input: input}
	t.resized, t.unwatch = watchSize()
	t.restore = func() { stop(); _ = term.Restore(int(in.Fd()), old) } // a terminal that is gone needs no mode
	return t, nil
}

// Write shows p as it is.
func (t *Terminal) Write(p []byte) (int, error) { return t.out.Write(p) }

// Input carries what is typed; closed when the terminal is gone.
func (t *Terminal) Input() <-chan []byte { return t.input }

// Resized has a value after the size has changed.
func (t *Terminal) Resized() <-chan struct{} { return t.resized }

// Size is in character cells.
func (t *Terminal) Size() (columns, rows int) {
	columns, rows, err := term.GetSize(int(t.out.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// Close gives the terminal back. Idempotent.
func (t *Terminal) Close() error {
	t.closeOne.Do(func() { t.unwatch(); t.restore() })
	return nil
}
