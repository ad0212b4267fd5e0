package app

import (
	"net"
	"os"
	"testing"
)

// tcpPair is both ends of a loopback connection.
func tcpPair(t testing.TB) (near, far net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestPeerUID(t *testing.T) {
	near, far := tcpPair(t)
	for _, nc := range []net.Conn{near, far} {
		if uid, err := PeerUID(nc); err != nil || uid != os.Getuid() {
			t.Errorf("uid %d, %v", uid, err)
		}
	}
	far.Close()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := PeerUID(a); err == nil {
		t.Error("a pipe has a peer")
	}
}

func TestOwnPort(t *testing.T) {
	ln, err := net.Listen("unix", SocketName(64999))
	if err != nil {
		t.Fatal(err)
	}
	if !OwnPort(64999) || OwnPort(6499) || OwnPort(64998) {
		t.Error("the app port of a node here is not told from others")
	}
	ln.Close()
	if OwnPort(64999) {
		t.Error("a port is ours after its node has gone")
	}
}

func BenchmarkPeerUID(b *testing.B) {
	near, _ := tcpPair(b)
	for b.Loop() {
		if _, err := PeerUID(near); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOwnPort(b *testing.B) {
	for b.Loop() {
		OwnPort(1)
	}
}

func BenchmarkInterfaceAddrs(b *testing.B) {
	for b.Loop() {
		net.InterfaceAddrs()
	}
}
