// Package gl is the window: it draws a scene.Scene and the terminals in it with OpenGL 4.1, and turns what
// happens at the window into desktop.Input. It decides nothing. It is the only package with cgo; built
// without cgo, with -tags headless, or for another system than Linux, Open says that there is no window.
//
//	w, err := gl.Open(gl.Config{Title: "viscript"})  // ErrNoDisplay, ErrNoGL, ErrNotBuilt
//	defer w.Close()
//	err = w.Run(ctx, app)                            // until the window is closed or ctx is done
//
// Open locks the calling goroutine to its thread until Close; Run and Close belong to that goroutine, and
// all calls of the App come on it. Only Post may be called from others.
//
// The loop sleeps until something happens: an event of the window, Post, or the time that App.NextTick tells.
// Several events become one frame, and frames are at least FrameInterval apart; when nothing looks different,
// nothing is drawn. What has changed is drawn into a picture of our own, since what a screen buffer holds after
// it was shown is not defined; with a software renderer into the buffer itself, of which only that is shown then.
package gl
