package packet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
)

// ip4 makes an IPv4 packet.
func ip4(proto byte, frag uint16, payload []byte) []byte {
	b := make([]byte, ip4Len, ip4Len+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(ip4Len+len(payload)))
	binary.BigEndian.PutUint16(b[6:], frag)
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	return append(b, payload...)
}

// ip6 makes an IPv6 packet; next is the first header's number.
func ip6(next byte, payload []byte) []byte {
	b := make([]byte, ip6Len, ip6Len+len(payload))
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	b[8], b[23], b[24], b[39] = 0xfd, 1, 0xfd, 2
	return append(b, payload...)
}

func tcp(n int) []byte {
	b := make([]byte, tcpLen+n)
	b[12] = 5 << 4
	return b
}

func udp(n int) []byte { return make([]byte, udpLen+n) }

func framed(h header, p []byte) []byte {
	f := make([]byte, HeaderLen, HeaderLen+len(p))
	h.put(f)
	return append(f, p...)
}

var (
	sum4  = header{flags: 1, start: ip4Len, offset: tcpChecksum}
	tso4  = header{flags: 1, kind: kindTCP4, head: ip4Len + tcpLen, size: 1000, start: ip4Len, offset: tcpChecksum}
	tso6  = header{flags: 1, kind: kindTCP6, head: ip6Len + tcpLen, size: 1000, start: ip6Len, offset: tcpChecksum}
	uso4  = header{flags: 1, kind: kindUDP, head: ip4Len + udpLen, size: 1000, start: ip4Len, offset: udpChecksum}
	plain header
)

