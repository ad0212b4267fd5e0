package packet

import "encoding/binary"

// The most segments of one packet: of UDP what the kernel sends (UDP_MAX_SEGMENTS), of TCP what 64 KiB make with a segment of 128
// bytes, so that one packet of a peer does not become 64 Ki of them.
const (
	maxSegmentsUDP = 128
	maxSegmentsTCP = 512
)

// Outbound normalises a frame that was read from our own TUN; it holds one packet. It returns what is left of the frame, which is
// shorter when the TUN gave more than the packet's length. A checksum that the far end could not finish is finished here.
// Error: ErrFrame.
func Outbound(frame []byte) (Packet, []byte, error) {
	if len(frame) < HeaderLen {
		return Packet{}, nil, ErrFrame
	}
	h, b := parseHeader(frame), frame[HeaderLen:]
	p, err := Parse(b)
	if err != nil {
		return p, nil, err
	}
	b = b[:p.Len]
	n, err := normal(h, &p, b)
	if err != nil {
		return p, nil, err
	}
	n.put(frame)
	return p, frame[:HeaderLen+p.Len], nil
}

// normal is the header that b bears out, from what our kernel says.
func normal(h header, p *Packet, b []byte) (n header, err error) {
	if h.kind == kindNone && h.flags&needsChecksum == 0 {
		return n, nil
	}
	at, ok := p.checksumAt(b)
	if !ok || h.flags&needsChecksum == 0 {
		return n, finish(h, p, b)
	}
	n = header{flags: needsChecksum, start: uint16(p.l4), offset: at}
	if h.kind != kindNone {
		n.kind, n.size, n.head = h.kind, h.size, uint16(p.headers(b))
	}
	return n, check(n, p, b)
}

// finish computes a checksum of which the kernel left the end to us, of a transport that is not TCP or UDP (RFC 1071). It lies
// behind the IP header: that one stays as it was parsed.
func finish(h header, p *Packet, b []byte) error {
	start, at := int(h.start), int(h.start)+int(h.offset)
	if h.kind != kindNone || h.flags&needsChecksum == 0 || start < p.l4 || at+2 > len(b) {
		return ErrFrame
	}
	binary.BigEndian.PutUint16(b[at:], ^sum(b[start:], 0))
	return nil
}

// sum is the ones' complement sum of b and before (RFC 1071).
func sum(b []byte, before uint32) uint16 {
	total := uint64(before)
	for len(b) >= 2 {
		total += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// Inbound takes the first frame off b, which a peer has sent, and checks it: the header is normalised and says what the
// packet bears out, and a TUN with the offload have takes it. Error: ErrFrame; what follows is lost then too.
func Inbound(b []byte, have Offload) (p Packet, frame, rest []byte, err error) {
	if len(b) < HeaderLen {
		return p, nil, nil, ErrFrame
	}
	h, pkt := parseHeader(b), b[HeaderLen:]
	if p, err = Parse(pkt); err != nil {
		return p, nil, nil, err
	}
	if h.needs()&^have != 0 {
		return p, nil, nil, ErrFrame
	}
	if err = check(h, &p, pkt[:p.Len]); err != nil {
		return p, nil, nil, err
	}
	n := HeaderLen + p.Len
	return p, b[:n:n], b[n:], nil
}

// check holds a normalised header against its packet.
func check(h header, p *Packet, b []byte) error {
	if h == (header{}) {
		return nil
	}
	at, ok := p.checksumAt(b)
	if !ok || h.flags != needsChecksum || int(h.start) != p.l4 || h.offset != at {
		return ErrFrame
	}
	if h.kind == kindNone {
		if h.head != 0 || h.size != 0 {
			return ErrFrame
		}
		return nil
	}
	return checkSegments(h, p, b)
}

func checkSegments(h header, p *Packet, b []byte) error {
	four := b[0]>>4 == 4
	switch h.kind {
	case kindTCP4:
		if !four || p.Proto != protoTCP {
			return ErrFrame
		}
	case kindTCP6:
		if four || p.Proto != protoTCP {
			return ErrFrame
		}
	case kindUDP:
		if p.Proto != protoUDP {
			return ErrFrame
		}
	default:
		return ErrFrame
	}
	head := p.headers(b)
	if head == 0 || int(h.head) != head || h.size == 0 || p.Len == head {
		return ErrFrame
	}
	most := maxSegmentsTCP
	if h.kind == kindUDP {
		most = maxSegmentsUDP
	}
	if (p.Len-head+int(h.size)-1)/int(h.size) > most {
		return ErrFrame
	}
	return nil
}
