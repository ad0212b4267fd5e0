//go:build !linux

package apphost

import (
	"errors"
	"net"
	"os"
)

// havePairs: an app makes the connection for a stream itself, with ACCEPT.
const havePairs = false

func socketPair() (ours net.Conn, theirs *os.File, err error) { return nil, nil, errors.ErrUnsupported }
