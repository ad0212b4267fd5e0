package quic

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

func TestAsNetConn(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		near, far := connect(t)
		return near, far, func() { near.Close(); far.Close() }, nil
	})
}
