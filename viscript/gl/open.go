//go:build cgo && linux && !headless

package gl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/gl/batch"
	"github.com/skycoin/viscript/viscript/gl/glyph"
	"github.com/skycoin/viscript/viscript/gl/x11lazy"
)

// Built tells whether this executable has the window.
const Built = true

const (
	defaultWidth, defaultHeight = 1280, 720
	minWidth, minHeight         = 240, 160
	// maxPosts is how many functions wait for the loop; Post blocks when there are more.
	maxPosts = 256
)

// A Window is on the screen from Open to Close. See the package for which goroutine may call what.
type Window struct {
	start    time.Time
	win      *glfw.Window
	r        *renderer
	b        *batch.Builder
	pointers pointers
	app      App // while Run runs

	width    int // in pixels, at the last event
	height   int
	iconic   bool
	scale    float32 // pixels for a window unit
	ratio    float32 // pixels for a unit of GLFW
	mods     desktop.Mods
	locks    glfw.ModifierKey
	x, y     float32       // of the pointer at the last event
	typed    time.Duration // when a key was pressed last
	echo     time.Duration // until when a frame waits for what that does
	input    bool          // something came since the last frame
	redraw   bool          // what is on the screen is lost
	scene    scene.Scene
	lastDark bool // in the last frame blinking text was not seen

	life    sync.RWMutex // guards the following; held while waking
	gone    bool         // GLFW is no more
	posts   chan func()
	done    chan struct{} // closed by Close
	readers sync.WaitGroup
	closed  sync.Once
}

// Open opens the window; it is on the screen when Open returns, and empty until Run. The goroutine is locked
// to its thread until Close. The errors are ErrNoDisplay and ErrNoGL with the reason.
func Open(cfg Config) (*Window, error) {
	if err := checkDisplay(os.Getenv("DISPLAY")); err != nil {
		return nil, err
	}
	if err := x11lazy.Load(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoGL, err)
	}
	fonts, err := glyph.Open()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	w := &Window{start: time.Now(), b: batch.NewBuilder(fonts), posts: make(chan func(), maxPosts), done: make(chan struct{})}
	if err := guarded(func() error { return w.open(cfg) }); err != nil {
		glfw.Terminate()
		runtime.UnlockOSThread()
		return nil, err
	}
	return w, nil
}

// guarded turns two panics of the GLFW binding into errors: they are nobody's mistake, and it cannot be asked before. Its
// Init only logs that the server gave no display, and returns nil, so that the next call panics with notInitialized:
// checkDisplay has found a server, but that may refuse us, or go in between. And its CreateWindow does not accept
// FormatUnavailable, which the driver alone knows. Every other panic goes on.
func guarded(f func() error) (err error) {
	defer func() {
		p := recover()
		e, known := p.(*glfw.Error)
		switch {
		case p == nil:
		case known && e.Code == notInitialized:
			err = fmt.Errorf("%w: %v", ErrNoDisplay, e)
		case known && e.Code == glfw.FormatUnavailable:
			err = fmt.Errorf("%w: %v", ErrNoGL, e)
		default:
			panic(p)
		}
	}()
	return f()
}

// notInitialized is GLFW_NOT_INITIALIZED, which the binding does not export.
const notInitialized glfw.ErrorCode = 0x00010001

func (w *Window) open(cfg Config) error {
	if err := glfw.Init(); err != nil {
		return fmt.Errorf("%w: %v", ErrNoDisplay, err)
	}
	watchDisplay(cfg.Lost)
	for hint, value := range map[glfw.Hint]int{
		glfw.ContextVersionMajor: 4, glfw.ContextVersionMinor: 1, glfw.OpenGLProfile: glfw.OpenGLCoreProfile,
		glfw.OpenGLForwardCompatible: glfw.True, glfw.DepthBits: 0, glfw.StencilBits: 0, glfw.ScaleToMonitor: glfw.True,
		glfw.Visible: glfw.False,
	} {
		glfw.WindowHint(hint, value)
	}
	for hint, value := range map[glfw.Hint]string{glfw.X11ClassName: "viscript", glfw.X11InstanceName: "viscript"} {
		glfw.WindowHintString(hint, value)
	}
	if cfg.Title == "" {
		cfg.Title = "viscript"
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		cfg.Width, cfg.Height = defaultWidth, defaultHeight
	}
	win, err := glfw.CreateWindow(cfg.Width, cfg.Height, cfg.Title, nil, nil)
	if err == nil && win == nil {
		err = errors.New("no context could be made")
	}
	if err != nil {
		return fmt.Errorf("%w: %v", ErrNoGL, err)
	}
	w.win = win
	win.MakeContextCurrent()
	if w.r, err = newRenderer(win, true); err != nil {
		return fmt.Errorf("%w: %v", ErrNoGL, err)
	}
	w.measure()
	win.SetSizeLimits(int(minWidth*w.scale/w.ratio), int(minHeight*w.scale/w.ratio), glfw.DontCare, glfw.DontCare)
	win.SetIcon(icons())
	w.pointers.make()
	w.listen()
	win.Show()
	return nil
}

// measure learns the scale: what the display says, so that a window unit is as large everywhere.
func (w *Window) measure() (width, height float32) {
	fw, fh := w.win.GetFramebufferSize()
	ww, _ := w.win.GetSize()
	w.width, w.height = fw, fh
	w.ratio = 1
	if ww > 0 && fw > 0 {
		w.ratio = float32(fw) / float32(ww)
	}
	sx, _ := w.win.GetContentScale()
	if !(sx >= 0.5 && sx <= 8) {
		sx = 1
	}
	w.scale = sx
	return float32(fw) / sx, float32(fh) / sx
}

// Now is the time on the clock of inputs and ticks. Safe for concurrent use.
func (w *Window) Now() time.Duration { return time.Since(w.start) }

// SetTitle changes the title.
func (w *Window) SetTitle(title string) { w.win.SetTitle(clean(title)) }

// Close takes the window from the screen and waits for readers of the clipboard. It is idempotent.
func (w *Window) Close() {
	w.closed.Do(func() {
		close(w.done)
		w.win.Destroy()
		w.readers.Wait()
		w.life.Lock()
		w.gone = true
		w.life.Unlock()
		glfw.Terminate()
		runtime.UnlockOSThread()
	})
}

// Post has f called by Run soon, and then a frame is drawn. It may be called from any goroutine; it blocks
// while 256 others wait. False: the window was closed, f will not be called.
func (w *Window) Post(f func()) bool {
	select {
	case <-w.done:
		return false
	default:
	}
	select {
	case w.posts <- f:
		w.wake()
		return true
	case <-w.done:
		return false
	}
}
