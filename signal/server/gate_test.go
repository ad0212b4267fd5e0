//go:build linux

package server

import (
	"net"
	"os"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

func TestGate(t *testing.T) {
	g := gate{limits: Limits{Connections: 3, Strangers: 2, Operators: 1}}
	var theirs []net.Conn
	connect := func() (*conn, bool) {
		ours, other := net.Pipe()
		theirs = append(theirs, other)
		t.Cleanup(func() { ours.Close(); other.Close() })
		c := &conn{net: ours}
		return c, g.enter(c)
	}
	closed := func(i int) bool {
		theirs[i].SetReadDeadline(time.Unix(1, 0))
		_, err := theirs[i].Read(make([]byte, 1))
		return !os.IsTimeout(err)
	}
	a, _ := connect()
	b, _ := connect()
	if !g.known(a, true) {
		t.Fatal("the first operator was refused")
	}
	if g.known(b, true) {
		t.Fatal("one operator too many")
	}
	c, _ := connect()
	if closed(1) {
		t.Fatal("closed without need")
	}
	d, ok := connect() // the third stranger: the oldest, b, goes
	if !ok || !closed(1) || closed(0) || closed(2) || closed(3) {
		t.Fatal("the oldest stranger was to go, and nobody else")
	}
	if g.known(b, false) {
		t.Fatal("one that was thrown out was let in")
	}
	g.leave(b)
	if !g.known(c, false) || !g.known(d, false) {
		t.Fatal("a stranger in time was refused")
	}
	if _, ok := connect(); ok {
		t.Fatal("more than all connections")
	}
	g.leave(c)
	if _, ok := connect(); !ok {
		t.Fatal("no place after one left")
	}
	g.closeAll()
	if _, ok := connect(); ok || !closed(0) || !closed(3) {
		t.Fatal("the gate is closed")
	}
}

func TestOneStreamAtATime(t *testing.T) {
	s := serve(t, nil)
	p := dialPeer(t, s)
	following := make(chan error, 1)
	go func() { following <- p.Call(t.Context(), sig.MethodEvents, sig.EventsParams{Follow: true}, nil) }()
	eventually(t, "the first follows", func() bool {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		for c := range s.gate.operators {
			c.mu.Lock()
			streaming := c.streaming
			c.mu.Unlock()
			if streaming {
				return true
			}
		}
		return false
	})
	if err := p.Call(t.Context(), sig.MethodAppList, nil, nil); err != nil {
		t.Error(err)
	}
	wantCode(t, "the second", p.Call(t.Context(), sig.MethodEvents, sig.EventsParams{}, nil), sig.CodeBusy)
	p.Close()
	if err := <-following; err == nil {
		t.Error("the stream outlived its connection")
	}
}

func TestUnreachable(t *testing.T) {
	s := serve(t, nil)
	v := ready(t, s, helper("vanish"))
	s.Ping(t.Context(), v.ID)
	awaitState(t, s, v.ID, sig.Unreachable)
	_, err := s.Ping(t.Context(), v.ID)
	wantCode(t, "ping", err, sig.CodeNoSignal)
	if u, err := s.Usage(t.Context(), v.ID); err != nil || u.RSSBytes == 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
		t.Errorf("%+v, %v", rep, err)
	}
}
