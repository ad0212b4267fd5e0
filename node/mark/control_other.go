//go:build !linux

package mark

import (
	"errors"
	"syscall"
)

// Control is for net.Dialer and net.ListenConfig. This system has no marks: it does nothing.
func Control(_, _ string, _ syscall.RawConn) error { return nil }

// Set answers errors.ErrUnsupported.
func Set(int) error { return errors.ErrUnsupported }
