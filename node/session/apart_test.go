package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// dialOver opens a stream from host 0 to host 1 over terms.
func (m *mesh) dialOver(terms Terms) (near, far *Stream) {
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
	near, err := m.hosts[0].Dial(ctx, m.keys[1].Public(), terms, 7, "x", nil)
	if err != nil {
		m.t.Fatalf("dialing over %q: %v", terms, err)
	}
	return near, <-got
}

// wants lists the terms that routes were asked for with, since the last call.
func (m *mesh) wants() (all []Terms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.asked {
		all = append(all, w.Terms)
	}
	m.asked = nil
	return all
}

// TestSessionsApart: what asks for terms has a session of its own, at both ends, whose every route is asked for with the terms:
// the first, the one that stands by, and the one after both have died.
func TestSessionsApart(t *testing.T) {
	m := newMesh(t, 3, nil)
	plain, _ := m.dialOver("")
	two, farTwo := m.dialOver("two")
	three, _ := m.dialOver("three")
	again, _ := m.dialOver("two")
	if plain.s == two.s || two.s == three.s || two.s != again.s {
		t.Error("streams with other terms share a session, or such with the same do not")
	}
	far := farTwo.s
	if !two.s.apart.Load() || !far.apart.Load() || far.serves() {
		t.Error("the far end does not know that the session is kept apart")
	}
	us := m.keys[0].Public()
	if s := m.hosts[1].Standing(us, ""); s == nil || s == far || s.id != plain.s.id {
		t.Error("the far end uses the wrong session")
	}
	if i := two.s.info(); i.Terms != "two" || !i.Apart {
		t.Errorf("info: %+v", i)
	}
	if all := m.hosts[0].Terms(m.keys[1].Public()); !slices.Equal(all, []Terms{"three", "two"}) {
		t.Errorf("terms: %q", all)
	}
	m.until("a second route for each", func() bool {
		return len(plain.s.info().Paths) > 1 && len(two.s.info().Paths) > 1 && len(three.s.info().Paths) > 1
	})
	m.wants()
	for _, r := range m.live() {
		if p := r.lanes[1].to; p.session.Load() == two.s {
			r.cut(forward.ReasonLink)
		}
	}
	m.until("routes again", func() bool { return !two.s.stranded() && len(two.s.info().Paths) > 1 })
	for _, terms := range m.wants() {
		if terms != "two" {
			t.Errorf("a route was asked for with %q", terms)
		}
	}
	go func() {
		two.Write([]byte("alive"))
		two.CloseWrite()
	}()
	if b, err := io.ReadAll(reader{farTwo}); string(b) != "alive" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

// reader is a stream's reading side.
type reader struct{ st *Stream }

func (r reader) Read(b []byte) (int, error) { return r.st.Read(b) }

// TestApartIsHeardBeforeUse: while the far end has not heard of it, no session is used, however long that takes.
func TestApartIsHeardBeforeUse(t *testing.T) {
	m := newMesh(t, 1, nil)
	var lost atomic.Int32
	var opened atomic.Bool
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		switch {
		case from == 0 && kind == wire.Control && lost.Load() < 2: // one at a time: a session's records leave under a lock
			lost.Add(1)
			return nil
		case from == 0 && kind == wire.Data && lost.Load() < 2:
			opened.Store(true)
		}
		return [][]byte{p}
	})
	near, _ := m.dialOver("two")
	if opened.Load() || lost.Load() < 2 || !near.s.apart.Load() {
		t.Errorf("data left before the far end had heard; %d lost", lost.Load())
	}
}

