//go:build !unix

package viscript

// watchSize tells nothing here: the system sends no signal when the size has changed.
func watchSize() (resized <-chan struct{}, stop func()) { return nil, func() {} }
