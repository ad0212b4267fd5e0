package app

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestPacketUID(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		free := false
		for try := 0; try < 5 && !free; try++ { // a port that is closed may be another's at once
			conn, err := net.ListenPacket("udp", at)
			if err != nil {
				t.Logf("%s: %v", at, err)
				free = true
				continue
			}
			from := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			if strings.Contains(at, "::1") {
				from = netip.AddrPortFrom(netip.IPv6Loopback(), from.Port())
			}
			if uid, err := PacketUID(from); err != nil || uid != os.Geteuid() {
				t.Errorf("%s: uid %d, %v", at, uid, err)
			}
			conn.Close()
			_, err = PacketUID(from)
			free = err != nil
		}
		if !free {
			t.Errorf("%s: ports that are closed have a user", at)
		}
	}
	if _, err := PacketUID(netip.MustParseAddrPort("192.0.2.1:53")); err == nil {
		t.Error("another machine's port has a user")
	}
}

func TestUDPTable(t *testing.T) {
	const head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	row := func(at, uid string) string {
		return " 4200: " + at + " 00000000:0000 07 00000000:00000000 00:00000000 00000000  " + uid + "        0 21539 2 0 0\n"
	}
	from := netip.MustParseAddrPort("127.0.0.1:53")
	for name, tt := range map[string]struct {
		table string
		uid   int
		found bool
		bad   bool
	}{
		"empty":        {head, 0, false, false},
		"one":          {head + row("0100007F:0035", "1000"), 1000, true, false},
		"wildcard":     {head + row("00000000:0035", "7"), 7, true, false},
		"another port": {head + row("0100007F:0036", "7"), 0, false, false},
		"another host": {head + row("0200007F:0035", "7"), 0, false, false},
		"one user's":   {head + row("0100007F:0035", "7") + row("00000000:0035", "7"), 7, true, false},
		"two users'":   {head + row("0100007F:0035", "7") + row("00000000:0035", "8"), 0, false, true},
		"garbage":      {"x y z\n" + row("0100007:0035", "7") + row("0100007F", "7") + "\x00", 0, false, false},
		"no number":    {row("0100007F:0035", "x"), 0, false, true},
	} {
		uid, found, err := udpUID(strings.NewReader(tt.table), from)
		if uid != tt.uid || found != tt.found || (err != nil) != tt.bad {
			t.Errorf("%s: %d, %t, %v", name, uid, found, err)
		}
	}
}
