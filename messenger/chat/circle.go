package chat

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of groups.
const (
	MaxGroups = 1000
	maxParked = 256 // shares and messages that came before what they need
	maxChains = 4   // kept of one device in one group
)

// Errors about groups.
var (
	ErrNoGroup   = errors.New("chat: no such group")
	ErrNotMember = errors.New("chat: we are not in this group")
)

// groupState is what is kept of a group besides its log.
type groupState struct {
	ID group.Hash
	// By is who has brought it, if we had not asked for it; Looked: we have looked at it since.
	By     *identity.PubKey `json:",omitempty"`
	At     time.Time        `json:",omitzero"`
	Looked bool             `json:",omitempty"`
	Bytes  uint64           `json:",omitempty"` // of its log, as long as it waits
}

// waits: somebody has brought the group, and we have not looked at it.
func (s *groupState) waits() bool { return s.By != nil && !s.Looked }

func (t tx) groupState(id group.Hash) (s groupState, err error) {
	k := t.v.groupToken(id)
	_, err = t.load(groupBucket, k[:], &s)
	s.ID = id
	return s, err
}

func (t tx) saveGroupState(s *groupState) error {
	k := t.v.groupToken(s.ID)
	return t.save(groupBucket, k[:], s)
}

func (v *vault) groupToken(g group.Hash) token { return v.token("group", g[:]) }

// log is the group's log. It may be changed only within an update, by mergeLog; nil: not known.
func (e *Engine) groupLog(t tx, id group.Hash) (*group.Log, error) {
	e.mu.Lock()
	l := e.logs[id]
	e.mu.Unlock()
	if l != nil {
		return l, nil
	}
	var entries []*group.Entry
	k := t.v.groupToken(id)
	err := t.each(logBucket, k[:], func(_, b []byte) (bool, error) {
		entry, err := group.ParseEntry(b)
		entries = append(entries, entry)
		return true, err
	})
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if l, err = group.NewLog(entries); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.logs[id] == nil {
		e.logs[id] = l
	}
	return e.logs[id], nil
}

// forgetLogs drops what an update that failed may have left in memory.
func (e *Engine) forgetLogs() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.logs)
}

// state is the group as its log says. Errors: ErrNoGroup.
func (e *Engine) state(t tx, id group.Hash) (*group.Group, error) {
	l, err := e.groupLog(t, id)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, ErrNoGroup
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return l.Group(), nil
}

// Group is a group as its log says. Errors: ErrNoGroup.
func (e *Engine) Group(id group.Hash) (g *group.Group, err error) {
	err = e.v.view(func(t tx) error {
		g, err = e.state(t, id)
		return err
	})
	return g, err
}

// Groups lists all groups that we know, also those that we have left.
func (e *Engine) Groups() (list []*group.Group, err error) {
	err = e.v.view(func(t tx) error {
		return t.each(groupBucket, nil, func(_, b []byte) (bool, error) {
			var s groupState
			if err := json.Unmarshal(b, &s); err != nil {
				return false, err
			}
			g, err := e.state(t, s.ID)
			list = append(list, g)
			return true, err
		})
	})
	return list, err
}

func (e *Engine) groupName(t tx, id group.Hash) (string, error) {
	g, err := e.state(t, id)
	if err != nil {
		return "", err
	}
	return g.Name(), nil
}

// groupSize is how many others are in the group. Errors: ErrNoGroup, ErrNotMember.
func (e *Engine) groupSize(t tx, id group.Hash) (int, error) {
	g, err := e.state(t, id)
	if err != nil {
		return 0, err
	}
	if _, ok := g.Member(e.self.Owner); !ok {
		return 0, ErrNotMember
	}
	return len(g.Members()) - 1, nil
}

// CreateGroup begins a group with us as its admin.
func (e *Engine) CreateGroup(name string) (id group.Hash, err error) {
	if name, err = cleanName(name); err != nil {
		return id, err
	}
	_, first, err := group.New(e.cfg.Key, name, e.now())
	if err != nil {
		return id, err
	}
	id = first.Hash()
	err = e.updateGroup(id, func(t tx) error {
		if _, err := e.mergeLog(t, id, []*group.Entry{first}); err != nil {
			return err
		}
		return e.tellOwn(t, &content{kind: entriesKind, entries: [][]byte{first.Append(nil)}})
	})
	return id, err
}

// updateGroup does what the person wants with a group, and tells of it.
func (e *Engine) updateGroup(id group.Hash, f func(t tx) error) error {
	err := e.v.update(func(t tx) error {
		if err := f(t); err != nil {
			return err
		}
		return e.looked(t, id)
	})
	if err != nil {
		e.forgetLogs()
		return err
	}
	e.changed(Event{Kind: GroupChanged, Talk: In(id)})
	e.kick()
	return nil
}

// Change writes an entry into a group's log and sends it to all members: to add and remove people, to leave, to rename. Errors: those of
// package group, ErrNoGroup, ErrNotMember, ErrMany, ErrSelf.
func (e *Engine) Change(id group.Hash, c group.Change) error {
	return e.updateGroup(id, func(t tx) error { return e.propose(t, id, c) })
}

