//go:build linux

package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Numbers of sock_diag(7) and linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	tcpEstablished   = 1
	diagRequestLen   = 56 // struct inet_diag_req_v2
	diagMessageLen   = 72 // struct inet_diag_msg
	diagUIDOffset    = 64
	diagInodeOffset  = 68
	noCookie         = ^uint32(0)
)

// socketOwner is what the kernel knows of one TCP socket of this machine.
type socketOwner struct {
	established bool
	uid         int
	inode       uint32 // 0: no process holds it
}

var errDiag = errors.New("malformed answer of sock_diag")

// peerSocket asks the kernel about the other end of a TCP connection within this machine:
// about the socket whose own address is conn's remote one.
func peerSocket(conn *net.TCPConn) (socketOwner, error) {
	local, ok := conn.RemoteAddr().(*net.TCPAddr)
	remote, ok2 := conn.LocalAddr().(*net.TCPAddr)
	if !ok || !ok2 {
		return socketOwner{}, errors.New("not a TCP connection")
	}
	answer, err := askDiag(diagRequest(local, remote))
	if err != nil {
		return socketOwner{}, fmt.Errorf("asking the kernel who connected from %s: %w", local, err)
	}
	return parseDiag(answer)
}

// diagRequest asks for exactly one socket. The lookup of AF_INET also finds an IPv6 socket
// that is connected to an IPv4 address.
func diagRequest(local, remote *net.TCPAddr) []byte {
	b := make([]byte, syscall.SizeofNlMsghdr+diagRequestLen)
	nativeEndian := binary.NativeEndian
	nativeEndian.PutUint32(b[0:], uint32(len(b)))
	nativeEndian.PutUint16(b[4:], sockDiagByFamily)
	nativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[syscall.SizeofNlMsghdr:]
	src, dst := local.IP.To16(), remote.IP.To16()
	r[0] = unix.AF_INET6
	if v4, r4 := local.IP.To4(), remote.IP.To4(); v4 != nil && r4 != nil {
		r[0], src, dst = unix.AF_INET, v4, r4
	}
	r[1] = unix.IPPROTO_TCP
	nativeEndian.PutUint32(r[4:], ^uint32(0)) // every state
	binary.BigEndian.PutUint16(r[8:], uint16(local.Port))
	binary.BigEndian.PutUint16(r[10:], uint16(remote.Port))
	copy(r[12:28], src)
	copy(r[28:44], dst)
	nativeEndian.PutUint32(r[48:], noCookie)
	nativeEndian.PutUint32(r[52:], noCookie)
	return b
}

func askDiag(request []byte) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// The kernel answers within the call to Sendto; the limit is for a kernel that does not.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nil, err
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// parseDiag reads one netlink message: a socket or an error number.
func parseDiag(b []byte) (socketOwner, error) {
	if len(b) < syscall.SizeofNlMsghdr {
		return socketOwner{}, errDiag
	}
	kind, m := binary.NativeEndian.Uint16(b[4:]), b[syscall.SizeofNlMsghdr:]
	switch {
	case kind == unix.NLMSG_ERROR && len(m) >= int(unsafe.Sizeof(int32(0))):
		if errno := -int32(binary.NativeEndian.Uint32(m)); errno > 0 {
			return socketOwner{}, syscall.Errno(errno)
		}
		return socketOwner{}, errDiag
	case kind != sockDiagByFamily || len(m) < diagMessageLen:
		return socketOwner{}, errDiag
	}
	return socketOwner{
		established: m[1] == tcpEstablished,
		uid:         int(binary.NativeEndian.Uint32(m[diagUIDOffset:])),
		inode:       binary.NativeEndian.Uint32(m[diagInodeOffset:]),
	}, nil
}
