//go:build !windows

package main

import (
	"os"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW

// lockFile takes a file for as long as it is open; EWOULDBLOCK when another process has it.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
