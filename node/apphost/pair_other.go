//go:build !linux

package apphost

import (
	"errors"
	"net"
)

// havePairs: an app makes the connection for a stream itself, with ACCEPT.
const havePairs = false

func socketPair() (ours net.Conn, theirs int, err error) { return nil, -1, errors.ErrUnsupported }

func closePair(int) {}
