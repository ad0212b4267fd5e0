package apphost

import (
	"net"
	"os"
	"syscall"
)

// havePairs: an app can be given the connection for a stream.
const havePairs = true

// socketPair makes two connected Unix sockets, ours as a connection.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	mine := os.NewFile(uintptr(fds[0]), "stream of an app")
	defer mine.Close()
	theirs = os.NewFile(uintptr(fds[1]), "stream for an app")
	if ours, err = net.FileConn(mine); err != nil {
		theirs.Close()
	}
	return ours, theirs, err
}
