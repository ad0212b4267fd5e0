package main

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// lockFile takes a file for as long as it is open; EWOULDBLOCK when another process has it. What is
// locked is a byte far behind the text, so that others can read that.
func lockFile(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return syscall.EWOULDBLOCK
	}
	return err
}
