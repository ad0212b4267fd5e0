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
	err = raw.Control(func(fd uintptr) { sendErr = passFD(to, frame, int(fd)) })
	return errors.Join(err, sendErr)
}

func passFD(to *net.UnixConn, frame []byte, fd int) error {
	n, _, err := to.WriteMsgUnix(frame, syscall.UnixRights(fd), nil)
	if err == nil && n < len(frame) {
		_, err = to.Write(frame[n:])
	}
	if err == nil && n == 0 {
		err = io.ErrShortWrite // nothing left, the descriptor neither
	}
	return err
}

// pass writes a frame with a descriptor, in its turn.
func (w *Writer) pass(to *net.UnixConn, frame []byte, fd int) error {
	w.lock.take()
	defer w.lock.release()
	if err := w.flushLocked(); err != nil {
		return err
	}
	return passFD(to, frame, fd)
}

// Pass writes a frame with a descriptor, which stays the caller's, over the Unix socket to.
func Pass(to *net.UnixConn, k Kind, body []byte, fd int) error {
	return passFD(to, AppendFrame(nil, k, body), fd)
}
