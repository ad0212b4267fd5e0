package link

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/link/linktest"
)

// hole is a Puncher on a network in memory: both ends must come to know the same nonce.
type hole struct {
	*linktest.Host
	ip     string
	open   *atomic.Bool
	nonces *[2]atomic.Pointer[[16]byte] // of who dials, of who does not
}

func (h *hole) Candidates(context.Context) []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort(h.ip + ":7")}
}

func (h *hole) Punch(ctx context.Context, nonce [16]byte, addrs []netip.AddrPort, dial bool) (net.Conn, error) {
	i := 1
	if dial {
		i = 0
	}
	h.nonces[i].Store(&nonce)
	for dial && h.open.Load() {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		if other := h.nonces[1].Load(); other != nil && *other == nonce {
			return h.Dial(ctx, addrs[0].String())
		}
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// TestPunchedTakesOver: a relayed link makes place for a punched one when the way opens, comes back when that dies, and so on.
func TestPunchedTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		direct, relay := linktest.New(0), linktest.New(0)
		ports, nonces, open := map[string]string{}, [2]atomic.Pointer[[16]byte]{}, atomic.Bool{}
		on := func(ip string) *station {
			s := newStation(t, true, func(c *Config) {
				host := direct.Host(ip)
				c.Carrier, c.Listen = host, ip+":7"
				c.Relay = &meeting{relay.Host(ip), ip + ":9", ports}
				c.Punch = &hole{Host: host, ip: ip, open: &open, nonces: &nonces}
			})
			ports[s.key.Public().String()] = ip + ":9"
			return s
		}
		p := &twoWays{direct: direct, relay: relay, a: on("10.0.0.1"), b: on("10.0.0.2")}
		far := p.b.addr()
		far.HostPort = ""
		p.a.AddPeer(far)
		p.carrier(t, "relay")
		time.Sleep(20 * time.Second)
		p.carrier(t, "relay")
		if why := p.a.Links()[0].Why; why != "link: no address of the peer is known; punching: no answer from the addresses tried, 1" {
			t.Errorf("why: %s", why)
		}
		open.Store(true)
		p.carrier(t, "memory")
		for _, s := range []*station{p.a, p.b} {
			if in := s.Links()[0]; in.Why != whyPunched {
				t.Errorf("%+v", in)
			}
		}
		open.Store(false)
		direct.Cut(true)
		began := time.Now()
		p.carrier(t, "relay")
		if took := time.Since(began); took > 12*time.Second { // an idle link is known dead within 10 s
			t.Errorf("relayed again after %s", took)
		}
		direct.Cut(false)
		open.Store(true)
		p.carrier(t, "memory")
	})
}

func TestCallBytes(t *testing.T) {
	c := call{kind: callAnswer, nonce: [16]byte{1, 2, 3}, addrs: []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.7:5000"), netip.MustParseAddrPort("[2001:db8::1]:1"),
	}}
	b := c.append(nil)
	want := "0201020300000000000000000000000000" + "00000000000000000000ffffc00002071388" + "20010db80000000000000000000000010001"
	if hex.EncodeToString(b) != want {
		t.Errorf("%x, want %s", b, want)
	}
	got, ok := parseCall(b)
	if !ok || got.kind != c.kind || got.nonce != c.nonce || !slices.Equal(got.addrs, c.addrs) {
		t.Errorf("%+v, %t", got, ok)
	}
	for n := range b {
		if _, ok := parseCall(b[:n]); ok && (n-callHead)%calledSize != 0 {
			t.Errorf("%d bytes are taken", n)
		}
	}
	c.addrs = slices.Repeat(c.addrs, 9)
	if got, ok := parseCall(c.append(nil)); !ok || len(got.addrs) != maxCalled {
		t.Errorf("%d addresses, %t", len(got.addrs), ok)
	}
	for _, bad := range []string{"127.0.0.1:1", "0.0.0.0:1", "224.0.0.1:5", "255.255.255.255:5", "[::1]:1", "[ff02::1]:1", "[fe80::1]:1", "192.0.2.1:0"} {
		c.addrs = []netip.AddrPort{netip.MustParseAddrPort(bad)}
		if got, ok := parseCall(c.append(nil)); !ok || len(got.addrs) != 0 {
			t.Errorf("%s: %+v, %t", bad, got, ok)
		}
	}
}

func FuzzCall(f *testing.F) {
	f.Add(call{kind: callAsk, nonce: [16]byte{9}}.append(nil))
	f.Add(call{kind: callAnswer, addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:5000"), netip.MustParseAddrPort("[2001:db8::1]:1")}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := parseCall(b)
		if !ok {
			return
		}
		again, ok := parseCall(c.append(nil))
		if !ok || again.kind != c.kind || !slices.Equal(again.addrs, c.addrs) || !bytes.Equal(again.nonce[:], c.nonce[:]) {
			t.Errorf("%x: %+v, then %+v", b, c, again)
		}
	})
}
