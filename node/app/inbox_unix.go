//go:build unix

package app

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/skycoin/viscript/node/direct"
)

var errNoTCP = errors.New("app: the descriptor is no TCP socket")

// maxWaitingFiles bounds the descriptors that an Inbox keeps; a program that sends more loses the first ones.
const maxWaitingFiles = 16

// Inbox reads one end of an app socket and keeps the descriptors that come along with the bytes, in their
// order. One goroutine at a time.
type Inbox struct {
	nc    net.Conn
	raw   syscall.RawConn // nil: no Unix socket
	oob   []byte          // room for one descriptor: the kernel closes more than that
	files []int
}

// NewInbox reads from nc; descriptors come only over a Unix socket.
func NewInbox(nc net.Conn) *Inbox {
	i := &Inbox{nc: nc}
	if unix, ok := nc.(*net.UnixConn); ok {
		i.raw, i.oob = direct.Of(unix), make([]byte, syscall.CmsgSpace(4))
	}
	return i
}

// Read implements io.Reader.
func (i *Inbox) Read(p []byte) (int, error) {
	if i.raw == nil || len(p) == 0 {
		return i.nc.Read(p)
	}
	n, k, cut := 0, 0, false
	var readErr error
	err := i.raw.Read(func(fd uintptr) bool {
		for {
			n, k, cut, readErr = direct.ReadMessage(fd, p, i.oob)
			if readErr != syscall.EINTR {
				return readErr != syscall.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case readErr != nil:
		return 0, os.NewSyscallError("recvmsg", readErr)
	case k > 0 || cut:
		i.keep(i.oob[:k], cut)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// lost stands for a descriptor that could not be received: this process has as many as it may.
const lost = -1

// keep takes the descriptors out of a control message. One that was lost keeps its place, so that none is taken for another.
func (i *Inbox) keep(oob []byte, cut bool) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if cut && len(msgs) == 0 {
		i.files = append(i.files, lost)
	}
	if err != nil {
		return
	}
	for _, m := range msgs {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		i.files = append(i.files, fds...)
	}
	for len(i.files) > maxWaitingFiles {
		closeFile(i.files[0])
		i.files = i.files[1:]
	}
}

// Close closes the descriptors that nobody took; not the connection.
func (i *Inbox) Close() error {
	for _, f := range i.files {
		closeFile(f)
	}
	i.files = nil
	return nil
}

func closeFile(fd int) {
	if fd != lost {
		syscall.Close(fd)
	}
}

// TakeConn returns the oldest descriptor as a connection; nil when there is none or it is no socket.
func (i *Inbox) TakeConn() net.Conn {
	if len(i.files) == 0 {
		return nil
	}
	fd := i.take()
	if fd == lost {
		return nil
	}
	f := os.NewFile(uintptr(fd), "descriptor over the app socket")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return nil
	}
	return nc
}

// TakeTCP returns the oldest descriptor, which must be a TCP socket; ok is false when there is none, or it was lost for want of descriptors. Errors: what
// came is something else, and is closed.
func (i *Inbox) TakeTCP() (tcp *TCP, ok bool, err error) {
	if len(i.files) == 0 {
		return nil, false, nil
	}
	fd := i.take()
	if fd == lost {
		return nil, false, nil
	}
	if err := checkTCP(fd); err != nil {
		syscall.Close(fd)
		return nil, true, err
	}
	f := os.NewFile(uintptr(fd), "TCP socket of an app")
	return &TCP{f, direct.Of(f)}, true, nil
}

// TakeFile returns the oldest descriptor, whatever it is, as one that does not block; nil when there is none.
func (i *Inbox) TakeFile() *os.File {
	if len(i.files) == 0 {
		return nil
	}
	fd := i.take()
	if fd == lost {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "descriptor of an app")
}

func (i *Inbox) take() int {
	fd := i.files[0]
	i.files = i.files[1:]
	return fd
}

// checkTCP makes sure that a descriptor is a TCP socket, and that reading and writing it does not block a thread.
func checkTCP(fd int) error {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return fmt.Errorf("app: asking for the kind of a descriptor: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return fmt.Errorf("app: asking for the name of a socket: %w", err)
	}
	switch name.(type) {
	case *syscall.SockaddrInet4, *syscall.SockaddrInet6:
		if kind == syscall.SOCK_STREAM {
			return syscall.SetNonblock(fd, true)
		}
	}
	return errNoTCP
}

// TCP is a TCP socket that another process handed over. It is no net.TCPConn because making one costs eight system calls more,
// for options that the socket has already.
type TCP struct {
	*os.File
	raw syscall.RawConn
}

// Write implements io.Writer.
func (t *TCP) Write(p []byte) (int, error) { return direct.WriteAll(t.raw, p) }

// CloseWrite sends FIN.
func (t *TCP) CloseWrite() error {
	return t.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// Reset closes with RST instead of FIN, and discards what was not yet sent.
func (t *TCP) Reset() {
	_ = t.control(func(fd int) error {
		return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	})
	t.Close()
}

func (t *TCP) control(act func(fd int) error) error {
	var actErr error
	err := t.raw.Control(func(fd uintptr) { actErr = act(int(fd)) })
	return errors.Join(err, actErr)
}
