package websocket

import (
	"context"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

// nothing is a Receiver that drops everything.
type nothing struct{}

func (nothing) Record([]byte) {}
func (nothing) Flush()        {}
func (nothing) Closed(error)  {}

// neighbours runs a node's links over WebSockets alone.
func neighbours(t *testing.T, c *Carrier) (*link.Neighbours, identity.PubKey) {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	n, err := link.Listen(within(t), link.Config{Key: key, Carrier: c, Listen: "127.0.0.1:0/mesh", Receive: func(*link.Link) link.Receiver { return nothing{} }})
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
	return n, key.Public()
}

// TestLinkThroughAProxy has two nodes link through a proxy by an address alone.
func TestLinkThroughAProxy(t *testing.T) {
	at, _ := proxy(t)
	far, key := neighbours(t, New(Config{}))
	near, _ := neighbours(t, New(Config{Proxy: at}))
	peer, err := secure.ParsePeer(key.String() + "@" + Scheme + far.Addr().String() + "/mesh")
	if err != nil {
		t.Fatal(err)
	}
	near.AddPeer(peer)
	for until := time.Now().Add(longEnough); ; time.Sleep(5 * time.Millisecond) {
		if l := near.Link(key); l != nil && l.RTT() > 0 {
			if i := l.Info(); i.Carrier != "websocket" || i.Addr != peer.HostPort {
				t.Errorf("%+v", i)
			}
			return
		}
		if time.Now().After(until) {
			t.Fatalf("no link: %+v", near.Peers())
		}
	}
}
