package lan

import (
	"errors"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// multicast is what of a socket's multicast package ipv4 and package ipv6 do alike.
type multicast interface {
	JoinGroup(i *net.Interface, group net.Addr) error
	SetMulticastInterface(i *net.Interface) error
	SetMulticastLoopback(on bool) error
}

// network is the name of UDP over the family.
func (f Family) network() string {
	if f == IPv6 {
		return "udp6"
	}
	return "udp4"
}

// group is where announcements go: administratively scoped (RFC 2365), and of site scope, not permanent (RFC 4291, 2.7), so that a host
// which has an address that is more than link-local sends from it (RFC 6724, 5, rule 2).
func (f Family) group() *net.UDPAddr {
	if f == IPv6 {
		return &net.UDPAddr{IP: net.IP{0xff, 0x15, 12: 0x53, 13: 0x4c, 15: 0x4d}, Port: Port}
	}
	return &net.UDPAddr{IP: net.IPv4(239, 255, 83, 77), Port: Port}
}

// of is a socket's multicast; its datagrams reach the segment and no further.
func (f Family) of(pc net.PacketConn) (multicast, error) {
	if f == IPv6 {
		p := ipv6.NewPacketConn(pc)
		return p, p.SetMulticastHopLimit(1)
	}
	p := ipv4.NewPacketConn(pc)
	return p, p.SetMulticastTTL(1)
}

// join opens the port on all interfaces with multicast and an address of the family.
func (f Family) join() (*net.UDPConn, []net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	var pc *net.UDPConn
	var on []net.Interface
	err = errors.New("lan: no interface for multicast")
	for _, i := range all {
		if i.Flags&(net.FlagUp|net.FlagMulticast) != net.FlagUp|net.FlagMulticast || i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 || !f.has(i) {
			continue
		}
		if pc == nil {
			if pc, err = net.ListenMulticastUDP(f.network(), &i, f.group()); err != nil {
				pc = nil
				continue
			}
		} else if m, err := f.of(pc); err != nil || m.JoinGroup(&i, f.group()) != nil {
			continue
		}
		on = append(on, i)
	}
	if pc == nil {
		return nil, nil, err
	}
	return pc, on, nil
}

// has reports whether the interface has an address of the family.
func (f Family) has(i net.Interface) bool {
	addrs, err := i.Addrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && (n.IP.To4() == nil) == (f == IPv6) {
			return true
		}
	}
	return false
}

// send sends one datagram on each interface.
func (f Family) send(b []byte, on []net.Interface) error {
	pc, err := net.ListenPacket(f.network(), ":0")
	if err != nil {
		return err
	}
	defer pc.Close()
	m, err := f.of(pc)
	if err == nil {
		err = m.SetMulticastLoopback(true) // other nodes on this host
	}
	if err != nil {
		return err
	}
	for _, i := range on {
		if err := m.SetMulticastInterface(&i); err == nil {
			pc.WriteTo(b, f.group())
		}
	}
	return nil
}
