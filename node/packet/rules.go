package packet

import "net/netip"

// Rules say for which destinations a packet from the other end is welcome: the longest prefix that holds the address decides,
// refuse before accept; no prefix, no welcome. The zero value welcomes none.
type Rules struct {
	Accept, Refuse []netip.Prefix
}

// Welcome reports whether a packet may go to dst.
func (r *Rules) Welcome(dst netip.Addr) bool {
	accept := longest(r.Accept, dst)
	return accept >= 0 && accept > longest(r.Refuse, dst)
}

// longest is the length of the longest prefix of the list that holds a; -1: none does.
func longest(list []netip.Prefix, a netip.Addr) int {
	bits := -1
	for _, p := range list {
		if p.Bits() > bits && p.Contains(a) {
			bits = p.Bits()
		}
	}
	return bits
}
