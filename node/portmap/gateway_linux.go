package portmap

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strings"
)

// ErrNoGateway: this host has no default route, or the system does not tell.
var ErrNoGateway = errors.New("portmap: no default route")

// Gateway is the router of the default route for IPv4.
func Gateway() (netip.Addr, error) {
	b, err := os.ReadFile("/proc/thread-self/net/route")
	if err != nil {
		return netip.Addr{}, err
	}
	if ip, ok := parseRoutes(string(b)); ok {
		return ip, nil
	}
	return netip.Addr{}, ErrNoGateway
}

// parseRoutes reads the kernel's table: interface, destination, gateway, flags...; addresses in the machine's byte order.
func parseRoutes(table string) (netip.Addr, bool) {
	for line := range strings.SplitSeq(table, "\n") {
		w := strings.Fields(line)
		if len(w) < 8 || w[1] != "00000000" || w[7] != "00000000" {
			continue
		}
		raw, err := hex.DecodeString(w[2])
		if err != nil || len(raw) != 4 {
			continue
		}
		var ip [4]byte
		binary.NativeEndian.PutUint32(ip[:], binary.BigEndian.Uint32(raw))
		if a := netip.AddrFrom4(ip); !a.IsUnspecified() {
			return a, true
		}
	}
	return netip.Addr{}, false
}
