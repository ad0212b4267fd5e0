package socks

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// Datagrams. Between program and client each has a header (RFC 1928 section 7); between client and exit, over the mesh, the
// number of the association stands in its place:
//
//	RSV:u16=0 │ FRAG:u8=0 │ place │ data          program and client
//	association:u64       │ place │ data          client and exit
//
//	place = ATYP:u8 ADDR PORT:u16, as in a request
const (
	udpHead       = 3
	associationAt = 8 // length of the association's number
	maxPlace      = 1 + 16 + 2
	maxUDP        = 64 << 10 // of a whole datagram with its header; no UDP datagram is longer
	udpBuffer     = 1 << 20  // of the kernel, for datagrams that we have not yet read: bursts, and a busy machine
)

// parsePlace reads a place at the front of b and returns its length. Errors: errShort, BadAddrType, Malformed.
func parsePlace(b []byte) (t Target, n int, err error) {
	if len(b) < 2 {
		if len(b) == 1 && !knownAddrType(b[0]) {
			return t, 0, because(BadAddrType, "address type %d", b[0])
		}
		return t, 0, errShort
	}
	if n, err = placeLen(b); err != nil {
		return t, 0, err
	}
	if len(b) < n {
		return t, 0, errShort
	}
	t, err = requestTarget(b[0], b[1:n-2], binary.BigEndian.Uint16(b[n-2:n]))
	return t, n, err
}

// placeLen tells a place's length from its first two bytes.
func placeLen(b []byte) (int, error) {
	switch b[0] {
	case atypIPv4:
		return 1 + 4 + 2, nil
	case atypIPv6:
		return 1 + 16 + 2, nil
	case atypName:
		return 1 + 1 + int(b[1]) + 2, nil
	default:
		return 0, because(BadAddrType, "address type %d", b[0])
	}
}

// appendPlace appends an address as a place; the zero AddrPort is 0.0.0.0:0.
func appendPlace(dst []byte, at netip.AddrPort) []byte {
	addr := at.Addr().Unmap()
	switch {
	case !addr.IsValid():
		dst = append(dst, atypIPv4, 0, 0, 0, 0)
	case addr.Is4():
		b := addr.As4()
		dst = append(append(dst, atypIPv4), b[:]...)
	default:
		b := addr.As16()
		dst = append(append(dst, atypIPv6), b[:]...)
	}
	return binary.BigEndian.AppendUint16(dst, at.Port())
}

// parseUDP reads a program's datagram: n is where its data begins. Errors: errShort; BadCommand for a fragment, which we do not
// put together; BadAddrType; Malformed.
func parseUDP(b []byte) (t Target, n int, err error) {
	if len(b) < udpHead {
		return t, 0, errShort
	}
	if b[0] != 0 || b[1] != 0 {
		return t, 0, because(Malformed, "reserved bytes % x", b[:2])
	}
	if b[2] != 0 {
		return t, 0, because(BadCommand, "fragment %d", b[2])
	}
	t, n, err = parsePlace(b[udpHead:])
	return t, udpHead + n, err
}

// Prefixes of a stream's target that ask an exit for something else than a connection. A name cannot hold a slash.
const (
	prefixUDP  = "udp/"  // and the mesh port that our datagrams come from
	prefixBind = "bind/" // and the target that shall connect to the exit
)

// errand is what a stream's target asks an exit for.
type errand struct {
	kind   kind
	target Target // of connect and bind
	port   uint16 // of udp: where the opener takes its datagrams
}

// String is the inverse of parseErrand.
func (e errand) String() string {
	switch e.kind {
	case kindUDP:
		return prefixUDP + strconv.Itoa(int(e.port))
	case kindBind:
		return prefixBind + e.target.String()
	default:
		return e.target.String()
	}
}

// parseErrand reads the target of a stream. Errors: Malformed.
func parseErrand(s string) (e errand, err error) {
	if rest, ok := strings.CutPrefix(s, prefixUDP); ok {
		port, ok := parsePort(rest)
		if !ok {
			return e, because(Malformed, "datagrams from mesh port %.20q", rest)
		}
		return errand{kind: kindUDP, port: port}, nil
	}
	rest, ok := strings.CutPrefix(s, prefixBind)
	if ok {
		e.kind = kindBind
	}
	e.target, err = ParseTarget(rest)
	return e, err
}