// TestAnswersGoBackApart: datagrams to a port go back on the session that the port used last, and nowhere when that is over.
func TestAnswersGoBackApart(t *testing.T) {
	type got struct {
		port, from uint16
		terms      Terms
		b          string
	}
	heard := make(chan got, 64)
	m := newMesh(t, 1, func(c *Config, _ *timing) {
		c.Datagram = func(_ identity.PubKey, port, from uint16, terms Terms, b []byte) {
			heard <- got{port, from, terms, string(b)}
		}
	})
	ctx := t.Context()
	us, peer := m.keys[0].Public(), m.keys[1].Public()
	send := func(terms Terms, from uint16, text string) {
		t.Helper()
		if err := m.hosts[0].Datagram(ctx, peer, terms, 53, from, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if g := <-heard; g.b != text || g.terms != "" {
			t.Fatalf("heard %+v", g)
		}
	}
	send("", 1, "plain")
	if _, kept := m.hosts[1].Answering(us, 1); kept {
		t.Error("an answer that nobody asked to keep apart is kept")
	}
	send("two", 2, "over two")
	send("three", 3, "over three")
	for port, terms := range map[uint16]Terms{2: "two", 3: "three"} {
		s, kept := m.hosts[1].Answering(us, port)
		if !kept || s == nil {
			t.Fatalf("port %d: %v, %t", port, s, kept)
		}
		s.SendDatagram(port, 53, []byte("answer"))
		if g := <-heard; g != (got{port, 53, terms, "answer"}) {
			t.Errorf("heard %+v over the session of %q", g, terms)
		}
	}
	send("three", 2, "another app has the port")
	if s, _ := m.hosts[1].Answering(us, 2); s == nil || s.id != m.hosts[0].Standing(peer, "three").id {
		t.Error("the answer goes where the port spoke before")
	}
	m.hosts[0].Standing(peer, "three").Close()
	m.until("the far end knows", func() bool { s, kept := m.hosts[1].Answering(us, 2); return kept && s == nil })
	send("two", 2, "and now here")
	if s, _ := m.hosts[1].Answering(us, 2); s == nil || s.id != m.hosts[0].Standing(peer, "two").id {
		t.Error("the answer does not follow the port")
	}
	send("", 2, "by any way")
	if _, kept := m.hosts[1].Answering(us, 2); kept {
		t.Error("a port that asks for nothing any more is kept apart")
	}
	if n := m.hosts[1].bound.Load(); n != 1 || int(n) != len(m.hosts[1].answers) { // port 3, which nothing answers
		t.Errorf("%d answers are bound", n)
	}
}

// TestTooManyAnswers: a session answers to a number of ports, and what comes from others is dropped, not answered elsewhere.
func TestTooManyAnswers(t *testing.T) {
	type got struct {
		from uint16
		b    string
	}
	heard := make(chan got, 2*maxReplies)
	m := newMesh(t, 1, func(c *Config, _ *timing) {
		c.Datagram = func(_ identity.PubKey, _, from uint16, _ Terms, b []byte) { heard <- got{from, string(b)} }
	})
	send := func(from int, text string) {
		if err := m.hosts[0].Datagram(t.Context(), m.keys[1].Public(), "two", 53, uint16(from), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxReplies + 10 {
		send(i, "")
	}
	send(5, "the last")
	for i := range maxReplies {
		if g := <-heard; g != (got{uint16(i), ""}) {
			t.Fatalf("datagram %d is %+v", i, g)
		}
	}
	if g := <-heard; g != (got{5, "the last"}) {
		t.Errorf("after as many ports as are answered came %+v", g)
	}
	m.hosts[1].mu.Lock()
	defer m.hosts[1].mu.Unlock()
	if n := len(m.hosts[1].answers); n != maxReplies || m.hosts[1].bound.Load() != maxReplies {
		t.Errorf("%d answers", n)
	}
}

// TestTooManyTerms: sessions to one node with terms of their own are bounded; one that is not used makes room.
func TestTooManyTerms(t *testing.T) {
	m := newMesh(t, 1, nil)
	var streams []*Stream
	for i := range maxApart {
		near, _ := m.dialOver(Terms(fmt.Sprint("terms ", i)))
		streams = append(streams, near)
	}
	_, err := m.hosts[0].Dial(t.Context(), m.keys[1].Public(), "one more", 7, "", nil)
	if !errors.Is(err, &wire.Refused{Code: wire.CodeBusy}) || !strings.Contains(err.Error(), "terms 3") {
		t.Errorf("one more: %v", err)
	}
	m.dialOver("")
	streams[3].Reset(wire.CodeCancelled)
	m.until("the stream to be over", func() bool { return streams[3].s.info().Streams == 0 })
	streams[3].s.mu.Lock()
	streams[3].s.lastUse = time.Now().Add(-2 * gramBusy)
	streams[3].s.mu.Unlock()
	m.dialOver("one more")
	for i, st := range streams {
		if over := st.s.Err() != nil; over != (i == 3) {
			t.Errorf("session %d: over %t", i, over)
		}
	}
}

// TestApartFromTheResponder: only the initiator keeps a session apart.
func TestApartFromTheResponder(t *testing.T) {
	m := newMesh(t, 1, nil)
	a, b := m.ready()
	b.sendControl(nil, frame{kind: frameApart})
	m.until("the end", func() bool { return a.Err() != nil })
	if !errors.Is(a.Err(), errProtocol) {
		t.Errorf("it ended with %v", a.Err())
	}
}
