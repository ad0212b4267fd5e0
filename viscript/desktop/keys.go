package desktop

import "github.com/skycoin/viscript/viscript/desktop/scene"

// A command is what a chord or a line of the menu does.
type command uint8

const (
	noCommand command = iota
	newTerm
	closeFocused
	nextWindow
	previousWindow
	defocus
	toggleMenu
	moveLeft
	moveRight
	moveUp
	moveDown
	narrower
	wider
	lower
	taller
	larger
	smaller
	asItWas
	copyText
	pasteText
	searchText
	markText
	pageUp
	pageDown
	toOldest
	toNewest
	showProcesses
	showMesh
	showLogs
	showKeys
	actOnNotice
	nextTheme
	nextLink
	openLink
)

// A chord is a key that means something to the desktop.
type chord struct {
	mods    Mods
	key     KeyCode
	rune    rune
	command command
	name    string
}

// chords are all keys the desktop takes for itself; every other one goes to the program. There are none
// with Ctrl alone but Ctrl-Tab, and no Escape.
var chords = [...]chord{
	{Ctrl | Shift, Character, 't', newTerm, "Ctrl-Shift-T"},
	{Ctrl | Shift, Character, 'w', closeFocused, "Ctrl-Shift-W"},
	{Ctrl, KeyTab, 0, nextWindow, "Ctrl-Tab"},
	{Ctrl | Shift, KeyTab, 0, previousWindow, "Ctrl-Shift-Tab"},
	{Ctrl | Shift, Character, 'd', defocus, "Ctrl-Shift-D"},
	{Ctrl | Shift, Character, ' ', toggleMenu, "Ctrl-Shift-Space"},
	{Ctrl | Shift, KeyLeft, 0, moveLeft, "Ctrl-Shift-Left"},
	{Ctrl | Shift, KeyRight, 0, moveRight, "Ctrl-Shift-Right"},
	{Ctrl | Shift, KeyUpArrow, 0, moveUp, "Ctrl-Shift-Up"},
	{Ctrl | Shift, KeyDownArrow, 0, moveDown, "Ctrl-Shift-Down"},
	{Ctrl | Shift | Alt, KeyLeft, 0, narrower, "Ctrl-Shift-Alt-Left"},
	{Ctrl | Shift | Alt, KeyRight, 0, wider, "Ctrl-Shift-Alt-Right"},
	{Ctrl | Shift | Alt, KeyUpArrow, 0, lower, "Ctrl-Shift-Alt-Up"},
	{Ctrl | Shift | Alt, KeyDownArrow, 0, taller, "Ctrl-Shift-Alt-Down"},
	{Ctrl | Shift, Character, '=', larger, "Ctrl-Shift-="},
	{Ctrl | Shift, Character, '-', smaller, "Ctrl-Shift--"},
	{Ctrl | Shift, Character, '0', asItWas, "Ctrl-Shift-0"},
	{Ctrl | Shift, Character, 'c', copyText, "Ctrl-Shift-C"},
	{Ctrl | Shift, Character, 'v', pasteText, "Ctrl-Shift-V"},
	{Ctrl | Shift, Character, 'f', searchText, "Ctrl-Shift-F"},
	{Ctrl | Shift, Character, 'x', markText, "Ctrl-Shift-X"},
	{Shift, KeyPageUp, 0, pageUp, "Shift-PageUp"},
	{Shift, KeyPageDown, 0, pageDown, "Shift-PageDown"},
	{Shift, KeyHome, 0, toOldest, "Shift-Home"},
	{Shift, KeyEnd, 0, toNewest, "Shift-End"},
	{Ctrl | Shift, Character, 'p', showProcesses, "Ctrl-Shift-P"},
	{Ctrl | Shift, Character, 'm', showMesh, "Ctrl-Shift-M"},
	{Ctrl | Shift, Character, 'l', showLogs, "Ctrl-Shift-L"},
	{Ctrl | Shift, Character, 'k', showKeys, "Ctrl-Shift-K"},
	{Ctrl | Shift, Character, 'n', actOnNotice, "Ctrl-Shift-N"},
	{Ctrl | Shift, Character, 'y', nextTheme, "Ctrl-Shift-Y"},
	{Ctrl | Shift, Character, 'u', nextLink, "Ctrl-Shift-U"},
	{Ctrl | Shift, Character, 'o', openLink, "Ctrl-Shift-O"},
}

