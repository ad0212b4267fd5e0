//go:build unix

package direct

import "syscall"

// Of returns what lies under c if it is a descriptor, else nil.
func Of(c any) syscall.RawConn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
