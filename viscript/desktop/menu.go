package desktop

import (
	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
	"github.com/skycoin/viscript/viscript/term"
)

// An App is one that the configuration has.
type App struct{ Name, Desc string }

const (
	maxApps     = 256
	menuColumns = 52
)

// A menu is the list above the start button.
type menu struct {
	open     bool
	items    []menuItem
	selected int         // -1: none
	first    int         // the first one shown
	at       scene.Point // where the pointer chose the selected one
}

// A menuItem is a line to choose; one without text divides.
type menuItem struct {
	text, hint string
	app        string
	command    command
}

// Apps takes in which apps can be started.
func (d *Desktop) Apps(list []App) {
	d.apps = d.apps[:0]
	for _, a := range list[:min(len(list), maxApps)] {
		if a.Name != "" && term.Clean(a.Name) == a.Name {
			d.apps = append(d.apps, App{panel.Text(a.Name), panel.Text(a.Desc)})
		}
	}
	d.menu.items = nil
	if d.menu.open {
		d.openMenu()
	}
}

func (d *Desktop) toggleMenu() {
	if d.menu.open = !d.menu.open; d.menu.open {
		d.openMenu()
	}
}

func (d *Desktop) openMenu() {
	d.endCompletion()
	m := menu{open: true, selected: -1, at: d.pointer}
	for _, a := range d.apps {
		m.items = append(m.items, menuItem{text: "Start " + a.Name, hint: a.Desc, app: a.Name})
	}
	if len(d.apps) > 0 {
		m.items = append(m.items, menuItem{})
	}
	for _, c := range [...]command{showProcesses, showMesh, showLogs, showKeys, nextTheme} {
		m.items = append(m.items, menuItem{text: c.title(), command: c})
	}
	m.items = append(m.items, menuItem{}, menuItem{text: "Defocus", command: defocus}, menuItem{text: "New Terminal", command: newTerm})
	d.menu = m
	d.menu.first = max(0, len(m.items)-d.menuShown()) // the bottom is next to the button
}

func (d *Desktop) menuRow() float32 { return d.font.Line + 6 }

// menuShown is how many lines fit on the desktop.
func (d *Desktop) menuShown() int {
	return max(1, min(len(d.menu.items), int((d.area().H-8)/d.menuRow())))
}

func (d *Desktop) menuRect() scene.Rect {
	h := float32(d.menuShown())*d.menuRow() + 8
	b := d.barRect()
	return scene.Rect{X: 0, Y: b.Y - h, W: min(d.size.W, menuColumns*d.font.Advance), H: h}
}

// menuItemRect is the line of item i, which is shown.
func (d *Desktop) menuItemRect(i int) scene.Rect {
	r := d.menuRect()
	return scene.Rect{X: r.X + 4, Y: r.Y + 4 + float32(i-d.menu.first)*d.menuRow(), W: r.W - 8, H: d.menuRow()}
}

func (d *Desktop) menuItemAt(p scene.Point) int {
	for i := d.menu.first; i < min(len(d.menu.items), d.menu.first+d.menuShown()); i++ {
		if d.menu.items[i].text != "" && d.menuItemRect(i).Has(p) {
			return i
		}
	}
	return -1
}

func (d *Desktop) scrollMenu(by int) {
	d.menu.first = max(0, min(d.menu.first+by, len(d.menu.items)-d.menuShown()))
}

// choose does what item i says and closes the menu.
func (d *Desktop) choose(i int) {
	if i < 0 || i >= len(d.menu.items) || d.menu.items[i].text == "" {
		return
	}
	it := d.menu.items[i]
	d.menu.open = false
	if it.app == "" {
		d.run(it.command)
		return
	}
	r := Request{Kind: StartApp, Text: it.app}
	if w := d.promptWindow(); w != nil {
		d.setFocus(w)
		r.Term = w.term.ID
	} else {
		d.expect() // the terminal it opens in
	}
	d.ask(r)
}

// promptWindow is the topmost terminal at whose prompt a line can be typed, nil if there is none.
func (d *Desktop) promptWindow() *window {
	for i := len(d.stack) - 1; i >= 0; i-- {
		if t := d.stack[i].term; t != nil && t.Prompt {
			return d.stack[i]
		}
	}
	return nil
}

// menuKey is a key while the menu is open; it takes all.
func (d *Desktop) menuKey(key KeyCode) {
	n := len(d.menu.items)
	switch key {
	case KeyUpArrow:
		d.selectItem(d.menu.selected-1, -1)
	case KeyDownArrow, KeyTab:
		d.selectItem(d.menu.selected+1, 1)
	case KeyHome:
		d.selectItem(0, 1)
	case KeyEnd:
		d.selectItem(n-1, -1)
	case KeyEnter, KeypadEnter:
		d.choose(d.menu.selected)
	case KeyEscape:
		d.menu.open = false
	}
}

// selectItem goes to item i or, past dividers, the next one in that direction, around the ends.
func (d *Desktop) selectItem(i, step int) {
	n := len(d.menu.items)
	for range n + 1 {
		i = (i%n + n) % n
		if d.menu.items[i].text != "" {
			break
		}
		i += step
	}
	d.menu.selected = i
	shown := d.menuShown()
	d.menu.first = max(i-shown+1, min(d.menu.first, i))
}
