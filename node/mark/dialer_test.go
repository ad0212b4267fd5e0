package mark

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestServersBefore(t *testing.T) {
	text := "# x\nnameserver 10.99.0.1\n" + BeforePrefix + "198.51.100.53\n" + BeforePrefix + "no\n" + BeforePrefix + "2001:db8::53\n"
	want := []netip.AddrPort{netip.MustParseAddrPort("198.51.100.53:53"), netip.MustParseAddrPort("[2001:db8::53]:53")}
	if got := before(text, BeforePrefix); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := before(text, "nameserver "); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	if got := before("nameserver 1.1.1.1\n", BeforePrefix); got != nil {
		t.Errorf("a host without VPN: %v", got)
	}
}

// Whatever resolv.conf says, the given servers are asked: one that is not there is followed by the next.
func TestOwnServersAreAsked(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}}
			}
			b, _ := m.Pack()
			_, _ = pc.WriteTo(b, from)
		}
	}()
	defer func() { pc.Close(); <-done }()
	busy, err := net.Dial("udp", pc.LocalAddr().String()) // its port is nobody else's, and it hears only whom it dialed
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	r := asking([]netip.AddrPort{netip.MustParseAddrPort(busy.LocalAddr().String()), netip.MustParseAddrPort(pc.LocalAddr().String())})
	var addrs []netip.Addr
	for late := time.Now().Add(time.Minute); time.Now().Before(late); { // a machine that stands still fails a query after 5 s
		addrs, err = r.LookupNetIP(t.Context(), "ip4", "manager.example.")
		var no *net.DNSError
		if !errors.As(err, &no) || !no.IsTimeout {
			break
		}
	}
	if err != nil || len(addrs) != 1 || addrs[0].Unmap() != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("%v, %v", addrs, err)
	}
}
