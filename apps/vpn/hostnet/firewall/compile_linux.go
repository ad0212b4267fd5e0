package firewall

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Offsets in headers (RFC 791, 8200, 9293).
const (
	source4, target4, len4 = 12, 16, 4
	source6, target6, len6 = 8, 24, 16
	tcpFlagsAt             = 13
	tcpSynBit, tcpRstBit   = 0x02, 0x04
	mssOption              = 2
)

// compile turns a rule into the kernel's instructions.
func (r Rule) compile() (list []expr.Any) {
	for _, m := range r.If {
		list = append(list, m.compile()...)
	}
	return append(list, r.Do.compile()...)
}

func (m Match) compile() []expr.Any {
	op := expr.CmpOpEq
	if m.not {
		op = expr.CmpOpNeq
	}
	equal := func(data []byte) *expr.Cmp { return &expr.Cmp{Op: op, Register: 1, Data: data} }
	meta := func(key expr.MetaKey, data []byte) []expr.Any {
		return []expr.Any{&expr.Meta{Key: key, Register: 1}, equal(data)}
	}
	switch m.field {
	case inDev:
		return meta(expr.MetaKeyIIFNAME, devName(m.text))
	case outDev:
		return meta(expr.MetaKeyOIFNAME, devName(m.text))
	case family:
		return meta(expr.MetaKeyNFPROTO, []byte{nfproto(m.v6)})
	case packetMark:
		return meta(expr.MetaKeyMARK, native(m.number))
	case protocol:
		return meta(expr.MetaKeyL4PROTO, []byte{protocolNumber(m.text)})
	case sourcePort:
		return []expr.Any{load(expr.PayloadBaseTransportHeader, 0, 2), equal(port(m.number))}
	case targetPort:
		return []expr.Any{load(expr.PayloadBaseTransportHeader, 2, 2), equal(port(m.number))}
	case icmp6Type:
		return []expr.Any{load(expr.PayloadBaseTransportHeader, 0, 1), equal([]byte{uint8(m.number)})}
	case source, target:
		return address(m.field == target, m.prefix, equal)
	case sourceIn:
		return append(loadSource(m.v6), &expr.Lookup{SourceRegister: 1, SetName: m.text, Invert: m.not})
	case state:
		return []expr.Any{
			&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: native(m.number), Xor: native(0)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: native(0)},
		}
	case toThisHost:
		return []expr.Any{&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true}, equal(native(unix.RTN_LOCAL))}
	case tcpSyn:
		return append(meta(expr.MetaKeyL4PROTO, []byte{unix.IPPROTO_TCP}),
			load(expr.PayloadBaseTransportHeader, tcpFlagsAt, 1),
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{tcpSynBit | tcpRstBit}, Xor: []byte{0}},
			equal([]byte{tcpSynBit}))
	default:
		panic(fmt.Sprintf("firewall: condition %d", m.field))
	}
}

func (a Action) compile() []expr.Any {
	number := func(n uint32) expr.Any { return &expr.Immediate{Register: 1, Data: native(n)} }
	refuse := []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}}
	switch a.verb {
	case accept:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
	case drop:
		return refuse
	case setMark:
		return []expr.Any{number(a.mark), &expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1}}
	case masquerade:
		return []expr.Any{&expr.Masq{}}
	case clampMSS:
		return []expr.Any{
			&expr.Rt{Register: 1, Key: expr.RtTCPMSS},
			&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 2, Size: 2},
			&expr.Exthdr{SourceRegister: 1, Type: mssOption, Offset: 2, Len: 2, Op: expr.ExthdrOpTcpopt},
		}
	case limitConns:
		return append(a.perSource(unix.NFT_DYNSET_OP_ADD, &expr.Connlimit{Count: uint32(a.rate), Flags: expr.NFT_CONNLIMIT_F_INV}), refuse...)
	case limitPackets:
		return append(a.perSource(unix.NFT_DYNSET_OP_UPDATE, &expr.Limit{
			Type: expr.LimitTypePkts, Rate: a.rate, Over: true, Unit: expr.LimitTimeSecond, Burst: a.burst}), refuse...)
	default:
		panic(fmt.Sprintf("firewall: action %d", a.verb))
	}
}

// perSource keeps one e for each source address.
func (a Action) perSource(op uint32, e expr.Any) []expr.Any {
	return append(loadSource(a.v6), &expr.Dynset{SrcRegKey: 1, SetName: a.set, Operation: op, Exprs: []expr.Any{e}})
}

func loadSource(v6 bool) []expr.Any {
	at, n := uint32(source4), uint32(len4)
	if v6 {
		at, n = source6, len6
	}
	return append(ofFamily(v6), load(expr.PayloadBaseNetworkHeader, at, n))
}

func address(target bool, p netip.Prefix, equal func([]byte) *expr.Cmp) []expr.Any {
	v6 := p.Addr().Is6()
	at, n := uint32(source4), uint32(len4)
	switch {
	case v6 && target:
		at, n = target6, len6
	case v6:
		at, n = source6, len6
	case target:
		at = target4
	}
	list := append(ofFamily(v6), load(expr.PayloadBaseNetworkHeader, at, n))
	if !p.IsSingleIP() {
		list = append(list, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: n,
			Mask: net.CIDRMask(p.Bits(), int(n)*8), Xor: make([]byte, n)})
	}
	return append(list, equal(p.Addr().AsSlice()))
}

func ofFamily(v6 bool) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{nfproto(v6)}}}
}

func load(base expr.PayloadBase, at, n uint32) expr.Any {
	return &expr.Payload{DestRegister: 1, Base: base, Offset: at, Len: n}
}

func nfproto(v6 bool) byte {
	if v6 {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

func protocolNumber(name string) byte {
	switch name {
	case "tcp":
		return unix.IPPROTO_TCP
	case "udp":
		return unix.IPPROTO_UDP
	case "icmp":
		return unix.IPPROTO_ICMP
	case "ipv6-icmp":
		return unix.IPPROTO_ICMPV6
	default:
		panic("firewall: protocol " + name)
	}
}

// devName is the name as the kernel compares it: whole and padded with zeros.
func devName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func port(n uint32) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
