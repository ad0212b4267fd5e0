package mark

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Control is for net.Dialer and net.ListenConfig. It never fails: a process that may not mark goes without.
func Control(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = Set(int(fd)) })
}

// Set marks one socket; EPERM for a process without the right.
func Set(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, Mesh) }
