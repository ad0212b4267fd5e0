package socks

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// The number of an association opens nothing for another key, and no datagram is too short.
func TestLineChecksTheKey(t *testing.T) {
	air := &twinAir{key: testKey(t)}
	h := newHub(air.open)
	defer h.close()
	l, err := h.line(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	for id, key := range map[uint64]bool{1: true, 2: false} {
		e := &end{peer: air.key, take: func(b []byte) { got <- string(b) }, lost: func() {}}
		if !key {
			e.peer = testKey(t)
		}
		if err := l.add(id, e); err != nil {
			t.Fatal(err)
		}
	}
	if l.add(1, &end{}) == nil {
		t.Error("a number twice")
	}
	from, err := air.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{2, 3, 1} {
		_ = from.WritePacket(binary.BigEndian.AppendUint64(nil, id)[:7], air.key, l.Port())
		_ = from.WritePacket(append(binary.BigEndian.AppendUint64(nil, id), byte('0'+id)), air.key, l.Port())
	}
	select {
	case s := <-got:
		if s != "1" {
			t.Errorf("got %q", s)
		}
	case <-time.After(patience):
		t.Error("nothing came")
	}
	if len(got) > 0 {
		t.Errorf("and %q", <-got)
	}
}

// Who has asked an exit to listen has nothing to say before the connection is there.
func TestBindOpenerSpeaksTooEarly(t *testing.T) {
	m := newTwinMesh(t)
	s := startServer(t, m, func(cfg *ServerConfig) { cfg.BindPorts = PortRange{20_000, 29_999} })
	stream := opened(t, m, "bind/127.0.0.1:21")
	place, err := readPlace(stream)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, []byte("x"))
	ended(t, stream, true)
	eventually(t, "counted", func() bool { return s.Stats().Refused["malformed"] == 1 && s.Stats().Active == 0 })
	if conn, err := net.Dial("tcp", place.String()); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// Exits of before, and those without datagrams, refuse an association in a way that the program understands.
func TestAssociateRefused(t *testing.T) {
	air := &twinAir{key: testKey(t)}
	for code, want := range map[wire.Code]byte{wire.CodeBadRequest: replyGeneral, wire.CodeDenied: replyDenied, wire.CodeNoRoute: replyNetUnreachable} {
		c := startClient(t, noMesh(&wire.Refused{Code: code}), func(cfg *ClientConfig) { cfg.Packets = air.open })
		conn := program(t, c)
		send(t, conn, []byte{5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0})
		expect(t, conn, []byte{5, 0, 5, want})
	}
}

func TestAssociateIPv6(t *testing.T) {
	conn, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Logf("this machine has no ::1: %v", err)
		return
	}
	defer conn.Close()
	go func() {
		b := make([]byte, 100)
		if n, from, err := conn.ReadFrom(b); err == nil {
			_, _ = conn.WriteTo(b[:n], from)
		}
	}()
	c, _ := airThread(t, func(_ *ClientConfig, sc *ServerConfig) { sc.Policy.Allow = append(sc.Policy.Allow, rule(t, "[::1]:*")) })
	_, udp := associated(t, c, false)
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	want := datagram(Target{Addr: netip.IPv6Loopback(), Port: at.Port()}, "six")
	send(t, udp, want)
	if got := hear(t, udp); string(got) != string(want) {
		t.Errorf("got % x", got)
	}
}
