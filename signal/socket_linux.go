package signal

import (
	"fmt"
	"net"
	"syscall"
)

// PeerCredentials asks the kernel who is at the other end (SO_PEERCRED, unix(7)).
func PeerCredentials(conn *net.UnixConn) (Credentials, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Credentials{}, err
	}
	var cred *syscall.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return Credentials{}, err
	}
	if optErr != nil {
		return Credentials{}, fmt.Errorf("asking for the peer's credentials: %w", optErr)
	}
	return Credentials{Pid: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}, nil
}
