package hostnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Limits of what people may ask for.
const (
	maxPrefixes  = 4096 // routes and exceptions each
	maxDNS       = 3    // what resolv.conf(5) reads
	maxDev       = 15   // IFNAMSIZ less its zero
	minMTU       = 1280 // RFC 8200 section 5
	maxMTU       = 65535
	maxAddresses = 4
)

// Client is what a VPN client wants of its host. The TUN interface exists already and is the caller's.
type Client struct {
	Tun       string
	Addresses []netip.Prefix // ours in the tunnel: a /32, a /128 or both. Without one of a family Full makes that family unreachable
	MTU       int            // 1280 to 65535

	Full   bool           // everything goes through the tunnel; otherwise only Routes
	Routes []netip.Prefix // of a family without address they are unreachable
	Except []netip.Prefix // these never go through the tunnel

	DNS []netip.Addr // name servers in the tunnel, 3 at most; none: the host's resolvers stay

	KillSwitch bool // with Full: what does not go through the tunnel is dropped, also after this process died
	LAN        bool // KillSwitch lets the local network pass (private addresses), its name servers excepted
}

// Check tells what is wrong with c.
func (c Client) Check() error {
	switch {
	case c.Tun == "" || len(c.Tun) > maxDev || !plainName(c.Tun):
		return fmt.Errorf("hostnet: TUN interface %q: want a name of letters, digits, - and _, %d at most", c.Tun, maxDev)
	case c.MTU < minMTU || c.MTU > maxMTU:
		return fmt.Errorf("hostnet: MTU %d: want %d to %d", c.MTU, minMTU, maxMTU)
	case len(c.Addresses) == 0 || len(c.Addresses) > maxAddresses:
		return fmt.Errorf("hostnet: %d addresses: want 1 to %d", len(c.Addresses), maxAddresses)
	case c.Full && len(c.Routes) > 0:
		return errors.New("hostnet: a full tunnel takes no routes: everything goes through it")
	case c.KillSwitch && !c.Full:
		return errors.New("hostnet: a kill switch is for a full tunnel")
	case len(c.Routes) > maxPrefixes || len(c.Except) > maxPrefixes:
		return fmt.Errorf("hostnet: more than %d routes or exceptions", maxPrefixes)
	case len(c.DNS) > maxDNS:
		return fmt.Errorf("hostnet: %d name servers: %d at most", len(c.DNS), maxDNS)
	}
	for _, p := range slices.Concat(c.Addresses, c.Routes, c.Except) {
		if err := checkPrefix(p); err != nil {
			return err
		}
	}
	for _, a := range c.DNS {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" || a.Is4In6() {
			return fmt.Errorf("hostnet: name server %s: not an address of a host", a)
		}
	}
	return nil
}

// has tells whether the tunnel carries a family.
func (c Client) has(v6 bool) bool {
	return slices.ContainsFunc(c.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() == v6 })
}

// Server is what an exit wants of its host. The TUN interface exists already and is the caller's.
type Server struct {
	Tun       string
	Addresses []netip.Prefix // ours in the tunnel with the length of its subnet, such as 10.99.0.1/16: one of each family at most
	MTU       int            // 1280 to 65535

	AllowPrivate   bool     // clients reach private, carrier-grade NAT and unique local addresses too; never loopback and link-local ones
	AllowHost      bool     // clients reach all ports of this host; otherwise ICMP, and DNS on our addresses in the tunnel
	BetweenClients bool     // clients reach each other
	HostPorts      []uint16 // TCP ports on our addresses in the tunnel that clients reach besides

	MaxConns   uint32 // connections that one address of a client may have; 0: 8192
	MaxPackets uint64 // packets or superpackets a second of one address; 0: 200,000
}

// Limits where the Server names none.
const (
	defaultMaxConns   = 8192
	defaultMaxPackets = 200_000
	maxHostPorts      = 16
)

// Check tells what is wrong with s.
func (s Server) Check() error {
	switch {
	case s.Tun == "" || len(s.Tun) > maxDev || !plainName(s.Tun):
		return fmt.Errorf("hostnet: TUN interface %q: want a name of letters, digits, - and _, %d at most", s.Tun, maxDev)
	case s.MTU < minMTU || s.MTU > maxMTU:
		return fmt.Errorf("hostnet: MTU %d: want %d to %d", s.MTU, minMTU, maxMTU)
	case len(s.Addresses) == 0 || len(s.Addresses) > 2:
		return fmt.Errorf("hostnet: %d addresses: want one of each family at most", len(s.Addresses))
	case len(s.Addresses) == 2 && s.Addresses[0].Addr().Is4() == s.Addresses[1].Addr().Is4():
		return errors.New("hostnet: two addresses of one family")
	case len(s.HostPorts) > maxHostPorts:
		return fmt.Errorf("hostnet: more than %d open ports", maxHostPorts)
	}
	for _, p := range s.Addresses {
		if err := checkPrefix(p); err != nil {
			return err
		}
		if p.IsSingleIP() || p.Addr() == p.Masked().Addr() {
			return fmt.Errorf("hostnet: %s: want our address in a subnet with room for clients", p)
		}
	}
	return nil
}

func checkPrefix(p netip.Prefix) error {
	if !p.IsValid() || p.Addr().Is4In6() {
		return fmt.Errorf("hostnet: %s is not an IPv4 or IPv6 prefix", p)
	}
	return nil
}

// plainName tells whether a name needs no quoting anywhere.
func plainName(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
