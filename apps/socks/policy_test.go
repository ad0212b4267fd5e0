package socks

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func TestClassify(t *testing.T) {
	for class, addrs := range map[class][]string{
		classPublic: {
			"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
			"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
			"198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
			"2001:200::1", "2606:2800:220:1:248:1893:25c8:1946", "2a00::1", "3ffe::1", "2001:db7::1", "2001:db9::1",
			"::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1",
			"2001:0:101:101::fefe:fefe", // Teredo of 1.1.1.1 and 1.1.1.1
			"2606:2800::5efe:101:101",
		},
		classPrivate: {
			"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.0", "100.127.255.255",
			"fc00::", "fdff:ffff::1", "::ffff:10.0.0.1", "64:ff9b::192.168.1.1", "2002:a00:1::", "2002:c0a8:101::1",
			"2001:0:101:101::f5ff:fffe", "2606:2800::200:5efe:ac10:1",
		},
		classLoopback: {
			"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:101:101::80ff:fffe",
			"2001:0:7f00:1::fefe:fefe", "2606:2800::5efe:7f00:1",
		},
		classLinkLocal: {
			"169.254.0.0", "169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
		},
		classReserved: {
			"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.254",
			"::2", "::7f00:1", "::127.0.0.1", "100::1", "64:ff9b:1::7f00:1", "::ffff:0:7f00:1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1",
			"2001:db8::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "fec0::1", "1fff::1", "64:ff9b::198.18.0.1", "2002:c000:201::",
		},
		classNoHost: {
			"0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "ff02::1", "ff0e::1", "::ffff:0.0.0.0",
			"64:ff9b::0.0.0.0", "64:ff9b::255.255.255.255", "2002:e000:1::", "2002::1",
		},
	} {
		for _, s := range addrs {
			if got := classify(netip.MustParseAddr(s)); got != class {
				t.Errorf("%s is %s, want %s", s, got, class)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	local := func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("2a00::5"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	broken := func() ([]netip.Addr, error) { return nil, errors.New("no netlink") }
	ports := func(s ...string) (out []netip.AddrPort) {
		for _, p := range s {
			out = append(out, netip.MustParseAddrPort(p))
		}
		return out
	}
	rules := func(s ...string) (out []Rule) {
		for _, r := range s {
			out = append(out, rule(t, r))
		}
		return out
	}
	for _, tt := range []struct {
		what   string
		policy Policy
		name   string
		at     string
		ok     bool
	}{
		{"public", Policy{}, "", "1.1.1.1:443", true},
		{"public, by name", Policy{}, "example.com", "1.1.1.1:443", true},
		{"private", Policy{}, "", "10.0.0.1:443", false},
		{"private allowed", Policy{AllowPrivate: true}, "", "10.0.0.1:443", true},
		{"ula allowed", Policy{AllowPrivate: true}, "", "[fd00::1]:443", true},
		{"cgnat allowed", Policy{AllowPrivate: true}, "", "100.64.0.1:443", true},
		{"mapped private allowed", Policy{AllowPrivate: true}, "", "[::ffff:10.0.0.1]:443", true},
		{"loopback in spite of private", Policy{AllowPrivate: true}, "", "127.0.0.1:80", false},
		{"link-local in spite of private", Policy{AllowPrivate: true}, "", "169.254.169.254:80", false},
		{"unspecified in spite of private", Policy{AllowPrivate: true}, "", "0.0.0.0:80", false},
		{"zone", Policy{AllowPrivate: true}, "", "[fd00::1%eth0]:80", false},
		{"port 0", Policy{}, "", "1.1.1.1:0", false},

		{"loopback by rule", Policy{Allow: rules("127.0.0.1:80")}, "", "127.0.0.1:80", true},
		{"mapped loopback by rule", Policy{Allow: rules("127.0.0.1:80")}, "", "[::ffff:127.0.0.1]:80", true},
		{"other port", Policy{Allow: rules("127.0.0.1:80")}, "", "127.0.0.1:81", false},
		{"other loopback address", Policy{Allow: rules("127.0.0.1:*")}, "", "127.0.0.2:80", false},
		{"translated loopback", Policy{Allow: rules("127.0.0.1:*")}, "", "[64:ff9b::7f00:1]:80", false},
		{"all ports", Policy{Allow: rules("127.0.0.1:*")}, "any.name", "127.0.0.1:9999", true},
		{"ipv6 loopback", Policy{Allow: rules("[::1]:*")}, "", "[::1]:80", true},
		{"localhost", Policy{Allow: rules("localhost:80")}, "", "[::1]:80", true},
		{"localhost, 4", Policy{Allow: rules("LocalHost.:80")}, "localhost", "127.0.0.1:80", true},
		{"localhost is not all of 127/8", Policy{Allow: rules("localhost:80")}, "localhost", "127.0.0.2:80", false},
		{"metadata by rule", Policy{Allow: rules("169.254.169.254:80")}, "", "169.254.169.254:80", true},
		{"unspecified by rule", Policy{Allow: rules("0.0.0.0:*", "[::]:*")}, "", "0.0.0.0:80", false},
		{"multicast by rule", Policy{Allow: rules("224.0.0.1:*")}, "", "224.0.0.1:80", false},

		{"name admits private", Policy{Allow: rules("nas.example:80")}, "nas.example", "192.168.0.7:80", true},
		{"name with final dot", Policy{Allow: rules("nas.example:80")}, "nas.example.", "192.168.0.7:80", true},
		{"other name", Policy{Allow: rules("nas.example:80")}, "evil.example", "192.168.0.7:80", false},
		{"no name", Policy{Allow: rules("nas.example:80")}, "", "192.168.0.7:80", false},
		{"name does not admit loopback", Policy{Allow: rules("nas.example:80")}, "nas.example", "127.0.0.1:80", false},
		{"name does not admit link-local", Policy{Allow: rules("nas.example:80")}, "nas.example", "169.254.169.254:80", false},

		{"mail", Policy{AllowPrivate: true}, "", "1.1.1.1:25", false},
		{"mail by rule", Policy{Allow: rules("1.1.1.1:25")}, "", "1.1.1.1:25", true},
		{"mail by name", Policy{Allow: rules("mx.example:*")}, "mx.example", "1.1.1.1:25", true},
		{"mail anywhere", Policy{Allow: rules("*:25")}, "", "1.1.1.1:25", true},
		{"any host does not admit private", Policy{Allow: rules("*:*")}, "", "10.0.0.1:80", false},
		{"any host does not admit loopback", Policy{Allow: rules("*:*")}, "", "127.0.0.1:80", false},

		{"own port", Policy{Allow: rules("127.0.0.1:*"), Forbidden: ports("127.0.0.1:7999")}, "", "127.0.0.1:7999", false},
		{"own port, mapped", Policy{Allow: rules("127.0.0.1:*"), Forbidden: ports("127.0.0.1:7999")}, "", "[::ffff:127.0.0.1]:7999", false},
		{"own port, listed by rule", Policy{Allow: rules("127.0.0.1:7999"), Forbidden: ports("127.0.0.1:7999")}, "", "127.0.0.1:7999", false},
		{"own port, other loopback", Policy{Allow: rules("127.0.0.2:*"), Forbidden: ports("127.0.0.1:7999")}, "", "127.0.0.2:7999", false},
		{"own port, other family", Policy{Allow: rules("localhost:*"), Forbidden: ports("127.0.0.1:7999")}, "", "[::1]:7999", false},
		{"own port on an interface", Policy{AllowPrivate: true, LocalAddrs: local, Forbidden: ports("0.0.0.0:7999")}, "", "192.168.1.5:7999", false},
		{"own port on an interface, 6", Policy{LocalAddrs: local, Forbidden: ports("[::]:7999")}, "", "[2a00::5]:7999", false},
		{"own port, translated", Policy{AllowPrivate: true, LocalAddrs: local, Forbidden: ports("0.0.0.0:7999")}, "", "[64:ff9b::192.168.1.5]:7999", false},
		{"other port on an interface", Policy{AllowPrivate: true, LocalAddrs: local, Forbidden: ports("0.0.0.0:7999")}, "", "192.168.1.5:80", true},
		{"same port elsewhere", Policy{LocalAddrs: local, Forbidden: ports("0.0.0.0:443")}, "", "1.1.1.1:443", true},
		{"own addresses unknown", Policy{LocalAddrs: broken, Forbidden: ports("0.0.0.0:443")}, "", "1.1.1.1:443", false},
		{"port without address", Policy{LocalAddrs: local, Allow: rules("127.0.0.1:*"), Forbidden: []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, 7999)}}, "", "127.0.0.1:7999", false},
		{"one address", Policy{LocalAddrs: local, Forbidden: ports("5.5.5.5:7999")}, "", "5.5.5.5:7999", false},
		{"one address, elsewhere", Policy{LocalAddrs: local, Forbidden: ports("5.5.5.5:7999")}, "", "5.5.5.6:7999", true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			err := tt.policy.Check(tt.name, netip.MustParseAddrPort(tt.at))
			if (err == nil) != tt.ok || err != nil && ReasonOf(err) != Denied {
				t.Fatalf("got %v, want allowed %v", err, tt.ok)
			}
		})
	}
}

func TestInterfaceAddresses(t *testing.T) {
	list := func() (all []netip.Addr) { // it fails when an interface goes while it looks
		eventually(t, "the interfaces are listed", func() (ok bool) {
			var err error
			all, err = interfaceAddrs()
			return err == nil
		})
		return all
	}
	p := Policy{AllowPrivate: true, Forbidden: []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), 7999)}}
	for _, a := range list() {
		err := p.Check("", netip.AddrPortFrom(a.WithZone(""), 7999))
		if err == nil && slices.Contains(list(), a) { // others may take addresses from this machine meanwhile
			t.Errorf("%s leads to our own port", a)
		}
	}
}

func TestParseRule(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:80": "127.0.0.1:80", "[::1]:*": "[::1]:*", "[::ffff:10.0.0.1]:5": "10.0.0.1:5", "*:25": "*:25", "Host.Example.:*": "host.example:*",
	} {
		if r, err := ParseRule(in); err != nil || r.String() != want {
			t.Errorf("%q: %v, %v", in, r, err)
		}
	}
	for _, bad := range []string{"", "a", "a:", ":80", "a:0", "a:99999", "::1:80", "[*]:80", "a b:80", "10.0.0.0/8:80", "**:80", "[fe80::1%1]:80"} {
		if r, err := ParseRule(bad); err == nil {
			t.Errorf("%q became %v", bad, r)
		}
	}
}

func TestClosedPortsOfOurOwn(t *testing.T) {
	p := Policy{
		Allow:      []Rule{{Addr: netip.MustParseAddr("127.0.0.1")}},
		Closed:     func(port uint16) bool { return port == 19000 },
		LocalAddrs: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("203.0.113.9")}, nil },
	}
	for at, open := range map[string]bool{
		"127.0.0.1:19000": false, "127.0.0.1:19001": true, "203.0.113.9:19000": false, "8.8.8.8:19000": true,
	} {
		if err := p.Check("", netip.MustParseAddrPort(at)); (err == nil) != open {
			t.Errorf("%s: %v, want open %t", at, err, open)
		}
	}
}
