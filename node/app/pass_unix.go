//go:build unix

package app

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// pass writes a frame with the descriptor of file, which stays the caller's.
func pass(to *net.UnixConn, frame []byte, file syscall.Conn) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		n, _, err := to.WriteMsgUnix(frame, syscall.UnixRights(int(fd)), nil)
		if err == nil && n < len(frame) {
			_, err = to.Write(frame[n:])
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite // nothing left, the descriptor neither
		}
		sendErr = err
	})
	return errors.Join(err, sendErr)
}

// Pass writes a frame with the descriptor of file over the Unix socket to. The descriptor stays the caller's.
func Pass(to *net.UnixConn, k Kind, body []byte, file syscall.Conn) error {
	return pass(to, AppendFrame(nil, k, body), file)
}
