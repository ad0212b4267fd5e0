package link

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/mark"
)

// control sets what a link wants; accepted sockets inherit it. A kernel that lacks an option
// does without. The mark keeps the link out of a VPN that it carries.
func control(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		_ = mark.Set(int(fd))
	})
}
