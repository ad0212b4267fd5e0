//go:build !windows

package link

import (
	"net"
	"syscall"
)

// rawConn returns what lies under a connection that is a descriptor, else nil.
func rawConn(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
