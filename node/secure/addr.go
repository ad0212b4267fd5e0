package secure

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/node/identity"
)

// maxHost is the longest host name (RFC 1035 section 2.3.4).
const maxHost = 253

// Addr says where a service or a peer listens and, if known, which key it holds.
type Addr struct {
	Key      identity.PubKey // zero: not known
	HostPort string          // canonical, as net.Dial takes it
}

// ParseAddr reads "[KEY@]HOST:PORT". HOST is an IPv4 address, an IPv6 address in brackets
// or a name; PORT is 1 to 65535. Names come out in lower case, addresses and ports in their
// shortest form, so that one place has one text.
func ParseAddr(s string) (Addr, error) {
	var a Addr
	rest := s
	if key, after, found := strings.Cut(s, "@"); found {
		k, err := identity.ParseHex(key)
		if err != nil {
			return Addr{}, fmt.Errorf("address %.200q: %w", s, err)
		}
		a.Key, rest = k, after
	}
	hostPort, err := canonical(rest)
	if err != nil {
		return Addr{}, fmt.Errorf("address %.200q: want [KEY@]HOST:PORT, with IPv6 in brackets: %w", s, err)
	}
	a.HostPort = hostPort
	return a, nil
}

func canonical(hostPort string) (string, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %.20q is not 1 to 65535", port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && isPlainZone(ip.Zone()) {
		host = ip.String()
	} else if !isName(host) {
		return "", fmt.Errorf("host %.100q is neither an address nor a name", host)
	} else {
		host = strings.ToLower(host)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// isName tells whether s can be a host name: letters, digits, dots, hyphens and underscores.
func isName(s string) bool {
	return s != "" && len(s) <= maxHost && isPlain(s)
}

func isPlainZone(s string) bool { return len(s) <= 64 && isPlain(s) }

func isPlain(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// String returns the text that ParseAddr reads.
func (a Addr) String() string {
	if a.Key.IsZero() {
		return a.HostPort
	}
	return a.Key.String() + "@" + a.HostPort
}
