//go:build cgo && linux && !headless && (amd64 || arm64)

package x11lazy

// #cgo LDFLAGS: -ldl
// #include "table.h"
import "C"

import "errors"

// Load opens libX11.so.6 and libGL.so.1. The error says which library or function is missing; a call
// of anything in them is then a crash. Later calls do it again, to the same effect. Not safe for
// concurrent use.
func Load() error {
	if why := C.x11lazy_load(); why != nil {
		return errors.New(C.GoString(why))
	}
	return nil
}
