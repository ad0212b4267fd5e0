package link

import (
	"syscall"
	"unsafe"
)

// The descriptors of links do not block, so the scheduler need not hear of these calls: telling it costs a wake-up of its
// watching thread each time a process that was idle writes its first record.

func writeTo(fd uintptr, p []byte) (int, error) { return direct(syscall.SYS_WRITE, fd, p) }

func readFrom(fd uintptr, p []byte) (int, error) { return direct(syscall.SYS_READ, fd, p) }

func direct(call, fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
