//go:build !unix

package direct

import "syscall"

// Of returns nil: nothing is read or written directly here.
func Of(any) syscall.RawConn { return nil }

// Read is never called: Of returns nil.
func Read(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }

// Write is never called: Of returns nil.
func Write(uintptr, []byte) (int, error) { return 0, syscall.EAGAIN }
