package app

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// What sock_diag(7) and linux/inet_diag.h say of the exact lookup of one TCP socket. A dump with
// a filter would walk every socket of the machine for each question.
const (
	diagByFamily = 20
	headerLen    = unix.SizeofNlMsghdr
	requestLen   = headerLen + 56 // struct inet_diag_req_v2
	answerLen    = headerLen + 72 // struct inet_diag_msg
	uidAt        = headerLen + 64
	inodeAt      = headerLen + 68
)

// socketUID returns the user that holds the TCP socket with these ends on this host. ok is false when there is
// none, or no process holds it any more.
func socketUID(local, remote netip.AddrPort) (uid int, ok bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	request := diagRequest(local, remote)
	if err := unix.Sendto(fd, request[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false
	}
	var b [1024]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT) // the answer is there when Sendto returns
	if err != nil || n < answerLen || binary.NativeEndian.Uint16(b[4:]) != diagByFamily {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(b[uidAt:])), binary.NativeEndian.Uint32(b[inodeAt:]) != 0
}

func diagRequest(local, remote netip.AddrPort) (b [requestLen]byte) {
	binary.NativeEndian.PutUint32(b[0:], requestLen)
	binary.NativeEndian.PutUint16(b[4:], diagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[headerLen:]
	r[1] = syscall.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(r[8:], local.Port())
	binary.BigEndian.PutUint16(r[10:], remote.Port())
	if src, dst := local.Addr().Unmap(), remote.Addr().Unmap(); src.Is4() && dst.Is4() {
		r[0] = unix.AF_INET
		copy(r[12:], src.AsSlice())
		copy(r[28:], dst.AsSlice())
	} else {
		r[0] = unix.AF_INET6
		s, d := local.Addr().As16(), remote.Addr().As16()
		copy(r[12:], s[:])
		copy(r[28:], d[:])
	}
	for i := 48; i < 56; i++ {
		r[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return b
}
