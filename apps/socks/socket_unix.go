//go:build unix

package socks

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is a TCP socket that is on its way to another process. This one is not woken by what happens on it.
type Socket struct{ fd int } // -1: closed

// dup returns the socket of a connection, which stays open.
func dup(conn *net.TCPConn) (*Socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var s *Socket
	var dupErr error
	err = raw.Control(func(fd uintptr) { s, dupErr = dupFD(fd) })
	return s, errors.Join(err, dupErr)
}

func dupFD(fd uintptr) (*Socket, error) {
	copied, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Socket{copied}, nil
}

// detach returns the socket of a connection, which is then closed without an end of the socket.
func detach(conn *net.TCPConn) (*Socket, error) {
	s, err := dup(conn)
	if err == nil {
		conn.Close()
	}
	return s, err
}

// attach makes a connection of the socket again.
func (s *Socket) attach() (*net.TCPConn, error) {
	f := os.NewFile(uintptr(s.fd), "socket")
	s.fd = -1
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, net.ErrClosed
	}
	return tcp, nil
}

// Control calls f with the descriptor, once.
func (s *Socket) Control(f func(fd uintptr)) error {
	if s.fd < 0 {
		return net.ErrClosed
	}
	f(uintptr(s.fd))
	return nil
}

// Close closes this process's descriptor; the socket lives as long as another process has it. Idempotent.
func (s *Socket) Close() {
	if s.fd >= 0 {
		syscall.Close(s.fd)
		s.fd = -1
	}
}

// Reset is Close after which the socket ends with RST, when the last process closes it.
func (s *Socket) Reset() {
	if s.fd >= 0 {
		_ = syscall.SetsockoptLinger(s.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}
	s.Close()
}
