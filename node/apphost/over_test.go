package apphost_test

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

// TestOver: what an app's routes must meet reaches the mesh before what has the routes; what cannot be is refused with the reason.
func TestOver(t *testing.T) {
	c, m, _ := start(t)
	ctx := within(t)
	two, err := c.Over(route.Terms{MinHops: 2})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := two.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			conn.Confirm()
			conn.Close()
		}
	}()
	for _, dial := range []func() (*app.Conn, error){
		func() (*app.Conn, error) { return two.Dial(ctx, m.key, 7, app.DialOptions{}) },
		func() (*app.Conn, error) {
			return two.Dial(ctx, m.key, 7, app.DialOptions{Routes: route.Terms{MaxHops: 3}})
		},
		func() (*app.Conn, error) { return c.Dial(ctx, m.key, 7, app.DialOptions{}) },
	} {
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if asked, dialed := m.heard(); len(dialed) != 2 || len(asked) != 2 || asked[0] != "--min-hops 2" || asked[1] != "--min-hops 2 --max-hops 3" {
		t.Errorf("the mesh was asked for %q and dialed over %q", asked, dialed)
	}
	four := app.DialOptions{Routes: route.Terms{MinHops: 4}}
	if _, err := c.Dial(ctx, m.key, 7, four); !errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
		t.Errorf("what the node denies: %v", err)
	}
	if _, err := two.Over(route.Terms{MaxHops: 1}); !errors.Is(err, &app.Refused{Code: wire.CodeBadRequest}) {
		t.Errorf("what contradicts itself: %v", err)
	}
	if _, err := c.Over(route.Terms{MinHops: 200}); err == nil {
		t.Error("200 links were taken")
	}
}

// TestDatagramsOver: a port that was taken over terms hears what came over them, and nothing else.
func TestDatagramsOver(t *testing.T) {
	c, m, _ := start(t)
	two, err := c.Over(route.Terms{MinHops: 2})
	if err != nil {
		t.Fatal(err)
	}
	p := bind(t, two, 53)
	m.host.Datagram(m.key, 53, 7, "", []byte("by any way"))
	m.host.Datagram(m.key, 53, 7, "--min-hops 3", []byte("by another way"))
	m.host.Datagram(m.key, 53, 7, "--min-hops 2", []byte("by this way"))
	buf := make([]byte, 100)
	if n, _, err := p.ReadFrom(buf); err != nil || string(buf[:n]) != "by this way" {
		t.Errorf("heard %q, %v", buf[:n], err)
	}
	if _, err := p.WriteTo([]byte("to itself"), p.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := p.ReadFrom(buf); err != nil || string(buf[:n]) != "to itself" {
		t.Errorf("heard %q, %v", buf[:n], err)
	}
	four, _ := c.Over(route.Terms{MinHops: 4})
	if _, err := four.ListenPacket(within(t), 0); !errors.Is(err, &app.Refused{Code: wire.CodeDenied}) {
		t.Errorf("what the node denies: %v", err)
	}
}

// TestHostileOver: what belongs before a request that has routes is refused anywhere else.
func TestHostileOver(t *testing.T) {
	c, m, addr := start(t)
	over := func(q route.Terms) []byte {
		return app.AppendFrame(nil, app.Over, app.Request{Kind: app.Over, Routes: q}.AppendBody(nil))
	}
	two := over(route.Terms{MinHops: 2})
	info := app.Request{Kind: app.Info}.AppendFrames(nil)
	for name, bytes := range map[string][]byte{
		"twice":         bytes.Repeat(two, 2),
		"a thousand":    bytes.Repeat(two, 1000),
		"of nothing":    append(over(route.Terms{}), info...),
		"before INFO":   append(bytes.Clone(two), info...),
		"foolish":       over(route.Terms{MinHops: 3, MaxHops: 2}),
		"17 links":      over(route.Terms{MinHops: 17}),
		"nine nodes":    over(route.Terms{Via: make([]identity.PubKey, 9)}),
		"of zeros":      over(route.Terms{Via: make([]identity.PubKey, 1)}),
		"one and twice": over(route.Terms{Via: []identity.PubKey{m.key, m.key}}),
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		nc.Write(bytes)
		r := app.NewReader(nc)
		if k, body, err := r.Next(); k != app.Err || app.ParseErr(body).Code != wire.CodeBadRequest {
			t.Errorf("%s: answer %d, %v", name, k, err)
		}
		nc.Close()
	}
	if _, err := c.Node(within(t)); err != nil {
		t.Error("after that:", err)
	}
}
