package socks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// airThread is a client and an exit that carry datagrams too.
func airThread(t *testing.T, change func(*ClientConfig, *ServerConfig)) (*Client, *Server) {
	t.Helper()
	m := newTwinMesh(t)
	air := &twinAir{key: m.key}
	cc := ClientConfig{Packets: air.open}
	sc := ServerConfig{Packets: air.open, Policy: Policy{Allow: []Rule{rule(t, "127.0.0.1:*")}},
		Resolver: &names{answers: map[string][][]netip.Addr{"echo.example": {addrs("127.0.0.1")}, "bad.example": {addrs("127.0.0.9")}}}}
	if change != nil {
		change(&cc, &sc)
	}
	s := startServer(t, m, func(cfg *ServerConfig) {
		sc.Accept = cfg.Accept
		*cfg = sc
	})
	c := startClient(t, m, func(cfg *ClientConfig) {
		cc.Listen, cc.Dial = cfg.Listen, cfg.Dial
		*cfg = cc
	})
	return c, s
}

// udpEcho answers each datagram with itself, and "twice" from another port too.
func udpEcho(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, maxUDP)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if string(b[:n]) == "twice" {
				if other, err := net.Dial("udp4", from.String()); err == nil {
					_, _ = other.Write([]byte("unasked"))
					other.Close()
				}
			}
			_, _ = conn.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// programUDP is a program's socket for datagrams: it sends to one address, and hears that one.
type programUDP struct {
	*net.UDPConn
	to netip.AddrPort
}

func (u *programUDP) Write(b []byte) (int, error) { return u.WriteToUDPAddrPort(b, u.to) }
func (u *programUDP) RemoteAddr() net.Addr        { return net.UDPAddrFromAddrPort(u.to) }
func (u *programUDP) Read(b []byte) (int, error) {
	for {
		n, from, err := u.ReadFromUDPAddrPort(b)
		if err != nil || from == u.to {
			return n, err
		}
	}
}

// associated opens an association and returns the connection and a socket that sends to it. With named the request says which
// port that socket has.
func associated(t *testing.T, c *Client, named bool) (net.Conn, net.Conn) {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(patience))
	port := 0
	if named {
		port = socket.LocalAddr().(*net.UDPAddr).Port
	}
	conn := program(t, c)
	send(t, conn, []byte{5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, byte(port >> 8), byte(port)})
	expect(t, conn, []byte{5, 0, 5, 0, 0, 1, 127, 0, 0, 1})
	var at [2]byte
	if _, err := io.ReadFull(conn, at[:]); err != nil {
		t.Fatal(err)
	}
	return conn, &programUDP{socket, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), binary.BigEndian.Uint16(at[:]))}
}

// datagram is one with its header.
func datagram(t Target, data string) []byte {
	b := appendRequest(nil, 0, t)
	b[0] = 0
	return append(b, data...)
}

func hear(t *testing.T, udp net.Conn) []byte {
	t.Helper()
	b := make([]byte, maxUDP)
	n, err := udp.Read(b)
	if err != nil {
		t.Fatalf("no datagram: %v", err)
	}
	return b[:n]
}

// dropped is how many datagrams were dropped for a reason.
func dropped(s Stats, r Reason) uint64 {
	if s.Datagrams == nil { // none has come yet
		return 0
	}
	return s.Datagrams.Dropped[r.String()]
}