func TestInbound(t *testing.T) {
	with := func(h header, f func(*header)) header { f(&h); return h }
	for _, c := range []struct {
		name string
		h    header
		p    []byte
		have Offload
		ok   bool
	}{
		{"plain", plain, ip4(protoICMP, 0, []byte("ping")), 0, true},
		{"plain IPv6", plain, ip6(protoICMPv6, []byte("ping")), 0, true},
		{"plain fragment", plain, ip4(protoUDP, 0x2000, udp(10)), 0, true},
		{"later fragment of nothing", plain, ip4(protoUDP, 0x0010, nil), 0, true},
		{"checksum", sum4, ip4(protoTCP, 0, tcp(10)), Checksum, true},
		{"TCP segments", tso4, ip4(protoTCP, 0, tcp(5000)), All, true},
		{"TCP segments over IPv6", tso6, ip6(protoTCP, tcp(5000)), All, true},
		{"UDP segments", uso4, ip4(protoUDP, 0, udp(5000)), All, true},
		{"behind a destination header", with(tso6, func(h *header) { h.head += 8; h.start += 8 }), ip6(60, append([]byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}, tcp(2000)...)), All, true},

		{"checksum not taken", sum4, ip4(protoTCP, 0, tcp(10)), TCP4, false},
		{"segments not taken", tso4, ip4(protoTCP, 0, tcp(5000)), Checksum | TCP6 | UDP, false},
		{"segments of no size", with(tso4, func(h *header) { h.size = 0 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"segments without data", tso4, ip4(protoTCP, 0, tcp(0)), All, false},
		{"tiny segments", with(tso4, func(h *header) { h.size = 1 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"too many datagrams", with(uso4, func(h *header) { h.size = 8 }), ip4(protoUDP, 0, udp(5000)), All, false},
		{"TCP segments in UDP", with(tso4, func(h *header) { h.offset = udpChecksum; h.head = ip4Len + udpLen }), ip4(protoUDP, 0, udp(5000)), All, false},
		{"UDP segments in TCP", with(uso4, func(h *header) { h.offset = tcpChecksum; h.head = ip4Len + tcpLen }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"version 4 in 6", with(tso6, func(h *header) { h.kind = kindTCP4 }), ip6(protoTCP, tcp(5000)), All, false},
		{"version 6 in 4", with(tso4, func(h *header) { h.kind = kindTCP6 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"segments of a fragment", tso4, ip4(protoTCP, 0x2000, tcp(5000)), All, false},
		{"checksum of a fragment", sum4, ip4(protoTCP, 1, tcp(5000)), All, false},
		{"header length beyond", with(tso4, func(h *header) { h.head = 60000 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"header length short", with(tso4, func(h *header) { h.head = 20 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"checksum elsewhere", with(sum4, func(h *header) { h.start = 0 }), ip4(protoTCP, 0, tcp(10)), All, false},
		{"checksum beyond", with(sum4, func(h *header) { h.offset = 65535 }), ip4(protoTCP, 0, tcp(10)), All, false},
		{"checksum of ICMP", with(sum4, func(h *header) { h.offset = 2 }), ip4(protoICMP, 0, tcp(10)), All, false},
		{"segments without checksum", with(tso4, func(h *header) { h.flags = 0 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"other flags", header{flags: 2}, ip4(protoTCP, 0, tcp(10)), All, false},
		{"kind of RFC 3168", with(tso4, func(h *header) { h.kind |= 0x80 }), ip4(protoTCP, 0, tcp(5000)), All, false},
		{"old UDP kind", with(uso4, func(h *header) { h.kind = 3 }), ip4(protoUDP, 0, udp(5000)), All, false},
		{"size without segments", header{size: 5}, ip4(protoTCP, 0, tcp(10)), All, false},
		{"TCP cut short", sum4, ip4(protoTCP, 0, tcp(0)[:19]), All, false},
		{"TCP offset beyond", tso4, ip4(protoTCP, 0, append(append(tcp(0)[:12:12], 0xf0), make([]byte, 8)...)), All, false},
		{"version 5", plain, append([]byte{0x55}, ip4(1, 0, nil)[1:]...), All, false},
		{"header of 16 bytes", plain, append([]byte{0x44}, ip4(1, 0, nil)[1:]...), All, false},
		{"endless extensions", plain, ip6(0, bytes.Repeat([]byte{0, 0, 1, 4, 0, 0, 0, 0}, maxExtensions+1)), All, false},
		{"extension beyond", plain, ip6(0, []byte{6, 255, 1, 4, 0, 0, 0, 0}), All, false},
		{"total length short", plain, func() []byte { p := ip4(1, 0, nil); p[3] = 19; return p }(), All, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := framed(c.h, c.p)
			_, frame, rest, err := Inbound(append(bytes.Clone(f), f...), c.have)
			if !c.ok {
				if !errors.Is(err, ErrFrame) {
					t.Fatalf("taken: %v", err)
				}
				return
			}
			if err != nil || !bytes.Equal(frame, f) || !bytes.Equal(rest, f) {
				t.Fatalf("frame %x, rest %x, %v", frame, rest, err)
			}
			for n := range f {
				if _, _, _, err := Inbound(f[:n], c.have); !errors.Is(err, ErrFrame) {
					t.Fatalf("%d of %d bytes are taken", n, len(f))
				}
			}
		})
	}
}

func TestOutbound(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want header
		p        []byte
		ok       bool
	}{
		{"nothing to do", plain, plain, ip4(protoTCP, 0, tcp(10)), true},
		{"checked already", header{flags: 2}, plain, ip4(protoTCP, 0, tcp(10)), true},
		{"checksum", header{flags: 1, head: 52, start: ip4Len, offset: tcpChecksum}, sum4, ip4(protoTCP, 0, tcp(10)), true},
		{"segments, head as the kernel has it", header{flags: 1, kind: kindTCP4, head: 66, size: 1000, start: ip4Len, offset: tcpChecksum}, tso4, ip4(protoTCP, 0, tcp(3000)), true},
		{"segments without checksum", header{kind: kindTCP4, head: 40, size: 1000}, plain, ip4(protoTCP, 0, tcp(3000)), false},
		{"segments of something else", tso4, plain, ip4(47, 0, tcp(3000)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := append(framed(c.in, c.p), 1, 2, 3) // the kernel gave more
			_, got, err := Outbound(f)
			if !c.ok {
				if err == nil {
					t.Fatal("taken")
				}
				return
			}
			if err != nil || !bytes.Equal(got, framed(c.want, c.p)) {
				t.Fatalf("got %x, %v", got, err)
			}
			if _, _, rest, err := Inbound(got, All); err != nil || len(rest) > 0 {
				t.Fatalf("the far end refuses it: %v", err)
			}
		})
	}
}

// A checksum of a transport that the far end does not know is finished here.
func TestOutboundFinishesChecksums(t *testing.T) {
	p := ip4(47, 0, []byte{0, 1, 0, 0, 0xff, 0xff, 7})
	_, got, err := Outbound(framed(header{flags: 1, start: ip4Len, offset: 2}, p))
	if err != nil || parseHeader(got) != plain {
		t.Fatalf("%v, header %+v", err, parseHeader(got))
	}
	if s := sum(got[HeaderLen+ip4Len:], 0); s != 0xffff {
		t.Errorf("the sum over all is %04x", s)
	}
	for _, h := range []header{{flags: 1, start: 60000, offset: 2}, {flags: 1, start: 20, offset: 65535}, {flags: 1, start: 65535, offset: 65535},
		{flags: 1, start: 0, offset: 10}, {flags: 1, start: ip4Len - 1, offset: 2}, // it would be written into the IP header
	} {
		if _, _, err := Outbound(framed(h, p)); err == nil {
			t.Errorf("%+v is taken", h)
		}
	}
}

func TestGolden(t *testing.T) {
	f := framed(tso4, ip4(protoTCP, 0, tcp(3))[:ip4Len+tcpLen+3])
	want := "01012800e80314001000" + "4500002b000000004006" + "0000" + "0a0000010a000002" + "000000000000000000000000500000000000000000" + "0000"
	if got := hex.EncodeToString(f); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParse(t *testing.T) {
	p, err := Parse(ip6(44, append([]byte{protoUDP, 0, 0, 1, 0, 0, 0, 9}, udp(4)...)))
	if err != nil || !p.Fragment || p.Proto != protoUDP || p.l4 != ip6Len+8 || p.Src != netip.MustParseAddr("fd00::1") {
		t.Errorf("a first fragment: %+v, %v", p, err)
	}
	p, err = Parse(ip6(44, append([]byte{60, 0, 0x10, 0, 0, 0, 0, 9}, 0xff, 0xff)))
	if err != nil || !p.Fragment || p.Proto != 60 {
		t.Errorf("a later fragment: %+v, %v", p, err)
	}
}

func TestRules(t *testing.T) {
	r := Rules{
		Accept: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.1/32")},
		Refuse: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("1.2.3.4/32")},
	}
	for a, want := range map[string]bool{"8.8.8.8": true, "10.0.0.1": true, "10.0.0.2": false, "1.2.3.4": false, "fd00::1": false} {
		if got := r.Welcome(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if new(Rules).Welcome(netip.MustParseAddr("1.1.1.1")) {
		t.Error("no rules welcome somebody")
	}
}

// seeds are frames of every kind.
func seeds() [][]byte {
	return [][]byte{
		framed(plain, ip4(protoICMP, 0, []byte("x"))), framed(sum4, ip4(protoTCP, 0, tcp(9))), framed(tso4, ip4(protoTCP, 0, tcp(3000))),
		framed(tso6, ip6(protoTCP, tcp(3000))), framed(uso4, ip4(protoUDP, 0, udp(3000))), framed(plain, ip6(0, []byte{17, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})),
		framed(plain, ip6(44, append([]byte{protoUDP, 0, 0, 1, 0, 0, 0, 9}, udp(4)...))),
		framed(header{flags: needsChecksum}, ip4(protoTCP, 0, []byte("cut short"))),
	}
}

// FuzzInbound: what is taken is consumed exactly, and stands a second look.
func FuzzInbound(f *testing.F) {
	for _, s := range seeds() {
		f.Add(append(bytes.Clone(s), s...), uint8(All))
	}
	f.Fuzz(func(t *testing.T, b []byte, have uint8) {
		p, frame, rest, err := Inbound(b, Offload(have))
		if err != nil {
			return
		}
		if len(frame)+len(rest) != len(b) || len(frame) != HeaderLen+p.Len || len(frame) > MaxFrame {
			t.Fatalf("%d bytes became %d and %d", len(b), len(frame), len(rest))
		}
		h := parseHeader(frame)
		if h.needs()&^Offload(have) != 0 || int(h.start)+int(h.offset)+2 > p.Len && h.flags != 0 || int(h.head) > p.Len {
			t.Fatalf("header %+v of %d bytes is taken", h, p.Len)
		}
		again, _, err := Outbound(bytes.Clone(frame))
		if err != nil || again != p {
			t.Fatalf("our own TUN's would not be sent: %v", err)
		}
	})
}

// FuzzOutbound: what our TUN gives us, whatever it is, becomes nothing that the far end refuses.
func FuzzOutbound(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, frame, err := Outbound(bytes.Clone(b))
		if err != nil {
			return
		}
		if _, _, rest, err := Inbound(frame, All); err != nil || len(rest) != 0 {
			t.Fatalf("the far end refuses %x: %v", frame, err)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	f := framed(tso4, ip4(protoTCP, 0, tcp(3000)))
	if n := testing.AllocsPerRun(100, func() {
		_, frame, _ := Outbound(f)
		_, _, _, _ = Inbound(frame, All)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
