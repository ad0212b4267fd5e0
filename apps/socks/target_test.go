package socks

import (
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	long := strings.Repeat("a.", 126) + "b" // 253 bytes
	for _, tt := range []struct{ in, want string }{
		{"example.com:80", "example.com:80"},
		{"Example.COM:80", "example.com:80"},
		{"example.com.:80", "example.com.:80"},
		{"_srv.a-b:1", "_srv.a-b:1"},
		{"127.0.0.1:65535", "127.0.0.1:65535"},
		{"[::1]:22", "[::1]:22"},
		{"[::ffff:10.0.0.1]:22", "10.0.0.1:22"},
		{"[0:0:0:0:0:0:0:2]:22", "[::2]:22"},
		{long + ":1", long + ":1"},
		{long + ".:65535", long + ".:65535"},
	} {
		got, err := ParseTarget(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("%q: got %v, %v", tt.in, got, err)
		}
	}
	for _, bad := range []string{
		"", ":", "a", "a:", ":80", "a:0", "a:65536", "a:-1", "a:+1", "a:080", "a:8 0", "a:http", "::1:80", "[::1]", "[::1]80",
		"[a]:80", "[127.0.0.1]:80", "[::1:80", "::1]:80", "[]:80", "[fe80::1%eth0]:80", "a..b:80", ".a:80", ".:80", "..:80", "a b:80",
		"a\x00b:80", "a/b:80", "user@a:80", "bücher.example:80", "a\n:80", "127.0.0.1.:80", "127.1:80", "2130706433:80", "a.1:80", long + "c:80", strings.Repeat("a", 64) + ":80", strings.Repeat("x", 5000),
	} {
		if got, err := ParseTarget(bad); err == nil || ReasonOf(err) != Malformed {
			t.Errorf("%q: got %v, %v", bad, got, err)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"example.com:80", "127.0.0.1:1", "[::1]:65535", "[::ffff:1.2.3.4]:5", "a.b.c.:7", "[64:ff9b::1]:9"} {
		target, err := ParseTarget(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(target.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		if (target.Name == "") == !target.Addr.IsValid() || target.Port == 0 {
			t.Fatalf("%q became %#v", s, target)
		}
		again, err := ParseTarget(target.String())
		if err != nil || again != target {
			t.Fatalf("%q became %v, then %v: %v", s, target, again, err)
		}
	})
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"127.0.0.1:*", "localhost:80", "[::1]:443", "*:25", "a.example:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		if again, err := ParseRule(r.String()); err != nil || again != r {
			t.Fatalf("%q became %v, then %v: %v", s, r, again, err)
		}
	})
}
