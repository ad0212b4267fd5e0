package hostnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/apps/vpn/hostnet/journal"
	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
	"github.com/skycoin/viscript/node/mark"
)

// nameTime is how long a name server may take to answer the test's question.
const nameTime = 5 * time.Second

// askEvery is when it is asked again, for questions and answers that got lost.
const askEvery = nameTime / 4

// discard is where probes go that must not get out: the port that throws everything away (RFC 863).
const discard = 9

// test is a leak test under way.
type test struct {
	cfg              Config
	tun              string
	full, killSwitch bool
	servers          bool // resolv.conf is ours
	link             *route.Link
	routes           []route.Route
	list             []Verdict
}

// Check tests the VPN client whose journal is in cfg.Dir, from outside: what the kernel does with packets, not what
// anybody said. Without such a client the error is os.ErrNotExist. It asks a name server in the tunnel one question, and
// tries to send a packet past the kill switch to each uplink.
func Check(ctx context.Context, cfg Config) ([]Verdict, error) {
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = resolver.DefaultPath
	}
	j, there, err := journal.Read[step](cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.nameTime == 0 {
		cfg.nameTime = nameTime
	}
	t := test{cfg: cfg}
	for _, s := range j.Done {
		switch {
		case s.Table != nil:
			t.tun = strings.TrimPrefix(s.Table.Name, TablePrefix)
		case s.Link != nil:
			t.link = s.Link
		case s.Rule != nil:
			t.full = t.full || s.Rule.Specific
		case s.Route != nil:
			t.killSwitch = t.killSwitch || s.Route.Metric == fallbackMetric
			t.routes = append(t.routes, *s.Route)
		case s.Resolver != nil:
			t.servers = true
		}
	}
	if !there || t.link == nil || len(t.routes) == 0 {
		return nil, fmt.Errorf("no VPN client has changed this host from %s: %w", cfg.Dir, fs.ErrNotExist)
	}
	t.tunnel()
	t.route4()
	t.route6()
	t.dns(ctx)
	t.kill()
	return t.list, nil
}

func (t *test) say(name string, ok bool, text string, args ...any) {
	r := Fail
	if ok {
		r = Pass
	}
	t.list = append(t.list, Verdict{name, r, fmt.Sprintf(text, args...)})
}

func (t *test) off(name, text string) { t.list = append(t.list, Verdict{name, Off, text}) }

// tunnel looks at the interface.
func (t *test) tunnel() {
	ok, err := t.link.Present()
	switch {
	case err != nil:
		t.say("tunnel", false, "%v", err)
	case !ok:
		t.say("tunnel", false, "%s is gone or lost its addresses: the VPN client is not running; what it left is removed by: %s", t.tun, DownCommand)
	default:
		t.say("tunnel", true, "%s is up with %v", t.tun, t.link.Addresses)
	}
}

// route4 asks the kernel where packets to the internet would leave.
func (t *test) route4() {
	targets := []string{"1.1.1.1", "8.8.8.8", "100.0.0.1", "151.101.1.1", "223.255.255.1"}
	if !t.full {
		targets = targets[:0]
		for _, r := range t.routes {
			if a, ok := t.sample(r.Dst); ok && r.Kind == route.Unicast {
				targets = append(targets, a.String())
			}
		}
	}
	var wrong []string
	for _, text := range targets {
		if dev, err := route.Get(netip.MustParseAddr(text), 0); err != nil || dev != t.tun {
			wrong = append(wrong, fmt.Sprintf("%s by %s", text, orNothing(dev)))
		}
	}
	dev, err := route.Get(netip.MustParseAddr("1.1.1.1"), mark.Mesh)
	switch {
	case len(wrong) > 0:
		t.say("route", false, "does not leave by %s: %s", t.tun, strings.Join(wrong, ", "))
	case err != nil || dev == t.tun:
		t.say("route", false, "the mesh's own packets would leave by %s: %v", orNothing(dev), err)
	default:
		t.say("route", true, "%d of %d addresses leave by %s, the mesh's own packets by %s", len(targets), len(targets), t.tun, orNothing(dev))
	}
}

// maxSamples is how many addresses of a network are looked at to find one that can be asked for.
const maxSamples = 64

