//go:build unix

package direct

import "syscall"

// Read is read(2).
func Read(fd uintptr, p []byte) (int, error) {
	n, err := syscall.Read(int(fd), p)
	return max(n, 0), err
}

// Write is write(2).
func Write(fd uintptr, p []byte) (int, error) {
	n, err := syscall.Write(int(fd), p)
	return max(n, 0), err
}

// ReadMessage is recvmsg(2): n bytes to p, and control bytes (SCM_RIGHTS and such, close-on-exec) to the front of oob; cut: there were
// more, for which there was no room in oob or in this process.
func ReadMessage(fd uintptr, p, oob []byte) (n, control int, cut bool, err error) {
	n, control, flags, _, err := syscall.Recvmsg(int(fd), p, oob, receiveFlags)
	if control > 0 && receiveFlags == 0 {
		closeOnExec(oob[:control])
	}
	return max(n, 0), max(control, 0), err == nil && flags&syscall.MSG_CTRUNC != 0, err
}

func closeOnExec(oob []byte) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range msgs {
		fds, _ := syscall.ParseUnixRights(&m)
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
		}
	}
}
