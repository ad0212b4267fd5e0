package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// wiretap is an end that hands records to the session at the other side, or lets a test see and change them.
type wiretap struct {
	mu   sync.Mutex
	to   *Session
	take func(t wire.Type, payload []byte) []byte // nil result: dropped
	in   chan func()
}

func (w *wiretap) Number() wire.RouteID { return 1 }
func (w *wiretap) Close()               {}
func (w *wiretap) Send(span []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(span) > 0 {
		n, _ := wire.Len(span)
		t, flags, _, payload := wire.ParseHeader(span[wire.LenLen : wire.LenLen+n-wire.TagLen])
		span = span[wire.LenLen+n:]
		p := append([]byte(nil), payload...)
		if w.take != nil {
			if p = w.take(t, p); p == nil {
				continue
			}
		}
		to := w.to
		w.in <- func() { to.Receive(t, flags, p) }
	}
}

// pair is two sessions joined by wiretaps, ready.
func pair(t *testing.T) (a, b *Session, ab, ba *wiretap, accepted chan *Stream) {
	t.Helper()
	accepted = make(chan *Stream, 8192)
	var hosts [2]*Host
	var keys [2]*identity.Key
	for i := range hosts {
		var err error
		if keys[i], err = identity.Generate(); err != nil {
			t.Fatal(err)
		}
		hosts[i] = NewHost(Config{Key: keys[i], Accept: func(st *Stream) { accepted <- st }})
	}
	a, _ = hosts[0].New(keys[1].Public(), forward.Key{1}, true)
	b, _ = hosts[1].New(keys[0].Public(), forward.Key{1}, false)
	ab, ba = &wiretap{to: b, in: make(chan func(), 1<<16)}, &wiretap{to: a, in: make(chan func(), 1<<16)}
	a.attach(ab)
	b.attach(ba)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, w := range []*wiretap{ab, ba} {
		wg.Go(func() {
			for {
				select {
				case f := <-w.in:
					f()
				case <-stop:
					return
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	hosts[0].start(ctx, a)
	hosts[1].start(ctx, b)
	t.Cleanup(func() {
		cancel()
		hosts[0].Close()
		hosts[1].Close()
		close(stop)
		wg.Wait()
	})
	for _, s := range []*Session{a, b} {
		select {
		case <-s.ready:
		case <-s.done:
			t.Fatal("the handshake failed:", s.Err())
		case <-ctx.Done():
			t.Fatal("the handshake hangs")
		}
	}
	return a, b, ab, ba, accepted
}

// over waits for the end of a session.
func over(t *testing.T, s *Session) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the session goes on")
	}
}

func TestHostilePeer(t *testing.T) {
	data := func(s *Session, f ...frame) { // a Data record of frames that a proper sender would not send
		var b []byte
		b = append(b, make([]byte, framesAt)...)
		for _, x := range f {
			b = appendFrame(b, x)
		}
		s.sendMu.Lock()
		defer s.sendMu.Unlock()
		s.send(s.sealData(b, 0), wire.Data)
	}
	cases := map[string]func(a *Session, st *Stream){
		"beyond credit": func(a *Session, st *Stream) {
			for range 9 {
				data(a, frame{kind: frameData, sid: st.id, data: make([]byte, maxData)})
			}
		},
		"data after FIN": func(a *Session, st *Stream) {
			data(a, frame{kind: frameFin, sid: st.id}, frame{kind: frameData, sid: st.id, data: []byte("x")})
		},
		"FIN twice": func(a *Session, st *Stream) {
			data(a, frame{kind: frameFin, sid: st.id}, frame{kind: frameFin, sid: st.id})
		},
		"OPEN of a live id":  func(a *Session, st *Stream) { data(a, frame{kind: frameOpen, sid: st.id}) },
		"OPEN of our parity": func(a *Session, st *Stream) { data(a, frame{kind: frameOpen, sid: 2}) },
		"OPENED by opener":   func(a *Session, st *Stream) { data(a, frame{kind: frameOpened, sid: st.id, credit: 1}) },
		"unknown frame":      func(a *Session, st *Stream) { data(a, frame{kind: 11}) },
		"ACK of the unsent":  func(a *Session, st *Stream) { a.sendControl(frame{kind: frameAck, a: 9, b: 1 << 40}) },
		"sequence skipped": func(a *Session, st *Stream) {
			a.sendMu.Lock()
			a.outData++
			a.sendMu.Unlock()
			data(a, frame{kind: frameFin, sid: st.id})
		},
	}
	for name, attack := range cases {
		t.Run(name, func(t *testing.T) {
			a, b, _, _, accepted := pair(t)
			go func() { (<-accepted).Confirm() }()
			st, err := a.Open(t.Context(), 1, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			attack(a, st)
			over(t, b)
			if !errors.Is(b.Err(), errProtocol) {
				t.Errorf("it ended with %v", b.Err())
			}
		})
	}
}

func TestTamperedRecordEndsSession(t *testing.T) {
	a, b, ab, _, _ := pair(t)
	ab.mu.Lock()
	ab.take = func(t wire.Type, p []byte) []byte { p[len(p)-1] ^= 1; return p }
	ab.mu.Unlock()
	a.sendControl(frame{kind: framePing, a: 1})
	over(t, b)
}

func TestReplayedRecordEndsSession(t *testing.T) {
	a, b, ab, _, _ := pair(t)
	ab.mu.Lock()
	ab.take = func(t wire.Type, p []byte) []byte {
		again := append([]byte(nil), p...)
		ab.in <- func() { b.Receive(t, 0, again) }
		return p
	}
	ab.mu.Unlock()
	a.sendControl(frame{kind: framePing, a: 1})
	over(t, b)
}

func TestTooManyStreams(t *testing.T) {
	a, b, ab, _, _ := pair(t)
	for i := range maxStreams + 10 {
		a.sendFrame(frame{kind: frameOpen, sid: uint32(2*i + 1), credit: 100}, nil)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		n, held, opened, last := len(b.streams), b.granted, b.count.Opened, len(ab.in) == 0
		b.mu.Unlock()
		if last {
			if n < 500 || n > maxStreams || held > budget || opened != uint64(n) {
				t.Errorf("%d streams of %d hold %d bytes of credit, the budget is %d", n, opened, held, budget)
			}
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%d streams are open, the far end does not answer", n)
		}
	}
	if b.Err() != nil {
		t.Error(b.Err())
	}
}

func TestWrongNodeAtTheEndOfTheRoute(t *testing.T) {
	claimed, _ := identity.Generate()
	real, _ := identity.Generate()
	us, _ := identity.Generate()
	h := NewHost(Config{Key: us, Accept: func(*Stream) {}})
	liar := NewHost(Config{Key: real})
	b, _ := h.New(claimed.Public(), forward.Key{1}, false) // the route was laid for claimed
	a, _ := liar.New(us.Public(), forward.Key{1}, true)
	ab, ba := &wiretap{to: b, in: make(chan func(), 64)}, &wiretap{to: a, in: make(chan func(), 64)}
	a.attach(ab)
	b.attach(ba)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, w := range []*wiretap{ab, ba} {
		wg.Go(func() {
			for {
				select {
				case f := <-w.in:
					f()
				case <-stop:
					return
				}
			}
		})
	}
	h.start(t.Context(), b)
	liar.start(t.Context(), a)
	over(t, b)
	liar.Close()
	h.Close()
	close(stop)
	wg.Wait()
}

func BenchmarkHandshake(b *testing.B) {
	var keys [2]*identity.Key
	for i := range keys {
		keys[i], _ = identity.Generate()
	}
	for b.Loop() {
		hosts := [2]*Host{NewHost(Config{Key: keys[0]}), NewHost(Config{Key: keys[1], Accept: func(*Stream) {}})}
		x, _ := hosts[0].New(keys[1].Public(), forward.Key{1}, true)
		y, _ := hosts[1].New(keys[0].Public(), forward.Key{1}, false)
		xy, yx := &wiretap{to: y, in: make(chan func(), 64)}, &wiretap{to: x, in: make(chan func(), 64)}
		x.attach(xy)
		y.attach(yx)
		hosts[0].start(context.Background(), x)
		hosts[1].start(context.Background(), y)
		for ready := false; !ready; {
			select {
			case f := <-xy.in:
				f()
			case f := <-yx.in:
				f()
			case <-x.ready:
				ready = true
			}
		}
		hosts[0].Close()
		hosts[1].Close()
	}
}
