package apphost_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// openTUN makes a TUN in a network namespace of its own.
func openTUN(t *testing.T, name string) *os.File {
	t.Helper()
	var f *os.File
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f, err = makeTUN(name)
		}
	}()
	<-done
	if err != nil {
		t.Skipf("no right to make a TUN, or no TUN: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func makeTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TUNSETVNETLE, 1)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func tunnelPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestTunnel(t *testing.T) {
	c, m, _ := start(t)
	ctx := within(t)
	f := openTUN(t, "vsapphost%d")
	tun, err := c.OpenTun(ctx, 77, f, packet.All)
	if err != nil {
		t.Fatal(err)
	}
	defer tun.Close()
	if tun.Addr().Port != 77 || tun.Addr().Key != m.key {
		t.Errorf("at %v", tun.Addr())
	}
	if _, err := c.OpenTun(ctx, 77, f, packet.All); err == nil {
		t.Error("the port is given twice")
	}
	conn, err := c.ListenPacket(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	self := conn.LocalAddr().(app.Addr)
	peer := tunnel.Peer{PeerID: tunnel.PeerID{Key: self.Key, Port: uint16(self.Port)}, Prefixes: []netip.Prefix{tunnelPrefix("10.0.0.2/32")}}
	if err := tun.SetPeer(peer); err != nil {
		t.Fatal(err)
	}
	other := peer
	other.Port++
	if err := tun.SetPeer(other); err == nil {
		t.Error("an address is given to two peers")
	}
	if err := tun.SetRules(packet.Rules{Accept: []netip.Prefix{tunnelPrefix("10.0.0.0/24")}, Refuse: []netip.Prefix{tunnelPrefix("10.0.0.3/32")}}); err != nil {
		t.Fatal(err)
	}
	send := func(src, dst byte) {
		b := make([]byte, packet.HeaderLen+28)
		p := b[packet.HeaderLen:]
		p[0], p[9] = 0x45, 17
		binary.BigEndian.PutUint16(p[2:], 28)
		copy(p[12:], []byte{10, 0, 0, src, 10, 0, 0, dst})
		if _, err := conn.WriteTo(b, tun.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	send(9, 1) // not its address
	send(2, 3) // not welcome
	send(2, 1) // the interface is down
	for {
		total, peers, err := tun.Counts()
		if err != nil || ctx.Err() != nil {
			t.Fatalf("%v, %v", err, ctx.Err())
		}
		if len(peers) == 1 && peers[0].Spoofed == 1 && peers[0].Unwelcome == 1 && total.Refused == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	tun.Close()
	if err := tun.SetRules(packet.Rules{}); err == nil {
		t.Error("a closed tunnel is told rules")
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		again, err := c.OpenTun(ctx, 77, f, packet.All)
		if err == nil {
			again.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the port is not given back: %v", err)
		}
	}
}

func TestTunnelOfSomethingElse(t *testing.T) {
	c, _, _ := start(t)
	ctx := within(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := c.OpenTun(ctx, 0, r, 0); !errors.Is(err, &app.Refused{Code: app.CodeBadRequest}) {
		t.Errorf("a pipe is taken for a TUN: %v", err)
	}
}
