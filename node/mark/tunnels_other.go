//go:build !linux

package mark

// Tunnels is nil: nothing is marked on this system.
func Tunnels() map[string]bool { return nil }
