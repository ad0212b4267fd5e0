package viscript

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/term"
)

const (
	// keyLeave, typed twice, ends a Show; every other key is the terminal's.
	keyLeave = ']' - '@'
	// leaveWait is how long the first one waits for the second before it is passed on.
	leaveWait = 600 * time.Millisecond
)

// ErrTermClosed ends a Show whose terminal is no more.
var ErrTermClosed = errors.New("the terminal is closed")

// Show makes a person's terminal a window on one of the daemon's terminals: what is on its screen is
// shown, what is typed goes to it, and it gets the size of this one, unless it is fixed. It ends, nil,
// when Ctrl-] is typed twice or t is gone, with ErrTermClosed, or with why the connection has ended.
func Show(ctx context.Context, o *signal.Operator, id string, t command.Terminal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := &show{id: id, tty: t, events: make(chan signal.TermEvent, 4)}
	conn, err := o.Window(ctx, signal.WindowParams{Name: "text"}, signal.WindowHandler{Event: func(e signal.TermEvent) {
		if e.Method == signal.MethodTermList {
			if v.missing = nil; !hasTerm(e.Terms, id) {
				v.missing = command.NoTerm(id, e.Terms)
			}
		} else if e.ID == id {
			select {
			case v.events <- e:
			case <-ctx.Done():
			}
		}
	}})
	if err != nil {
		return err
	}
	defer conn.Close()
	defer cancel() // before Close: an event may be waiting
	if v.missing != nil {
		return v.missing
	}
	v.conn = conn
	v.send(showBegin)
	defer func() { v.send(showEnd) }()
	v.resize()
	conn.Watch(id, true)
	return v.run(ctx)
}

func hasTerm(all []signal.Term, id string) bool {
	for _, t := range all {
		if t.ID == id {
			return true
		}
	}
	return false
}

// The other screen, and back with all undone that modes below may have set.
const (
	showBegin = "\x1b[?1049h\x1b[2J\x1b[?1007l"
	showEnd   = "\x1b[0m\x1b[0 q\x1b[>4;0m\x1b[?5l\x1b[?1l\x1b>\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[?1007h\x1b[?1049l"
)

// show is one Show. Its fields belong to the goroutine of run.
type show struct {
	id      string
	tty     command.Terminal
	conn    *signal.WindowConn
	events  chan signal.TermEvent
	missing error // it is not in the first list

	shot  term.Snapshot
	drawn bool       // the screen shows shot, but for its last update
	modes term.Modes // set in tty
	leave leaving
}

func (v *show) send(s string) { _, _ = v.tty.Write([]byte(s)) } // a terminal that is gone is told by its input

func (v *show) run(ctx context.Context) error {
	for {
		var late <-chan time.Time
		if v.leave.held {
			late = time.After(leaveWait)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-v.conn.Done():
			return v.conn.Err()
		case e := <-v.events:
			if err := v.take(e); err != nil {
				return err
			}
		case <-v.tty.Resized():
			v.drawn = false
			v.resize()
			v.draw()
		case <-late:
			v.conn.Input(v.id, v.leave.pass(nil))
		case p, ok := <-v.tty.Input():
			if !ok {
				return nil
			}
			out, left := v.leave.keys(p)
			v.conn.Input(v.id, out)
			if left {
				return nil
			}
		}
	}
}

func (v *show) resize() {
	cols, rows := v.tty.Size()
	v.conn.Resize(v.id, cols, rows)
}

// take takes what the daemon tells.
func (v *show) take(e signal.TermEvent) error {
	switch e.Method {
	case signal.MethodTermClosed:
		return ErrTermClosed
	case signal.MethodTermBell:
		v.send("\a")
	case signal.MethodTermFrame:
		cols, rows := v.shot.Cols, v.shot.Rows
		if err := v.shot.Apply(e.Update); err != nil {
			return err
		}
		v.drawn = v.drawn && v.shot.Cols == cols && v.shot.Rows == rows
		v.draw()
		v.conn.Shown(v.id, e.Version)
	}
	return nil
}

