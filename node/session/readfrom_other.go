//go:build !unix

package session

import (
	"errors"
	"io"
	"syscall"
)

// rawOf is nil: every reader is read plainly here.
func rawOf(io.Reader) (syscall.RawConn, error) { return nil, nil }

func readReady(syscall.RawConn, int) (sp *span, m int, err error) {
	return nil, 0, errors.ErrUnsupported
}
