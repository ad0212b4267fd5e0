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

// maxPath is the longest path of a wss address. MaxPeerLen is the longest address of ParsePeer without its key, in bytes.
const (
	maxPath    = 64
	MaxPeerLen = len("wss://") + maxHost + len(":65535") + maxPath
)

// Addr says where a service or a peer listens and, if known, which key it holds.
type Addr struct {
	Key      identity.PubKey // zero: not known
	HostPort string          // canonical, as a carrier's Dial takes it
}

// ParseAddr reads "[KEY@]HOST:PORT". HOST is an IPv4 address, an IPv6 address in brackets
// or a name; PORT is 1 to 65535. Names come out in lower case, addresses and ports in their
// shortest form, so that one place has one text.
func ParseAddr(s string) (Addr, error) { return parse(s, canonical, "[KEY@]HOST:PORT") }

// ParsePeer reads what ParseAddr does, and addresses of other carriers than TCP: [KEY@]quic:HOST:PORT, and
// [KEY@]wss://HOST[:PORT][/PATH] with PORT 443 and PATH / where they are left out.
func ParsePeer(s string) (Addr, error) {
	return parse(s, carried, "[KEY@]HOST:PORT, [KEY@]quic:HOST:PORT or [KEY@]wss://HOST:PORT/PATH")
}

func parse(s string, canonical func(string) (string, error), want string) (Addr, error) {
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
		return Addr{}, fmt.Errorf("address %.200q: want %s, with IPv6 in brackets: %w", s, want, err)
	}
	a.HostPort = hostPort
	return a, nil
}

// Scheme splits an address of ParsePeer: "", "quic:" or "wss://", its HOST:PORT, and a path that begins with / for the last.
func Scheme(addr string) (scheme, hostPort, path string) {
	if rest, ok := strings.CutPrefix(addr, "quic:"); ok && strings.Contains(rest, ":") { // else a host of that name
		return "quic:", rest, ""
	}
	rest, ok := strings.CutPrefix(addr, "wss://")
	if !ok {
		return "", addr, ""
	}
	hostPort, path, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(hostPort, ':'); i < 0 || strings.HasSuffix(hostPort, "]") {
		hostPort += ":443"
	}
	return "wss://", hostPort, "/" + path
}

// Place brings an address of ParsePeer without its key into its one text, with another function than ParsePeer's for its HOST:PORT.
func Place(addr string, hostPort func(string) (string, error)) (string, error) {
	scheme, at, path := Scheme(addr)
	at, err := hostPort(at)
	if err != nil {
		return "", err
	}
	if len(path) > maxPath || !isPath(path) {
		return "", fmt.Errorf("path %.100q: want at most %d letters, digits, dots, hyphens, underscores and slashes", path, maxPath)
	}
	return scheme + at + path, nil
}

func carried(addr string) (string, error) { return Place(addr, canonical) }

func isPath(s string) bool { return isPlain(strings.ReplaceAll(s, "/", "")) }

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
