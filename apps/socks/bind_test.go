package socks

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// bindable lets the exit listen at some ports.
func bindable(_ *ClientConfig, sc *ServerConfig) { sc.BindPorts = PortRange{20_000, 29_999} }

// bound asks for BIND and returns the connection and where the exit listens.
func bound(t *testing.T, c *Client, peer Target) (*net.TCPConn, netip.AddrPort) {
	t.Helper()
	conn := program(t, c)
	send(t, conn, appendRequest(appendGreeting(nil, 0), cmdBind, peer))
	expect(t, conn, []byte{5, 0, 5, 0, 0, 1})
	return conn, place4(t, conn)
}

func place4(t *testing.T, r io.Reader) netip.AddrPort {
	t.Helper()
	var b [6]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), binary.BigEndian.Uint16(b[4:]))
}

var ftpPeer = Target{Addr: netip.MustParseAddr("127.0.0.1"), Port: 21}

func TestBind(t *testing.T) {
	c, s := airThread(t, bindable)
	conn, at := bound(t, c, ftpPeer)
	if at.Addr() != ftpPeer.Addr || at.Port() < 20_000 || at.Port() > 29_999 {
		t.Fatalf("listens at %s", at)
	}
	send(t, conn, []byte("early "))
	peer, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	_ = peer.SetDeadline(time.Now().Add(patience))
	expect(t, conn, []byte{5, 0, 0, 1})
	if from := place4(t, conn); from.String() != peer.LocalAddr().String() {
		t.Errorf("it came from %s, not %s", from, peer.LocalAddr())
	}
	send(t, peer, []byte("file"))
	expect(t, conn, []byte("file"))
	send(t, conn, []byte("word"))
	expect(t, peer, []byte("early word"))
	if st := s.Stats(); st.Kinds["bind"] != 1 {
		t.Errorf("counted %+v", st)
	}
	peer.Close()
	ended(t, conn, false)
	conn.Close()
	eventually(t, "all counted", func() bool {
		a, b := c.Stats(), s.Stats()
		return a.Active == 0 && b.Active == 0 && a.BytesUp == 10 && a.BytesDown == 4 && b.BytesUp == 10 && b.BytesDown == 4
	})
	if peer, err := net.Dial("tcp", at.String()); err == nil {
		peer.Close()
		t.Error("it still listens")
	}
}

// Somebody else who connects is sent away; the expected peer still gets through.
func TestBindStranger(t *testing.T) {
	c, _ := airThread(t, bindable)
	conn, at := bound(t, c, ftpPeer)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	stranger, err := d.Dial("tcp", at.String())
	if err == nil { // the reset may come before connect returns
		defer stranger.Close()
		_ = stranger.SetDeadline(time.Now().Add(patience))
		ended(t, stranger, true)
	}
	peer, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	expect(t, conn, []byte{5, 0, 0, 1})
}

func TestBindRefusals(t *testing.T) {
	ask := func(c *Client, peer Target) byte {
		conn := program(t, c)
		send(t, conn, appendRequest(appendGreeting(nil, 0), cmdBind, peer))
		var b [4]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			t.Fatal(err)
		}
		return b[3]
	}
	closed, _ := airThread(t, nil)
	if got := ask(closed, ftpPeer); got != replyDenied {
		t.Errorf("an exit without ports for it: reply %d", got)
	}
	c, _ := airThread(t, bindable)
	for name, tt := range map[string]struct {
		peer Target
		want byte
	}{
		"a peer that the policy denies": {Target{Addr: netip.MustParseAddr("127.0.0.2"), Port: 21}, replyDenied},
		"a private peer":                {Target{Addr: netip.MustParseAddr("10.1.2.3"), Port: 21}, replyDenied},
		"anybody":                       {Target{Addr: netip.MustParseAddr("0.0.0.0"), Port: 21}, replyDenied},
		"a name that leads there":       {Target{Name: "bad.example", Port: 21}, replyDenied},
		"no such name":                  {Target{Name: "unknown.example", Port: 21}, replyHostUnreachable},
		"a name of the mesh":            {Target{Name: "node.mesh", Port: 21}, replyDenied},
	} {
		if got := ask(c, tt.peer); got != tt.want {
			t.Errorf("%s: reply %d, want %d", name, got, tt.want)
		}
	}
}

func TestBindProgramLeaves(t *testing.T) {
	c, s := airThread(t, bindable)
	conn, at := bound(t, c, ftpPeer)
	conn.Close()
	eventually(t, "the exit listens no more", func() bool {
		peer, err := net.Dial("tcp", at.String())
		if err == nil {
			peer.Close()
		}
		return err != nil && s.Stats().Active == 0 && c.Stats().Active == 0
	})
}

func TestBindLimit(t *testing.T) {
	c, s := airThread(t, func(cc *ClientConfig, sc *ServerConfig) {
		bindable(cc, sc)
		sc.Limits.MaxBindsPerKey = 1
	})
	one, _ := bound(t, c, ftpPeer)
	conn := program(t, c)
	send(t, conn, appendRequest(appendGreeting(nil, 0), cmdBind, ftpPeer))
	expect(t, conn, []byte{5, 0, 5, replyGeneral})
	one.Close()
	eventually(t, "room again", func() bool { return s.Stats().Active == 0 })
	bound(t, c, ftpPeer)
}

// SOCKS 4 has BIND too, and 4a names.
func TestSOCKS4(t *testing.T) {
	c, _ := airThread(t, bindable)
	target := listener(t, "127.0.0.1:0", echo)
	port := binary.BigEndian.AppendUint16(nil, target.Port)
	for name, request := range map[string][]byte{
		"4":  append(append([]byte{4, 1}, port...), 127, 0, 0, 1, 'm', 'e', 0),
		"4a": append(append(append([]byte{4, 1}, port...), 0, 0, 0, 1, 0), "echo.example\x00"...),
	} {
		conn := program(t, c)
		send(t, conn, append(request, "early"...))
		expect(t, conn, []byte{0, 90, 0, 0, 0, 0, 0, 0})
		expect(t, conn, []byte("early"))
		send(t, conn, []byte(name))
		expect(t, conn, []byte(name))
	}
	conn := program(t, c)
	send(t, conn, []byte{4, 2, 0, 21, 127, 0, 0, 1, 0})
	expect(t, conn, []byte{0, 90})
	var b [6]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("tcp", netip.AddrPortFrom(ftpPeer.Addr, binary.BigEndian.Uint16(b[:])).String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	expect(t, conn, []byte{0, 90})
}

func FuzzRequest4(f *testing.F) {
	f.Add([]byte{4, 1, 0, 80, 1, 2, 3, 4, 'm', 'e', 0})
	f.Add(append([]byte{4, 1, 0, 80, 0, 0, 0, 1, 0}, "a.example\x00"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd, target, n, err := parseRequest4(b)
		if n < 0 || n > len(b) {
			t.Fatalf("length %d of %d", n, len(b))
		}
		if err == nil && (cmd != cmdConnect && cmd != cmdBind || target.Port == 0) {
			t.Fatalf("command %d to %v", cmd, target)
		}
		if err == nil {
			if text, err := ParseTarget(target.String()); err != nil || text != target {
				t.Fatalf("%v as text became %v: %v", target, text, err)
			}
		}
	})
}
