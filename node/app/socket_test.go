package app

import (
	"errors"
	"math/rand/v2"
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
	for {
		far, err = ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if far.RemoteAddr().String() == near.LocalAddr().String() {
			break
		}
		far.Close() // who looks for somebody that had the port before
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
	var ln net.Listener
	var own uint16
	for tries := 0; ln == nil; tries++ { // names are the whole machine's, and this test may run twice
		var err error
		own = 61000 + uint16(rand.N(4000))
		if OwnPort(own/10) || OwnPort(own-1) {
			err = errors.New("nodes are beside it")
		} else {
			ln, err = net.Listen("unix", SocketName(Port(own)))
		}
		if err != nil && tries == 100 {
			t.Fatal(own, err)
		}
	}
	if !OwnPort(own) || OwnPort(own/10) || OwnPort(own-1) {
		t.Errorf("the app port %d of a node here is not told from others", own)
	}
	ln.Close()
	if OwnPort(own) {
		t.Errorf("port %d is ours after its node has gone", own)
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
