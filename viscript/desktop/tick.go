package desktop

import "time"

const (
	bellTime   = 300 * time.Millisecond
	dragScroll = 50 * time.Millisecond
	cursorStep = 125 * time.Millisecond
	cursorTime = 8 * time.Second // after the last key; then it is still, and the window idle
)

// fade lets go of notices that have had their time.
func (d *Desktop) fade() {
	for i := len(d.notices) - 1; i >= 0; i-- {
		n := &d.notices[i]
		over := d.inside && d.noticeRect(i).Has(d.pointer)
		if over && n.until < d.now+fadeTime+infoTime/2 {
			n.until = d.now + fadeTime + infoTime/2 // being read
		}
		if n.until <= d.now {
			d.dismiss(i)
		}
	}
}

// NextTick is the time at which the picture changes by itself; false if it does not.
func (d *Desktop) NextTick() (at time.Duration, ok bool) {
	soon := func(t time.Duration) {
		if t > d.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	for i := range d.notices {
		left := d.notices[i].until - d.now
		if left > fadeTime {
			soon(d.now + left - fadeTime)
		} else {
			step := (left*fadeSteps + fadeTime - 1) / fadeTime
			soon(d.notices[i].until - (step-1)*fadeTime/fadeSteps)
		}
	}
	for _, w := range d.windows {
		if w.term != nil {
			soon(w.term.flash)
		}
	}
	if w := d.drag.window; d.drag.kind == dragSelect && d.drag.moved && !w.frame().body.Has(d.pointer) {
		soon(d.now + dragScroll)
	}
	if d.active && d.focus != nil && d.focus.term != nil {
		if since := d.now - d.typed; since < cursorTime {
			soon(d.typed + (since/cursorStep+1)*cursorStep)
		}
	}
	return at, ok
}

// cursorSize is how much of its cell the cursor fills: it shrinks and grows for a while after a key.
func (d *Desktop) cursorSize() float32 {
	since := d.now - d.typed
	if since >= cursorTime || since < 0 {
		return 1
	}
	sizes := [...]float32{1, 0.85, 0.65, 0.45, 0.3, 0.45, 0.65, 0.85}
	return sizes[since/cursorStep%time.Duration(len(sizes))]
}
