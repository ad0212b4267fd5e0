package link

import (
	"encoding/binary"
	"net/netip"
)

// Words of a call: the two ends of a relayed link agree to punch, by records of type wire.LinkCall on route 0:
//
//	kind:u8 ‖ nonce[16] ‖ address:(ip[16] port:u16) ...      17 + 18 n bytes, n at most 16
//
// kind is 1 for the question, 2 for the answer with the same nonce; an address of IPv4 is ::ffff:a.b.c.d. Others are dropped.
const (
	callAsk    = 1
	callAnswer = 2

	maxCalled  = 16 // addresses
	callHead   = 1 + 16
	calledSize = 16 + 2
)

// call is one word.
type call struct {
	kind  byte
	nonce [16]byte
	addrs []netip.AddrPort
}

// append appends the payload of the record; addresses beyond the limit are left out.
func (c call) append(dst []byte) []byte {
	dst = append(append(dst, c.kind), c.nonce[:]...)
	for _, a := range c.addrs[:min(len(c.addrs), maxCalled)] {
		ip := a.Addr().As16()
		dst = binary.BigEndian.AppendUint16(append(dst, ip[:]...), a.Port())
	}
	return dst
}

// parseCall reads a payload; false: it is none. Addresses to which nobody should send anything are left out.
func parseCall(b []byte) (c call, ok bool) {
	if len(b) < callHead || len(b) > callHead+maxCalled*calledSize || (len(b)-callHead)%calledSize != 0 {
		return c, false
	}
	c.kind = b[0]
	copy(c.nonce[:], b[1:])
	for b = b[callHead:]; len(b) > 0; b = b[calledSize:] {
		ip := netip.AddrFrom16([16]byte(b)).Unmap()
		if port := binary.BigEndian.Uint16(b[16:]); port != 0 && punchable(ip) {
			c.addrs = append(c.addrs, netip.AddrPortFrom(ip, port))
		}
	}
	return c, c.kind == callAsk || c.kind == callAnswer
}

// punchable tells whether a peer may have us send datagrams to an address: unicast, and not of this host alone.
func punchable(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() || ip.IsLinkLocalUnicast() && ip.Is4()
}
