//go:build !linux

package main

import "errors"

// becomeWindow returns that there is none for this system.
func becomeWindow() error { return noWindow(errors.ErrUnsupported) }