// sample is an address of a network that is neither ours, which the kernel keeps, nor in a network that goes its usual way;
// false: the first ones are all of them such.
func (t *test) sample(p netip.Prefix) (netip.Addr, bool) {
	a := p.Masked().Addr()
	if !p.IsSingleIP() { // the first address is the network's own
		a = a.Next()
	}
	for range maxSamples {
		if !p.Contains(a) {
			break
		}
		ours := slices.ContainsFunc(t.link.Addresses, func(o netip.Prefix) bool { return o.Addr() == a })
		if !ours && !t.thrown(a, p.Bits()) {
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

// thrown reports whether an address is an exception from a network of that many bits which goes through the tunnel.
func (t *test) thrown(a netip.Addr, bits int) bool {
	return slices.ContainsFunc(t.routes, func(r route.Route) bool { return r.Kind == route.Throw && r.Dst.Bits() >= bits && r.Dst.Contains(a) })
}

func orNothing(dev string) string {
	if dev == "" {
		return "nothing (unreachable)"
	}
	return dev
}

// route6 does so for IPv6, where no way out is as good as the tunnel.
func (t *test) route6() {
	if !t.full {
		t.off("ipv6", "split tunnel: IPv6 goes its usual way, but for its routes")
		return
	}
	var wrong, ways []string
	for _, text := range []string{"2001:4860:4860::8888", "2620:fe::fe", "2a00:1450::1", "3000::1"} {
		dev, err := route.Get(netip.MustParseAddr(text), 0)
		if err != nil || dev != "" && dev != t.tun {
			wrong = append(wrong, text+" by "+dev)
		}
		ways = append(ways, orNothing(dev))
	}
	slices.Sort(ways)
	if len(wrong) > 0 {
		t.say("ipv6", false, "leaks: %s", strings.Join(wrong, ", "))
		return
	}
	t.say("ipv6", true, "leaves by %s", strings.Join(slices.Compact(ways), " and "))
}

// dns looks whom the host asks for names, which way, and whether that answers.
func (t *test) dns(ctx context.Context) {
	b, err := os.ReadFile(t.cfg.ResolvConf)
	if err != nil {
		t.say("dns", false, "%v", err)
		return
	}
	servers := resolver.Servers(b)
	if len(servers) == 0 {
		t.say("dns", false, "%s names no server", t.cfg.ResolvConf)
		return
	}
	var wrong []string
	for _, s := range servers {
		dev, err := route.Get(s, 0)
		if err != nil || dev != t.tun {
			wrong = append(wrong, fmt.Sprintf("%s by %s", s, orNothing(dev)))
		}
	}
	switch {
	case len(wrong) > 0 && !t.full && !t.servers:
		t.off("dns", "split tunnel: names are asked as ever, "+strings.Join(wrong, ", "))
		return
	case len(wrong) > 0:
		t.say("dns", false, "names are not asked in the tunnel: %s", strings.Join(wrong, ", "))
		return
	}
	took, err := askName(ctx, servers[0], t.cfg.nameTime)
	if err != nil {
		t.say("dns", false, "%s in the tunnel does not answer: %v", servers[0], err)
		return
	}
	t.say("dns", true, "%v in the tunnel, answered in %v", servers, took.Round(100*time.Microsecond))
}

// askName asks for the root's name servers, which every resolver knows, again and again until limit.
func askName(ctx context.Context, server netip.Addr, limit time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "udp", netip.AddrPortFrom(server, portDNS).String())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: uint16(began.UnixNano()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeNS, Class: dnsmessage.ClassINET}}}
	q, err := m.Pack()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	for {
		if _, err := c.Write(q); err != nil {
			return 0, err
		}
		_ = c.SetReadDeadline(time.Now().Add(askEvery))
		n, err := c.Read(buf)
		var p dnsmessage.Parser
		if err == nil {
			h, err := p.Start(buf[:n])
			if err == nil && h.ID == m.ID && h.RCode == dnsmessage.RCodeServerFailure {
				return 0, errors.New("it cannot find out (SERVFAIL)")
			}
			if err == nil && h.ID == m.ID {
				return time.Since(began), nil
			}
		}
		if ctx.Err() != nil {
			return 0, errors.New("no answer")
		}
	}
}

// kill tries to get a packet past the tunnel, at every uplink.
func (t *test) kill() {
	if !t.killSwitch {
		t.off("kill switch", "not asked for: when the tunnel goes, packets go their usual way")
		return
	}
	uplinks, _, err := route.Uplinks()
	if err != nil {
		t.say("kill switch", false, "%v", err)
		return
	}
	tried := 0
	for _, u := range uplinks {
		if u.Dev == t.tun {
			continue
		}
		tried++
		if err := escape(u, t.nobody(u.V6)); !errors.Is(err, unix.EPERM) {
			t.say("kill switch", false, "a packet past the tunnel was not refused at %s: %v", u.Dev, err)
			return
		}
	}
	if tried == 0 {
		t.say("kill switch", true, "there is no uplink that a packet could take past the tunnel")
		return
	}
	t.say("kill switch", true, "packets past the tunnel are refused at every uplink (%d)", tried)
}

// nobody is an address that nobody has (RFC 5737, RFC 3849) and that is no exception from the tunnel.
func (t *test) nobody(v6 bool) netip.Addr {
	list := []string{"192.0.2.1", "198.51.100.1", "203.0.113.1", "240.0.0.1"}
	if v6 {
		list = []string{"2001:db8::1", "3fff::1", "100::1"}
	}
	for _, text := range list {
		a := netip.MustParseAddr(text)
		if !t.thrown(a, 0) {
			return a
		}
	}
	return netip.MustParseAddr(list[0])
}

// escape sends an empty datagram out of an uplink.
func escape(u route.Uplink, dst netip.Addr) error {
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: discard, Addr: dst.As16()})
	if dst.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: discard, Addr: dst.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.BindToDevice(fd, u.Dev); err != nil {
		return err
	}
	return unix.Sendto(fd, nil, 0, to)
}
