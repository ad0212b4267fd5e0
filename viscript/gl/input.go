//go:build cgo && linux && !headless

package gl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop"
)

// listen has the events of the window handled.
func (w *Window) listen() {
	w.win.SetInputMode(glfw.LockKeyMods, glfw.True)
	w.win.SetKeyCallback(w.onKey)
	w.win.SetCharCallback(func(_ *glfw.Window, r rune) { w.handle(desktop.Input{Kind: desktop.Char, Rune: r}) })
	//lint:ignore SA1019 nothing else tells what Alt with a character writes; GLFW 3.3 stays as it is
	w.win.SetCharModsCallback(w.onCharMods)
	w.win.SetMouseButtonCallback(w.onButton)
	w.win.SetCursorPosCallback(w.onMotion)
	w.win.SetCursorEnterCallback(w.onEnter)
	w.win.SetScrollCallback(func(_ *glfw.Window, dx, dy float64) {
		w.handle(desktop.Input{Kind: desktop.Wheel, DX: float32(dx), DY: float32(dy)})
	})
	w.win.SetFocusCallback(w.onFocus)
	w.win.SetRefreshCallback(func(*glfw.Window) { w.input, w.redraw = true, true })
	w.win.SetFramebufferSizeCallback(func(*glfw.Window, int, int) { w.resized() })
	w.win.SetContentScaleCallback(func(*glfw.Window, float32, float32) { w.resized() })
	w.win.SetIconifyCallback(func(_ *glfw.Window, on bool) { w.iconic, w.input, w.redraw = on, true, true })
}

// handle passes an input to the app, with time, modifiers and the place of the pointer as it was at
// the last event about it: asking the server would tell where it is now.
func (w *Window) handle(in desktop.Input) {
	w.input = true
	if w.app == nil {
		return // events before Run; it tells size itself
	}
	in.At, in.Mods = w.Now(), w.mods
	if in.Kind == desktop.KeyDown || in.Kind == desktop.Char {
		w.typed, w.echo = in.At, in.At+echoTime
	}
	if in.Kind != desktop.Resized {
		in.X, in.Y = w.x, w.y
	}
	w.app.Handle(in)
}

func (w *Window) resized() {
	width, height := w.measure()
	w.redraw = true
	w.handle(desktop.Input{Kind: desktop.Resized, X: width, Y: height, Scale: w.scale})
}

func (w *Window) onMotion(_ *glfw.Window, x, y float64) {
	f := w.ratio / w.scale
	w.x, w.y = float32(x)*f, float32(y)*f
	w.handle(desktop.Input{Kind: desktop.Motion})
}

func (w *Window) onEnter(_ *glfw.Window, in bool) {
	if !in {
		w.handle(desktop.Input{Kind: desktop.Leave})
	}
}

func (w *Window) onFocus(_ *glfw.Window, in bool) {
	w.mods = 0 // keys held now may be let go elsewhere
	kind := desktop.FocusOut
	if in {
		kind = desktop.FocusIn
	}
	w.handle(desktop.Input{Kind: kind})
}

func (w *Window) onButton(_ *glfw.Window, b glfw.MouseButton, action glfw.Action, mods glfw.ModifierKey) {
	w.setMods(mods)
	buttons := [...]desktop.Button{glfw.MouseButtonLeft: desktop.Left, glfw.MouseButtonRight: desktop.Right, glfw.MouseButtonMiddle: desktop.Middle}
	if int(b) >= len(buttons) {
		return
	}
	kind := desktop.Press
	if action == glfw.Release {
		kind = desktop.Release
	}
	w.handle(desktop.Input{Kind: kind, Button: buttons[b]})
}

func (w *Window) setMods(mods glfw.ModifierKey) {
	w.mods, w.locks = 0, mods
	for _, m := range [...]struct {
		from glfw.ModifierKey
		to   desktop.Mods
	}{{glfw.ModShift, desktop.Shift}, {glfw.ModAlt, desktop.Alt}, {glfw.ModControl, desktop.Ctrl}, {glfw.ModSuper, desktop.Super}} {
		if mods&m.from != 0 {
			w.mods |= m.to
		}
	}
}

func (w *Window) onKey(_ *glfw.Window, key glfw.Key, scancode int, action glfw.Action, mods glfw.ModifierKey) {
	w.setMods(mods)
	if m := modifier(key); m != 0 {
		// the event says what was held before it
		if w.mods |= m; action == glfw.Release {
			w.mods &^= m
		}
		w.handle(desktop.Input{Kind: desktop.Motion})
		return
	}
	if action == glfw.Release {
		return
	}
	if code, ok := keyCode(key, w.locks&glfw.ModNumLock != 0); ok {
		w.handle(desktop.Input{Kind: desktop.KeyDown, Key: code})
		return
	}
	if w.mods&(desktop.Ctrl|desktop.Super) == 0 {
		return // what it writes follows
	}
	if r := written(key, scancode); r != 0 {
		w.handle(desktop.Input{Kind: desktop.KeyDown, Key: desktop.Character, Rune: r})
	}
}