func TestAssociate(t *testing.T) {
	at := udpEcho(t)
	c, s := airThread(t, nil)
	conn, udp := associated(t, c, false)
	target := Target{Addr: at.Addr(), Port: at.Port()}
	want := datagram(target, "hello")
	for name, to := range map[string]Target{"address": target, "name": {Name: "echo.example", Port: at.Port()}} {
		send(t, udp, datagram(to, "hello"))
		if got := hear(t, udp); !bytes.Equal(got, want) { // the answer's header has the address, whatever was asked for
			t.Errorf("by %s: % x, want % x", name, got, want)
		}
	}
	long := strings.Repeat("x", 60_000)
	send(t, udp, datagram(target, long))
	if got := hear(t, udp); len(got) != 10+len(long) {
		t.Errorf("%d bytes of 60,000 came back", len(got)-10)
	}
	send(t, udp, datagram(target, "")) // empty ones are datagrams too
	if got := hear(t, udp); len(got) != 10 {
		t.Errorf("% x", got)
	}
	// a datagram is counted when it has been sent: the one who hears it may ask before
	eventually(t, "the client counts", func() bool {
		st := c.Stats()
		return st.Kinds["udp"] == 1 && st.Datagrams != nil && st.Datagrams.Up == 4 && st.Datagrams.Down == 4 && st.BytesUp == 60_010 && st.BytesDown == 60_010
	})
	eventually(t, "the exit counts", func() bool {
		st := s.Stats()
		return st.Kinds["udp"] == 1 && st.Datagrams != nil && st.Datagrams.Up == 4 && st.Datagrams.Down == 4 && st.BytesUp == 60_010 && st.BytesDown == 60_010
	})
	late := c.takers()
	conn.Close()
	eventually(t, "both ends forget it", func() bool { return c.Stats().Active == 0 && s.Stats().Active == 0 })
	// the number of the port may be another program's by now, so it is asked of what sent from it
	for _, take := range late {
		take(append(appendPlace(nil, at), "late"...))
	}
	if down := c.Stats().Datagrams.Down; len(late) != 1 || down != 4 {
		t.Errorf("of %d ports, some outlive the connection: %d datagrams came down", len(late), down)
	}
}

// takers are what takes datagrams from the exit now.
func (c *Client) takers() (all []func([]byte)) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.hub.last.mu.Lock()
	defer c.hub.last.mu.Unlock()
	for _, e := range c.hub.last.ends {
		all = append(all, e.take)
	}
	return all
}

func TestAssociateRefusesDatagrams(t *testing.T) {
	at := udpEcho(t)
	target := Target{Addr: at.Addr(), Port: at.Port()}
	c, s := airThread(t, func(_ *ClientConfig, sc *ServerConfig) {
		sc.Policy.Forbidden = []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, 7999)}
	})
	_, udp := associated(t, c, false)
	fragment := datagram(target, "part")
	fragment[2] = 1
	reserved := datagram(target, "odd")
	reserved[1] = 1
	for _, bad := range [][]byte{
		fragment, reserved, {}, {0, 0}, {0, 0, 0}, {0, 0, 0, 9, 1, 1, 1, 1, 0, 1}, datagram(target, "x")[:9],
		datagram(Target{Name: "node.mesh", Port: 53}, "x"),
	} {
		send(t, udp, bad)
	}
	eventually(t, "the client drops eight", func() bool {
		s := c.Stats()
		return dropped(s, Malformed) == 5 && dropped(s, BadCommand) == 1 && dropped(s, BadAddrType) == 1 && dropped(s, NoSuchName) == 1
	})
	for _, denied := range []Target{
		{Addr: netip.MustParseAddr("127.0.0.2"), Port: 53}, {Addr: netip.MustParseAddr("169.254.169.254"), Port: 80}, {Addr: netip.MustParseAddr("255.255.255.255"), Port: 9},
		{Addr: netip.MustParseAddr("::1"), Port: 53}, {Addr: netip.MustParseAddr("224.0.0.251"), Port: 5353}, {Addr: netip.MustParseAddr("10.0.0.1"), Port: 53},
		{Name: "bad.example", Port: 53}, {Addr: netip.MustParseAddr("127.0.0.1"), Port: 7999},
	} {
		send(t, udp, datagram(denied, "secret"))
	}
	send(t, udp, datagram(Target{Name: "unknown.example", Port: 53}, "x"))
	eventually(t, "the exit drops nine", func() bool { // and what strangers send to its port
		s := s.Stats()
		return dropped(s, Denied) >= 8 && dropped(s, NoSuchName) == 1 && s.Datagrams.Up == 0
	})
	send(t, udp, datagram(target, "still here"))
	hear(t, udp)
}

