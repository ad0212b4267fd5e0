//go:build !linux

package tunnel

import (
	"errors"
	"os"
)

// OpenFile closes f and fails: TUNs of other systems have no header.
func OpenFile(f *os.File) (Device, error) {
	f.Close()
	return nil, errors.ErrUnsupported
}
