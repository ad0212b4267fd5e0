// Package direct reads and writes descriptors that do not block with one system call and nothing else: no poller, no locks, no
// allocation. It is only for descriptors in non-blocking mode, as those of package net are.
//
// Calls past Go's scheduler (RawSyscall) were tried here: they save processor time in a process that idles between records, and
// cost a tenth to a fifth of the new connections a second, and of the throughput, of one that does not.
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
