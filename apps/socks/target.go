package socks

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of a target, in bytes.
const (
	maxName   = 253                 // RFC 1035 section 2.3.4, without the final dot
	maxLabel  = 63                  // same
	maxTarget = maxName + 1 + 1 + 5 // name, final dot, colon, port
	// In names of the mesh a label may be a key in hex.
	maxMeshLabel = hexKeyLen
)

// Target is where a stream shall go: a name or an address, never both, and a port that
// is not 0.
type Target struct {
	Name string     // lower case, letters, digits, '-', '_' and '.'; empty when Addr is set
	Addr netip.Addr // unmapped, without zone
	Port uint16
}

// String returns the text that travels with the stream's opening: NAME:PORT, IPV4:PORT or
// [IPV6]:PORT.
func (t Target) String() string {
	host := t.Name
	if t.Addr.IsValid() {
		host = t.Addr.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(t.Port)))
}

// ParseTarget reads the text form. Names are lower-cased; a name that reads as an address
// is one. Errors are *Error with reason Malformed.
func ParseTarget(s string) (Target, error) {
	if len(s) > maxTarget {
		return Target{}, because(Malformed, "target of %d bytes, at most %d", len(s), maxTarget)
	}
	host, portText, ok := splitHostPort(s)
	if !ok {
		return Target{}, because(Malformed, "target %.64q is not HOST:PORT", s)
	}
	port, ok := parsePort(portText)
	if !ok {
		return Target{}, because(Malformed, "target %.64q has no port from 1 to 65535", s)
	}
	return newTarget(host, port)
}

// splitHostPort splits at the last colon and takes off the brackets that an IPv6 address
// must have and nothing else may.
func splitHostPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	inner, open := strings.CutPrefix(host, "[")
	inner, shut := strings.CutSuffix(inner, "]")
	if open != shut || open != strings.Contains(host, ":") {
		return "", "", false
	}
	return inner, port, true
}

// parsePort accepts 1 to 65535 in plain decimal digits.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0 && s[0] != '0'
}

// newTarget makes a target of a host as a program writes it: an address or a name.
func newTarget(host string, port uint16) (Target, error) {
	if port == 0 {
		return Target{}, because(Malformed, "port 0")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return Target{}, because(Malformed, "address %.64q has a zone", host)
		}
		return Target{Addr: addr.Unmap(), Port: port}, nil
	}
	name := strings.ToLower(host)
	if !validName(name) {
		return Target{}, because(Malformed, "%.64q is neither an address nor a host name", host)
	}
	return Target{Name: name, Port: port}, nil
}

// validName checks a lower-case host name: labels of 1 to 63 letters, digits, '-' and '_',
// 253 bytes in all (66 in a name of the mesh); one final dot is kept, it says that the name is complete. A last label
// of digits only is refused: no such name exists, and some resolvers read it as an address.
func validName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > maxName {
		return false
	}
	most := maxLabel
	if strings.HasSuffix(s, meshSuffix) {
		most = maxMeshLabel
	}
	label, digits := 0, true // of the label we are in
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label, digits = 0, true
			continue
		case c >= '0' && c <= '9':
		case c >= 'a' && c <= 'z', c == '-', c == '_':
			digits = false
		default:
			return false
		}
		if label++; label > most {
			return false
		}
	}
	return label > 0 && !digits
}
