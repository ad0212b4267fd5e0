//go:build cgo && linux && !headless

package gl

// #include <stdlib.h>
// #include "x11.h"
import "C"

import (
	"runtime/cgo"
	"strings"
	"time"
	"unsafe"

	"github.com/go-gl/glfw/v3.3/glfw"
)

const (
	// maxPaste is how many bytes of a selection are read; a larger one counts for nothing.
	maxPaste = 4 << 20
	// pasteTime is how long the program that has the selection may take.
	pasteTime = 2 * time.Second
)

// watchDisplay has lost called, and the process ended, when the X server goes away: Xlib cannot go on after
// that, and would end the process without a word. The handle is for the rest of the process, as Xlib's
// handler is.
func watchDisplay(lost func()) {
	C.viscript_watch(C.uintptr_t(cgo.NewHandle(lost)), ExitLost)
}

//export viscriptLost
func viscriptLost(handle C.uintptr_t) {
	if lost, ok := cgo.Handle(handle).Value().(func()); ok && lost != nil {
		lost()
	}
}

// Copy offers text to other programs: as clipboard, or as primary selection, which the middle button
// pastes. It is gone when the window is closed.
func (w *Window) Copy(text string, primary bool) {
	if primary {
		glfw.SetX11SelectionString(clean(text))
	} else {
		w.win.SetClipboardString(clean(text))
	}
}

// Paste asks for the clipboard or the primary selection and returns at once; done gets the text as a Post
// does, "" if there is none or its owner does not answer within 2 seconds. At most 4 MiB.
func (w *Window) Paste(primary bool, done func(text string)) {
	w.readers.Go(func() {
		text := readSelection(primary)
		select {
		case w.posts <- func() { done(text) }:
			w.wake()
		case <-w.done:
		}
	})
}

func readSelection(primary bool) string {
	which := C.int(0)
	if primary {
		which = 1
	}
	var size C.size_t
	var latin1 C.int
	p := C.viscript_selection(which, maxPaste, C.int(pasteTime/time.Millisecond), &size, &latin1)
	if p == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(p))
	b := C.GoBytes(unsafe.Pointer(p), C.int(size))
	if latin1 == 0 {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}
