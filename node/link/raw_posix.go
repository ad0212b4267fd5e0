//go:build unix && !linux

package link

import "syscall"

func writeTo(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

func readFrom(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }
