package session

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// patience is how long a test waits for what takes milliseconds on a quiet machine.
const patience = 30 * time.Second

// calm is the timing of tests that want nothing of it: none of its times passes while a loaded machine stands still.
var calm = timing{
	silence: patience, outage: 10 * patience, idle: time.Hour, quiet: patience, warm: 5 * time.Second, better: time.Hour, join: patience,
	linger: 2 * time.Second, avoid: patience, stuck: patience, claim: patience, handshake: patience, greet: patience,
}

// mesh is two hosts and any number of routes between them, in memory, over relays that a test can break.
type mesh struct {
	t        testing.TB
	hosts    [2]*Host
	keys     [2]*identity.Key
	accepted [2]chan *Stream
	wg       sync.WaitGroup
	audit    audit

	mu     sync.Mutex // guards the following
	relays []relay
	roads  []*road // live ones, oldest first
	laid   int
	asked  []Want
	tap    func(from int, t wire.Type, flags uint8, payload []byte) [][]byte // what arrives instead; nil: the same
}

// relay is a node that routes can pass.
type relay struct {
	key   identity.PubKey
	down  bool
	delay time.Duration
}

// road is one route.
type road struct {
	m     *mesh
	key   forward.Key
	relay int
	lanes [2]*oneWay // from host 0, from host 1
	once  sync.Once
}

// oneWay is one direction of a road.
type oneWay struct {
	r    *road
	from int
	to   *Path

	mu     sync.Mutex // guards the following
	more   sync.Cond
	queue  []parcel
	closed bool
	bye    bool // closed by the sender: the receiver hears of it after what was sent
	silent bool // swallows everything
	paused bool // holds everything back
}

type parcel struct {
	t       wire.Type
	flags   uint8
	payload []byte
	due     time.Time
}

// audit remembers what was sealed under which number: no number may seal two things.
type audit struct {
	mu     sync.Mutex
	sealed map[sealedAs][32]byte
	twice  int
	first  sealedAs // of those
}

type sealedAs struct {
	by   *Session // another session has other keys
	from int
	t    wire.Type
	seq  uint64
}

func (a *audit) see(by *Session, from int, t wire.Type, payload []byte) {
	if t == wire.Handshake {
		return
	}
	if t == wire.Join {
		payload, t = payload[16:], wire.Control
	}
	sum := sha256.Sum256(payload[seqLen:])
	k := sealedAs{by, from, t, binary.BigEndian.Uint64(payload)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, ok := a.sealed[k]; ok && old != sum {
		if a.twice++; a.first == (sealedAs{}) {
			a.first = k
		}
	}
	a.sealed[k] = sum
}

// newMesh makes two hosts with n relays between them.
func newMesh(t testing.TB, n int, change func(*Config, *timing)) *mesh {
	m := &mesh{t: t, audit: audit{sealed: map[sealedAs][32]byte{}}}
	for i := range m.hosts {
		var err error
		if m.keys[i], err = identity.Generate(); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		k, _ := identity.Generate()
		m.relays = append(m.relays, relay{key: k.Public()})
	}
	for i := range m.hosts {
		accepted := make(chan *Stream, 8192)
		cfg := Config{Key: m.keys[i], Accept: func(st *Stream) { accepted <- st }}
		if i == 0 {
			cfg.Lay = m.lay
		}
		tm := calm
		if change != nil {
			change(&cfg, &tm)
		}
		m.hosts[i], m.accepted[i] = NewHost(cfg), accepted
		m.hosts[i].timing = tm
	}
	t.Cleanup(func() {
		m.hosts[0].Close()
		m.hosts[1].Close()
		for _, r := range m.live() {
			r.cut(forward.ReasonLink)
		}
		m.wg.Wait()
		if m.audit.twice > 0 {
			t.Errorf("%d numbers sealed two things, first %+v", m.audit.twice, m.audit.first)
		}
	})
	return m
}

var errNoRelay = errors.New("no such route")

// lay is Config.Lay of host 0.
func (m *mesh) lay(_ context.Context, w Want) (Laid, error) {
	m.mu.Lock()
	m.asked = append(m.asked, w)
	best := -1
	for i, r := range m.relays {
		if !r.down && !slices.Contains(w.Avoid, r.key) && (best < 0 || slices.Contains(w.Beside, m.relays[best].key)) {
			best = i
		}
	}
	m.laid++
	n := m.laid
	m.mu.Unlock()
	if best < 0 {
		return Laid{}, errNoRelay
	}
	if w.Instead != nil {
		return Laid{}, ErrNoBetter
	}
	return m.layOver(best, n)
}

// layOver makes a route over one relay.
func (m *mesh) layOver(i, n int) (Laid, error) {
	var key forward.Key
	binary.BigEndian.PutUint64(key[:], uint64(n))
	var ps [2]*Path
	for j := range ps {
		var err error
		if ps[j], err = m.hosts[j].New(m.keys[1-j].Public(), key, j == 0); err != nil {
			return Laid{}, err
		}
	}
	r := &road{m: m, key: key, relay: i}
	for j := range r.lanes {
		r.lanes[j] = &oneWay{r: r, from: j, to: ps[1-j]}
		r.lanes[j].more.L = &r.lanes[j].mu
	}
	m.mu.Lock()
	m.roads = append(m.roads, r)
	relay := m.relays[i]
	m.mu.Unlock()
	for j := range r.lanes {
		m.hosts[j].attach(context.Background(), ps[j], r.lanes[j])
		m.wg.Go(r.lanes[j].run)
	}
	return Laid{Path: ps[0], Nodes: []identity.PubKey{m.keys[0].Public(), relay.key, m.keys[1].Public()}}, nil
}

// live lists the routes that are there, oldest first.
func (m *mesh) live() []*road {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.roads)
}

// cut ends a route: both ends hear of it, what is under way is lost.
func (r *road) cut(why forward.Reason) {
	r.once.Do(func() {
		r.forget()
		for _, l := range r.lanes {
			l.stop(false)
		}
		for _, l := range r.lanes {
			l.to.Down(why)
		}
	})
}

// hush makes a route swallow everything.
func (r *road) hush(silent bool) {
	for _, l := range r.lanes {
		l.mu.Lock()
		if l.silent = silent; silent {
			l.queue = nil
		}
		l.mu.Unlock()
	}
}

// pause holds everything back, or lets it go.
func (r *road) pause(paused bool) {
	for _, l := range r.lanes {
		l.mu.Lock()
		l.paused = paused
		l.more.Signal()
		l.mu.Unlock()
	}
}

func (r *road) forget() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.roads = slices.DeleteFunc(r.m.roads, func(o *road) bool { return o == r })
}

func (l *oneWay) stop(bye bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed = true; !bye {
		l.queue = nil
	}
	l.bye = l.bye || bye
	l.more.Broadcast()
}

func (l *oneWay) Number() wire.RouteID { return wire.RouteID(1 + l.from) }

func (l *oneWay) SendKept(span []byte) {
	before := slices.Clone(span)
	l.Send(span)
	if !bytes.Equal(before, span) {
		panic("a kept span was changed")
	}
}

func (l *oneWay) Send(span []byte) {
	m := l.r.m
	m.mu.Lock()
	tap, delay := m.tap, m.relays[l.r.relay].delay
	m.mu.Unlock()
	for len(span) > 0 {
		n, ok := wire.Len(span)
		if !ok {
			panic("a record without a length")
		}
		t, flags, id, payload := wire.ParseHeader(span[wire.LenLen : wire.LenLen+n-wire.TagLen])
		if id != l.Number() {
			panic("a record of another route")
		}
		span = span[wire.LenLen+n:]
		m.audit.see(l.r.lanes[1-l.from].to.session.Load(), l.from, t, payload)
		arrive := [][]byte{slices.Clone(payload)}
		if tap != nil {
			arrive = tap(l.from, t, flags, arrive[0])
		}
		l.mu.Lock()
		for _, p := range arrive {
			if !l.closed && !l.silent {
				l.queue = append(l.queue, parcel{t, flags, p, time.Now().Add(delay)})
			}
		}
		l.more.Signal()
		l.mu.Unlock()
	}
}

// Close is goodbye from the sender's end.
func (l *oneWay) Close() {
	l.r.forget()
	other := l.r.lanes[1-l.from]
	other.stop(false)
	l.stop(true)
}

func (l *oneWay) run() {
	for {
		l.mu.Lock()
		for (len(l.queue) == 0 || l.paused) && !l.closed {
			l.more.Wait()
		}
		if len(l.queue) == 0 {
			bye := l.bye && !l.silent
			l.mu.Unlock()
			if bye {
				l.to.Down(forward.ReasonBye)
			}
			return
		}
		p := l.queue[0]
		l.queue = l.queue[1:]
		l.mu.Unlock()
		if wait := time.Until(p.due); wait > 0 { // nothing is early
			time.Sleep(wait)
		}
		l.to.Receive(p.t, p.flags, p.payload)
	}
}

// setTap sets what stands between the hosts.
func (m *mesh) setTap(tap func(from int, t wire.Type, flags uint8, payload []byte) [][]byte) {
	m.mu.Lock()
	m.tap = tap
	m.mu.Unlock()
}

// ready returns the two ends of the session, begun by host 0.
func (m *mesh) ready() (a, b *Session) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := m.hosts[0].Connect(ctx, m.keys[1].Public(), "", false)
	if err != nil {
		m.t.Fatal("no session:", err)
	}
	m.until("the far end", func() bool {
		m.hosts[1].mu.Lock()
		defer m.hosts[1].mu.Unlock()
		b = m.hosts[1].all[a.id]
		return b != nil
	})
	select {
	case <-b.ready:
	case <-ctx.Done():
		m.t.Fatal("the far end is not ready")
	}
	return a, b
}

// dial opens a stream from host 0 to host 1.
func (m *mesh) dial() (near, far *Stream) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got := make(chan *Stream, 1)
	go func() {
		select {
		case st := <-m.accepted[1]:
			st.Confirm()
			got <- st
		case <-ctx.Done():
			got <- nil
		}
	}()
	near, err := m.hosts[0].Dial(ctx, m.keys[1].Public(), "", 7, "x", nil)
	if err != nil {
		m.t.Fatal("dialing:", err)
	}
	return near, <-got
}

func (m *mesh) until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			for _, h := range m.hosts {
				for _, i := range h.Sessions() {
					m.t.Logf("%+v", i)
				}
			}
			m.t.Fatal("waiting for", what)
		}
	}
}

// paths counts a session's confirmed, living paths.
func paths(s *Session) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.paths {
		if p.confirmed && p.gone.Load() == 0 && p.retire == 0 && !p.silent {
			n++
		}
	}
	return n
}

// activeRoad is the route that a session sends on; nil: none.
func (m *mesh) activeRoad(s *Session) *road {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range m.live() {
		if s.active != nil && s.active.key == r.key {
			return r
		}
	}
	return nil
}

// over waits for the end of a session.
func over(t testing.TB, s *Session) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("the session goes on")
	}
}
