package term

import "strings"

// An EventKind says what an Event is about; append only.
type EventKind uint8

const (
	// TitleChanged: Text is the new title (OSC 0, 2, and the title stack).
	TitleChanged EventKind = iota + 1
	// DirectoryChanged: Text is a file URL of the program's working directory (OSC 7), unverified.
	DirectoryChanged
	// ClipboardOffered: Text is what the program wants to copy (OSC 52), Target is the list of
	// selections it named ("c" clipboard, "p" primary). Reading the clipboard is never answered.
	ClipboardOffered
	// Bell rang, once or more.
	Bell
	// ColorsChanged: the program set or reset a colour (OSC 4, 10, 11, 12, 104, 110, 111, 112).
	ColorsChanged
)

// An Event is what a program says that concerns more than the grid. Of every kind only the last
// within 32 KiB of output is told. Text is valid UTF-8 without control characters, except for that
// of ClipboardOffered, which is as the program sent it.
type Event struct {
	Kind   EventKind
	Text   string
	Target string
}

// pending is at most one event of each kind.
type pending struct {
	set  [ColorsChanged + 1]bool
	last [ColorsChanged + 1]Event
}

func (p *pending) add(e Event) { p.set[e.Kind], p.last[e.Kind] = true, e }

func (p *pending) deliver(f func(Event)) {
	for k, set := range p.set {
		if set {
			f(p.last[k])
		}
	}
}

const (
	maxTitle  = 256 // characters
	maxTitles = 16  // on the title stack
	maxDir    = 1024
)

func (t *Terminal) setTitle(s string) {
	if r := []rune(strings.ToValidUTF8(s, "\ufffd")); len(r) > maxTitle {
		s = string(r[:maxTitle])
	}
	if s = Clean(s); s == t.title {
		return
	}
	t.title = s
	t.events.add(Event{Kind: TitleChanged, Text: s})
}

func (t *Terminal) pushTitle() {
	if len(t.titles) == maxTitles {
		t.titles = append(t.titles[:0], t.titles[1:]...)
	}
	t.titles = append(t.titles, t.title)
}

func (t *Terminal) popTitle() {
	if n := len(t.titles); n > 0 {
		t.setTitle(t.titles[n-1])
		t.titles = t.titles[:n-1]
	}
}

func (t *Terminal) setDirectory(s string) {
	if len(s) > maxDir {
		return
	}
	if s = Clean(s); s == t.dir {
		return
	}
	t.dir = s
	t.events.add(Event{Kind: DirectoryChanged, Text: s})
}
