package hostnet

import "net/netip"

// Ranges of the IANA special-purpose address registries, by what an exit and a kill switch make of them.

// privateRanges are networks that somebody's own: RFC 1918, RFC 6598 (CGNAT), RFC 4193 (ULA).
func privateRanges() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
}

// closedRanges lead to no host of the internet, or to this machine or its wires: an exit never forwards to them.
// Of IPv6, NAT64 and 6to4 addresses are here because they stand for IPv4 ones.
func closedRanges() []netip.Prefix {
	return prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/3",
		"::/8", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fe80::/9", "ff00::/8")
}

// lanRanges are what may be a local network, with the groups and the broadcast that its machines find each other by.
func lanRanges() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "224.0.0.0/24", "239.255.0.0/16",
		"255.255.255.255/32", "fe80::/10", "fc00::/7", "ff02::/16", "ff05::/16")
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}
