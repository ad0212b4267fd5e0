package group

import "errors"

// MaxFork is how many entries back another log may part from ours: what stands longer is final.
const MaxFork = 64

// Log is a group with the entries that made it. Not safe for concurrent use.
type Log struct {
	entries []*Entry
	states  []*Group // after each of the last entries, at most MaxFork+1
}

// Errors of logs.
var (
	ErrEmpty = errors.New("group: a log without entries")
	ErrOther = errors.New("group: the log of another group")
	ErrFinal = errors.New("group: the logs part at an entry that is final")
)

// NewLog checks the entries, from the first on.
func NewLog(entries []*Entry) (*Log, error) {
	if len(entries) == 0 {
		return nil, ErrEmpty
	}
	g, err := Open(entries[0])
	if err != nil {
		return nil, err
	}
	l := &Log{entries: entries[:1:1], states: []*Group{g}}
	for _, e := range entries[1:] {
		if err := l.Add(e); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Group is the state after the last entry.
func (l *Log) Group() *Group { return l.states[len(l.states)-1] }

// Entries are those from sequence number n on; the caller does not change them.
func (l *Log) Entries(n uint64) []*Entry {
	if n >= uint64(len(l.entries)) {
		return nil
	}
	return l.entries[n:]
}

// Add appends the entry that follows the last one.
func (l *Log) Add(e *Entry) error {
	g, err := l.Group().Apply(e)
	if err != nil {
		return err
	}
	l.entries, l.states = append(l.entries, e), append(l.states, g)
	if len(l.states) > MaxFork+1 {
		l.states = append(l.states[:0:0], l.states[1:]...)
	}
	return nil
}

// before is the group as it was before entry n; nil if that is too long ago.
func (l *Log) before(n uint64) (g *Group, index int) {
	index = int(n) - 1 - (len(l.entries) - len(l.states))
	if index < 0 || index >= len(l.states) {
		return nil, 0
	}
	return l.states[index], index
}

// Merge takes in entries of somebody else's log, in order and without gaps: those that are new, and those that
// stand against ours and win. It returns ours that were dropped for them. What does not follow from
// the log, or is not allowed, ends the merge with an error; what came before it counts.
func (l *Log) Merge(entries []*Entry) (dropped []*Entry, err error) {
	for i, e := range entries {
		if e.ID() != l.Group().ID() {
			return nil, ErrOther
		}
		n := uint64(len(l.entries))
		switch {
		case e.Sequence < n && l.entries[e.Sequence].Hash() == e.Hash():
			continue
		case e.Sequence < n:
			return l.fork(entries[i:])
		case e.Sequence > n:
			return nil, ErrOrder
		}
		if err := l.Add(e); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// fork decides between our entries and theirs from where they part.
func (l *Log) fork(theirs []*Entry) ([]*Entry, error) {
	at := theirs[0].Sequence
	before, i := l.before(at)
	if before == nil {
		return nil, ErrFinal
	}
	other := &Log{entries: l.entries[:at:at], states: l.states[: i+1 : i+1]}
	if err := other.Add(theirs[0]); err != nil {
		return nil, err
	}
	if !before.prefers(theirs[0], l.entries[at]) {
		return nil, nil
	}
	dropped := l.entries[at:]
	*l = *other
	for _, e := range theirs[1:] {
		if err := l.Add(e); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// prefers: of two entries that follow g, a is kept.
func (g *Group) prefers(a, b *Entry) bool {
	if x, y := g.rank(a), g.rank(b); x != y {
		return x < y
	}
	return a.Hash().less(b.Hash())
}

// rank is lower the longer the author has been admin.
func (g *Group) rank(e *Entry) uint64 {
	if m := g.members[e.Author]; m.Admin() {
		return m.admin
	}
	return MaxLog + 1
}
