package app

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// PacketUID returns the user that holds the UDP port of a loopback address on this host, by the kernel's word (/proc/net/udp). Who
// receives a datagram asks it about the sender. If several users share the port nobody is named.
func PacketUID(from netip.AddrPort) (int, error) {
	if !from.Addr().Unmap().IsLoopback() {
		return 0, errNoPeer
	}
	uid, found := -1, false
	for _, name := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue // no IPv6 here
		}
		one, ok, err := udpUID(f, from)
		f.Close()
		if err != nil {
			return 0, err
		}
		if ok && found && one != uid {
			return 0, errNoPeer
		}
		if ok {
			uid, found = one, true
		}
	}
	if !found {
		return 0, errNoPeer
	}
	return uid, nil
}

// udpUID looks for the sockets that may have sent from an address in a table of proc(5).
func udpUID(table io.Reader, from netip.AddrPort) (uid int, found bool, err error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 {
			continue
		}
		at, ok := procAddr(f[1])
		if !ok || at.Port() != from.Port() || !at.Addr().IsUnspecified() && at.Addr() != from.Addr().Unmap() {
			continue
		}
		one, err := strconv.Atoi(f[7])
		if err != nil {
			return 0, false, fmt.Errorf("app: /proc/net/udp: %w", err)
		}
		if found && one != uid {
			return 0, false, errNoPeer
		}
		uid, found = one, true
	}
	return uid, found, lines.Err()
}

// procAddr reads an address of proc(5): words of 32 bits as the machine has them, in hex, a colon and the port.
func procAddr(s string) (netip.AddrPort, bool) {
	host, portText, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	port, portErr := strconv.ParseUint(portText, 16, 16)
	if !ok || err != nil || portErr != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for w := b; len(w) > 0; w = w[4:] {
		binary.BigEndian.PutUint32(w, binary.NativeEndian.Uint32(w))
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}
