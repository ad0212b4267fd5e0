//go:build unix

package session

import (
	"io"
	"syscall"
)

// rawOf is the descriptor behind r; nil without one.
func rawOf(r io.Reader) (syscall.RawConn, error) {
	if sc, ok := r.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, nil
}

// readReady waits until the descriptor has data, without a buffer, and then reads up to n bytes into one.
func readReady(raw syscall.RawConn, n int) (span *[]byte, m int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		span = spans.Get().(*[]byte)
		for {
			m, err = syscall.Read(int(fd), (*span)[dataAt:dataAt+n:cap(*span)])
			if err != syscall.EINTR {
				break
			}
		}
		if err == syscall.EAGAIN {
			spans.Put(span)
			span = nil
			return false
		}
		return true
	})
	switch {
	case waitErr != nil:
		if span != nil {
			spans.Put(span)
		}
		return nil, 0, waitErr
	case err == nil && m == 0:
		err = io.EOF
	}
	return span, m, err
}
