package vpn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/wire"
)

// Version is that of the protocol.
const Version = 1

// Limits in bytes and entries.
const (
	messageHeader = 1 + 2
	maxMessage    = 4 << 10
	maxText       = 200
	maxAddrs      = 4
	maxRoutes     = 64
	proofLen      = 32
)

// kind is the type of a message. Append-only.
type kind uint8

const (
	kindHello   kind = 1
	kindWelcome kind = 2
	kindRefusal kind = 3
	kindPing    kind = 4
	kindPong    kind = 5
	kindBye     kind = 6
)

// Code says why a server has no place for a client. Append-only.
type Code uint8

// The codes.
const (
	CodeVersion  Code = 1 // no version that both speak
	CodeDenied   Code = 2 // not on the server's list
	CodePasscode Code = 3 // the passcode is missing or wrong
	CodeFull     Code = 4 // no address is left
	CodeFamily   Code = 5 // none of the wanted families is carried
	CodeReplaced Code = 6 // another client of the same node has taken our place
	CodeStopping Code = 7 // the server ends
	CodeInternal Code = 8
)

var codeText = map[Code]string{
	CodeVersion: "no common version", CodeDenied: "we are not on its list", CodePasscode: "the passcode is missing or wrong",
	CodeFull: "no address is left", CodeFamily: "it carries none of the families that we ask for",
	CodeReplaced: "another client of our node took our place", CodeStopping: "it is stopping", CodeInternal: "it is in trouble itself",
}

// Refusal is a server's no, or its goodbye. Text is a hint of the server's, bounded, not to be trusted.
type Refusal struct {
	Code Code
	Text string
}

// Error implements error.
func (r *Refusal) Error() string {
	s := codeText[r.Code]
	if s == "" {
		s = fmt.Sprintf("code %d", r.Code)
	}
	if r.Text != "" {
		s += fmt.Sprintf(" (%q)", r.Text)
	}
	return "the VPN server refuses: " + s
}

var errMessage = errors.New("vpn: malformed message")

// Families of addresses.
const (
	family4 = 1
	family6 = 2
)

// hello is what a client asks for. Bytes that follow belong to later versions.
type hello struct {
	Version  uint8
	Offload  packet.Offload
	Families uint8
	Port     uint16 // of the client's datagrams
	Proof    [proofLen]byte
}

func (h hello) append(b []byte) []byte {
	b = append(b, h.Version, byte(h.Offload), h.Families)
	return append(binary.BigEndian.AppendUint16(b, h.Port), h.Proof[:]...)
}

func parseHello(body []byte) (h hello, err error) {
	r := wire.NewReader(body)
	h.Version, h.Offload, h.Families, h.Port = r.U8(), packet.Offload(r.U8()), r.U8(), r.U16()
	r.Fixed(h.Proof[:])
	if r.Err() != nil || h.Version == 0 || h.Port == 0 {
		return h, errMessage
	}
	return h, nil
}

// welcome is what a client gets. Bytes that follow belong to later versions.
type welcome struct {
	Version   uint8
	Offload   packet.Offload
	Port      uint16 // of the server's datagrams
	MTU       uint16
	KeepAlive time.Duration  // whole seconds; between a client's pings
	Addrs     []netip.Prefix // the client's, whole addresses, one a family at most
	Gateways  []netip.Addr   // the server's in the tunnel
	DNS       []netip.Addr
	Routes    []netip.Prefix // reached through the server; none: everything
}

func (w welcome) append(b []byte) []byte {
	b = append(b, w.Version, byte(w.Offload))
	b = binary.BigEndian.AppendUint16(b, w.Port)
	b = binary.BigEndian.AppendUint16(b, w.MTU)
	b = binary.BigEndian.AppendUint16(b, uint16(w.KeepAlive/time.Second))
	b = appendPrefixes(b, w.Addrs)
	b = appendAddrs(b, w.Gateways)
	b = appendAddrs(b, w.DNS)
	return appendPrefixes(b, w.Routes)
}

