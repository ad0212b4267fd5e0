package signal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	maxSocketPath = 107 // the longest path that fits sun_path, unix(7)
	backlogTime   = 5 * time.Second
	backlogPause  = 10 * time.Millisecond
)

// Credentials are what the kernel knows of the process at the other end of a Unix socket:
// of the one that connected, or of the one that called listen.
type Credentials struct {
	Pid, UID, GID int
}

// DialSocket connects to the Unix socket at path, also where path is longer than the
// 107 bytes of a socket address, and returns the connection only when the listener
// runs as this user.
func DialSocket(ctx context.Context, path string) (*net.UnixConn, error) {
	conn, err := dialPath(ctx, path)
	if err != nil {
		return nil, err
	}
	cred, err := PeerCredentials(conn)
	if err == nil && cred.UID != os.Getuid() {
		err = fmt.Errorf("%w: %s is served by user %d, want %d", errForeign, path, cred.UID, os.Getuid())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialPath connects to a long path by way of its folder: /proc/self/fd/N names an open one.
func dialPath(ctx context.Context, path string) (*net.UnixConn, error) {
	address := path
	if len(path) > maxSocketPath {
		dir, err := os.Open(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		address = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	return dialWhenFull(ctx, address)
}

// dialWhenFull waits while the listener's backlog is full, which a Unix socket, unlike TCP,
// reports at once (EAGAIN, connect(2)).
func dialWhenFull(ctx context.Context, address string) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, backlogTime)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if !errors.Is(err, syscall.EAGAIN) || !sleep(ctx, backlogPause) {
			return nil, err
		}
	}
}
