package desktop

import (
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// An InputKind is what happened at the window.
type InputKind uint8

// The kinds, and the fields of Input they use beside At and Mods.
const (
	Motion  InputKind = iota + 1 // X, Y; also when only the modifiers have changed
	Press                        // Button, X, Y
	Release                      // Button, X, Y
	Wheel                        // DX, DY in notches, up and left positive; X, Y
	KeyDown                      // Key, Rune; again for each repeat
	Char                         // Rune, as the layout made it
	Resized                      // X, Y: the new size; Scale: pixels for a unit
	FocusIn                      // the window has the keyboard
	FocusOut
	Leave // the pointer is not over the window
	Tick  // time has passed
)

// An Input is something that happened at the window. X, Y of the mouse are where the pointer was at the
// event, not where it is now. Numbers that are not finite make the input count for nothing.
type Input struct {
	Kind   InputKind
	Button Button
	Key    KeyCode
	Mods   Mods
	Rune   rune // of KeyDown Character: what the key writes without Ctrl and Alt, lower case
	X, Y   float32
	DX, DY float32
	Scale  float32
	At     time.Duration // since any moment, never less than before
}

func (in *Input) point() scene.Point { return scene.Point{X: in.X, Y: in.Y} }

func (in *Input) finite() bool {
	return scene.Finite(in.X) && scene.Finite(in.Y) && scene.Finite(in.DX) && scene.Finite(in.DY) && scene.Finite(in.Scale)
}

// A Button is one of the mouse, numbered as in package term.
type Button uint8

// The buttons; wheels only in a Mouse of a Request.
const (
	NoButton Button = iota
	Left
	Middle
	Right
	WheelUp
	WheelDown
	WheelLeft
	WheelRight
)

// Mods are the modifier keys held, numbered as in package term.
type Mods uint8

// The modifiers.
const (
	Shift Mods = 1 << iota
	Alt
	Ctrl
	Super
)

// A KeyCode is a key that writes no character, or Character. They are numbered as in package term.
type KeyCode uint8

// The keys. A Character without Ctrl, Alt or Super counts for nothing, since a Char follows it.
const (
	Character KeyCode = iota
	KeyEnter
	KeyTab
	KeyBackspace
	KeyEscape
	KeyUpArrow
	KeyDownArrow
	KeyRight
	KeyLeft
	KeyHome
	KeyEnd
	KeyInsert
	KeyDelete
	KeyPageUp
	KeyPageDown
	KeyF1
	KeyF2
	KeyF3
	KeyF4
	KeyF5
	KeyF6
	KeyF7
	KeyF8
	KeyF9
	KeyF10
	KeyF11
	KeyF12
	KeypadEnter
)
