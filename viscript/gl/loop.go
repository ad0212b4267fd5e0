//go:build cgo && linux && !headless

package gl

import (
	"context"
	"image"
	"time"

	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop"
)

// blinkTime is for how long blinking text is seen, and then not.
const blinkTime = 500 * time.Millisecond

// Run shows app until somebody closes the window or ctx is done; both return nil.
func (w *Window) Run(ctx context.Context, app App) error {
	w.app = app
	defer func() { w.app = nil }()
	defer context.AfterFunc(ctx, w.wake)()
	w.resized()
	w.redraw = true
	next := w.Now() // no frame before
	for ctx.Err() == nil && !w.win.ShouldClose() {
		w.tick()
		if now := w.Now(); w.input && now >= max(next, w.echo) {
			if err := w.frame(); err != nil {
				return err
			}
			next = now + w.interval(now)
		}
		w.wait(next)
		w.runPosts()
	}
	return nil
}

// interval is the least time from a frame at now to the next one.
func (w *Window) interval(now time.Duration) time.Duration {
	if w.typed > 0 && now-w.typed < typedTime {
		return FrameInterval / 4
	}
	return FrameInterval
}

// tick tells the app that a time has come that it waited for.
func (w *Window) tick() {
	if at, ok := w.app.NextTick(); ok && w.Now() >= at {
		w.handle(desktop.Input{Kind: desktop.Tick})
	}
}

// wait sleeps until an event, the next tick, or, if something is to be drawn, the time of the next frame.
func (w *Window) wait(next time.Duration) {
	now := w.Now()
	until := time.Duration(-1)
	soon := func(t time.Duration) {
		if until < 0 || t < until {
			until = t
		}
	}
	if w.input {
		soon(max(next, w.echo))
	}
	if at, ok := w.app.NextTick(); ok {
		soon(at)
	}
	if w.b.Blinks() {
		soon((now/blinkTime + 1) * blinkTime)
	}
	switch {
	case len(w.posts) > 0 || until >= 0 && until <= now:
		glfw.PollEvents()
	case until < 0:
		glfw.WaitEvents()
	default:
		glfw.WaitEventsTimeout((until - now).Seconds())
	}
	if w.b.Blinks() && w.dark(w.Now()) != w.lastDark {
		w.input = true
	}
}

// dark: blinking text is not seen at that time.
func (w *Window) dark(now time.Duration) bool { return now/blinkTime%2 == 1 }

// wake ends a wait. It may be called from any goroutine.
func (w *Window) wake() {
	w.life.RLock()
	defer w.life.RUnlock()
	if !w.gone {
		glfw.PostEmptyEvent()
	}
}

// runPosts calls what was posted up to now.
func (w *Window) runPosts() {
	for range len(w.posts) {
		(<-w.posts)()
		w.input, w.echo = true, 0
	}
}

// frame draws what the app shows, if it looks different. It asks the X server nothing, which may have much to do.
func (w *Window) frame() error {
	w.input = false
	if w.width <= 0 || w.height <= 0 || w.iconic {
		return nil
	}
	if w.r.resize(w.width, w.height) {
		w.b.Invalidate()
	}
	w.app.Draw(&w.scene)
	w.lastDark = w.dark(w.Now())
	f := w.b.Build(&w.scene, w.app.Content, w.lastDark)
	if len(f.Damage) > 0 {
		w.r.draw(f)
	}
	w.r.forget(w.b)
	w.pointers.show(w.win, w.scene.Pointer)
	if len(f.Damage) > 0 || w.redraw {
		w.redraw = !w.r.present(f, w.redraw)
		w.input = w.input || w.redraw
	}
	return nil
}

// Image is what was drawn last, in pixels; nil if it cannot be read.
func (w *Window) Image() *image.RGBA {
	img, err := w.r.image()
	if err != nil {
		return nil
	}
	return img
}
