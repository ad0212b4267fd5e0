package mark

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
)

// BeforePrefix begins the lines of a VPN's resolv.conf that name the name servers which the host had before: programs
// take them for comments, but the mesh asks those, outside of the tunnel, for the names that it must know for the tunnel
// to come up.
const BeforePrefix = "#before nameserver "

// Files with the host's name servers, and how much of one is read. Where a stub of systemd-resolved answers for the host,
// the second one has the servers behind it.
const (
	resolvConf = "/etc/resolv.conf"
	behindStub = "/run/systemd/resolve/resolv.conf"
	maxFile    = 64 << 10
	maxServers = 3
	dnsPort    = 53
)

// Dialer dials marked connections. While a VPN has its name servers in the host's resolv.conf, names are asked of the
// host's own ones, by marked connections too.
func Dialer() net.Dialer {
	d := net.Dialer{Control: Control}
	if servers := before(readFile(resolvConf), BeforePrefix); len(servers) > 0 {
		d.Resolver = asking(append(servers, before(readFile(behindStub), "nameserver ")...))
	}
	return d
}

// before are the servers in lines of a resolv.conf that begin with prefix.
func before(text, prefix string) (list []netip.AddrPort) {
	for line := range strings.Lines(text) {
		word, ok := strings.CutPrefix(line, prefix)
		if !ok || len(list) == maxServers {
			continue
		}
		if a, err := netip.ParseAddr(strings.TrimSpace(word)); err == nil {
			list = append(list, netip.AddrPortFrom(a, dnsPort))
		}
	}
	return list
}

// asking is a resolver that asks servers, one after the other, whatever resolv.conf says.
func asking(servers []netip.AddrPort) *net.Resolver {
	var turn atomic.Uint32
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		d := net.Dialer{Control: Control}
		server := servers[int(turn.Add(1)-1)%len(servers)]
		return d.DialContext(ctx, network, server.String())
	}}
}

func readFile(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxFile))
	return string(b)
}
