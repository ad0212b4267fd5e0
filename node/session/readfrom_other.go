//go:build !unix

package session

import (
	"errors"
	"syscall"
)

// readReady is never called: no descriptor is read directly here.
func readReady(syscall.RawConn, int) (sp *span, m int, err error) {
	return nil, 0, errors.ErrUnsupported
}