// title says what c does.
func (c command) title() string {
	return [...]string{
		newTerm: "New Terminal", closeFocused: "close the window", nextWindow: "next window", previousWindow: "previous window",
		defocus: "Defocus", toggleMenu: "start menu", moveLeft: "move left", moveRight: "move right", moveUp: "move up", moveDown: "move down",
		narrower: "narrower by a column", wider: "wider by a column", lower: "lower by a row", taller: "taller by a row",
		larger: "larger text", smaller: "smaller text", asItWas: "text as large as at first", copyText: "copy", pasteText: "paste",
		searchText: "search; again: further", markText: "select by arrows, Space, B for a block; Enter copies", pageUp: "older lines", pageDown: "newer lines", toOldest: "oldest line", toNewest: "newest line",
		showProcesses: "Processes", showMesh: "Mesh map", showLogs: "Logs", showKeys: "Keys and mouse", actOnNotice: "act on the newest notification",
		nextTheme: "Next theme", nextLink: "select the link before", openLink: "open the selected link",
	}[c]
}

// key is a key that was pressed: for the menu, the desktop, what is open in the focused window, or the
// program in it.
func (d *Desktop) key(key KeyCode, r rune) {
	if key == Character && r >= 'A' && r <= 'Z' {
		r += 'a' - 'A'
	}
	if key == Character && d.mods&(Ctrl|Alt|Super) == 0 {
		return // Char follows
	}
	d.typed = d.now
	c := chordFor(d.mods, key, r)
	w := d.focus
	switch {
	case d.menu.open && c != toggleMenu:
		d.menuKey(key)
	case c != noCommand && !(c >= pageUp && c <= toNewest && !d.scrolls(w)):
		d.run(c)
	case w == nil:
	case w.term == nil:
		d.panelKey(w, key, r)
	case w.term.mark != nil:
		d.markKey(w, key)
	case w.term.search != nil && d.searchKey(w, key, r):
	case d.completion != nil && d.completion.term == w.term.ID && d.completionKey(key):
	case w.term.Prompt && d.mods == 0 && (key == KeyPageUp || key == KeyPageDown):
		d.page(w, key == KeyPageUp)
	default:
		w.term.follow()
		d.ask(Request{Kind: SendKey, Term: w.term.ID, Key: key, Rune: r, Mods: d.mods})
	}
}

func chordFor(mods Mods, key KeyCode, r rune) command {
	if key == Character && r == '+' {
		r = '='
	}
	for i := range chords {
		if c := &chords[i]; c.mods == mods && c.key == key && (key != Character || c.rune == r) {
			return c.command
		}
	}
	return noCommand
}

// scrolls: w has lines above, so the keys for them are not the program's.
func (d *Desktop) scrolls(w *window) bool { return w != nil && (w.term == nil || !w.term.AltScreen) }

// char is text that was typed.
func (d *Desktop) char(r rune) {
	w := d.focus
	if d.menu.open || w == nil || r < ' ' || r == 0x7f || r > 0x10ffff || r >= 0xd800 && r < 0xe000 {
		return
	}
	d.typed = d.now
	switch {
	case w.term == nil:
		d.panelChar(w, r)
	case w.term.mark != nil:
		d.markChar(w, r)
	case w.term.search != nil:
		d.searchChar(w, r)
	default:
		w.term.follow()
		d.ask(Request{Kind: SendChar, Term: w.term.ID, Rune: r})
	}
}

// run does what c says.
func (d *Desktop) run(c command) {
	switch c {
	case newTerm:
		d.NewTerm("")
	case nextWindow:
		d.cycle(1)
	case previousWindow:
		d.cycle(-1)
	case defocus:
		d.Defocus()
	case toggleMenu:
		d.toggleMenu()
	case showProcesses:
		d.openPanel(ProcessesContent, 0)
	case showMesh:
		d.openPanel(MeshContent, 0)
	case showLogs:
		d.openPanel(LogsContent, 0)
	case showKeys:
		d.openPanel(KeysContent, 0)
	case actOnNotice:
		d.actOn(len(d.notices) - 1)
	case nextTheme:
		d.nextTheme()
	default:
		if d.focus != nil {
			d.runOn(d.focus, c)
		}
	}
}

