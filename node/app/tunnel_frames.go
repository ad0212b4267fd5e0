package app

import (
	"encoding/binary"
	"net/netip"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
	"github.com/skycoin/viscript/node/wire"
)

// AppendPrefixes and readPrefixes are a list of prefixes, at most tunnel.MaxPrefixes.
func appendPrefixes(b []byte, list []netip.Prefix) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, p := range list {
		b = wire.AppendBytes(append(b, byte(p.Bits())), p.Addr().AsSlice())
	}
	return b
}

func readPrefixes(r *wire.Reader) (list []netip.Prefix, ok bool) {
	for range r.Count(tunnel.MaxPrefixes, 1+2+4) {
		bits := int(r.U8())
		a, ok := netip.AddrFromSlice(r.Bytes(16))
		p := netip.PrefixFrom(a, bits)
		if !ok || !p.IsValid() || p.Masked() != p {
			return nil, false
		}
		list = append(list, p)
	}
	return list, true
}

// AppendRules and ParseRules are the body of TUNNELRULES.
func AppendRules(b []byte, r packet.Rules) []byte {
	return appendPrefixes(appendPrefixes(b, r.Accept), r.Refuse)
}

// ParseRules is the inverse of AppendRules. Error: ErrFrame.
func ParseRules(body []byte) (rules packet.Rules, err error) {
	r := wire.NewReader(body)
	var ok [2]bool
	rules.Accept, ok[0] = readPrefixes(r)
	rules.Refuse, ok[1] = readPrefixes(r)
	if r.Done() != nil || !ok[0] || !ok[1] {
		return packet.Rules{}, ErrFrame
	}
	return rules, nil
}

// AppendPeer and ParsePeer are the body of TUNNELPEER.
func AppendPeer(b []byte, p tunnel.Peer) []byte {
	b = append(b, p.Key[:]...)
	b = binary.BigEndian.AppendUint16(b, p.Port)
	return appendPrefixes(binary.BigEndian.AppendUint64(b, p.Rate), p.Prefixes)
}

// ParsePeer is the inverse of AppendPeer. Error: ErrFrame.
func ParsePeer(body []byte) (p tunnel.Peer, err error) {
	r := wire.NewReader(body)
	p.Key, p.Port, p.Rate = r.Key(), r.U16(), r.U64()
	list, ok := readPrefixes(r)
	if r.Done() != nil || !ok {
		return tunnel.Peer{}, ErrFrame
	}
	p.Prefixes = list
	return p, nil
}

// AppendCounts appends the body of one TUNNELCOUNTS and returns the peers that are left for the next one.
func AppendCounts(b []byte, total tunnel.Total, peers []tunnel.PeerCount) (body []byte, rest []tunnel.PeerCount) {
	now := peers[:min(len(peers), countsPerFrame)]
	rest = peers[len(now):]
	more := byte(0)
	if len(rest) > 0 {
		more = 1
	}
	b = append(b, more)
	for _, x := range []uint64{total.Malformed, total.Unrouted, total.Unknown, total.Refused} {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(now)))
	for _, p := range now {
		b = append(b, p.Key[:]...)
		b = binary.BigEndian.AppendUint16(b, p.Port)
		for _, x := range []uint64{
			p.Sent.Packets, p.Sent.Bytes, p.Received.Packets, p.Received.Bytes, p.Malformed, p.Spoofed, p.Unwelcome, p.Limited,
		} {
			b = binary.BigEndian.AppendUint64(b, x)
		}
	}
	return b, rest
}

// ParseCounts reads one TUNNELCOUNTS. Error: ErrFrame.
func ParseCounts(body []byte) (total tunnel.Total, peers []tunnel.PeerCount, more bool, err error) {
	r := wire.NewReader(body)
	m := r.U8()
	total = tunnel.Total{Malformed: r.U64(), Unrouted: r.U64(), Unknown: r.U64(), Refused: r.U64()}
	for range r.Count(countsPerFrame, 33+2+8*8) {
		p := tunnel.PeerCount{PeerID: tunnel.PeerID{Key: r.Key(), Port: r.U16()}}
		p.Sent = tunnel.Traffic{Packets: r.U64(), Bytes: r.U64()}
		p.Received = tunnel.Traffic{Packets: r.U64(), Bytes: r.U64()}
		p.Malformed, p.Spoofed, p.Unwelcome, p.Limited = r.U64(), r.U64(), r.U64(), r.U64()
		peers = append(peers, p)
	}
	if r.Done() != nil || m > 1 || m == 1 && len(peers) == 0 {
		return total, nil, false, ErrFrame
	}
	return total, peers, m == 1, nil
}
