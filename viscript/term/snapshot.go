package term

// A Snapshot is a consistent copy of the screen and of what a window needs beside it. Its zero
// value is filled by the first call of Terminal.Snapshot; later calls bring it up to date. It
// belongs to its reader.
type Snapshot struct {
	Version    uint64 // grows with every change
	Epoch      uint64 // changes when lines got other numbers (reflow, scrollback cleared)
	Cols, Rows int
	Lines      []Row // of the screen
	Damage     []int // the lines that the last call changed, ascending
	First      uint64
	Top        uint64 // lines First to Top-1 are the scrollback, Top is Lines[0]
	X, Y       int    // of the cursor; X is below Cols
	Modes      Modes
	Title      string
	Directory  string // URL
	Colors     Colors

	recolored bool // by the last update
}

// Snapshot brings s up to date and tells whether anything may have changed since. It copies the
// changed lines only. While a program holds the screen back (Modes.Synchronized), for a second at
// most, s stays as it is: call again after the next Write or after that second.
func (t *Terminal) Snapshot(s *Snapshot) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Damage, s.recolored = s.Damage[:0], false
	if s.Version == t.version || s.Version > 0 && t.held() {
		return false
	}
	if s.Cols != t.cols || s.Rows != t.rows || s.Epoch != t.epoch {
		s.Version, s.Rows = 0, t.rows
		s.setRows()
	}
	for y := range s.Lines {
		l := t.s.line(y)
		if at := max(l.version, t.allVersion); at <= s.Version && s.Version > 0 {
			continue
		}
		t.copyLine(l, &s.Lines[y])
		s.Damage = append(s.Damage, y)
	}
	if s.recolored = t.colorsAt > s.Version || s.Version == 0; s.recolored {
		s.Colors = t.colors
	}
	s.Version, s.Epoch, s.Cols, s.Rows = t.version, t.epoch, t.cols, t.rows
	s.First, s.Top = t.first(), t.base
	s.X, s.Y, s.Modes, s.Title, s.Directory = t.x, t.y, t.modes, t.title, t.dir
	return true
}

func (t *Terminal) held() bool {
	return t.modes.Synchronized && t.cfg.Now().Sub(t.syncSince) < syncLimit
}

func (t *Terminal) copyLine(l *line, r *Row) {
	r.reset()
	r.fill(l.cells, t.clusters.list, &t.extras)
	r.Wrapped, r.Version = l.wrapped, max(l.version, t.allVersion)
}

// first is the number of the oldest line of the scrollback.
func (t *Terminal) first() uint64 { return t.base - uint64(t.history.n) }

// Lines copies the lines from number n on into rows, be they in the scrollback or on the screen,
// and returns how many there were. Lines keep their number while Snapshot.Epoch stays the same.
func (t *Terminal) Lines(n uint64, rows []Row) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range rows {
		if !t.readLine(n+uint64(i), &rows[i]) {
			return i
		}
	}
	return len(rows)
}

func (t *Terminal) readLine(n uint64, r *Row) bool {
	switch {
	case n < t.first() || n >= t.base+uint64(t.rows):
		return false
	case n >= t.base:
		t.copyLine(t.s.line(int(n-t.base)), r)
		return true
	}
	r.reset()
	r.Cells, r.clusters, r.Wrapped = decodeLine(t.history.line(int(n-t.first())), r.Cells, r.clusters)
	r.localize(&t.extras)
	return true
}

// A State is what can be said of a terminal without its text.
type State struct {
	Version    uint64
	Epoch      uint64
	Cols, Rows int
	First, Top uint64 // as in a Snapshot
	X, Y       int    // of the cursor
	Modes      Modes
	Title      string
}

// State is that of this moment.
func (t *Terminal) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return State{t.version, t.epoch, t.cols, t.rows, t.first(), t.base, t.x, t.y, t.modes, t.title}
}

// Size is the size of the grid.
func (t *Terminal) Size() (cols, rows int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cols, t.rows
}

// Modes are those now set.
func (t *Terminal) Modes() Modes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.modes
}

// Title is what the program called its window, "" at first.
func (t *Terminal) Title() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.title
}

// Version grows with every change; a Snapshot with the same one is up to date.
func (t *Terminal) Version() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version
}
