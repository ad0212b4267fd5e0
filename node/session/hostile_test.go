package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

func TestHostilePeer(t *testing.T) {
	data := func(s *Session, f ...frame) { // a Data record of frames that a proper sender would not send
		s.sendMu.Lock()
		defer s.sendMu.Unlock()
		s.mu.Lock()
		sp := s.kept.room(spanLen / 2)
		s.mu.Unlock()
		from := len(sp.b)
		sp.b = append(sp.b, blank[:framesAt]...)
		for _, x := range f {
			sp.b = appendFrame(sp.b, x)
		}
		s.sealInto(sp, from, 0)
	}
	control := func(a *Session, f frame) { a.sendControl(nil, f) }
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
		"OPEN of a live id":     func(a *Session, st *Stream) { data(a, frame{kind: frameOpen, sid: st.id}) },
		"OPEN of our parity":    func(a *Session, st *Stream) { data(a, frame{kind: frameOpen, sid: 2}) },
		"OPENED by opener":      func(a *Session, st *Stream) { data(a, frame{kind: frameOpened, sid: st.id, credit: 1}) },
		"unknown frame":         func(a *Session, st *Stream) { data(a, frame{kind: 11}) },
		"ACK of the unsent":     func(a *Session, st *Stream) { control(a, frame{kind: frameAck, a: 9, b: 1 << 40}) },
		"ACK of other bytes":    func(a *Session, st *Stream) { control(a, frame{kind: frameAck, a: 1, b: 7}) },
		"ACK of huge counts":    func(a *Session, st *Stream) { control(a, frame{kind: frameAck, a: 1<<64 - 1, b: 1<<64 - 1}) },
		"more marked than sent": func(a *Session, st *Stream) { control(a, frame{kind: frameAck, a: 1, b: 7, ce: 8}) },
		"RESUME of the unsent":  func(a *Session, st *Stream) { control(a, frame{kind: frameResume, a: 9, b: 1 << 40}) },
		"JOIN in a session":     func(a *Session, st *Stream) { control(a, frame{kind: frameJoin}) },
		"OPEN backwards": func(a *Session, st *Stream) {
			data(a, frame{kind: frameOpen, sid: 99}, frame{kind: frameOpen, sid: 97})
		},
		"resets of the future": func(a *Session, st *Stream) {
			for i := range uint32(maxStreams + 2) {
				control(a, frame{kind: frameReset, sid: 2*i + 1001})
			}
		},
	}
	for name, attack := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, 1, nil)
			a, b := m.ready()
			a.recvMu.Lock()
			a.ackSoon.Stop()
			a.ackSoon = time.NewTimer(time.Hour) // an honest ACK that comes first would make the attacks with ACK old news
			a.recvMu.Unlock()
			go func() { (<-m.accepted[1]).Confirm() }()
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

// A record that was changed on the way ends the path that it came on, not the session.
func TestTamperedRecordEndsPath(t *testing.T) {
	for _, kind := range []wire.Type{wire.Data, wire.Control} {
		m := newMesh(t, 2, nil)
		near, far := m.dial()
		a, b := m.ready()
		m.until("two paths", func() bool { return paths(a) == 2 && paths(b) == 2 })
		var once sync.Once
		m.setTap(func(from int, t wire.Type, _ uint8, p []byte) [][]byte {
			if from == 0 && t == kind {
				once.Do(func() { p[len(p)-1] ^= 1 })
			}
			return [][]byte{p}
		})
		copyBoth(t, near, far, 300<<10)
		if a.Err() != nil || b.Err() != nil {
			t.Errorf("type %d: the session ended: %v, %v", kind, a.Err(), b.Err())
		}
	}
}

// Records that come again are not taken again.
func TestReplayedRecords(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	m.setTap(func(from int, t wire.Type, _ uint8, p []byte) [][]byte {
		if from == 1 {
			return [][]byte{p}
		}
		return [][]byte{p, slices.Clone(p), slices.Clone(p)}
	})
	copyBoth(t, near, far, 2<<20)
}

func TestTooManyStreams(t *testing.T) {
	m := newMesh(t, 1, nil)
	a, b := m.ready()
	for i := range maxStreams + 10 {
		a.sendFrame(frame{kind: frameOpen, sid: uint32(2*i + 1), credit: 100}, nil, 0)
	}
	m.until("every OPEN", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.lastID == 2*(maxStreams+9)+1
	})
	b.mu.Lock()
	n, held, opened := len(b.streams), b.granted, b.count.Opened
	b.mu.Unlock()
	if n < 500 || n > maxStreams || held > budget || opened != uint64(n) {
		t.Errorf("%d streams of %d hold %d bytes of credit, the budget is %d", n, opened, held, budget)
	}
	m.until("the resets to be heard", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.resets) == 0
	})
	if b.Err() != nil {
		t.Error(b.Err())
	}
}

func TestWrongNodeAtTheEndOfTheRoute(t *testing.T) {
	m := newMesh(t, 1, nil)
	claimed, _ := identity.Generate()
	m.hosts[1].cfg.Key = claimed // the route was laid for the one that keys[1] names
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := m.hosts[0].Connect(ctx, m.keys[1].Public(), "", false); err == nil || ctx.Err() != nil {
		t.Fatalf("another node was taken for the one that was called, or not refused: %v", err)
	}
}

func BenchmarkHandshake(b *testing.B) {
	m := newMesh(b, 1, nil)
	for b.Loop() {
		a, far := m.ready()
		a.Close()
		over(b, far)
	}
}
