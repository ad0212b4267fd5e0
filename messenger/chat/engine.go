package chat

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// Config is who the person is and who carries their envelopes.
type Config struct {
	Key   *identity.Key // required; not a node's
	Dir   string        // required; for this person alone
	Post  Post          // the messenger where our mailbox is; required, or Posts
	Posts []Post        // further ones, in the order in which others shall try them; at most MaxPosts with Post
	Now   func() time.Time
	// Daily is how many bytes one contact may leave in a day of UTC without our asking: messages, what is offered, groups, pictures that are fetched
	// unasked. What comes beyond is not kept, which a note in the conversation says. 0: DefaultDaily; at least MinDaily.
	Daily uint64
	// Dial makes the Post of a messenger where somebody else has a mailbox and we have none; it connects when it is used, and is closed if it
	// has Close. The name comes from others: it decides what may be connected to. nil: only people at our messengers are reached.
	Dial   func(mailbox.Home) (Post, error)
	Log    *slog.Logger // nil: nothing is logged
	Notify func(Event)  // called after changes, from many goroutines; must not block; nil: not
}

// EventKind says what changed. Append only.
type EventKind uint8

// The kinds of events.
const (
	MessageAdded EventKind = iota + 1
	MessageChanged
	ContactChanged
	RequestAdded
	NewDevice // of a person whom we know
	GroupChanged
	FileProgress
	JoinAsked     // somebody asks to join a group of ours: Engine.Asking
	DeviceRemoved // this one: see Engine.Removed
	GroupInvited  // somebody has added us to a group; Message is the note that says so
	Refused       // no more of somebody is kept today, or of their groups; Message is the note that says so
)

// Event is a change that somebody may want to show.
type Event struct {
	Kind    EventKind
	Talk    Talk
	Message *Message  // of MessageAdded, MessageChanged, GroupInvited and Refused
	File    MessageID // of FileProgress
}

// Engine is a person's messenger. Open makes it, Close ends it; Run does its work. Safe for concurrent use.
type Engine struct {
	cfg  Config
	v    *vault
	self mailbox.Address
	log  *slog.Logger
	wake chan struct{} // holds one: there is something to send
	own  []*office     // where our mailbox is; the list does not change

	patience time.Duration // patience, but in tests
	bounds   bounds

	mu      sync.Mutex                 // guards the following
	logs    map[group.Hash]*group.Log  // read from the store when first needed
	busy    map[identity.PubKey]*retry // people whom something is being sent to, or was in vain
	visited map[mailbox.Home]*office   // messengers of others, at most maxVisited
	boxes   []envelope.Mailbox         // the mailbox's keys, the newest first; the list is replaced, not changed
	// What our last card says, hashed, and when it was issued.
	cardSays   [32]byte
	cardIssued time.Time
	removed    bool // a messenger of ours says that this device is gone
}

// Open opens the person's store, or makes it. Errors: ErrLocked, ErrKey.
func Open(cfg Config) (*Engine, error) {
	posts := cfg.Posts
	if cfg.Post != nil {
		posts = append([]Post{cfg.Post}, posts...)
	}
	if cfg.Key == nil || cfg.Dir == "" || len(posts) == 0 || slices.Contains(posts, nil) {
		return nil, errors.New("chat: Key, Dir and Post are needed")
	}
	if len(posts) > MaxPosts {
		return nil, fmt.Errorf("chat: %d messengers; %d are allowed", len(posts), MaxPosts)
	}
	if cfg.Daily == 0 {
		cfg.Daily = DefaultDaily
	}
	if cfg.Daily < MinDaily {
		return nil, fmt.Errorf("chat: %d bytes a day of a contact; %d are the least", cfg.Daily, MinDaily)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	v, err := openVault(cfg.Dir, cfg.Key)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, v: v, log: cfg.Log.With("part", "chat"), wake: make(chan struct{}, 1), patience: patience,
		bounds: bounds{cfg.Daily, MaxInvitations, MaxInvitationsOf, maxInvitedLog},
		logs:   map[group.Hash]*group.Log{}, busy: map[identity.PubKey]*retry{}, visited: map[mailbox.Home]*office{},
	}
	for _, p := range posts {
		e.own = append(e.own, &office{post: p, stock: make(chan struct{}, 1)})
	}
	if err := v.update(e.identify); err != nil {
		return nil, errors.Join(err, v.db.Close())
	}
	return e, nil
}

