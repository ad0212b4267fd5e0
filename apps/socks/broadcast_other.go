//go:build !unix

package socks

import "net"

// noBroadcast does nothing where it is not known how.
func noBroadcast(*net.UDPConn) {}
