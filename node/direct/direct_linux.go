//go:build !race

package direct

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// announced is which share of the calls, one in so many, is announced all the same: in a process that is never idle the watching
	// thread has to run, since it alone polls the network and takes turns away while every core has work.
	announced = 64
	// bulk is from what length on every write is announced: there the cost is lost in the copying.
	bulk = 16 << 10
)

// Read is read(2).
func Read(fd uintptr, p []byte) (int, error) {
	if rand.Uint32()%announced == 0 {
		n, err := syscall.Read(int(fd), p)
		return max(n, 0), err
	}
	return move(syscall.SYS_READ, fd, p)
}

// Write is write(2).
func Write(fd uintptr, p []byte) (int, error) {
	if len(p) >= bulk || rand.Uint32()%announced == 0 {
		n, err := syscall.Write(int(fd), p)
		return max(n, 0), err
	}
	return move(syscall.SYS_WRITE, fd, p)
}

func move(call, fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// ReadMessage is recvmsg(2): n bytes to p, and control bytes (SCM_RIGHTS and such, close-on-exec) to the front of oob.
// Neither may be empty.
func ReadMessage(fd uintptr, p, oob []byte) (n, control int, err error) {
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	msg := unix.Msghdr{Iov: &iov, Control: unsafe.SliceData(oob)}
	msg.SetIovlen(1)
	msg.SetControllen(len(oob))
	r, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)), unix.MSG_CMSG_CLOEXEC)
	runtime.KeepAlive(p)
	runtime.KeepAlive(oob)
	if errno != 0 {
		return 0, 0, errno
	}
	return int(r), int(msg.Controllen), nil
}
