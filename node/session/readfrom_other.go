//go:build !unix

package session

import (
	"errors"
	"syscall"
)

// intake is never used: no descriptor is read directly here.
type intake struct{}

func newIntake(*Stream, syscall.RawConn) *intake { return nil }

func (*intake) read(int) (sp *span, m, reserved int, err error) {
	return nil, 0, 0, errors.ErrUnsupported
}
