//go:build unix

package socks

import (
	"net"
	"syscall"
)

// readNow reads what already lies in the kernel, without waiting; 0 when there is nothing,
// and at the end and on errors, which the next ordinary read reports.
func readNow(conn *net.TCPConn, b []byte) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	got := 0
	err = raw.Read(func(fd uintptr) bool {
		got, err = syscall.Read(int(fd), b)
		return true
	})
	if err != nil {
		return 0
	}
	return max(got, 0)
}
