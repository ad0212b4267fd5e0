//go:build unix

package socks

import (
	"net"
	"syscall"
)

// noBroadcast takes back what Go allows every UDP socket: the kernel then refuses the broadcast addresses of our networks, which
// no policy knows.
func noBroadcast(udp *net.UDPConn) {
	if raw, err := udp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 0) })
	}
}