// draw shows the snapshot, or its last update, as much as there is room for.
func (v *show) draw() {
	if v.shot.Version == 0 {
		return
	}
	cols, rows := v.tty.Size()
	s := clip(&v.shot, cols, rows)
	out := appendModes(nil, v.modes, s.Modes)
	v.modes = s.Modes
	_, _ = v.tty.Write(s.Append(out, v.drawn))
	v.drawn = true
}

// clip is the part of s at the upper left; it shares rows with s.
func clip(s *term.Snapshot, cols, rows int) *term.Snapshot {
	if s.Cols <= cols && s.Rows <= rows {
		return s
	}
	c := *s
	c.Cols, c.Rows = min(s.Cols, cols), min(s.Rows, rows)
	c.Lines, c.Damage = make([]term.Row, c.Rows), nil
	for y := range c.Lines {
		c.Lines[y] = s.Lines[y]
		c.Lines[y].Cells = s.Lines[y].Cells[:c.Cols]
		if n := c.Cols; n > 0 && c.Lines[y].Cells[n-1].Width() == 2 { // half of it is beyond the edge
			c.Lines[y].Cells = s.Lines[y].Cells[:n-1]
		}
	}
	for _, y := range s.Damage {
		if y < c.Rows {
			c.Damage = append(c.Damage, y)
		}
	}
	if s.X >= cols || s.Y >= rows {
		c.Modes.CursorVisible = false
	}
	c.X, c.Y = min(s.X, c.Cols-1), min(s.Y, c.Rows-1)
	return &c
}

// appendModes appends what makes a terminal send keys, mouse and pastes as the program wants them.
func appendModes(dst []byte, old, now term.Modes) []byte {
	set := func(mode int, was, is bool) {
		if was != is {
			c := 'l'
			if is {
				c = 'h'
			}
			dst = fmt.Appendf(dst, "\x1b[?%d%c", mode, c)
		}
	}
	set(1, old.AppCursor, now.AppCursor)
	set(5, old.Reverse, now.Reverse)
	set(1004, old.FocusEvents, now.FocusEvents)
	set(1006, old.MouseSGR, now.MouseSGR)
	set(1007, old.AltScreen && old.AltScroll, now.AltScreen && now.AltScroll)
	set(2004, old.BracketedPaste, now.BracketedPaste)
	if modes := [...]int{0, 9, 1000, 1002, 1003}; old.Mouse != now.Mouse {
		set(modes[old.Mouse], old.Mouse != term.MouseOff, false)
		set(modes[now.Mouse], false, now.Mouse != term.MouseOff)
	}
	if old.AppKeypad != now.AppKeypad {
		dst = append(dst, 0x1b, map[bool]byte{true: '=', false: '>'}[now.AppKeypad])
	}
	if old.OtherKeys != now.OtherKeys {
		dst = fmt.Appendf(dst, "\x1b[>4;%dm", now.OtherKeys)
	}
	if old.Cursor != now.Cursor {
		dst = fmt.Appendf(dst, "\x1b[%d q", now.Cursor)
	}
	return dst
}

// leaving looks for Ctrl-] twice in what is typed.
type leaving struct{ held bool }

// keys returns what of p goes to the terminal, and whether the person leaves.
func (l *leaving) keys(p []byte) (out []byte, left bool) {
	for _, c := range p {
		switch {
		case c == keyLeave && l.held:
			l.held = false
			return out, true
		case c == keyLeave:
			l.held = true
		default:
			out = append(l.pass(out), c)
		}
	}
	return out, false
}

// pass appends the key that was held back.
func (l *leaving) pass(out []byte) []byte {
	if l.held {
		l.held = false
		out = append(out, keyLeave)
	}
	return out
}
