//go:build !cgo || headless || !linux

package gl

import (
	"context"
	"image"
	"time"
)

// Built tells whether this executable has the window.
const Built = false

// A Window is never opened in this build.
type Window struct{}

// Open returns ErrNotBuilt.
func Open(Config) (*Window, error) { return nil, ErrNotBuilt }

// Run returns ErrNotBuilt.
func (*Window) Run(context.Context, App) error { return ErrNotBuilt }

// Close does nothing.
func (*Window) Close() {}

// Post returns false.
func (*Window) Post(func()) bool { return false }

// Now is 0.
func (*Window) Now() time.Duration { return 0 }

// Copy does nothing.
func (*Window) Copy(string, bool) {}

// Paste does nothing.
func (*Window) Paste(bool, func(string)) {}

// SetTitle does nothing.
func (*Window) SetTitle(string) {}

// Image is nil.
func (*Window) Image() *image.RGBA { return nil }
