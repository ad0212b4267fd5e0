//go:build !linux

package link

// watchSystem looks for itself.
func watchSystem() system { return poll }

func hostDetail() string { return "" }