// Only whom the program sent to may answer, and only the program's own address is heard.
func TestAssociatePeers(t *testing.T) {
	at := udpEcho(t)
	c, s := airThread(t, nil)
	_, udp := associated(t, c, false)
	send(t, udp, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "twice"))
	if got := hear(t, udp); string(got[10:]) != "twice" {
		t.Errorf("got %q", got[10:])
	}
	eventually(t, "the unasked one is dropped", func() bool { return dropped(s.Stats(), Denied) > 0 })
	other, err := net.Dial("udp4", udp.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	send(t, other, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "me too"))
	eventually(t, "another socket is not heard", func() bool { return dropped(c.Stats(), Denied) > 0 })
}

func TestAssociateNamedPort(t *testing.T) {
	at := udpEcho(t)
	c, _ := airThread(t, nil)
	_, udp := associated(t, c, true)
	stranger, err := net.Dial("udp4", udp.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	send(t, stranger, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "first"))
	eventually(t, "a stranger who was faster", func() bool { return dropped(c.Stats(), Denied) > 0 })
	send(t, udp, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "mine"))
	if got := hear(t, udp); string(got[10:]) != "mine" {
		t.Errorf("got %q", got)
	}
}

func TestAssociateForeignUser(t *testing.T) {
	at := udpEcho(t)
	c, _ := airThread(t, func(cc *ClientConfig, _ *ServerConfig) {
		cc.PacketUID = func(netip.AddrPort) (int, error) { return os.Geteuid() + 1, nil }
	})
	_, udp := associated(t, c, false)
	send(t, udp, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "x"))
	eventually(t, "not heard", func() bool { return dropped(c.Stats(), ForeignUser) == 1 })
}

func TestAssociateLimits(t *testing.T) {
	c, s := airThread(t, func(_ *ClientConfig, sc *ServerConfig) { sc.Limits.MaxUDPPerKey = 2 })
	one, _ := associated(t, c, false)
	associated(t, c, false)
	refused := func() {
		t.Helper()
		conn := program(t, c)
		send(t, conn, []byte{5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0})
		expect(t, conn, []byte{5, 0, 5, 1})
	}
	refused()
	one.Close()
	eventually(t, "room again", func() bool { return s.Stats().Active == 1 })
	associated(t, c, false)
	refused()
}

// When the way for datagrams breaks, associations end, and the next one finds a new way.
func TestAssociateBrokenAir(t *testing.T) {
	at := udpEcho(t)
	c, s := airThread(t, nil)
	conn, _ := associated(t, c, false)
	c.hub.mu.Lock()
	c.hub.last.Close()
	c.hub.mu.Unlock()
	ended(t, conn, false)
	eventually(t, "gone", func() bool { return c.Stats().Active == 0 && s.Stats().Active == 0 })
	_, udp := associated(t, c, false)
	send(t, udp, datagram(Target{Addr: at.Addr(), Port: at.Port()}, "again"))
	hear(t, udp)
}

func TestMappingsAreBounded(t *testing.T) {
	n := &nat{mappings: map[netip.AddrPort]*mapping{}, names: map[string]*naming{}}
	now := time.Now()
	peer := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, 3, 4}), uint16(1+i))
	}
	for i := range maxMappings {
		if !n.remember(peer(i), now, true) {
			t.Fatal("full too early")
		}
	}
	if n.remember(peer(maxMappings), now, true) {
		t.Error("one too many")
	}
	if !n.remember(peer(0), now.Add(mappingLife/2), true) {
		t.Error("a known one refused")
	}
	n.expire(now.Add(mappingLife))
	if len(n.mappings) != 1 || !n.remember(peer(maxMappings), now, true) {
		t.Errorf("%d left", len(n.mappings))
	}
}

