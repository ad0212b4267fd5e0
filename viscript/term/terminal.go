package term

import (
	"sync"
	"time"
)

const (
	// MaxCols and MaxRows bound the size of a terminal.
	MaxCols = 1000
	MaxRows = 500

	defaultScrollback = 10_000
	scrollbackBytes   = 32 << 20
	maxScrollback     = 1_000_000

	// block is how many bytes are taken in while others wait for the screen: under a millisecond.
	block = 32 << 10
	// maxWork is how many cells may be moved or erased meanwhile: short sequences can ask for many.
	maxWork = 1 << 20
	// answersPerByte: answers are at most so many bytes for each byte that was written, so that no
	// output is turned into much more input. But for DECRQSS, no answer is longer than that alone.
	answersPerByte = 4
	maxCredit      = 16 << 10 // enough for the whole palette at once
	// syncLimit is how long a program may hold the screen back (mode 2026).
	syncLimit = time.Second
)

// Config says what surrounds a terminal. All of it may be zero.
type Config struct {
	// Scrollback is the number of lines kept above the screen: 0 means 10,000, -1 none, at most a
	// million. They take about a byte a character, and 32 MiB at most.
	Scrollback int
	// Answer gets what the terminal says to the program: reports that it asked for. The bytes are
	// valid during the call. Nil: nothing is answered.
	Answer func([]byte)
	// Event gets what concerns more than the grid.
	Event func(Event)
	// Colors are those that programs are told of; nil: DefaultColors.
	Colors *Colors
	// Now is the clock for the time limit of synchronized output; nil: time.Now.
	Now func() time.Time
}

// A Terminal is the state behind a terminal window: it takes the bytes that a program writes and
// keeps the grid, the scrollback and the modes. It is safe for concurrent use, but only one
// goroutine at a time calls Write: within it, and without any lock, Answer and Event are called.
type Terminal struct {
	cfg Config

	mu      sync.Mutex // guards the following
	parser  parser
	main    *screen
	alt     *screen
	s       *screen // main or alt
	cols    int
	rows    int
	history history
	base    uint64 // absolute number of the first line of the screen
	epoch   uint64

	cursor        // of the current screen
	saved         [2]cursor
	top, bottom   int // scroll region, [top, bottom)
	left, right   int // margins, [left, right)
	tabs          []bool
	modes         Modes
	own           ownModes
	lastRune      rune // for REP; 0: none
	joinable      bool // the character before the cursor was written just now
	title         string
	titles        []string // pushed
	dir           string
	colors, theme Colors
	extra         extra // of the pen
	clusters      clusters
	extras        extras
	widths        [256]uint32 // cache: rune<<2 | width

	version    uint64
	allVersion uint64 // every line changed then
	colorsAt   uint64
	syncSince  time.Time
	out        []byte // answers not yet given
	credit     int    // bytes that may be answered
	work       int    // cells moved or erased since the lock was taken
	events     pending
	scratch    []byte
	row        Row
}

// cursor is what DECSC saves.
type cursor struct {
	x, y     int
	wrapNext bool // the last column was written; the next character wraps
	pen      pen
	origin   bool // DECOM
	charsets [4]byte
	gl       int // the charset in use
	single   int // charset for one character (SS2, SS3); 0: none
}

// New returns a blank terminal; cols and rows are brought into 1..MaxCols and 1..MaxRows.
func New(cols, rows int, cfg Config) *Terminal {
	switch {
	case cfg.Scrollback == 0:
		cfg.Scrollback = defaultScrollback
	case cfg.Scrollback < 0:
		cfg.Scrollback = 0
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Terminal{cfg: cfg, cols: clamp(cols, 1, MaxCols), rows: clamp(rows, 1, MaxRows)}
	t.history = history{maxLines: min(cfg.Scrollback, maxScrollback), maxBytes: scrollbackBytes}
	t.clusters = newClusters()
	t.credit = maxCredit
	t.theme = DefaultColors()
	if cfg.Colors != nil {
		t.theme = *cfg.Colors
	}
	t.version = 1
	t.main = newScreen(t.cols, t.rows)
	t.alt = newScreen(t.cols, t.rows)
	t.reset()
	return t
}

func clamp(v, low, high int) int { return max(low, min(v, high)) }

// reset is RIS: everything but the scrollback is as in the beginning.
func (t *Terminal) reset() {
	t.s = t.main
	t.work += 2 * t.cols * t.rows
	for _, s := range []*screen{t.main, t.alt} {
		for y := range s.lines {
			s.lines[y].erase(0, s.cols, Cell{})
			s.lines[y].wrapped = false
		}
	}
	t.softReset()
	t.modes = Modes{CursorVisible: true, AltScroll: true}
	t.own = ownModes{autowrap: true}
	t.colors, t.colorsAt = t.theme, t.version
	t.x, t.y = 0, 0
	t.tabs = make([]bool, t.cols)
	t.setTabs(0)
	t.titles = nil
	t.allVersion = t.version
}

// softReset is DECSTR.
func (t *Terminal) softReset() {
	t.cursor = cursor{x: t.x, y: t.y, charsets: [4]byte{'B', 'B', 'B', 'B'}}
	home := t.cursor
	home.x, home.y = 0, 0
	t.saved = [2]cursor{home, home}
	t.top, t.bottom, t.left, t.right = 0, t.rows, 0, t.cols
	t.extra = extra{}
	t.lastRune = 0
	t.modes.CursorVisible, t.modes.AppCursor, t.modes.AppKeypad = true, false, false
	t.own.insert, t.own.autowrap, t.own.margins = false, true, false
}

// setTabs puts a stop into every eighth column from x on.
func (t *Terminal) setTabs(x int) {
	for ; x < len(t.tabs); x++ {
		t.tabs[x] = x%8 == 0
	}
}

// Write takes in output of the program. It never fails and keeps nothing of p.
func (t *Terminal) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		p = p[t.take(p[:min(len(p), block)]):]
	}
	return n, nil
}

// take reads the beginning of p, as much as may be done at once, and returns its length.
func (t *Terminal) take(p []byte) int {
	t.mu.Lock()
	t.version++
	t.work = 0
	n := t.parse(p)
	out, events := t.out, t.events
	t.out, t.events = t.out[:0], pending{}
	t.mu.Unlock()
	if len(out) > 0 && t.cfg.Answer != nil {
		t.cfg.Answer(out)
	}
	if t.cfg.Event != nil {
		events.deliver(t.cfg.Event)
	}
	return n
}

// Reset is what the sequence RIS does; the scrollback goes too. It helps where a program left the
// terminal in a bad state.
func (t *Terminal) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	t.parser = parser{}
	t.reset()
	t.clearHistory()
}

// ClearScrollback forgets the lines above the screen.
func (t *Terminal) ClearScrollback() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	t.clearHistory()
}

func (t *Terminal) clearHistory() {
	t.history = history{maxLines: t.history.maxLines, maxBytes: t.history.maxBytes}
	t.epoch++
}

// SetColors replaces the colours that programs are told of, and those that they had set.
func (t *Terminal) SetColors(c Colors) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.version++
	t.theme, t.colors, t.colorsAt = c, c, t.version
}

// touch marks row y as changed and returns it.
func (t *Terminal) touch(y int) *line {
	l := t.s.line(y)
	l.version = t.version
	return l
}
