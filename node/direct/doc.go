// Package direct reads and writes descriptors that do not block without telling Go's scheduler of it. An announced system
// call wakes the thread that watches over a process which was idle, and that thread then looks around every 20 us until the
// process is idle again: much, for who forwards a record. Bulk, and a call
// now and then, is announced nevertheless. It is only for descriptors in non-blocking mode, as those of package net are.
package direct

import (
	"os"
	"syscall"
)

// WriteAll writes b to the descriptor behind raw and waits for room, until it is closed or its write deadline passes; n bytes
// were written.
func WriteAll(raw syscall.RawConn, b []byte) (n int, err error) {
	var writeErr error
	err = raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			m, err := Write(fd, b[n:])
			switch {
			case err == syscall.EAGAIN:
				return false
			case err == syscall.EINTR:
			case err != nil:
				writeErr = os.NewSyscallError("write", err)
				return true
			default:
				n += m
			}
		}
		return true
	})
	if err == nil {
		err = writeErr
	}
	return n, err
}
