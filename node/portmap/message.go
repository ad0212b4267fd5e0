package portmap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Versions, opcodes and protocols on the wire.
const (
	versionPMP = 0
	versionPCP = 2
	opAnnounce = 0 // PCP; of NAT-PMP: the external address
	opMap      = 1 // of PCP: MAP; of NAT-PMP: map UDP
	answerBit  = 0x80
	protoUDP   = 17
)

// Lengths in bytes.
const (
	pmpAskLen     = 2
	pmpAddrLen    = 12
	pmpMapLen     = 12
	pmpMappedLen  = 16
	pcpHeadLen    = 24
	pcpMapLen     = pcpHeadLen + 36
	maxAnswerLen  = 1100 // RFC 6887 section 7
	pcpNonceLen   = 12
	unsupportedV1 = 1 // result code of both: unsupported version
)

// errVersion: the router does not know this protocol.
var errVersion = errors.New("portmap: the router does not know this version")

// nonce belongs to one mapping.
type nonce [pcpNonceLen]byte

// refused is a result code.
type refused struct {
	protocol string
	code     int
}

func (r refused) Error() string {
	return fmt.Sprintf("portmap: the router refuses by %s: result %d", r.protocol, r.code)
}

// appendPCP appends a MAP request (RFC 6887 sections 7.1 and 11.1): any external port and address will do, port is the wish.
func appendPCP(dst []byte, from netip.Addr, n nonce, port uint16, life time.Duration) []byte {
	ip := from.As16()
	dst = append(dst, versionPCP, opMap, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(life/time.Second))
	dst = append(dst, ip[:]...)
	dst = append(append(dst, n[:]...), protoUDP, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, port)
	dst = binary.BigEndian.AppendUint16(dst, port)
	wish := netip.IPv6Unspecified().As16()
	if from.Is4() {
		wish = netip.AddrFrom4([4]byte{}).As16()
	}
	return append(dst, wish[:]...)
}

// parsePCP reads the answer to appendPCP; ours is false when it is the answer to something else.
func parsePCP(b []byte, n nonce, port uint16) (m Mapping, ours bool, err error) {
	if len(b) < 4 || len(b) > maxAnswerLen || b[1]&answerBit == 0 {
		return m, false, nil
	}
	if b[0] == versionPMP { // RFC 6887 section 9
		return m, true, errVersion
	}
	if len(b) < pcpHeadLen || b[0] != versionPCP || b[1] != answerBit|opMap {
		return m, false, nil
	}
	if b[3] == unsupportedV1 {
		return m, true, errVersion
	}
	if b[3] != 0 {
		if len(b) >= pcpMapLen && !bytes.Equal(b[pcpHeadLen:pcpHeadLen+pcpNonceLen], n[:]) {
			return m, false, nil
		}
		return m, true, refused{"PCP", int(b[3])}
	}
	if len(b) < pcpMapLen {
		return m, false, nil
	}
	body := b[pcpHeadLen:pcpMapLen]
	if !bytes.Equal(body[:pcpNonceLen], n[:]) || body[12] != protoUDP || binary.BigEndian.Uint16(body[16:]) != port {
		return m, false, nil
	}
	m.Life = time.Duration(binary.BigEndian.Uint32(b[4:])) * time.Second
	m.External = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[20:])).Unmap(), binary.BigEndian.Uint16(body[18:]))
	return m, true, m.check()
}

// appendPMPAddr appends a NAT-PMP request for the external address (RFC 6886 section 3.2).
func appendPMPAddr(dst []byte) []byte { return append(dst, versionPMP, opAnnounce) }

// parsePMPAddr reads the answer to it.
func parsePMPAddr(b []byte) (ip netip.Addr, ours bool, err error) {
	if len(b) < 4 || len(b) > maxAnswerLen || b[0] != versionPMP || b[1] != answerBit|opAnnounce {
		return ip, false, nil
	}
	if code := binary.BigEndian.Uint16(b[2:]); code != 0 {
		return ip, true, refused{"NAT-PMP", int(code)}
	}
	if len(b) != pmpAddrLen {
		return ip, false, nil
	}
	return netip.AddrFrom4([4]byte(b[8:])), true, nil
}

// appendPMP appends a NAT-PMP request for a mapping (RFC 6886 section 3.3).
func appendPMP(dst []byte, port uint16, life time.Duration) []byte {
	dst = append(dst, versionPMP, opMap, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, port)
	dst = binary.BigEndian.AppendUint16(dst, port)
	return binary.BigEndian.AppendUint32(dst, uint32(life/time.Second))
}

// parsePMP reads the answer to it; the external address is another question.
func parsePMP(b []byte, port uint16) (external uint16, life time.Duration, ours bool, err error) {
	if len(b) < 4 || len(b) > maxAnswerLen || b[0] != versionPMP || b[1] != answerBit|opMap {
		return 0, 0, false, nil
	}
	if code := binary.BigEndian.Uint16(b[2:]); code != 0 {
		return 0, 0, true, refused{"NAT-PMP", int(code)}
	}
	if len(b) != pmpMappedLen || binary.BigEndian.Uint16(b[8:]) != port {
		return 0, 0, false, nil
	}
	return binary.BigEndian.Uint16(b[10:]), time.Duration(binary.BigEndian.Uint32(b[12:])) * time.Second, true, nil
}
