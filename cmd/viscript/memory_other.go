//go:build !linux

package main

// cutExecutable does nothing here.
func cutExecutable() (forget func()) { return func() {} }
