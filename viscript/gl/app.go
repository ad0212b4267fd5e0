package gl

import (
	"errors"
	"time"

	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

const (
	// FrameInterval is the least time from one frame to the next; for typedTime after a key it is a quarter of that,
	// since somebody waits for the answer.
	FrameInterval = time.Second / 30
	typedTime     = 250 * time.Millisecond
	// echoTime is how long a frame for which a key is the only reason waits for what the key does: drawn
	// without it, it would only be in its way.
	echoTime = 8 * time.Millisecond
)

// ExitLost is the code with which the process ends when the display server goes away and Config.Lost
// returns or is nil.
const ExitLost = 75

// The errors of Open; what they wrap or follow says why.
var (
	// ErrNotBuilt: this executable was built without the window.
	ErrNotBuilt = errors.New("gl: built without the window")
	// ErrNoDisplay: there is no X server that can be reached.
	ErrNoDisplay = errors.New("gl: no display")
	// ErrNoGL: there is no OpenGL 4.1, or no library for it.
	ErrNoGL = errors.New("gl: no OpenGL 4.1")
)

// A Config is what a window begins with. All of it may be zero.
type Config struct {
	Title         string // default "viscript"
	Width, Height int    // in window units, default 1280 by 720
	// Lost is called when the display server goes away, on any goroutine; the process must end soon: nothing of
	// the window works any more. When it returns, the process ends with ExitLost.
	Lost func()
}

// Content is what a terminal shows.
type Content = scene.Content

// An App is what is in the window. All calls come from the goroutine that called Run.
type App interface {
	// Handle takes an input. Its At is on the clock of Window.Now.
	Handle(in desktop.Input)
	// Draw puts what is to be seen into s, which it empties first; its bounds and scale are those of the last
	// Resized input.
	Draw(s *scene.Scene)
	// Content is what a grid of the drawn scene shows. It is read before the next call.
	Content(cells *scene.Cells) Content
	// NextTick is when to call Handle with a Tick though nothing happens; false: never.
	NextTick() (at time.Duration, ok bool)
}
