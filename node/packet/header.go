package packet

import (
	"encoding/binary"
	"errors"
)

// Lengths in bytes.
const (
	HeaderLen = 10
	// MaxPacket is the longest IP packet; packets whose length does not fit the field for it are not carried.
	MaxPacket = 64<<10 - 1 + ip6Len
	// MaxFrame is the longest frame.
	MaxFrame = HeaderLen + MaxPacket
	// MinMTU is the least that IPv6 asks of a network (RFC 8200 section 5).
	MinMTU = 1280
)

// Offload is what an end's TUN takes from the other end unfinished. The bits are append-only.
type Offload uint8

// What a TUN may take.
const (
	Checksum Offload = 1 << iota // packets without their TCP or UDP checksum
	TCP4                         // many TCP segments in one packet
	TCP6
	UDP // many UDP datagrams in one packet, of IPv4 and IPv6

	// All is what Linux offers since 6.2.
	All = Checksum | TCP4 | TCP6 | UDP
)

// Flags and kinds of a header.
const (
	needsChecksum = 1

	kindNone = 0
	kindTCP4 = 1
	kindTCP6 = 4
	kindUDP  = 5
)

// ErrFrame is the error of bytes that are no frame, or none that may be passed on.
var ErrFrame = errors.New("packet: malformed frame")

// header is what stands before a packet.
type header struct {
	flags, kind               uint8
	head, size, start, offset uint16
}

func parseHeader(b []byte) header {
	return header{
		flags: b[0], kind: b[1],
		head: binary.LittleEndian.Uint16(b[2:]), size: binary.LittleEndian.Uint16(b[4:]),
		start: binary.LittleEndian.Uint16(b[6:]), offset: binary.LittleEndian.Uint16(b[8:]),
	}
}

func (h header) put(b []byte) {
	b[0], b[1] = h.flags, h.kind
	binary.LittleEndian.PutUint16(b[2:], h.head)
	binary.LittleEndian.PutUint16(b[4:], h.size)
	binary.LittleEndian.PutUint16(b[6:], h.start)
	binary.LittleEndian.PutUint16(b[8:], h.offset)
}

// needs is what a TUN must offer to take packets with such a header.
func (h header) needs() Offload {
	var o Offload
	if h.flags&needsChecksum != 0 {
		o = Checksum
	}
	switch h.kind {
	case kindTCP4:
		o |= TCP4
	case kindTCP6:
		o |= TCP6
	case kindUDP:
		o |= UDP
	}
	return o
}
