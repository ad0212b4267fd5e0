package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

func TestPingMeasures(t *testing.T) {
	m := newMesh(t, 1, nil)
	m.relays[0].delay = 5 * time.Millisecond
	a, b := m.ready()
	for _, s := range []*Session{a, b} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		d, err := s.Ping(ctx)
		cancel()
		if err != nil || d < 10*time.Millisecond || d > patience {
			t.Errorf("a round trip of two times 5ms is %s, %v", d, err)
		}
		if s.mu.Lock(); len(s.asked) != 0 {
			t.Error("an answered PING is still waited for")
		}
		s.mu.Unlock()
	}
}

func TestPingWithoutAnswer(t *testing.T) {
	m := newMesh(t, 1, nil)
	a, _ := m.ready()
	m.setTap(func(int, wire.Type, uint8, []byte) [][]byte { return nil })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	for range maxAsked {
		if _, err := a.ask(make(chan time.Duration, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Ping(context.Background()); err == nil {
		t.Error("more than the limit may wait")
	}
	a.mu.Lock()
	for stamp := range a.asked {
		a.answeredLocked(stamp, 0)
		a.answeredLocked(stamp, 0) // twice, as a peer may answer
	}
	a.mu.Unlock()
	a.Close()
	if _, err := a.Ping(context.Background()); err == nil {
		t.Error("a session that is over answers")
	}
}

func TestRelation(t *testing.T) {
	m := newMesh(t, 1, nil)
	peer := m.keys[1].Public()
	if r := m.hosts[0].With(peer, ""); r != (Relation{}) {
		t.Errorf("of a stranger: %+v", r)
	}
	a, _ := m.ready()
	r := m.hosts[0].With(peer, "")
	if r.Session == nil || !r.Session.Ready || len(r.Session.Paths) != 1 || len(r.Session.Paths[0].Nodes) != 3 || r.Err != nil {
		t.Errorf("of a session: %+v", r)
	}
	a.fail(errProtocol)
	if r := m.hosts[0].With(peer, ""); r.Session != nil || !errors.Is(r.Err, errProtocol) || r.Ended.IsZero() {
		t.Errorf("of a session that broke: %+v", r)
	}
	m.until("the far end knows", func() bool { return m.hosts[1].With(m.keys[0].Public(), "").Err != nil })

	m.mu.Lock()
	m.relays[0].down = true
	m.mu.Unlock()
	if _, err := m.hosts[0].Connect(t.Context(), peer, "", false); !errors.Is(err, errNoRelay) {
		t.Errorf("without a route: %v", err)
	}
	if r := m.hosts[0].With(peer, ""); !errors.Is(r.Err, errNoRelay) || !r.Finding.IsZero() || len(m.hosts[0].Finding()) != 0 {
		t.Errorf("after no route: %+v", r)
	}
}

func TestFindingIsSeen(t *testing.T) {
	m := newMesh(t, 1, nil)
	peer := m.keys[1].Public()
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	m.hosts[0].cfg.Lay = func(context.Context, Want) (Laid, error) { <-ctx.Done(); return Laid{}, errNoRelay }
	go func() { _, err := m.hosts[0].Connect(context.Background(), peer, "", false); failed <- err }()
	m.until("a route is being found", func() bool {
		return !m.hosts[0].With(peer, "").Finding.IsZero() && len(m.hosts[0].Finding()) == 1
	})
	cancel()
	if err := <-failed; !errors.Is(err, errNoRelay) {
		t.Error(err)
	}
}

// A session that the far node asked for does not do where the nodes of the route are wanted.
func TestConnectOfOurOwn(t *testing.T) {
	m := newMesh(t, 1, nil)
	_, b := m.ready()
	far := m.keys[0].Public()
	m.until("the far end may use it", func() bool { return m.hosts[1].Standing(far, "") == b })
	if s, err := m.hosts[1].Connect(t.Context(), far, "", false); s != b || err != nil {
		t.Errorf("another session was made: %v", err)
	}
	m.hosts[1].cfg.Lay = func(context.Context, Want) (Laid, error) { return Laid{}, errNoRelay }
	if _, err := m.hosts[1].Connect(t.Context(), far, "", true); !errors.Is(err, errNoRelay) {
		t.Errorf("no route was asked for: %v", err)
	}
}

func TestGreetingFailureIsTold(t *testing.T) {
	m := newMesh(t, 1, nil)
	m.setTap(func(_ int, typ wire.Type, _ uint8, _ []byte) [][]byte {
		for _, r := range m.live() {
			go r.cut(forward.ReasonLink)
		}
		return nil
	})
	peer := m.keys[1].Public()
	if _, err := m.hosts[0].Connect(t.Context(), peer, "", false); err == nil {
		t.Fatal("a session without a route")
	}
	if r := m.hosts[0].With(peer, ""); !errors.Is(r.Err, ErrGreeting) {
		t.Errorf("the reason is %v", r.Err)
	}
}

// A loopback session whose path went down, because the far end was quicker to close, leaves no direction behind.
func TestLoopbackEnds(t *testing.T) {
	m := newMesh(t, 0, nil)
	h := m.hosts[0]
	s, err := h.Connect(t.Context(), m.keys[0].Public(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	p := s.paths[0]
	s.mu.Unlock()
	p.end.(*loop).to.end.Close()
	m.until("the path is down", func() bool { return p.gone.Load() != 0 })
	closed := make(chan struct{})
	go func() { h.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("a direction is left")
	}
}

func TestPastIsBounded(t *testing.T) {
	m := newMesh(t, 0, nil)
	h := m.hosts[0]
	h.mu.Lock()
	defer h.mu.Unlock()
	var first whom
	for i := range 2 * maxPast {
		var k identity.PubKey
		k[0], k[1] = byte(i), byte(i>>8)
		if i == 0 {
			first = whom{peer: k}
		}
		h.endedLocked(whom{peer: k}, errNoRelay)
	}
	if _, kept := h.past[first]; kept || len(h.past) != maxPast {
		t.Errorf("%d are remembered, the oldest: %v", len(h.past), kept)
	}
}