// identify reads or makes the device's number and its mailbox's keys.
func (e *Engine) identify(t tx) error {
	e.self.Owner = e.cfg.Key.Public()
	b, err := t.get(metaBucket, []byte("device"))
	if err != nil {
		return err
	}
	if len(b) >= 4 {
		e.self.Device = binary.BigEndian.Uint32(b)
		if err := e.openBoxes(t, b[4:]); err != nil || len(b) == 4 {
			return err
		}
		return t.put(metaBucket, []byte("device"), b[:4])
	}
	for e.self.Device == 0 {
		var n [4]byte
		rand.Read(n[:]) // never fails
		e.self.Device = binary.BigEndian.Uint32(n[:])
	}
	if err := errors.Join(e.openBoxes(t, nil), e.noteOwn(t, e.self.Device, true)); err != nil {
		return err
	}
	return t.put(metaBucket, []byte("device"), binary.BigEndian.AppendUint32(nil, e.self.Device))
}

// Close closes the store. Run must have returned.
func (e *Engine) Close() error {
	e.leaveAll()
	return e.v.db.Close()
}

// Self is our mailbox: key and device.
func (e *Engine) Self() mailbox.Address { return e.self }

func (e *Engine) now() time.Time { return e.cfg.Now() }

func (e *Engine) changed(list ...Event) {
	if e.cfg.Notify == nil {
		return
	}
	for _, ev := range list {
		e.cfg.Notify(ev)
	}
}

func (e *Engine) kick() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run publishes, sends and receives until ctx ends; then it returns nil.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, o := range e.own {
		wg.Go(func() { e.publish(ctx, o) })
		wg.Go(func() { e.receive(ctx, o) })
	}
	wg.Go(func() { e.deliver(ctx) })
	wg.Wait()
	return nil
}

// newID is a random message id.
func newID() (id MessageID) {
	rand.Read(id[:]) // never fails
	return id
}

// Send writes a text to a conversation. A person written to is a contact from then on. Errors: ErrBlocked, ErrSelf, ErrNotMember.
func (e *Engine) Send(to Talk, text string, reply MessageID) (MessageID, error) {
	return e.SendAll(to, []string{text}, reply)
}

// SendAll sends several texts, in order, with one wait for the disk; it returns the last one's id.
func (e *Engine) SendAll(to Talk, texts []string, reply MessageID) (id MessageID, err error) {
	var events []Event
	err = e.v.update(func(t tx) error {
		for _, text := range texts {
			if text == "" || len(text) > MaxText || !utf8.ValidString(text) {
				return fmt.Errorf("chat: a text is 1 to %d bytes of UTF-8", MaxText)
			}
			c := &content{kind: textKind, text: text, reply: reply}
			m, err := e.say(t, to, c)
			if err != nil {
				return err
			}
			id = m.ID
			events = append(events, Event{Kind: MessageAdded, Talk: to, Message: m})
		}
		return nil
	})
	if err != nil {
		return MessageID{}, err
	}
	e.changed(events...)
	e.kick()
	return id, nil
}

// say puts a text or a file into the history and the outbox.
func (e *Engine) say(t tx, to Talk, c *content) (*Message, error) {
	s, err := t.talk(to)
	if err != nil {
		return nil, err
	}
	s.Sent++
	if c.id.IsZero() {
		c.id = newID()
	}
	c.time, c.group, c.seq = e.now(), to.Group, s.Sent
	m := &Message{ID: c.id, From: e.self.Owner, Time: time.UnixMilli(c.time.UnixMilli()), At: e.now(), Reply: c.reply, Status: Queued, Want: 1}
	if c.kind == fileKind {
		m.File = &File{Name: c.text, Size: c.length, Sum: c.sum}
	} else {
		m.Text = c.text
	}
	if to.IsGroup() {
		if m.Want, err = e.groupSize(t, to.Group); err == nil {
			err = e.looked(t, to.Group)
		}
	} else {
		err = e.befriend(t, to.Key)
	}
	if err != nil {
		return nil, err
	}
	r, err := t.add(&s, m)
	if err == nil {
		err = t.saveTalk(&s)
	}
	if err != nil {
		return nil, err
	}
	if err := e.tellOwn(t, &content{kind: copyKind, key: to.Key, bytes: c.append(nil)}); err != nil {
		return nil, err
	}
	if to.IsGroup() {
		return m, e.pushGroup(t, to.Group, c, r)
	}
	return m, t.pushOut(outItem{to: to.Key, ref: r, bytes: c.append(nil)})
}

