//go:build !linux

package nameserver

import (
	"errors"
	"syscall"
)

// bindTo refuses: this system cannot say which interface a packet came by.
func bindTo(dev string) func(_, _ string, c syscall.RawConn) error {
	if dev == "" {
		return nil
	}
	return func(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }
}
