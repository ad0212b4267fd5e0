//go:build unix

package app

import (
	"io"
	"net"
	"os"
	"syscall"
)

// maxWaitingFiles bounds the descriptors that an Inbox keeps; a program that sends more loses the first ones.
const maxWaitingFiles = 16

// Inbox reads one end of an app socket and keeps the descriptors that come along with the bytes, in their
// order. One goroutine at a time.
type Inbox struct {
	nc    net.Conn
	oob   []byte // room for one descriptor: the kernel closes more than that
	files []*os.File
}

// NewInbox reads from nc; descriptors come only over a Unix socket.
func NewInbox(nc net.Conn) *Inbox {
	return &Inbox{nc: nc, oob: make([]byte, syscall.CmsgSpace(4))}
}

// Read implements io.Reader.
func (i *Inbox) Read(p []byte) (int, error) {
	unix, ok := i.nc.(*net.UnixConn)
	if !ok {
		return i.nc.Read(p)
	}
	n, k, _, _, err := unix.ReadMsgUnix(p, i.oob)
	if k > 0 {
		i.keep(i.oob[:k])
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err // it is -1 with an error
}

// keep takes the descriptors out of a control message.
func (i *Inbox) keep(oob []byte) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range msgs {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			i.files = append(i.files, os.NewFile(uintptr(fd), "descriptor over the app socket"))
		}
	}
	for len(i.files) > maxWaitingFiles {
		i.files[0].Close()
		i.files = i.files[1:]
	}
}

// Close closes the descriptors that nobody took; not the connection.
func (i *Inbox) Close() error {
	for _, f := range i.files {
		f.Close()
	}
	i.files = nil
	return nil
}

// TakeConn returns the oldest descriptor as a connection; nil when there is none or it is no socket.
func (i *Inbox) TakeConn() net.Conn {
	if len(i.files) == 0 {
		return nil
	}
	f := i.files[0]
	i.files = i.files[1:]
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	return nc
}
