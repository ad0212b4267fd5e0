package apphost

import (
	"io"
	"net"
	"os"
	"syscall"
)

// inbox reads an app's connection and keeps the descriptor that came along, if any.
type inbox struct {
	nc   net.Conn
	oob  []byte   // room for one descriptor
	file *os.File // the latest one, until taken
}

func newInbox(nc net.Conn) *inbox {
	return &inbox{nc: nc, oob: make([]byte, syscall.CmsgSpace(4))}
}

// Read implements io.Reader.
func (i *inbox) Read(p []byte) (int, error) {
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
	return n, err
}

// keep takes the descriptors out of a control message; all but the latest are closed. The kernel
// has closed those that there was no room for.
func (i *inbox) keep(oob []byte) {
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
			i.drop()
			i.file = os.NewFile(uintptr(fd), "descriptor of an app")
		}
	}
}

// drop closes a descriptor that nobody took.
func (i *inbox) drop() {
	if i.file != nil {
		i.file.Close()
		i.file = nil
	}
}

// takeTCP returns the descriptor as a TCP connection; nil when there is none or it is something else.
func (i *inbox) takeTCP() *net.TCPConn {
	defer i.drop()
	if i.file == nil {
		return nil
	}
	nc, err := net.FileConn(i.file)
	if err != nil {
		return nil
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		return nil
	}
	return tcp
}
