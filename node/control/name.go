package control

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// CheckLabel tells what is wrong with a name of one part: 1 to 63 letters, digits, '-'
// and '_', beginning with a letter or digit.
func CheckLabel(s string) error {
	if s == "" || len(s) > MaxLabelLen {
		return malformed("a name of %d characters, want 1 to %d", len(s), MaxLabelLen)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '-' || c == '_'):
		default:
			return malformed("name %q, want letters, digits, '-' and '_'", s)
		}
	}
	return nil
}

// CheckName tells what is wrong with a name of labels joined by dots, at most MaxNameLen bytes.
func CheckName(s string) error {
	if len(s) > MaxNameLen {
		return malformed("a name of %d characters, want at most %d", len(s), MaxNameLen)
	}
	for label := range strings.SplitSeq(s, ".") {
		if err := CheckLabel(label); err != nil {
			return err
		}
	}
	return nil
}

// FoldName is the form in which names are compared: ASCII lower case.
func FoldName(s string) string { return strings.ToLower(s) }

// CanonicalAddr checks HOST:PORT, quic:HOST:PORT or wss://HOST:PORT/PATH and returns the one form in which it is compared:
// addresses as netip prints them, names in lower case. Refused: port 0, the unspecified
// address, zones, an empty host.
func CanonicalAddr(s string) (string, error) {
	if len(s) > MaxAddrLen {
		return "", malformed("an address of %d characters, want at most %d", len(s), MaxAddrLen)
	}
	at, err := secure.Place(s, canonicalHostPort)
	if err != nil && !errors.Is(err, wire.ErrMalformed) {
		err = malformed("address %.200q: %v", s, err)
	}
	return at, err
}

func canonicalHostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", malformed("address %q, want HOST:PORT", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", malformed("address %q, want a port of 1 to 65535", s)
	}
	host, err = canonicalHost(host)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

func canonicalHost(host string) (string, error) {
	ip, err := netip.ParseAddr(host)
	if err == nil {
		ip = ip.Unmap()
		if ip.IsUnspecified() {
			return "", malformed("address %s is unspecified, nobody can reach it", ip)
		}
		if ip.Zone() != "" {
			return "", malformed("address %s has a zone", ip)
		}
		return ip.String(), nil
	}
	if err := CheckName(host); err != nil {
		return "", err
	}
	return FoldName(host), nil
}
