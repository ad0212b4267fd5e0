package socks

import "net/netip"

// class is what kind of place an address is, seen from an exit.
type class uint8

const (
	classPublic    class = iota
	classPrivate         // RFC 1918, RFC 6598 (CGNAT), RFC 4193 (ULA)
	classLoopback        // this machine
	classLinkLocal       // the machines on our wire; cloud metadata services too
	classReserved        // documentation, benchmarking, protocol assignments, not yet given out
	classNoHost          // unspecified, multicast, broadcast: not one host
)

// String returns the class in words.
func (c class) String() string {
	return [...]string{"public", "private", "loopback", "link-local", "reserved", "no single host"}[c]
}

// classify tells the class of an address without zone. An IPv6 address that stands for an
// IPv4 one (mapped, NAT64, 6to4, Teredo, ISATAP) has the class of that one.
func classify(a netip.Addr) class {
	if a = a.Unmap(); a.Is4() {
		return classify4(a.As4())
	}
	b := a.As16()
	if inner, n := embedded(b); n > 0 {
		worst := classPublic
		for _, v4 := range inner[:n] {
			worst = max(worst, classify4(v4))
		}
		return worst
	}
	return classify6(b)
}

// classify4 follows the IANA IPv4 Special-Purpose Address Registry.
func classify4(b [4]byte) class {
	switch {
	case b[0] == 0: // "this network"; Linux connects 0.0.0.0 to this machine
		return classNoHost
	case b[0] == 10, b[0] == 172 && b[1]&0xf0 == 16, b[0] == 192 && b[1] == 168, b[0] == 100 && b[1]&0xc0 == 64:
		return classPrivate
	case b[0] == 127:
		return classLoopback
	case b[0] == 169 && b[1] == 254:
		return classLinkLocal
	case b[0]&0xf0 == 224, b == [4]byte{255, 255, 255, 255}:
		return classNoHost
	case b[0]&0xf0 == 240, reserved24(b), b[0] == 198 && b[1]&0xfe == 18: // benchmarking: 198.18/15
		return classReserved
	default:
		return classPublic
	}
}

// reserved24 knows the reserved blocks of 256 addresses: IETF protocol assignments, 6to4
// relays (deprecated) and the three TEST-NETs.
func reserved24(b [4]byte) bool {
	switch [3]byte(b[:3]) {
	case [3]byte{192, 0, 0}, [3]byte{192, 88, 99}, [3]byte{192, 0, 2}, [3]byte{198, 51, 100}, [3]byte{203, 0, 113}:
		return true
	default:
		return false
	}
}

// classify6 follows the IANA IPv6 Special-Purpose Address Registry: only 2000::/3 is given
// out, less some blocks.
func classify6(b [16]byte) class {
	switch {
	case b == [16]byte{15: 1}:
		return classLoopback
	case b == [16]byte{}, b[0] == 0xff:
		return classNoHost
	case b[0]&0xfe == 0xfc:
		return classPrivate
	case b[0] == 0xfe && b[1]&0xc0 == 0x80:
		return classLinkLocal
	case b[0]&0xe0 != 0x20,
		b[0] == 0x20 && b[1] == 0x01 && b[2]&0xfe == 0,               // 2001::/23 protocol assignments, benchmarking, ORCHID
		b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8, // 2001:db8::/32 documentation
		b[0] == 0x3f && b[1] == 0xff && b[2]&0xf0 == 0:               // 3fff::/20 documentation
		return classReserved
	default:
		return classPublic
	}
}

// embedded returns the IPv4 addresses that an IPv6 address leads to: n of them.
func embedded(b [16]byte) (inner [2][4]byte, n int) {
	switch {
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}: // NAT64, RFC 6052
		inner[0] = [4]byte(b[12:])
		return inner, 1
	case b[0] == 0x20 && b[1] == 0x02: // 6to4, RFC 3056
		inner[0] = [4]byte(b[2:6])
		return inner, 1
	case [4]byte(b[:4]) == [4]byte{0x20, 0x01}: // Teredo, RFC 4380: server, and client inverted
		inner[0] = [4]byte(b[4:8])
		inner[1] = [4]byte{^b[12], ^b[13], ^b[14], ^b[15]}
		return inner, 2
	case b[0]&0xe0 == 0x20 && b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214
		inner[0] = [4]byte(b[12:])
		return inner, 1
	default:
		return inner, 0
	}
}
