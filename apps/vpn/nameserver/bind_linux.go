package nameserver

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindTo makes sockets see the packets of one interface alone.
func bindTo(dev string) func(_, _ string, c syscall.RawConn) error {
	if dev == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), dev) }); e != nil {
			return e
		}
		return err
	}
}