// runOn does what c says with the focused window.
func (d *Desktop) runOn(w *window, c command) {
	switch c {
	case closeFocused:
		d.closeWindow(w)
	case moveLeft, moveRight, moveUp, moveDown:
		d.nudge(w, c)
	case narrower, wider, lower, taller:
		d.stretch(w, c)
	case larger:
		d.zoom(w, 1)
	case smaller:
		d.zoom(w, -1)
	case asItWas:
		d.zoom(w, 0)
	case pageUp, pageDown:
		d.page(w, c == pageUp)
	case toOldest, toNewest:
		d.toEnd(w, c == toOldest)
	default:
		if w.term != nil {
			d.runInTerm(w, c)
		}
	}
}

func (d *Desktop) runInTerm(w *window, c command) {
	t := w.term
	switch c {
	case copyText:
		if t.sel.on {
			d.ask(Request{Kind: Copy, Term: t.ID, From: t.sel.from, To: t.sel.to, Block: t.sel.block})
		}
	case pasteText:
		t.follow()
		d.ask(Request{Kind: Paste, Term: t.ID})
	case searchText:
		t.mark = nil
		d.openSearch()
	case markText:
		w.beginMark()
	case nextLink:
		d.selectLink(w)
	case openLink:
		if t.sel.on {
			d.visit(d.linkAt(w, t.sel.from).uri)
		}
	}
}

func (d *Desktop) nudge(w *window, c command) {
	p := w.pos
	switch c {
	case moveLeft:
		p.X -= d.font.Advance
	case moveRight:
		p.X += d.font.Advance
	case moveUp:
		p.Y -= d.font.Line
	case moveDown:
		p.Y += d.font.Line
	}
	d.move(w, p, false)
}

func (d *Desktop) stretch(w *window, c command) {
	if w.fixed {
		return
	}
	switch c {
	case narrower:
		d.setSize(w, w.cols-1, w.rows)
	case wider:
		d.setSize(w, w.cols+1, w.rows)
	case lower:
		d.setSize(w, w.cols, w.rows-1)
	case taller:
		d.setSize(w, w.cols, w.rows+1)
	}
	d.clamp(w)
}

func (d *Desktop) page(w *window, up bool) {
	n := max(1, w.rows-1)
	if !up {
		n = -n
	}
	if w.term == nil {
		d.scrollPanel(w, -n)
		return
	}
	w.term.scroll(n)
}

func (d *Desktop) toEnd(w *window, oldest bool) {
	const all = 1 << 30
	switch {
	case w.term == nil && oldest:
		d.scrollPanel(w, -all)
	case w.term == nil:
		d.scrollPanel(w, all)
	case oldest:
		w.term.following = false
		w.term.scrollTo(0)
	default:
		w.term.follow()
	}
}

// nextTheme goes to the next of the themes.
func (d *Desktop) nextTheme() {
	all := scene.Themes()
	for i := range all {
		if all[i].Name == d.theme.Name {
			d.theme = all[(i+1)%len(all)]
			return
		}
	}
	d.theme = all[0]
}

// selectLink selects the last link in sight that comes before the selected one, for keys.
func (d *Desktop) selectLink(w *window) {
	t := w.term
	top := t.top()
	before := Pos{top + uint64(w.rows), 0}
	if t.sel.on && t.sel.from.Line >= top && t.sel.from.Before(before) {
		before = t.sel.from
	}
	for n := top + uint64(w.rows); n > top; n-- {
		if l, ok := d.lastLink(w, n-1, before); ok {
			t.sel = selection{on: true, from: l.from, to: l.to, a: l.from, aEnd: l.to}
			return
		}
	}
	t.clearSelection()
}

// lastLink is the last link that begins on row n and before that place.
func (d *Desktop) lastLink(w *window, n uint64, before Pos) (hoverLink, bool) {
	for x := w.cols - 1; x >= 0; {
		l := d.linkAt(w, Pos{n, x})
		if l.window != nil && l.from.Line == n && l.from.Before(before) {
			return l, true
		}
		x--
		if l.window != nil && l.from.Line == n {
			x = l.from.X - 1
		}
	}
	return hoverLink{}, false
}
