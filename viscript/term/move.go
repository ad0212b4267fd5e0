package term

// control executes a C0 control.
func (t *Terminal) control(c byte) {
	t.joinable = false
	switch c {
	case '\a':
		t.events.add(Event{Kind: Bell})
	case '\b':
		t.backspace()
	case '\t':
		t.tab(1)
	case '\n', '\v', '\f':
		t.index()
		if t.own.newline {
			t.carriageReturn()
		}
	case '\r':
		t.carriageReturn()
	case 0x0e:
		t.gl = 1
	case 0x0f:
		t.gl = 0
	}
}

func (t *Terminal) carriageReturn() {
	t.wrapNext = false
	if t.x >= t.left {
		t.x = t.left
	} else {
		t.x = 0
	}
}

// backspace goes one column to the left; in mode 45 from the first column into the line before.
func (t *Terminal) backspace() {
	left := 0
	if t.x >= t.left {
		left = t.left
	}
	switch {
	case t.own.reverseWrap && t.own.autowrap && t.wrapNext:
	case t.x > left:
		t.x--
	case t.own.reverseWrap && t.own.autowrap && t.y > t.top:
		t.x, t.y = t.right-1, t.y-1
	}
	t.wrapNext = false
}

// tab moves n tab stops on, or, n negative, back.
func (t *Terminal) tab(n int) {
	edge := t.edge()
	for ; n > 0 && t.x < edge-1; n-- {
		for t.x++; t.x < edge-1 && !t.tabs[t.x]; t.x++ {
		}
	}
	for ; n < 0 && t.x > 0; n++ {
		for t.x--; t.x > 0 && !t.tabs[t.x]; t.x-- {
		}
	}
	if n < 0 || t.x < edge-1 {
		t.wrapNext = false
	}
}

// index goes one line down, and scrolls at the end of the region.
func (t *Terminal) index() {
	t.wrapNext = false
	switch {
	case t.y == t.bottom-1:
		if t.inMargins() {
			t.scrollUp(t.top, 1)
		}
	case t.y < t.rows-1:
		t.y++
	}
}

func (t *Terminal) reverseIndex() {
	t.wrapNext = false
	switch {
	case t.y == t.top:
		if t.inMargins() {
			t.scrollDown(t.top, 1)
		}
	case t.y > 0:
		t.y--
	}
}

func (t *Terminal) inMargins() bool { return t.x >= t.left && t.x < t.right }

// moveTo puts the cursor at column x and row y, from the origin (DECOM) where that is set.
func (t *Terminal) moveTo(x, y int) {
	t.wrapNext = false
	if t.origin {
		t.x = clamp(x+t.left, t.left, t.right-1)
		t.y = clamp(y+t.top, t.top, t.bottom-1)
		return
	}
	t.x, t.y = clamp(x, 0, t.cols-1), clamp(y, 0, t.rows-1)
}

// column and row: a position seen from the origin.
func (t *Terminal) column() int {
	if t.origin {
		return t.x - t.left
	}
	return t.x
}

func (t *Terminal) lineNumber() int {
	if t.origin {
		return t.y - t.top
	}
	return t.y
}

// moveBy moves the cursor; it stops at the margins unless it is beyond them already.
func (t *Terminal) moveBy(dx, dy int) {
	t.wrapNext = false
	low, high := 0, t.cols-1
	if t.x >= t.left {
		low = t.left
	}
	if t.x < t.right {
		high = t.right - 1
	}
	t.x = clamp(t.x+dx, low, high)
	low, high = 0, t.rows-1
	if t.y >= t.top {
		low = t.top
	}
	if t.y < t.bottom {
		high = t.bottom - 1
	}
	t.y = clamp(t.y+dy, low, high)
}

func (t *Terminal) setRegion(top, bottom int) {
	bottom = min(bottom, t.rows)
	if bottom-top < 2 && !(t.rows == 1 && bottom-top == 1) {
		return
	}
	t.top, t.bottom = top, bottom
	t.moveTo(0, 0)
}

func (t *Terminal) setMargins(left, right int) {
	right = min(right, t.cols)
	if right-left < 2 {
		return
	}
	t.left, t.right = left, right
	t.moveTo(0, 0)
}

func (t *Terminal) saveCursor() { *t.savedCursor() = t.cursor }

func (t *Terminal) restoreCursor() {
	t.cursor = *t.savedCursor()
	t.x, t.y = clamp(t.x, 0, t.cols-1), clamp(t.y, 0, t.rows-1)
	t.wrapNext = t.wrapNext && t.x == t.edge()-1
	t.extra, _ = t.extras.get(t.pen.extra)
}

func (t *Terminal) savedCursor() *cursor {
	if t.s == t.alt {
		return &t.saved[1]
	}
	return &t.saved[0]
}
