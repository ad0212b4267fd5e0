package simnet_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/simnet"
)

// behind is a host behind a NAT of some kind, and two hosts outside.
func behind(t *testing.T, kind simnet.Kind) (in, out1, out2 *simnet.PacketConn, host *simnet.Host) {
	n := simnet.New(seed)
	host = n.NAT(kind, "198.51.100.1").Host("192.168.0.2")
	conns := make([]*simnet.PacketConn, 3)
	for i, h := range []*simnet.Host{host, n.Host("203.0.113.1"), n.Host("203.0.113.2")} {
		c, err := h.ListenPacket(":5000")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[i] = c
	}
	return conns[0], conns[1], conns[2], host
}

// from is where the next datagram comes from, nil when none comes.
func from(c net.PacketConn) net.Addr {
	c.SetReadDeadline(time.Now().Add(time.Second))
	_, addr, err := c.ReadFrom(make([]byte, 10))
	if err != nil {
		return nil
	}
	return addr
}

func TestFullConeNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out1, out2, _ := behind(t, simnet.FullCone)
		outside := udp("198.51.100.1:5000")
		out1.WriteTo([]byte("x"), outside)
		out1.WriteTo([]byte("x"), udp("192.168.0.2:5000"))
		if a := from(in); a != nil {
			t.Fatal("unsolicited from", a)
		}
		in.WriteTo([]byte("x"), udp("203.0.113.1:5000"))
		if a := from(out1); a == nil || a.String() != outside.String() {
			t.Fatalf("out1 sees %v", a)
		}
		out2.WriteTo([]byte("x"), outside) // a stranger
		if a := from(in); a == nil || a.String() != "203.0.113.2:5000" {
			t.Errorf("in sees %v", a)
		}
		in.WriteTo([]byte("x"), udp("203.0.113.2:5000"))
		if a := from(out2); a == nil || a.String() != outside.String() {
			t.Errorf("out2 sees %v", a)
		}
		time.Sleep(3 * time.Minute)
		out2.WriteTo([]byte("x"), outside)
		if a := from(in); a != nil {
			t.Error("the mapping outlived its time")
		}
	})
}

func TestSymmetricNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out1, out2, _ := behind(t, simnet.Symmetric)
		in.WriteTo([]byte("x"), udp("203.0.113.1:5000"))
		in.WriteTo([]byte("x"), udp("203.0.113.2:5000"))
		a1, a2 := from(out1), from(out2)
		if a1 == nil || a2 == nil || a1.String() == a2.String() {
			t.Fatalf("out1 sees %v, out2 %v", a1, a2)
		}
		out2.WriteTo([]byte("x"), a1) // at the port that is out1's
		if a := from(in); a != nil {
			t.Error("a stranger came in from", a)
		}
		out1.WriteTo([]byte("x"), a1)
		if a := from(in); a == nil || a.String() != "203.0.113.1:5000" {
			t.Errorf("in sees %v", a)
		}
	})
}

func TestNATAndStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(seed)
		home := n.NAT(simnet.FullCone, "198.51.100.1", "2001:db8::1")
		a, b := home.Host("192.168.0.2", "fd00::2"), home.Host("192.168.0.3")
		other := n.NAT(simnet.Symmetric, "198.51.100.2").Host("192.168.0.2") // the same address, behind another router
		out := n.Host("203.0.113.1", "2001:db8::99")
		ctx := context.Background()
		ln := mustListen(t, out, ":80")
		for _, c := range []struct {
			h        *simnet.Host
			to, seen string
		}{{a, "203.0.113.1:80", "198.51.100.1"}, {other, "203.0.113.1:80", "198.51.100.2"}, {a, "[2001:db8::99]:80", "2001:db8::1"}} {
			near, err := c.h.Dial(ctx, c.to)
			if err != nil {
				t.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if ip := far.RemoteAddr().(*net.TCPAddr).IP.String(); ip != c.seen {
				t.Errorf("%s comes from %s, want %s", c.h, ip, c.seen)
			}
			time.Sleep(200 * time.Minute) // longer than a mapping: an established stream lives
			far.Write([]byte("x"))
			if k, err := near.Read(make([]byte, 1)); k != 1 {
				t.Error("back through the NAT:", err)
			}
			near.Close()
			far.Close()
		}
		inner := mustListen(t, a, ":80")
		near, far := connect(t, b, mustListen(t, a, "192.168.0.2:81")) // neighbours
		near.Close()
		far.Close()
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		for _, to := range []string{"198.51.100.1:80", "192.168.0.2:80"} {
			if _, err := out.Dial(short, to); err == nil {
				t.Errorf("dialed %s from outside", to)
			}
		}
		inner.Close()
	})
}
