//go:build !linux

package link

import "syscall"

// control leaves sockets as they are: Go sets TCP_NODELAY itself, the rest makes links better, not right.
func control(_, _ string, _ syscall.RawConn) error { return nil }