// befriend makes who is written to a contact.
func (e *Engine) befriend(t tx, k identity.PubKey) error {
	if k == e.self.Owner {
		return ErrSelf
	}
	c, found, err := t.contact(k)
	switch {
	case err != nil:
		return err
	case c.Blocked:
		return ErrBlocked
	case found && c.known():
		return nil
	}
	return e.accept(t, &c)
}

// MarkRead says that the conversation has been read up to the message numbered n, and tells the senders.
func (e *Engine) MarkRead(of Talk, n uint64) error {
	err := e.v.update(func(t tx) error {
		read, err := e.markRead(t, of, n)
		if err == nil && of.IsGroup() {
			err = e.looked(t, of.Group)
		}
		if err != nil || len(read) == 0 {
			return err
		}
		last := read[len(read)-1]
		bySender := map[identity.PubKey][]MessageID{}
		for _, m := range read {
			bySender[m.From] = append(bySender[m.From], m.ID)
		}
		for k, ids := range bySender {
			c, _, err := t.contact(k)
			if err == nil && !c.Request && !c.Blocked {
				err = e.pushReceipt(t, of, k, readReceipt, ids)
			}
			if err != nil {
				return err
			}
		}
		return e.tellOwn(t, &content{kind: seenKind, key: of.Key, group: of.Group, author: last.From, file: last.ID})
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: of})
		e.kick()
	}
	return err
}

// markRead notes that a conversation has been read up to n; it returns the messages of others that had not been.
func (e *Engine) markRead(t tx, of Talk, n uint64) (read []Message, err error) {
	s, err := t.talk(of)
	if err != nil {
		return nil, err
	}
	n = min(n, s.Last)
	for at := s.Read + 1; at <= n; at++ {
		var m Message
		found, err := t.load(historyBucket, ref{t.v.talkToken(of), at}.key(), &m)
		if err != nil {
			return nil, err
		}
		if found && m.From != e.self.Owner && !m.Note {
			read = append(read, m)
			s.Unread = max(0, s.Unread-1)
		}
	}
	s.Read = max(s.Read, n)
	return read, t.saveTalk(&s)
}

// pushReceipt tells a sender what has become of messages.
func (e *Engine) pushReceipt(t tx, of Talk, to identity.PubKey, what uint8, ids []MessageID) error {
	for part := range slices.Chunk(ids, maxIDs) {
		c := content{kind: receiptKind, id: newID(), time: e.now(), group: of.Group, what: what, ids: part}
		if err := t.pushOut(outItem{to: to, bytes: c.append(nil)}); err != nil {
			return err
		}
	}
	return nil
}

func parseTalk(b []byte) (s talkState, err error) {
	err = json.Unmarshal(b, &s)
	return s, err
}

// Conversations lists all, the newest first; those of requests only if asked.
func (e *Engine) Conversations(requests bool) ([]Conversation, error) {
	var list []Conversation
	err := e.v.view(func(t tx) error {
		return t.each(talkBucket, nil, func(_, b []byte) (bool, error) {
			s, err := parseTalk(b)
			if err != nil {
				return false, err
			}
			c := Conversation{Talk: s.Talk, Unread: s.Unread, Time: s.Time}
			if s.Talk.IsGroup() {
				c.Name, err = e.groupName(t, s.Talk.Group)
			} else {
				var p Contact
				p, _, err = t.contact(s.Talk.Key)
				c.Name = p.Name
				if p.Blocked || p.Request != requests {
					return true, err
				}
			}
			if err != nil || (s.Talk.IsGroup() && requests) {
				return err == nil, err
			}
			_, err = t.load(historyBucket, ref{t.v.talkToken(s.Talk), s.Last}.key(), &c.Last)
			list = append(list, c)
			return true, err
		})
	})
	slices.SortFunc(list, func(a, b Conversation) int {
		if n := b.Time.Compare(a.Time); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list, err
}
