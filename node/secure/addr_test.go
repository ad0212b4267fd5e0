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

func TestParsePeer(t *testing.T) {
	key := keyOf(t, 0x11).Public()
	for in, want := range map[string]string{
		"Host:1":                        "host:1",
		"quic:5000":                     "quic:5000", // a host of that name
		"quic:192.0.2.1:05":             "quic:192.0.2.1:5",
		"quic:[2001:DB8:0::1]:5":        "quic:[2001:db8::1]:5",
		"wss://Example.org":             "wss://example.org:443/",
		"wss://example.org/Mesh":        "wss://example.org:443/Mesh",
		"wss://[2001:db8::1]":           "wss://[2001:db8::1]:443/",
		"wss://[2001:db8::1]:80/a/b.c/": "wss://[2001:db8::1]:80/a/b.c/",
	} {
		a, err := ParsePeer(in)
		if err != nil || a.HostPort != want {
			t.Errorf("%q: %q, %v", in, a.HostPort, err)
		}
		again, err := ParsePeer(key.String() + "@" + want)
		if err != nil || again.HostPort != want || again.Key != key {
			t.Errorf("%q again: %+v, %v", want, again, err)
		}
	}
	for _, s := range []string{
		"quic:", "quic::5", "quic:h:0", "quic:h:1/x", "quic:quic:h:1", "wss:", "wss://", "wss://:1", "wss:///x", "wss://h:1:2", "wss://h:0/",
		"wss://h/a b", "wss://h/%41", "wss://h/?x", "wss://h/" + strings.Repeat("x", maxPath), "ws://h:1/", "https://h/", "wss://u:p@h/", "wss://[::1",
	} {
		if a, err := ParsePeer(s); err == nil || a != (Addr{}) {
			t.Errorf("%q: %+v, %v, want an error", s, a, err)
		}
	}
}

func FuzzParsePeer(f *testing.F) {
	for _, s := range []string{"h:1", "quic:h:1", "wss://h", "wss://[::1]:5/x", keyOf(f, 0x11).Public().String() + "@quic:[::1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParsePeer(s)
		if err != nil {
			return
		}
		if again, err := ParsePeer(a.String()); err != nil || again != a {
			t.Errorf("%q: %+v, then %+v, %v", s, a, again, err)
		}
	})
}
