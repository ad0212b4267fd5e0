package socks

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Versions, methods, commands and address types of RFC 1928 and RFC 1929.
const (
	version     = 5
	authVersion = 1

	methodNone         = 0x00
	methodPassword     = 0x02
	methodUnacceptable = 0xff

	cmdConnect   = 1
	cmdBind      = 2
	cmdAssociate = 3

	atypIPv4 = 1
	atypName = 3
	atypIPv6 = 4
)

// Longest messages of a program, in bytes; all follow from their one-byte lengths.
const (
	maxGreeting = 2 + 255
	maxAuth     = 2 + 255 + 1 + 255
	maxRequest  = 4 + 1 + 255 + 2
)

// errShort says that the bytes so far are the beginning of a message. It never outlives
// the negotiation.
var errShort = errors.New("socks: message incomplete")

// parseGreeting reads the greeting at the front of b (RFC 1928 section 3) and returns the
// methods offered, which alias b, and the greeting's length. Errors: errShort, Malformed.
func parseGreeting(b []byte) (methods []byte, n int, err error) {
	if len(b) > 0 && b[0] != version {
		return nil, 0, because(Malformed, "version %d", b[0])
	}
	if len(b) < 2 {
		return nil, 0, errShort
	}
	n = 2 + int(b[1])
	if n == 2 {
		return nil, 0, because(Malformed, "no methods")
	}
	if len(b) < n {
		return nil, 0, errShort
	}
	return b[2:n:n], n, nil
}

// parseAuth reads the message of RFC 1929 section 2 at the front of b; user and password
// alias b. Errors: errShort, Malformed. Empty fields are the comparison's business.
func parseAuth(b []byte) (user, password []byte, n int, err error) {
	if len(b) > 0 && b[0] != authVersion {
		return nil, nil, 0, because(Malformed, "authentication version %d", b[0])
	}
	if len(b) < 2 {
		return nil, nil, 0, errShort
	}
	userEnd := 2 + int(b[1])
	if len(b) < userEnd+1 {
		return nil, nil, 0, errShort
	}
	n = userEnd + 1 + int(b[userEnd])
	if len(b) < n {
		return nil, nil, 0, errShort
	}
	return b[2:userEnd:userEnd], b[userEnd+1 : n : n], n, nil
}

// parseRequest reads the request at the front of b (RFC 1928 section 4). With UDP ASSOCIATE only the port of the target counts,
// which may be 0. Errors: errShort; BadAddrType as soon as the type is seen, for the length is then unknown; BadCommand and
// Malformed when the whole request is there, n being its length.
func parseRequest(b []byte) (cmd byte, t Target, n int, err error) {
	if len(b) > 0 && b[0] != version {
		return 0, t, 0, because(Malformed, "version %d", b[0])
	}
	if len(b) < 5 {
		if len(b) == 4 && !knownAddrType(b[3]) {
			return 0, t, 0, because(BadAddrType, "address type %d", b[3])
		}
		return 0, t, 0, errShort
	}
	placed, err := placeLen(b[3:])
	if n = 3 + placed; err != nil {
		return 0, t, 0, err
	}
	if len(b) < n {
		return 0, t, 0, errShort
	}
	if cmd = b[1]; cmd < cmdConnect || cmd > cmdAssociate {
		return cmd, t, n, because(BadCommand, "command %d", cmd)
	}
	if b[2] != 0 {
		return cmd, t, n, because(Malformed, "reserved byte %d", b[2])
	}
	if cmd == cmdAssociate {
		return cmd, Target{Port: binary.BigEndian.Uint16(b[n-2:])}, n, nil
	}
	t, err = requestTarget(b[3], b[4:n-2], binary.BigEndian.Uint16(b[n-2:n]))
	return cmd, t, n, err
}

func knownAddrType(atyp byte) bool {
	return atyp == atypIPv4 || atyp == atypName || atyp == atypIPv6
}

// requestTarget makes the target of a request's address field, which for a name begins
// with its length.
func requestTarget(atyp byte, field []byte, port uint16) (Target, error) {
	if atyp == atypName {
		return newTarget(string(field[1:]), port)
	}
	addr, _ := netip.AddrFromSlice(field)
	if port == 0 {
		return Target{}, because(Malformed, "port 0")
	}
	return Target{Addr: addr.Unmap(), Port: port}, nil
}

// appendReply appends a reply (RFC 1928 section 6). After CONNECT the bound address is empty: the one in use lies at the exit and
// would tell a program nothing.
func appendReply(dst []byte, code byte, bound netip.AddrPort) []byte {
	return appendPlace(append(dst, version, code, 0), bound)
}