func TestUDPGolden(t *testing.T) {
	b := unhex(t, "000000 01 08080808 0035 6869")
	target, n, err := parseUDP(b)
	if err != nil || target.String() != "8.8.8.8:53" || string(b[n:]) != "hi" {
		t.Fatalf("%v, %d, %v", target, n, err)
	}
	for i := range n {
		if _, _, err := parseUDP(b[:i]); !errors.Is(err, errShort) {
			t.Errorf("prefix of %d bytes: %v", i, err)
		}
	}
	for hex, want := range map[string]Reason{
		"010000 01 08080808 0035": Malformed, "000080 01 08080808 0035": BadCommand, "000000 02 08080808 0035": BadAddrType, "000000 02": BadAddrType,
		"000000 01 08080808 0000": Malformed, "000000 03 00 0035": Malformed,
	} {
		if _, _, err := parseUDP(unhex(t, hex)); errors.Is(err, errShort) || ReasonOf(err) != want {
			t.Errorf("%s: %v", hex, err)
		}
	}
}

func TestErrands(t *testing.T) {
	for _, text := range []string{"udp/1", "udp/65535", "bind/ftp.example:21", "bind/[::1]:21", "page.example:80"} {
		if e, err := parseErrand(text); err != nil || e.String() != text {
			t.Errorf("%q became %q, %v", text, e, err)
		}
	}
	for _, text := range []string{"", "udp/", "udp/0", "udp/65536", "udp/x", "bind/", "bind/a", "bind/udp/1", "tcp/a:1", "udp/1/"} {
		if e, err := parseErrand(text); ReasonOf(err) != Malformed || err == nil {
			t.Errorf("%q became %q, %v", text, e, err)
		}
	}
}

func FuzzUDP(f *testing.F) {
	f.Add(datagram(Target{Name: "a.example", Port: 53}, "data"))
	f.Add(datagram(Target{Addr: netip.MustParseAddr("1.2.3.4"), Port: 53}, ""))
	f.Add(datagram(Target{Addr: netip.MustParseAddr("2606:2800::1"), Port: 53}, "x"))
	f.Add(datagram(Target{Name: "::", Port: 53}, "x")) // an address, longer as one than as a name
	f.Fuzz(func(t *testing.T, b []byte) {
		target, n, err := parseUDP(b)
		if err != nil {
			return
		}
		if n < 4 || n > len(b) {
			t.Fatalf("data of %d bytes at %d", len(b), n)
		}
		again, m, err := parseUDP(datagram(target, string(b[n:])))
		if err != nil || again != target || m > n && target.Name != "" || m > udpHead+maxPlace && target.Name == "" {
			t.Fatalf("%v at %d became %v at %d: %v", target, n, again, m, err)
		}
		if target.Addr.IsValid() && target.Name == "" {
			at, m, err := parsePlace(appendPlace(nil, netip.AddrPortFrom(target.Addr, target.Port)))
			if err != nil || at != target || m > maxPlace {
				t.Fatalf("%v became %v: %v", target, at, err)
			}
		}
	})
}

func FuzzErrand(f *testing.F) {
	for _, s := range []string{"udp/4000", "bind/a.example:21", "a.example:80", "[::1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseErrand(s)
		if err != nil {
			return
		}
		if again, err := parseErrand(e.String()); err != nil || again != e {
			t.Fatalf("%q became %+v, then %+v: %v", s, e, again, err)
		}
	})
}

// A name that reads as an address is one, in a datagram too, and the place stays as the program wrote it.
func TestUDPNameThatIsAnAddress(t *testing.T) {
	for name, want := range map[string]string{"::": "::", "000:000::": "::", "1.2.3.4": "1.2.3.4", "::ffff:1.2.3.4": "1.2.3.4"} {
		b := datagram(Target{Name: name, Port: 53}, "data")
		got, n, err := parseUDP(b)
		if err != nil || got != (Target{Addr: netip.MustParseAddr(want), Port: 53}) || string(b[n:]) != "data" {
			t.Errorf("%q is read as %v with data %q, %v", name, got, b[n:], err)
		}
	}
}
