package apphost

import (
	"net"
	"os"
	"syscall"
)

// havePairs: an app can be given the connection for a stream.
const havePairs = true

// socketPair makes two connected Unix sockets, ours as a connection. They begin as blocking ones, so that the files on the way to
// connections do not enter the poller.
func socketPair() (ours net.Conn, theirs int, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, err
	}
	mine := os.NewFile(uintptr(fds[0]), "stream of an app")
	defer mine.Close()
	if ours, err = net.FileConn(mine); err != nil {
		syscall.Close(fds[1])
		return nil, -1, err
	}
	return ours, fds[1], nil
}

func closePair(theirs int) { syscall.Close(theirs) }
