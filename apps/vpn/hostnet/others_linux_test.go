package hostnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/node/mark"
)

// patience is how long a test waits for what comes in a second or so.
const patience = time.Minute

// eventually waits until f answers "".
func eventually(t *testing.T, what string, f func() string) {
	t.Helper()
	text := ""
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if text = f(); text == "" {
			return
		}
	}
	t.Fatalf("%s: %s", what, text)
}

func TestWatchRepairs(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	before := s.state()
	h := s.open()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	changes := make(chan Change, 100)
	if err := h.Client(ctx, fullClient()); err != nil {
		t.Fatal(err)
	}
	inForce := s.state()
	go func() { ended <- h.Run(ctx, func(c Change) { changes <- c }) }()
	whole := func() string {
		if b, err := os.ReadFile(s.resolvConf()); err != nil || !strings.HasPrefix(string(b), resolver.Heading+"nameserver 10.99.0.1\n") {
			return fmt.Sprintf("resolv.conf: %q, %v", b, err)
		}
		return difference(strip(noGroups(inForce)), strip(noGroups(s.state())))
	}
	for _, broken := range []string{
		"ip route flush table 30300; ip -6 route flush table 30300",
		"ip rule del priority 29993; ip -6 rule del priority 29992",
		"ip addr flush dev vpn0",
		"ip link set vpn0 down",
		"nft flush ruleset",
		"echo 0 > /proc/sys/net/ipv4/conf/all/src_valid_mark",
		"printf 'nameserver 192.0.2.53\\nsearch example.org\\n' > " + s.resolvConf(),
	} {
		s.sh(broken)
		eventually(t, "repair after "+broken, whole)
	}
	for len(changes) > 0 {
		if c := <-changes; c != Repaired {
			t.Errorf("told: %s", c)
		}
	}
	s.sh("ip addr add 198.51.100.77/24 dev up0")
	eventually(t, "a change of addresses is told", func() string {
		select {
		case c := <-changes:
			if c == Moved {
				return ""
			}
		default:
		}
		return "not yet"
	})
	s.sh("ip addr del 198.51.100.77/24 dev up0")
	s.sh("ip link del vpn0")
	eventually(t, "the end of the TUN is told", func() string {
		select {
		case c := <-changes:
			if c == TunGone {
				return ""
			}
		default:
		}
		return "not yet"
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
	s.tun("vpn0")
	// what somebody wrote into resolv.conf while we ran is what comes back
	if b, err := os.ReadFile(s.resolvConf()); err != nil || string(b) != "nameserver 192.0.2.53\nsearch example.org\n" {
		t.Errorf("resolv.conf: %q, %v", b, err)
	}
	eventually(t, "not as before", func() string { return difference(strip(before), strip(s.state())) })
}

// noGroups leaves out of a state what the kernel makes of an interface that comes up again.
func noGroups(state string) string {
	return strings.ReplaceAll(state, "multicast ff00::/8 dev vpn0 table local proto kernel metric 256 linkdown pref medium\n", "")
}

// strip takes out of a state what has other numbers after a TUN was made anew, which is then down.
func strip(state string) string {
	var b strings.Builder
	for line := range strings.Lines(state) {
		if !strings.Contains(line, "resolv.conf") && (!strings.Contains(line, ": vpn0:") || strings.Contains(line, ",UP>")) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestWhatOthersChangedStays(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	h := s.open()
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	s.sh("echo 2 > /proc/sys/net/ipv4/conf/all/src_valid_mark; nft delete table inet viscript_vpn_vpn0; ip rule del priority 29993; echo nameserver 192.0.2.53 > " + s.resolvConf())
	s.sh("ip rule add priority 29993 fwmark 7 lookup 77; ip route add 192.0.2.0/24 dev up0 table 30300; nft add table inet viscript")
	r, err := h.Undo()
	if err != nil {
		t.Error(err)
	}
	if len(r.Left) != 4 {
		t.Errorf("left: %q", r.Left)
	}
	for _, want := range []string{"29993:	from all fwmark 0x7 lookup 77", "192.0.2.0/24 dev up0 table 30300", "table inet viscript {", "src_valid_mark:2"} {
		if !strings.Contains(s.state(), want) {
			t.Errorf("%s is gone", want)
		}
	}
	if b, _ := os.ReadFile(s.resolvConf()); string(b) != "nameserver 192.0.2.53\n" {
		t.Errorf("resolv.conf: %q", b)
	}
}

func TestOneFullTunnelPerHost(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	s.tun("vpn1")
	before := s.state()
	h := s.open()
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.config()); !errors.Is(err, os.ErrExist) {
		t.Errorf("the same folder twice: %v", err)
	}
	if _, err := Down(s.config()); !errors.Is(err, os.ErrExist) {
		t.Errorf("down while it runs: %v", err)
	}
	other := Config{Dir: t.TempDir(), ResolvConf: s.resolvConf()}
	second, err := Open(other)
	if err != nil {
		t.Fatal(err)
	}
	c := fullClient()
	c.Tun, c.DNS = "vpn1", nil
	if err := second.Client(t.Context(), c); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), DownCommand) {
		t.Errorf("a second full tunnel: %v", err)
	}
	split := Client{Tun: "vpn1", Addresses: prefixes("10.98.0.7/32"), MTU: 1500, Routes: prefixes("192.0.2.0/24")}
	if err := second.Client(t.Context(), split); err != nil {
		t.Fatal(err)
	}
	if got := leaves(t, "192.0.2.1", mark.Mesh); got != "up0" {
		t.Errorf("the mesh leaves by %q", got)
	}
	if _, err := second.Undo(); err != nil {
		t.Error(err)
	}
	if list, err := Leftovers(); err != nil || len(list) < 10 {
		t.Errorf("ours: %q, %v", list, err)
	}
	h.Leave()
	if r, err := Sweep(); err != nil || len(r.Undone) < 10 {
		t.Errorf("swept: %+v, %v", r, err)
	}
	if r, err := Down(s.config()); err != nil || len(r.Left) == 0 {
		t.Errorf("after sweeping: %+v, %v", r, err)
	}
	s.same(before, "after sweep and down")
}

func TestSplitTunnel(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	before := s.state()
	h := s.open()
	c := Client{Tun: "vpn0", Addresses: prefixes("10.99.0.7/32"), MTU: 1500, Routes: prefixes("9.0.0.0/8", "192.168.0.0/16", "2620:fe::/32"), Except: prefixes("9.9.0.0/16")}
	if err := h.Client(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{"9.1.1.1": "vpn0", "9.9.9.9": "up0", "192.168.9.9": "vpn0", "192.168.7.9": "lan0", "8.8.8.8": "up0", "2620:fe::fe": "", "2001:db8:7::1": "up0"} {
		if got := leaves(t, to, 0); got != want {
			t.Errorf("%s leaves by %q, want %q", to, got, want)
		}
	}
	list, err := Check(t.Context(), s.config())
	if err != nil || Failed(list) {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
	s.same(before, "after undo")
}

// Networks whose first addresses are ours, or go their usual way, and networks of one address.
func TestNothingLeaksInNetworksThatAreOurs(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	h := s.open()
	for _, c := range []Client{
		{Routes: prefixes("10.95.0.0/24", "10.95.0.1/32")},
		{Routes: prefixes("10.95.0.0/31", "10.95.0.2/32")},
		{Routes: prefixes("10.95.0.0/24"), Except: prefixes("10.95.0.0/28")},
		{Routes: prefixes("10.95.0.0/24"), Except: prefixes("10.95.0.0/24")},
		{Routes: prefixes("10.95.0.0/24"), Except: prefixes("10.0.0.0/8")},
	} {
		c.Tun, c.Addresses, c.MTU = "vpn0", prefixes("10.95.0.1/32", "10.95.0.2/32"), 1500
		if err := h.Client(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if list, err := Check(t.Context(), s.config()); err != nil || Failed(list) {
			t.Errorf("%v without %v: %+v, %v", c.Routes, c.Except, list, err)
		}
	}
}

// The test for leaks sees each leak.
func TestLeaksAreSeen(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	tun := s.user("vpn0")
	h := s.open()
	if _, err := Check(t.Context(), s.config()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a VPN: %v", err)
	}
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	go func() { // a name server in the tunnel
		buf := make([]byte, 2000)
		for {
			n, err := tun.f.Read(buf)
			if err != nil {
				return
			}
			if p, ok := parsePacket(buf[:n]); ok && p.to == ap("10.99.0.1:53") && len(p.payload) > 12 {
				answer := []byte(p.payload)
				answer[2] |= 0x80
				_, _ = tun.f.Write(packet{p.to, p.from, string(answer)}.bytes())
			}
		}
	}()
	results := func() string {
		cfg := s.config()
		cfg.nameTime = patience // whoever is asked here answers
		list, err := Check(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, v := range list {
			if v.Result != Pass {
				words = append(words, v.Name)
			}
		}
		return strings.Join(words, " ")
	}
	if got := results(); got != "" {
		t.Errorf("failed: %s", got)
	}
	for broken, want := range map[string]string{
		"ip rule del priority 29993": "route dns", "ip -6 rule del priority 29993": "ipv6", "nft flush ruleset": "kill switch",
		"ip rule del priority 29990; ip rule del priority 29992; ip rule add priority 29992 lookup 30300": "route",
		"ip link set vpn0 mtu 1400": "tunnel", "echo nameserver 198.51.100.53 > " + s.resolvConf(): "",
		"echo nameserver 127.0.0.53 > " + s.resolvConf(): "dns",
	} {
		s.sh(broken)
		got := results()
		if broken[:4] == "echo" && want == "" { // it is asked in the tunnel all the same, but does not answer there
			want = "dns"
		}
		if got != want {
			t.Errorf("after %s: %q fails, want %q", broken, got, want)
		}
		s.sh("ip rule del priority 29992; ip rule add priority 29992 lookup main suppress_prefixlength 0 protocol 118")
		if err := h.Client(t.Context(), fullClient()); err != nil {
			t.Fatal(err)
		}
	}
	tun.f.Close()
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
}

// A link, nothing at all, and a mounted file: each comes back as it was.
func TestResolvConfOfAllKinds(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	file, target := s.resolvConf(), filepath.Join(s.dir, "stub.conf")
	if err := os.WriteFile(target, []byte("nameserver 127.0.0.53\noptions edns0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]string{
		"link": "ln -s stub.conf " + file, "none": "true", "dangling link": "ln -s nowhere " + file,
		"mounted": "touch " + file + "; mount --bind " + target + " " + file, "closed": "echo x > " + file + "; chmod 600 " + file, "empty": ": > " + file,
	} {
		t.Run(name, func(t *testing.T) {
			s.sh("umount " + file + " 2>/dev/null || true; rm -f " + file + "; " + make)
			before := s.state()
			h := s.open()
			if err := h.Client(t.Context(), fullClient()); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), resolver.Heading+"nameserver 10.99.0.1\n") {
				t.Errorf("%q, %v", b, err)
			}
			if _, err := h.Undo(); err != nil {
				t.Error(err)
			}
			s.same(before, "after undo")
		})
	}
	s.sh("umount " + file + " 2>/dev/null || true")
}

// envGuest is set in a network namespace whose host is one of a test's too.
const envGuest = "HOSTNET_TEST_GUEST"

// A network namespace that shares the host's resolv.conf does not change it; one with its own does.
func TestResolversOfTheHostStay(t *testing.T) {
	resolversOfTheHostStay(t, "echo nameserver 192.0.2.1 > /etc/resolv.conf")
}

// It is so where the host's resolv.conf is a link, as systemd-resolved has it.
func TestResolversOfTheHostStayBehindALink(t *testing.T) {
	resolversOfTheHostStay(t, "mkdir /etc/stub; echo nameserver 192.0.2.1 > /etc/stub/resolv.conf; ln -s stub/resolv.conf /etc/resolv.conf")
}

// resolversOfTheHostStay tests it in a namespace of a namespace that setUp makes a host of.
func resolversOfTheHostStay(t *testing.T, setUp string) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	if os.Getenv(envGuest) == "" {
		s.sh("mount -t tmpfs tmpfs /etc; " + setUp)
		before := s.sh("ls -l /etc/resolv.conf")
		t.Setenv(envGuest, "yes")
		t.Setenv(envSpace, "")
		inSpace(t)
		if after := s.sh("ls -l /etc/resolv.conf"); after != before {
			t.Errorf("the host has %q", after)
		}
		return
	}
	read := func() string {
		t.Helper()
		b, err := os.ReadFile(resolver.DefaultPath)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := read()
	h, err := Open(Config{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	if path, ours := h.resolvConf(); ours { // before anything could be written
		t.Fatalf("the host's resolvers are taken for ours, in %s", path)
	}
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	if now := read(); now != before {
		t.Fatalf("the host's resolv.conf became %q", now)
	}
	s.sh("mount --bind " + s.resolvConf() + " " + resolver.DefaultPath)
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	if now := read(); !strings.HasPrefix(now, resolver.Heading) {
		t.Errorf("our resolv.conf is %q", now)
	}
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
	s.sh("umount " + resolver.DefaultPath)
	if now := read(); now != before {
		t.Errorf("the host's resolv.conf became %q", now)
	}
}

// Nor does one get any where the host has none.
func TestResolversOfAHostWithoutAny(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	if os.Getenv(envGuest) == "" {
		s.sh("mount -t tmpfs tmpfs /etc")
		t.Setenv(envGuest, "yes")
		t.Setenv(envSpace, "")
		inSpace(t)
		return
	}
	h, err := Open(Config{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	if path, ours := h.resolvConf(); ours { // before anything could be written
		t.Fatalf("the host's resolvers are taken for ours, in %s", path)
	}
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(resolver.DefaultPath); !os.IsNotExist(err) {
		t.Errorf("the host has a resolv.conf: %v", err)
	}
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
}
