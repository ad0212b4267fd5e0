//go:build !(cgo && linux && !headless && (amd64 || arm64))

package x11lazy

// Load does nothing: the libraries were linked.
func Load() error { return nil }
