//go:build !unix

package socks

import "net"

// readNow reads nothing: early data that was not read with the request follows later.
func readNow(*net.TCPConn, []byte) int { return 0 }
