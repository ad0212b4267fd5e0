//go:build !linux

package app

import "net/netip"

// PacketUID is known for Linux only; elsewhere nobody is named.
func PacketUID(netip.AddrPort) (int, error) { return 0, errNoPeer }
