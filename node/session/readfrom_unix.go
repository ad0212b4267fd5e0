//go:build unix

package session

import (
	"io"
	"syscall"

	"github.com/skycoin/viscript/node/direct"
)

// readReady waits until the descriptor has data, without a buffer, and then reads up to n bytes into one.
func readReady(raw syscall.RawConn, n int) (sp *span, m int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		sp = newSpan()
		for {
			m, err = direct.Read(fd, sp.b[dataAt:dataAt+n:cap(sp.b)])
			if err != syscall.EINTR {
				break
			}
		}
		if err == syscall.EAGAIN {
			freeSpans(sp)
			sp = nil
			return false
		}
		return true
	})
	switch {
	case waitErr != nil:
		freeSpans(sp)
		return nil, 0, waitErr
	case err == nil && m == 0:
		err = io.EOF
	}
	return sp, m, err
}
