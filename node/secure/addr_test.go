package secure

import (
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func TestParseAddr(t *testing.T) {
	key := keyOf(t, 0x11).Public()
	tests := []struct{ in, hostPort string }{
		{"127.0.0.1:20001", "127.0.0.1:20001"},
		{"[::1]:80", "[::1]:80"},
		{"[2001:DB8:0:0::1]:080", "[2001:db8::1]:80"},
		{"[fe80::1%eth0]:1", "[fe80::1%eth0]:1"},
		{"Node0.Mysterious.Network:65535", "node0.mysterious.network:65535"},
		{"localhost:1", "localhost:1"},
		{"my_host-2:1", "my_host-2:1"},
	}
	for _, tt := range tests {
		a, err := ParseAddr(tt.in)
		if err != nil || a.HostPort != tt.hostPort || !a.Key.IsZero() || a.String() != tt.hostPort {
			t.Errorf("ParseAddr(%q) = %+v, %v, want %s", tt.in, a, err, tt.hostPort)
		}
		a, err = ParseAddr(strings.ToUpper(key.String()) + "@" + tt.in)
		if err != nil || a.HostPort != tt.hostPort || a.Key != key || a.String() != key.String()+"@"+tt.hostPort {
			t.Errorf("with a key: %+v, %v", a, err)
		}
	}
}

func TestParseAddrRefuses(t *testing.T) {
	key := keyOf(t, 0x11).Public().String()
	for _, s := range []string{
		"", ":", ":80", "host", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host:http", "host:1:2",
		"::1:80", "[::1]", "[::1", "[]:80", "[::g]:80", "ho st:80", "host/x:80", "höst:80", "a\x00b:80", "host:80 ", " host:80",
		"@host:80", "key@host:80", key, key + "@", key + "@host", key[:64] + "@host:80", key + "00@host:80", key + "@" + key + "@host:80",
		panicking.String() + "@host:80", identity.PubKey{}.String() + "@host:80",
		strings.Repeat("a", 254) + ":80", "[fe80::1%" + strings.Repeat("z", 65) + "]:1", "[fe80::1%a b]:1",
	} {
		if a, err := ParseAddr(s); err == nil || a != (Addr{}) {
			t.Errorf("ParseAddr(%q) = %+v, %v, want an error", s, a, err)
		}
	}
}
