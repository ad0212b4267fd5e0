package chat

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// memory is a messenger in memory, for many people.
type memory struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced
	down    bool
	boxes   map[mailbox.Address][]mailbox.Letter
	cards   map[mailbox.Address][]byte
	prekeys map[mailbox.Address][][]byte // the last one is number 0
	again   bool                         // every Put is done twice, and Ack forgets the first time
	home    mailbox.Home                 // zero: it has no name
}

// named gives a messenger a name, so that cards tell of it.
func (m *memory) named(t *testing.T, hostPort string) *memory {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	m.home = mailbox.Home{Key: key.Public(), HostPort: hostPort}
	return m
}

func (p *memoryPost) Home() (mailbox.Home, bool) { return p.m.home, p.m.home != mailbox.Home{} }

func newMemory() *memory {
	return &memory{changed: make(chan struct{}), boxes: map[mailbox.Address][]mailbox.Letter{},
		cards: map[mailbox.Address][]byte{}, prekeys: map[mailbox.Address][][]byte{}}
}

var errDown = errors.New("the messenger is away")

func (m *memory) use(f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errDown
	}
	return f()
}

func (m *memory) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// gone: the device's card is its last. The caller holds mu.
func (m *memory) gone(a mailbox.Address) bool {
	c, err := mailbox.ParseCard(m.cards[a])
	return err == nil && c.Gone()
}

// of is the messenger as one person sees it.
func (m *memory) of(k identity.PubKey) Post { return &memoryPost{m, k} }

type memoryPost struct {
	m *memory
	k identity.PubKey
}

func (p *memoryPost) Put(_ context.Context, to mailbox.Address, envelopes [][]byte) error {
	return p.m.use(func() error {
		if p.m.cards[to] == nil || p.m.gone(to) {
			return ErrNobody
		}
		sum := 0
		for _, e := range envelopes {
			if sum += len(e); !envelope.Fits(len(e)) || (sum > MaxPut && len(envelopes) > 1) || len(envelopes) > MaxPutCount {
				return errors.New("too much")
			}
			id := mailbox.IDOf(e)
			if !slices.ContainsFunc(p.m.boxes[to], func(l mailbox.Letter) bool { return l.ID == id }) {
				p.m.boxes[to] = append(p.m.boxes[to], mailbox.Letter{ID: id, Envelope: slices.Clone(e)})
			}
		}
		close(p.m.changed)
		p.m.changed = make(chan struct{})
		return nil
	})
}

func (p *memoryPost) Fetch(ctx context.Context, device uint32) (list []mailbox.Letter, err error) {
	for {
		var changed chan struct{}
		err = p.m.use(func() error {
			if p.m.gone(mailbox.Address{Owner: p.k, Device: device}) {
				return ErrGone
			}
			box := p.m.boxes[mailbox.Address{Owner: p.k, Device: device}]
			list, changed = slices.Clone(box[:min(len(box), 25)]), p.m.changed
			return nil
		})
		if err != nil || len(list) > 0 {
			return list, err
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *memoryPost) Ack(_ context.Context, device uint32, ids []mailbox.ID) error {
	return p.m.use(func() error {
		a := mailbox.Address{Owner: p.k, Device: device}
		p.m.boxes[a] = slices.DeleteFunc(p.m.boxes[a], func(l mailbox.Letter) bool { return slices.Contains(ids, l.ID) })
		return nil
	})
}

func (p *memoryPost) Publish(_ context.Context, b mailbox.Bundle) (left int, err error) {
	err = p.m.use(func() error {
		c, err := mailbox.ParseCard(b.Card)
		a := mailbox.Address{Owner: p.k, Device: c.Device}
		if err != nil {
			return err
		}
		if p.m.gone(a) {
			return ErrGone
		}
		if err := c.Verify(p.k, time.Now()); errors.Is(err, ErrGone) {
			p.m.cards[a] = b.Card
			delete(p.m.boxes, a)
			delete(p.m.prekeys, a)
			close(p.m.changed)
			p.m.changed = make(chan struct{})
			return nil
		} else if err != nil {
			return errors.New("not a card")
		}
		p.m.cards[a] = b.Card
		list := p.m.prekeys[a]
		if len(list) > 0 {
			list = list[:len(list)-1]
		}
		p.m.prekeys[a] = append(append(list, b.Prekeys[1:]...), b.Prekeys[0])
		left = len(p.m.prekeys[a]) - 1
		return nil
	})
	return left, err
}

func (p *memoryPost) Cards(_ context.Context, owner identity.PubKey) (list [][]byte, err error) {
	err = p.m.use(func() error {
		for a, c := range p.m.cards {
			if a.Owner == owner {
				list = append(list, c)
			}
		}
		if len(list) == 0 {
			return ErrNobody
		}
		return nil
	})
	return list, err
}

func (p *memoryPost) TakePrekey(_ context.Context, of mailbox.Address) (b []byte, err error) {
	err = p.m.use(func() error {
		list := p.m.prekeys[of]
		if len(list) == 0 {
			return ErrNobody
		}
		b = list[0]
		if pre, err := prekey.Parse(b); err == nil && pre.Number != 0 {
			p.m.prekeys[of] = list[1:]
		}
		return nil
	})
	return b, err
}

// person is an engine that runs, and its folder.
type person struct {
	t    *testing.T
	e    *Engine
	key  *identity.Key
	dir  string
	post Post
	more []Post
	dial func(mailbox.Home) (Post, error)
	wait time.Duration // 0: the engine's patience
	stop func()
}

func newPerson(t *testing.T, m *memory) *person {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return newDevice(t, key, m)
}

// newDevice is a device of a person, with mailboxes at some messengers.
func newDevice(t *testing.T, key *identity.Key, ms ...*memory) *person {
	t.Helper()
	p := &person{t: t, key: key, dir: t.TempDir(), post: ms[0].of(key.Public())}
	for _, m := range ms[1:] {
		p.more = append(p.more, m.of(key.Public()))
	}
	p.start()
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *person) me() identity.PubKey { return p.key.Public() }

// start opens and runs the engine; stop ends it and may be called again.
func (p *person) start() {
	p.t.Helper()
	e, err := Open(Config{Key: p.key, Dir: p.dir, Post: p.post, Posts: p.more, Dial: p.dial})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.wait > 0 {
		e.patience = p.wait
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	p.e = e
	p.stop = func() {
		cancel()
		if err := errors.Join(<-done, e.Close()); err != nil {
			p.t.Error(err)
		}
		p.stop = func() {}
	}
}

func (p *person) send(to Talk, text string) MessageID {
	p.t.Helper()
	id, err := p.e.Send(to, text, MessageID{})
	if err != nil {
		p.t.Fatalf("sending %q: %v", text, err)
	}
	return id
}

// history are the texts of a conversation, without notes.
func (p *person) history(of Talk) (list []Message) {
	p.t.Helper()
	all, err := p.e.History(of, 0, 1<<20)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range all {
		if !m.Note {
			list = append(list, m)
		}
	}
	return list
}

// awaitTime is how long a test waits; machines are slow.
const awaitTime = time.Minute

// await waits until a condition holds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(awaitTime); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// awaitTexts waits until a conversation has so many messages, and checks that they are these.
func (p *person) awaitTexts(of Talk, want ...string) {
	p.t.Helper()
	var got []string
	await(p.t, "messages", func() bool {
		got = nil
		for _, m := range p.history(of) {
			got = append(got, m.Text)
		}
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}
