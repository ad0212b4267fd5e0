package vpn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Ping sends an ICMP echo from one of our addresses in the tunnel to the exit's and waits for the reply, through the
// host's own network: what comes back has passed both TUNs. It needs CAP_NET_RAW, or a group in the sysctl
// net.ipv4.ping_group_range.
func Ping(ctx context.Context, from, to netip.Addr) (time.Duration, error) {
	conn, raw, err := pingSocket(from)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	var token [8]byte
	rand.Read(token[:])
	kind, reply := icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply)
	if to.Is6() {
		kind, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	msg := icmp.Message{Type: kind, Body: &icmp.Echo{ID: int(binary.BigEndian.Uint16(token[:])), Seq: 1, Data: token[:]}}
	b, err := msg.Marshal(nil)
	if err != nil {
		return 0, fmt.Errorf("probe: %w", err)
	}
	var dst net.Addr = &net.UDPAddr{IP: to.AsSlice()}
	if raw {
		dst = &net.IPAddr{IP: to.AsSlice()}
	}
	began := time.Now()
	if _, err := conn.WriteTo(b, dst); err != nil {
		return 0, fmt.Errorf("probe: %w", err)
	}
	if err := awaitEcho(conn, to, reply, token[:]); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no echo from %s", to)
		}
		return 0, err
	}
	return time.Since(began), nil
}

// pingSocket opens an ICMP socket bound to an address of ours.
func pingSocket(from netip.Addr) (conn *icmp.PacketConn, raw bool, err error) {
	network, privileged := "udp4", "ip4:icmp"
	if from.Is6() {
		network, privileged = "udp6", "ip6:ipv6-icmp"
	}
	conn, err = icmp.ListenPacket(privileged, from.String())
	if err == nil {
		return conn, true, nil
	}
	var again error
	if conn, again = icmp.ListenPacket(network, from.String()); again == nil {
		return conn, false, nil
	}
	return nil, false, fmt.Errorf("probe: %w; it needs the capability CAP_NET_RAW, or this group in net.ipv4.ping_group_range", errors.Join(err, again))
}

// awaitEcho reads until the reply with the token comes.
func awaitEcho(conn *icmp.PacketConn, from netip.Addr, reply icmp.Type, token []byte) error {
	proto := 1
	if from.Is6() {
		proto = 58
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != reply {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && string(e.Data) == string(token) {
			return nil
		}
	}
}
