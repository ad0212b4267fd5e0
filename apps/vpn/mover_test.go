package vpn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/apps/vpn/tun"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/apphost"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// alone is a node without a network: datagrams to itself arrive.
type alone struct {
	apphost.Mesh
	key identity.PubKey

	mu   sync.Mutex // guards the following
	host *apphost.Host
}

func (a *alone) Terms() string { return "" }

func (a *alone) Self() app.NodeInfo { return app.NodeInfo{Key: a.key} }
func (a *alone) SendDatagram(_ identity.PubKey, port, from uint16, b []byte) error {
	a.mu.Lock()
	h := a.host
	a.mu.Unlock()
	h.Datagram(a.key, port, from, "", b)
	return nil
}

func startAlone(t *testing.T) (*app.Client, identity.PubKey) {
	t.Helper()
	a := &alone{key: newKey(t)}
	h, err := apphost.Listen(0, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.host = h
	run(t, h.Run)
	return app.NewClient(h.Connect), a.key
}

func ping4(src, dst string) []byte {
	b := make([]byte, packet.HeaderLen+28)
	p := b[packet.HeaderLen:]
	p[0], p[9] = 0x45, 1
	binary.BigEndian.PutUint16(p[2:], 28)
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(p[12:], s[:])
	copy(p[16:], d[:])
	return b
}

// Two TUNs in memory, whose packets this process moves itself.
func TestCarriedPackets(t *testing.T) {
	c, key := startAlone(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var movers [2]Mover
	var tuns [2]*tun.Memory
	for i := range movers {
		var d *tun.Device
		d, tuns[i] = tun.NewMemory()
		defer d.Close()
		var err error
		if movers[i], err = OpenMover(ctx, c, d, uint16(i+1)); err != nil {
			t.Fatal(err)
		}
		defer movers[i].Close()
		if movers[i].Port() != uint16(i+1) {
			t.Errorf("at port %d", movers[i].Port())
		}
	}
	for i, m := range movers {
		us, them := []netip.Prefix{prefix([]string{"10.0.0.1/32", "10.0.0.2/32"}[i])}, []netip.Prefix{prefix([]string{"10.0.0.2/32", "10.0.0.1/32"}[i])}
		if err := errors.Join(m.SetRules(packet.Rules{Accept: us}), m.SetPeer(tunnel.Peer{PeerID: tunnel.PeerID{Key: key, Port: uint16(2 - i)}, Prefixes: them})); err != nil {
			t.Fatal(err)
		}
	}
	there, back := ping4("10.0.0.1", "10.0.0.2"), ping4("10.0.0.2", "10.0.0.1")
	tuns[0].Inject(ping4("10.0.0.1", "9.9.9.9")) // nobody's
	tuns[1].Inject(ping4("10.0.0.9", "10.0.0.1"))
	tuns[0].Inject(there)
	tuns[1].Inject(back)
	for i, want := range [][]byte{back, there} {
		select {
		case got := <-tuns[i].Extract():
			if !bytes.Equal(got, want) {
				t.Errorf("TUN %d got %x", i, got)
			}
		case <-ctx.Done():
			t.Fatal("nothing arrives")
		}
	}
	var total tunnel.Total
	var peers []tunnel.PeerCount
	counted := func() bool { // a packet is counted when the TUN has it, so it may be seen before
		var err error
		if total, peers, err = movers[0].Counts(); err != nil || len(peers) != 1 {
			t.Fatalf("counted %+v %+v, %v", total, peers, err)
		}
		return peers[0].Received.Packets > 0
	}
	eventually(t, "the packet is counted", counted)
	if total.Unrouted != 1 || peers[0].Spoofed != 1 || peers[0].Received.Packets != 1 {
		t.Errorf("counted %+v %+v", total, peers)
	}
	if movers[0].Err() != nil {
		t.Error(movers[0].Err())
	}
	movers[0].Close()
	select {
	case <-movers[0].Done():
	case <-time.After(patience):
		t.Error("it does not end")
	}
	if movers[0].Err() == nil {
		t.Error("closed without an error")
	}
	d, _ := tun.NewMemory() // the port is free again, and so would be the TUN
	defer d.Close()
	eventually(t, "the port is free", func() bool {
		m, err := OpenMover(ctx, c, d, 1)
		if err == nil {
			m.Close()
		}
		return err == nil
	})
}

func TestTUNThatCannotBeHandedOver(t *testing.T) {
	c, _ := startAlone(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = OpenMover(context.Background(), c, &tun.Device{File: f}, 0)
	if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, new(*fatal)) {
		t.Errorf("got %v", err)
	}
}
