package command

import (
	"context"
	"io"
)

// Terminal is a terminal that a command has to itself: keys come as they are typed, without
// echo, and what is written goes to the screen as it is.
type Terminal interface {
	io.Writer
	// Input carries what is typed, in order; it is closed when the terminal is gone.
	Input() <-chan []byte
	// Size is in character cells, 80 by 24 where the terminal does not tell.
	Size() (columns, rows int)
	// Resized has a value after the size has changed.
	Resized() <-chan struct{}
}

// Lender lends the terminal of a prompt to the command it runs. The caller of Borrow calls
// giveBack, once, before the command ends. nil stands for a console without a terminal.
type Lender interface {
	Borrow(ctx context.Context) (t Terminal, giveBack func(), err error)
}

// The keys commands look for in what is typed.
const (
	keyInterrupt = 'C' - '@'
	keySuspend   = 'Z' - '@'
	keyEscape    = 0x1b
)

// Sequences of the full-screen views (xterm): the alternate screen leaves what was there as it is.
const (
	alternateOn  = "\x1b[?1049h\x1b[?25l\x1b[?7l" // without cursor, long lines are cut
	alternateOff = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	home         = "\x1b[H"
	eraseRight   = "\x1b[K"
	eraseBelow   = "\x1b[J"
)
