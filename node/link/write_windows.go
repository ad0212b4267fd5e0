package link

import "syscall"

func writeTo(fd uintptr, p []byte) (int, error) { return syscall.Write(syscall.Handle(fd), p) }
