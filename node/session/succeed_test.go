package session

import (
	"testing"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// A node that dies without a word and comes back is reached over its new session at once, while the old one still
// waits for a way.
func TestNewSessionOfANodeThatCameBack(t *testing.T) {
	heard := make(chan string, 64)
	m := newMesh(t, 2, func(c *Config, _ *timing) {
		c.Datagram = func(_ identity.PubKey, _, _ uint16, _ Terms, b []byte) { heard <- string(b) }
	})
	_, old := m.ready()
	if err := old.SendDatagram(1, 2, []byte("before")); err != nil { // it lives for a minute without a way
		t.Fatal(err)
	}
	<-heard
	m.setTap(func(int, wire.Type, uint8, []byte) [][]byte { return nil }) // also on a route that is being laid
	for _, r := range m.live() {
		r.hush(true)
	}
	dead := m.hosts[0]
	dead.Close()
	for _, r := range m.live() {
		r.cut(forward.ReasonLink)
	}
	m.setTap(nil)
	m.hosts[0] = NewHost(dead.cfg)
	m.hosts[0].timing = dead.timing
	_, fresh := m.ready()
	if old.Err() != nil {
		t.Fatal("the old one has ended: nothing is tested")
	}
	var s *Session
	m.until("the new session to be used", func() bool { s = m.hosts[1].Standing(m.keys[0].Public(), ""); return s == fresh })
	if err := s.SendDatagram(1, 2, []byte("after")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "after" {
		t.Errorf("heard %q", got)
	}
}

// A session that we began stays in use as long as there is a way.
func TestStrandedSessionIsLeft(t *testing.T) {
	m := newMesh(t, 2, nil)
	a, b := m.ready()
	if a.stranded() || !b.replaces(nil) || b.replaces(a) {
		t.Error("a session with a way is stranded, or replaced")
	}
	for _, r := range m.live() {
		r.cut(forward.ReasonLink)
	}
	a.mu.Lock()
	gone := a.active == nil || a.active.gone.Load() != 0
	a.mu.Unlock()
	if gone && !a.stranded() {
		t.Error("a session without a way is not stranded")
	}
}
