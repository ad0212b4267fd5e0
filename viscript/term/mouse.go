package term

import "strconv"

// A MouseButton is a button of the mouse, or a direction of its wheel.
type MouseButton uint8

// The buttons, and no button, for motion without any.
const (
	NoButton MouseButton = iota
	LeftButton
	MiddleButton
	RightButton
	WheelUp
	WheelDown
	WheelLeft
	WheelRight
)

// A MouseAction is what was done with a button.
type MouseAction uint8

// Wheels are pressed only.
const (
	Press MouseAction = iota
	Release
	Motion
)

// A Mouse is an event at a cell. For Motion, Button is the one held.
type Mouse struct {
	Action MouseAction
	Button MouseButton
	X, Y   int // from 0
	Mods   Mods
}

// Append appends what the program reads for the event: nothing if it did not ask for such. Wheels
// in the alternate screen become arrow keys for a program that wants no mouse.
func (e Mouse) Append(dst []byte, m Modes) []byte {
	if m.Mouse == MouseOff {
		if m.AltScreen && m.AltScroll && e.Action == Press && (e.Button == WheelUp || e.Button == WheelDown) {
			key := Key{Code: Up + KeyCode(e.Button-WheelUp)}
			for range 3 {
				dst = key.Append(dst, m)
			}
		}
		return dst
	}
	if !e.wanted(m.Mouse) || e.X < 0 || e.Y < 0 {
		return dst
	}
	if m.MouseSGR {
		return e.appendSGR(dst, m.Mouse)
	}
	if e.X > 222 || e.Y > 222 {
		return dst // no byte stands for it
	}
	code := e.code(m.Mouse)
	if e.Action == Release {
		code |= 3
	}
	return append(dst, 0x1b, '[', 'M', byte(32+code), byte(33+e.X), byte(33+e.Y))
}

func (e Mouse) wanted(mode MouseMode) bool {
	switch e.Action {
	case Press:
		return e.Button != NoButton && (mode > MousePress || e.Button <= RightButton)
	case Release:
		return mode > MousePress && e.Button >= LeftButton && e.Button <= RightButton
	}
	return mode == MouseMotion || mode == MouseDrag && e.Button != NoButton
}

// code is the button, motion and modifiers in one number, as xterm counts them.
func (e Mouse) code(mode MouseMode) int {
	code := 3
	switch {
	case e.Button >= WheelUp:
		code = 64 + int(e.Button-WheelUp)
	case e.Button != NoButton:
		code = int(e.Button - LeftButton)
	}
	if e.Action == Motion {
		code += 32
	}
	if mode == MousePress {
		return code
	}
	return code | int(e.Mods&Shift)<<2 | int(e.Mods&Alt)<<2 | int(e.Mods&Ctrl)<<2
}

func (e Mouse) appendSGR(dst []byte, mode MouseMode) []byte {
	dst = append(dst, "\x1b[<"...)
	for i, v := range [3]int{e.code(mode), e.X + 1, e.Y + 1} {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = strconv.AppendInt(dst, int64(v), 10)
	}
	if e.Action == Release {
		return append(dst, 'm')
	}
	return append(dst, 'M')
}