// onCharMods gets every character; those with Alt alone come nowhere else with what the layout and Shift
// made of them.
func (w *Window) onCharMods(_ *glfw.Window, r rune, mods glfw.ModifierKey) {
	if mods&glfw.ModAlt != 0 && mods&(glfw.ModControl|glfw.ModSuper) == 0 {
		w.handle(desktop.Input{Kind: desktop.KeyDown, Key: desktop.Character, Rune: unicode.ToLower(r)})
	}
}

// written is what a key writes without modifiers. With Ctrl a key of another script means the Latin letter
// at its place.
func written(key glfw.Key, scancode int) rune {
	if key == glfw.KeySpace {
		return ' '
	}
	name := glfw.GetKeyName(key, scancode)
	r, n := utf8.DecodeRuneInString(name)
	if n == 0 || n != len(name) || r == utf8.RuneError || r < ' ' {
		r = 0
	}
	if (r == 0 || r >= 0x250) && key >= glfw.KeyA && key <= glfw.KeyZ {
		return 'a' + rune(key-glfw.KeyA)
	}
	return unicode.ToLower(r)
}

func modifier(key glfw.Key) desktop.Mods {
	switch key {
	case glfw.KeyLeftShift, glfw.KeyRightShift:
		return desktop.Shift
	case glfw.KeyLeftControl, glfw.KeyRightControl:
		return desktop.Ctrl
	case glfw.KeyLeftAlt, glfw.KeyRightAlt:
		return desktop.Alt
	case glfw.KeyLeftSuper, glfw.KeyRightSuper:
		return desktop.Super
	}
	return 0
}

// keyCode is the key that writes nothing; of the keypad those that write digits only with Num Lock.
func keyCode(key glfw.Key, numLock bool) (desktop.KeyCode, bool) {
	if key >= glfw.KeyF1 && key <= glfw.KeyF12 {
		return desktop.KeyF1 + desktop.KeyCode(key-glfw.KeyF1), true
	}
	if !numLock {
		if c, ok := keypad(key); ok {
			return c, true
		}
	}
	switch key {
	case glfw.KeyEnter:
		return desktop.KeyEnter, true
	case glfw.KeyTab:
		return desktop.KeyTab, true
	case glfw.KeyBackspace:
		return desktop.KeyBackspace, true
	case glfw.KeyEscape:
		return desktop.KeyEscape, true
	case glfw.KeyUp:
		return desktop.KeyUpArrow, true
	case glfw.KeyDown:
		return desktop.KeyDownArrow, true
	case glfw.KeyRight:
		return desktop.KeyRight, true
	case glfw.KeyLeft:
		return desktop.KeyLeft, true
	case glfw.KeyHome:
		return desktop.KeyHome, true
	case glfw.KeyEnd:
		return desktop.KeyEnd, true
	case glfw.KeyInsert:
		return desktop.KeyInsert, true
	case glfw.KeyDelete:
		return desktop.KeyDelete, true
	case glfw.KeyPageUp:
		return desktop.KeyPageUp, true
	case glfw.KeyPageDown:
		return desktop.KeyPageDown, true
	case glfw.KeyKPEnter:
		return desktop.KeypadEnter, true
	}
	return 0, false
}

// keypad is what a key of the keypad is without Num Lock.
func keypad(key glfw.Key) (desktop.KeyCode, bool) {
	switch key {
	case glfw.KeyKP0:
		return desktop.KeyInsert, true
	case glfw.KeyKP1:
		return desktop.KeyEnd, true
	case glfw.KeyKP2:
		return desktop.KeyDownArrow, true
	case glfw.KeyKP3:
		return desktop.KeyPageDown, true
	case glfw.KeyKP4:
		return desktop.KeyLeft, true
	case glfw.KeyKP6:
		return desktop.KeyRight, true
	case glfw.KeyKP7:
		return desktop.KeyHome, true
	case glfw.KeyKP8:
		return desktop.KeyUpArrow, true
	case glfw.KeyKP9:
		return desktop.KeyPageUp, true
	case glfw.KeyKPDecimal:
		return desktop.KeyDelete, true
	}
	return 0, false
}

// clean is text without what a C string cannot hold.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "") }
