//go:build !linux

package porttest

import (
	"net"
	"testing"
)

// Kept is an address of loopback that was free a moment ago.
func Kept(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
