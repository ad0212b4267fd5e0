package link

import (
	"net"
	"syscall"
)

// rawConn returns nil: sockets of Windows are overlapped and cannot be tried without waiting, so
// everything goes through the queues.
func rawConn(net.Conn) syscall.RawConn { return nil }

func writeTo(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }

func readFrom(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }
