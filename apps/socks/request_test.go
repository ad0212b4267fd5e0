package socks

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseRequestGolden(t *testing.T) {
	for _, tt := range []struct{ name, hex, want string }{
		{"ipv4", "05 01 00 01 5db8d822 0050", "93.184.216.34:80"},
		{"ipv6", "05 01 00 04 26062800022000010248189325c81946 01bb", "[2606:2800:220:1:248:1893:25c8:1946]:443"},
		{"mapped", "05 01 00 04 00000000000000000000ffff7f000001 0050", "127.0.0.1:80"},
		{"name", "05 01 00 03 0b 6578616d706c652e636f6d 1f41", "example.com:8001"},
		{"upper case", "05 01 00 03 0b 4578616d706c652e434f4d 1f41", "example.com:8001"},
		{"address as name", "05 01 00 03 09 3132372e302e302e31 ffff", "127.0.0.1:65535"},
		{"ipv6 as name", "05 01 00 03 03 3a3a31 0001", "[::1]:1"},
		{"bind", "05 02 00 01 5db8d822 0050", "93.184.216.34:80"},
		{"udp associate", "05 03 00 01 00000000 0035", ":53"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			cmd, got, n, err := parseRequest(append(b, "rest"...))
			if err != nil || n != len(b) || got.String() != tt.want || cmd != b[1] {
				t.Fatalf("got %v, %d, %v; want %s, %d", got, n, err, tt.want, len(b))
			}
			for i := range b {
				if _, _, _, err := parseRequest(b[:i]); !errors.Is(err, errShort) {
					t.Errorf("prefix of %d bytes: %v", i, err)
				}
			}
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		want      Reason
	}{
		{"socks 4", "04 01 0050 7f000001 00", Malformed},
		{"http", hex.EncodeToString([]byte("GET / HTTP/1.1\r\n")), Malformed},
		{"bind to port 0", "05 02 00 01 7f000001 0000", Malformed},
		{"command 4", "05 04 00 01 00000000 0000", BadCommand},
		{"command 0", "05 00 00 01 7f000001 0050", BadCommand},
		{"address type 2", "05 01 00 02", BadAddrType},
		{"address type 0, more", "05 01 00 00 ffffffff", BadAddrType},
		{"reserved byte", "05 01 01 01 7f000001 0050", Malformed},
		{"port 0", "05 01 00 01 7f000001 0000", Malformed},
		{"port 0 of ipv6", "05 01 00 04 00000000000000000000000000000001 0000", Malformed},
		{"empty name", "05 01 00 03 00 0050", Malformed},
		{"nul in name", "05 01 00 03 03 610062 0050", Malformed},
		{"colon in name", "05 01 00 03 03 613a62 0050", Malformed},
		{"zone", "05 01 00 03 0b 666538303a3a312565746830 0050", Malformed},
		{"255 bytes", "05 01 00 03 ff" + strings.Repeat("61", 255) + "0050", Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, _, err := parseRequest(unhex(t, tt.hex))
			if err == nil || errors.Is(err, errShort) || ReasonOf(err) != tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestParseGreeting(t *testing.T) {
	b := unhex(t, "05 03 00 02 80")
	methods, n, err := parseGreeting(append(b, 5, 1))
	if err != nil || n != 5 || !bytes.Equal(methods, []byte{0, 2, 0x80}) {
		t.Fatalf("got % x, %d, %v", methods, n, err)
	}
	for i := range b {
		if _, _, err := parseGreeting(b[:i]); !errors.Is(err, errShort) {
			t.Errorf("prefix of %d bytes: %v", i, err)
		}
	}
	for _, bad := range []string{"04", "47", "00", "0500"} {
		if _, _, err := parseGreeting(unhex(t, bad)); ReasonOf(err) != Malformed {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestParseAuth(t *testing.T) {
	b := unhex(t, "01 03 626f62 06 736563726574")
	user, password, n, err := parseAuth(append(b, 5, 1))
	if err != nil || n != len(b) || string(user) != "bob" || string(password) != "secret" {
		t.Fatalf("got %q, %q, %d, %v", user, password, n, err)
	}
	for i := range b {
		if _, _, _, err := parseAuth(b[:i]); !errors.Is(err, errShort) {
			t.Errorf("prefix of %d bytes: %v", i, err)
		}
	}
	if _, _, _, err := parseAuth([]byte{5}); ReasonOf(err) != Malformed {
		t.Errorf("wrong version: %v", err)
	}
}

func TestLongestMessagesFitTheBuffer(t *testing.T) {
	if sum := maxGreeting + maxAuth + maxRequest; sum > negotiationBuffer {
		t.Fatalf("%d bytes do not fit %d", sum, negotiationBuffer)
	}
}

func TestReplyGolden(t *testing.T) {
	want := map[Reason]byte{
		Internal: 1, Refused: 5, HostUnreachable: 4, NetUnreachable: 3, TimedOut: 6, Denied: 2, NoSuchName: 4, NoRoute: 3,
		NoListener: 1, Busy: 1, Gone: 1, Malformed: 1, BadCommand: 7, BadAddrType: 8, BadAuth: 1, ForeignUser: 1,
	}
	if len(want) != numReasons {
		t.Fatalf("%d reasons in the table, %d in all", len(want), numReasons)
	}
	for r, code := range want {
		if r.Reply() != code {
			t.Errorf("%s: reply %d, want %d", r, r.Reply(), code)
		}
	}
	if got := hex.EncodeToString(appendReply(nil, 5, netip.AddrPort{})); got != "05050001000000000000" {
		t.Error(got)
	}
}

func seedRequests(add func(...any)) {
	for _, t := range []Target{
		{Name: "example.com", Port: 80}, {Name: strings.Repeat("a.", 126) + "b", Port: 1},
		{Addr: netip.MustParseAddr("10.1.2.3"), Port: 65535}, {Addr: netip.MustParseAddr("2606:2800::1"), Port: 443},
	} {
		for cmd := range byte(4) {
			add(appendRequest(nil, cmd, t))
		}
	}
}

func FuzzRequest(f *testing.F) {
	seedRequests(f.Add)
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd, target, n, err := parseRequest(b)
		if n < 0 || n > len(b) && !errors.Is(err, errShort) || n > maxRequest {
			t.Fatalf("length %d of %d", n, len(b))
		}
		if err != nil || cmd == cmdAssociate {
			return
		}
		_, again, m, err := parseRequest(appendRequest(nil, cmd, target))
		if err != nil || again != target || m > n && target.Addr.IsValid() == false {
			t.Fatalf("%v became %v: %v", target, again, err)
		}
		if text, err := ParseTarget(target.String()); err != nil || text != target {
			t.Fatalf("%v as text became %v: %v", target, text, err)
		}
	})
}

func FuzzGreeting(f *testing.F) {
	f.Add(appendGreeting(nil, 0))
	f.Add(appendGreeting(nil, 0, 1, 2))
	f.Add(appendAuth(appendGreeting(nil, 2), "user", "password"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if methods, n, err := parseGreeting(b); err == nil {
			if !bytes.Equal(appendGreeting(nil, methods...), b[:n]) {
				t.Fatalf("% x is not % x", methods, b[:n])
			}
			b = b[n:]
		}
		if user, password, n, err := parseAuth(b); err == nil {
			if !bytes.Equal(appendAuth(nil, string(user), string(password)), b[:n]) {
				t.Fatalf("%q %q is not % x", user, password, b[:n])
			}
		}
	})
}
