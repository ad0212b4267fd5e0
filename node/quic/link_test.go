package quic

import (
	"context"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// counter is a Receiver that counts bytes.
type counter struct{ bytes chan int }

func (c counter) Record(rec []byte) { c.bytes <- len(rec) }
func (counter) Flush()              {}
func (counter) Closed(error)        {}

// neighbours runs a node's links over TCP and QUIC.
func neighbours(t *testing.T, got chan int) (*link.Neighbours, *identity.Key, *Socket) {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{})
	n, err := link.Listen(within(t), link.Config{
		Key: key, Listen: "127.0.0.1:0", Receive: func(*link.Link) link.Receiver { return counter{got} },
		Carrier: &link.Several{First: link.TCP{}, Others: []link.Other{{Carrier: s, Scheme: Scheme, Listen: "127.0.0.1:0"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n, key, s
}

// TestLink has two nodes link over QUIC by an address alone, with the handshake of links inside, bound to the connection.
func TestLink(t *testing.T) {
	got := make(chan int, 1<<10)
	a, _, _ := neighbours(t, got)
	_, key, s := neighbours(t, got)
	peer, err := secure.ParsePeer(key.Public().String() + "@" + Scheme + s.port.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a.AddPeer(peer)
	var l *link.Link
	for until := time.Now().Add(longEnough); l == nil && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		l = a.Link(key.Public())
	}
	if l == nil {
		t.Fatalf("no link: %+v", a.Peers())
	}
	if i := l.Info(); i.Carrier != "quic" || !i.Dialed || i.Addr != s.port.Addr().String() {
		t.Errorf("%+v", i)
	}
	rec := make([]byte, wire.LenLen+wire.HeaderLen+1000+wire.TagLen)
	for range 100 {
		wire.PutLen(rec, len(rec)-wire.LenLen)
		wire.PutHeader(rec[wire.LenLen:], wire.Data, 0, 1)
		l.Send(rec)
	}
	for i := range 100 {
		select {
		case n := <-got:
			if n != len(rec) {
				t.Fatalf("a record of %d bytes", n)
			}
		case <-time.After(longEnough):
			t.Fatalf("%d of 100 records arrived", i)
		}
	}
}
