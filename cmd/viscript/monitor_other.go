//go:build !linux

package main

// calmMonitor does nothing here.
func calmMonitor() {}