func (e *Engine) propose(t tx, id group.Hash, c group.Change) error {
	before, err := e.state(t, id)
	if err != nil {
		return err
	}
	if _, ok := before.Member(e.self.Owner); !ok {
		return ErrNotMember
	}
	if c.Kind == group.Rename {
		if c.Name, err = cleanName(c.Name); err != nil {
			return err
		}
	}
	entry, err := before.Propose(e.cfg.Key, c, e.now())
	if err != nil {
		return err
	}
	if _, err := before.Apply(entry); err != nil {
		return err
	}
	if _, err := e.mergeLog(t, id, []*group.Entry{entry}); err != nil {
		return err
	}
	for _, m := range before.Members() {
		if m.Key != e.self.Owner {
			if err := e.pushEntries(t, m.Key, []*group.Entry{entry}); err != nil {
				return err
			}
		}
	}
	if err := e.tellOwn(t, &content{kind: entriesKind, entries: [][]byte{entry.Append(nil)}}); err != nil {
		return err
	}
	if c.Kind != group.Add && c.Kind != group.Admit {
		return nil
	}
	l, err := e.groupLog(t, id)
	if err != nil {
		return err
	}
	if c.Kind == group.Add {
		if err := e.befriend(t, c.Subject); err != nil {
			return err
		}
	}
	return e.pushEntries(t, c.Subject, l.Entries(0))
}

func (e *Engine) pushEntries(t tx, to identity.PubKey, entries []*group.Entry) error {
	for part := range slices.Chunk(entries, maxEntries) {
		c := content{kind: entriesKind, id: newID(), time: e.now()}
		for _, entry := range part {
			c.entries = append(c.entries, entry.Append(nil))
		}
		if err := t.pushOut(outItem{to: to, bytes: c.append(nil)}); err != nil {
			return err
		}
	}
	return nil
}

// mergeLog takes entries into a group's log, keeps them, and notes in the history what they say.
func (e *Engine) mergeLog(t tx, id group.Hash, entries []*group.Entry) (dropped []*group.Entry, err error) {
	return e.merged(t, id, entries, e.note)
}

// mergeSilently is mergeLog without notes in the history.
func (e *Engine) mergeSilently(t tx, id group.Hash, entries []*group.Entry) (dropped []*group.Entry, err error) {
	return e.merged(t, id, entries, func(tx, group.Hash, *group.Entry) error { return nil })
}

func (e *Engine) merged(t tx, id group.Hash, entries []*group.Entry, note func(tx, group.Hash, *group.Entry) error) (dropped []*group.Entry, err error) {
	l, err := e.groupLog(t, id)
	if err != nil {
		return nil, err
	}
	old := uint64(0)
	if l == nil {
		if l, err = group.NewLog(entries); err != nil {
			return nil, err
		}
		if err := t.saveGroupState(&groupState{ID: id}); err != nil {
			return nil, err
		}
		e.mu.Lock()
		e.logs[id] = l
		e.mu.Unlock()
	} else {
		e.mu.Lock()
		old = l.Group().Len()
		dropped, err = l.Merge(entries)
		e.mu.Unlock()
		if len(dropped) > 0 {
			old = dropped[0].Sequence
		}
	}
	return dropped, errors.Join(err, e.keepLog(t, id, l, old, note))
}

// keepLog writes a log's entries from one on, in place of those that were there.
func (e *Engine) keepLog(t tx, id group.Hash, l *group.Log, from uint64, note func(tx, group.Hash, *group.Entry) error) error {
	k := t.v.groupToken(id)
	c := t.Bucket([]byte(logBucket)).Cursor()
	for at, _ := c.Seek(queueKey(k, from)); at != nil && hasPrefix(at, k[:]); at, _ = c.Seek(queueKey(k, from)) {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	for i, entry := range l.Entries(from) {
		if err := t.put(logBucket, queueKey(k, from+uint64(i)), entry.Append(nil)); err != nil {
			return err
		}
		if err := note(t, id, entry); err != nil {
			return err
		}
	}
	return e.meetMembers(t, l.Group())
}

// note puts what an entry says into the group's history.
func (e *Engine) note(t tx, id group.Hash, entry *group.Entry) error {
	s, err := t.talk(In(id))
	if err != nil {
		return err
	}
	if _, err := t.add(&s, e.noteOf(entry)); err != nil {
		return err
	}
	return t.saveTalk(&s)
}

// noteOf is a line of the history: the entry's kind, its name, and whom it is about, by key.
func (e *Engine) noteOf(entry *group.Entry) *Message {
	hash := entry.Hash()
	m := &Message{ID: MessageID(hash[:]), From: entry.Author, Time: entry.Time, At: e.now(), Note: true, Text: entry.Kind.String()}
	if entry.Name != "" {
		m.Text += " " + group.Visible(entry.Name)
	}
	if !entry.Subject.IsZero() {
		m.Text += " " + entry.Subject.String()
	}
	return m
}

// meetMembers remembers who is in a group with us: they may send us what belongs to the group.
func (e *Engine) meetMembers(t tx, g *group.Group) error {
	room := -1 // not counted yet
	for _, m := range g.Members() {
		c, found, err := t.contact(m.Key)
		if err != nil {
			return err
		}
		if found || m.Key == e.self.Owner {
			continue
		}
		if room < 0 {
			room = maxPeople - t.count(contactBucket, maxPeople)
		}
		if room == 0 {
			return nil // of the others nothing is read until there is room
		}
		room--
		c.Met, c.Added = true, e.now()
		if err := t.saveContact(&c); err != nil {
			return err
		}
	}
	return nil
}
