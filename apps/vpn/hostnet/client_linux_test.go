package hostnet

import (
	"net/netip"
	"testing"

	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
	"github.com/skycoin/viscript/node/mark"
)

func fullClient() Client {
	return Client{Tun: "vpn0", Addresses: prefixes("10.99.0.7/32", "fd99::7/128"), MTU: 1500, Full: true, KillSwitch: true,
		DNS: []netip.Addr{netip.MustParseAddr("10.99.0.1")}, Except: prefixes("203.0.113.0/24")}
}

// leaves asks the kernel by what a packet leaves.
func leaves(t *testing.T, to string, mark uint32) string {
	t.Helper()
	dev, err := route.Get(netip.MustParseAddr(to), mark)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestFullTunnel(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	before := s.state()
	h := s.open()
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	if ours := mark.Tunnels(); len(ours) != 1 || !ours["vpn0"] {
		t.Errorf("tunnels: %v", ours)
	}
	for _, c := range []struct {
		to   string
		mark uint32
		want string
	}{
		{"9.9.9.9", 0, "vpn0"}, {"2620:fe::fe", 0, "vpn0"}, {"9.9.9.9", mark.Mesh, "up0"}, {"2620:fe::fe", mark.Mesh, "up0"},
		{"192.168.7.9", 0, "lan0"}, {"203.0.113.5", 0, "up0"}, {"10.99.0.1", 0, "vpn0"},
	} {
		if got := leaves(t, c.to, c.mark); got != c.want {
			t.Errorf("to %s with mark %#x: leaves by %q, want %q", c.to, c.mark, got, c.want)
		}
	}
	r, err := h.Undo()
	if err != nil {
		t.Error(err)
	}
	if len(r.Left) != 0 || len(r.Undone) < 10 {
		t.Errorf("%+v", r)
	}
	s.same(before, "after undo")
}