func parseWelcome(body []byte) (w welcome, err error) {
	r := wire.NewReader(body)
	w.Version, w.Offload, w.Port, w.MTU = r.U8(), packet.Offload(r.U8()), r.U16(), r.U16()
	w.KeepAlive = time.Duration(r.U16()) * time.Second
	ok := true
	prefixes := func(max int) []netip.Prefix {
		list, fine := readPrefixes(r, max)
		ok = ok && fine
		return list
	}
	addrs := func() []netip.Addr {
		list, fine := readAddrs(r)
		ok = ok && fine
		return list
	}
	w.Addrs, w.Gateways, w.DNS, w.Routes = prefixes(2), addrs(), addrs(), prefixes(maxRoutes)
	if r.Err() != nil || !ok || !w.sane() {
		return welcome{}, errMessage
	}
	return w, nil
}

// sane reports whether the values make sense together.
func (w *welcome) sane() bool {
	if w.Version == 0 || w.Port == 0 || w.MTU < packet.MinMTU || w.KeepAlive == 0 || len(w.Addrs) == 0 {
		return false
	}
	four, six := 0, 0
	for _, p := range w.Addrs {
		if !p.IsSingleIP() || !usable(p.Addr()) {
			return false
		}
		if p.Addr().Is4() {
			four++
		} else {
			six++
		}
	}
	for _, a := range append(append([]netip.Addr(nil), w.Gateways...), w.DNS...) {
		if !usable(a) {
			return false
		}
	}
	return four <= 1 && six <= 1
}

// usable reports whether an address may stand for a host in a tunnel.
func usable(a netip.Addr) bool {
	return !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.IsLinkLocalUnicast() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func appendAddrs(b []byte, list []netip.Addr) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, a := range list {
		b = wire.AppendBytes(b, a.AsSlice())
	}
	return b
}

func readAddrs(r *wire.Reader) (list []netip.Addr, ok bool) {
	for range r.Count(maxAddrs, 2+4) {
		a, ok := netip.AddrFromSlice(r.Bytes(16))
		if !ok {
			return nil, false
		}
		list = append(list, a)
	}
	return list, true
}

func appendPrefixes(b []byte, list []netip.Prefix) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, p := range list {
		b = wire.AppendBytes(append(b, byte(p.Bits())), p.Addr().AsSlice())
	}
	return b
}

func readPrefixes(r *wire.Reader, max int) (list []netip.Prefix, ok bool) {
	for range r.Count(max, 1+2+4) {
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

func (r *Refusal) append(b []byte) []byte {
	return wire.AppendString(append(b, byte(r.Code)), r.Text[:min(len(r.Text), maxText)])
}

func parseRefusal(body []byte) (*Refusal, error) {
	r := wire.NewReader(body)
	f := &Refusal{Code: Code(r.U8()), Text: r.String(maxText)}
	if r.Err() != nil {
		return nil, errMessage
	}
	return f, nil
}

func appendStamp(b []byte, at uint64) []byte { return binary.BigEndian.AppendUint64(b, at) }

func parseStamp(body []byte) (uint64, error) {
	r := wire.NewReader(body)
	at := r.U64()
	if r.Done() != nil {
		return 0, errMessage
	}
	return at, nil
}

// appendMessage appends a whole message; body is at most maxMessage long.
func appendMessage(b []byte, k kind, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(append(b, byte(k)), uint16(len(body)))
	return append(b, body...)
}

// readMessage reads one message to buf, which has room for the largest; body aliases it.
func readMessage(r io.Reader, buf []byte) (k kind, body []byte, err error) {
	if _, err := io.ReadFull(r, buf[:messageHeader]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(buf[1:]))
	if n > maxMessage {
		return 0, nil, errMessage
	}
	k = kind(buf[0])
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return k, buf[:n], nil
}
