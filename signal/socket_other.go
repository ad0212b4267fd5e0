//go:build !linux

package signal

import (
	"errors"
	"fmt"
	"net"
)

// PeerCredentials is known for Linux only; elsewhere it fails, and so does DialSocket.
func PeerCredentials(*net.UnixConn) (Credentials, error) {
	return Credentials{}, fmt.Errorf("asking for the peer's credentials: %w", errors.ErrUnsupported)
}
