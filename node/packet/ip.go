package packet

import (
	"encoding/binary"
	"net/netip"
)

// Header lengths and places, RFC 791, RFC 8200, RFC 9293, RFC 768.
const (
	ip4Len = 20
	ip6Len = 40
	tcpLen = 20
	udpLen = 8

	tcpChecksum = 16
	udpChecksum = 6

	// maxExtensions bounds the extension headers of an IPv6 packet that are walked.
	maxExtensions = 8
)

// Protocol numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// Packet is what is known of one IP packet.
type Packet struct {
	Src, Dst netip.Addr
	Len      int   // of the packet, as its header says
	Proto    uint8 // after IPv6 extension headers; of a later fragment what the first one had
	Fragment bool  // a fragment, the first one or a later one
	l4       int   // where Proto's header begins; in a later fragment there is none
}

// Parse reads the IP header at the front of b. What follows the packet is left alone. Error: ErrFrame.
func Parse(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrFrame
	}
	switch b[0] >> 4 {
	case 4:
		return parse4(b)
	case 6:
		return parse6(b)
	}
	return Packet{}, ErrFrame
}

func parse4(b []byte) (p Packet, err error) {
	if len(b) < ip4Len {
		return p, ErrFrame
	}
	p.l4 = int(b[0]&15) * 4
	p.Len = int(binary.BigEndian.Uint16(b[2:]))
	if p.l4 < ip4Len || p.Len < p.l4 || p.Len > len(b) {
		return p, ErrFrame
	}
	p.Fragment = binary.BigEndian.Uint16(b[6:])&0x3fff != 0 // more fragments, or an offset
	p.Proto = b[9]
	p.Src, p.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return p, nil
}

func parse6(b []byte) (p Packet, err error) {
	if len(b) < ip6Len {
		return p, ErrFrame
	}
	p.Len = ip6Len + int(binary.BigEndian.Uint16(b[4:]))
	if p.Len > len(b) {
		return p, ErrFrame
	}
	p.Src, p.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	p.Proto, p.l4 = b[6], ip6Len
	if p.Proto == protoTCP || p.Proto == protoUDP {
		return p, nil
	}
	return p, p.extensions(b[:p.Len])
}

// extensions walks the extension headers of an IPv6 packet (RFC 8200 section 4). Those it does not know end the walk, as the
// upper layer does.
func (p *Packet) extensions(b []byte) error {
	const hopByHop, routing, fragment, destination = 0, 43, 44, 60
	for range maxExtensions {
		switch p.Proto {
		case hopByHop, routing, destination, fragment:
		default:
			return nil
		}
		if len(b)-p.l4 < 8 {
			return ErrFrame
		}
		h := b[p.l4:]
		n := 8
		if p.Proto != fragment {
			n += int(h[1]) * 8
		} else {
			p.Fragment = true
		}
		if len(h) < n {
			return ErrFrame
		}
		p.Proto = h[0]
		p.l4 += n
		if p.Fragment && binary.BigEndian.Uint16(h[2:])>>3 != 0 && n == 8 {
			return nil // a later fragment: what follows is data
		}
	}
	return ErrFrame
}

// checksumAt is where the transport checksum lies, from the transport header on; false if the packet has none that can be
// left to the receiver.
func (p *Packet) checksumAt(b []byte) (uint16, bool) {
	if p.Fragment {
		return 0, false
	}
	switch {
	case p.Proto == protoTCP && p.Len-p.l4 >= tcpLen:
		return tcpChecksum, true
	case p.Proto == protoUDP && p.Len-p.l4 >= udpLen:
		return udpChecksum, true
	}
	return 0, false
}

// headers is the length of all headers, the transport's included; 0 if they are cut short.
func (p *Packet) headers(b []byte) int {
	n := p.l4 + udpLen
	if p.Proto == protoTCP {
		if p.Len < p.l4+tcpLen {
			return 0
		}
		offset := int(b[p.l4+12]>>4) * 4
		if offset < tcpLen {
			return 0
		}
		n = p.l4 + offset
	}
	if n > p.Len {
		return 0
	}
	return n
}
