package apphost_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

// bind opens a PacketConn.
func bind(t *testing.T, c *app.Client, port app.Port) *app.PacketConn {
	t.Helper()
	p, err := c.ListenPacket(within(t), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	p.SetDeadline(time.Now().Add(patience))
	return p
}

func TestDatagrams(t *testing.T) {
	c, m, _ := start(t)
	a, b := bind(t, c, 0), bind(t, app.NewClient(m.host.Connect), 53)
	if got := b.LocalAddr(); got != (app.Addr{Key: m.key, Port: 53}) {
		t.Errorf("b is at %v", got)
	}
	if _, err := c.ListenPacket(within(t), 53); !errors.Is(err, &app.Refused{Code: wire.CodeBusy}) {
		t.Errorf("taking a port twice: %v", err)
	}
	buf := make([]byte, app.MaxDatagram+1)
	for _, n := range []int{0, 1, 1400, app.MaxDatagram} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		if k, err := a.WriteTo(want, b.LocalAddr()); k != n || err != nil {
			t.Fatalf("writing %d bytes: %d, %v", n, k, err)
		}
		k, from, err := b.ReadFrom(buf)
		if err != nil || from != a.LocalAddr() || !bytes.Equal(buf[:k], want) {
			t.Fatalf("%d of %d bytes came from %v, %v", k, n, from, err)
		}
	}
	if _, err := a.WriteTo(buf, b.LocalAddr()); !errors.Is(err, app.ErrTooLong) {
		t.Error("too long:", err)
	}
	for _, bad := range []net.Addr{&net.UDPAddr{}, app.Addr{Port: 5}, app.Addr{Key: m.key}} {
		if _, err := a.WriteTo(nil, bad); err == nil {
			t.Errorf("sent to %v", bad)
		}
	}
	a.WriteTo([]byte("to nobody"), app.Addr{Key: m.key, Port: 99})
	b.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, _, err := b.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("reading late:", err)
	}
	b.SetReadDeadline(time.Now().Add(patience))
	a.WriteTo([]byte("after that"), b.LocalAddr())
	if k, _, err := b.ReadFrom(buf); err != nil || string(buf[:k]) != "after that" {
		t.Errorf("after a deadline: %q, %v", buf[:k], err)
	}
}

func TestDatagramsThatNobodyTakesAreDropped(t *testing.T) {
	c, m, _ := start(t)
	slow := bind(t, c, 53)
	big := make([]byte, 10_000)
	for i := range 10_000 { // 100 MB: the node keeps 1 MiB and what fits the socket
		big[0] = byte(i >> 8)
		m.host.Datagram(m.key, 53, 7, "", big)
	}
	got := 0
	buf := make([]byte, len(big))
	for {
		k, _, err := slow.ReadFrom(buf)
		if err != nil {
			t.Fatalf("after %d datagrams: %v", got, err)
		}
		if string(buf[:k]) == "fresh" { // the first for which there was room again, behind all that waited
			break
		}
		if got++; k != len(big) {
			t.Fatalf("%d bytes came", k)
		}
		m.host.Datagram(m.key, 53, 7, "", []byte("fresh"))
	}
	if got < 50 || got > 5_000 {
		t.Errorf("%d of 10000 datagrams waited", got)
	}
}

func TestPacketConnCloseWakesReader(t *testing.T) {
	c, m, _ := start(t)
	for name, client := range map[string]*app.Client{"socket": c, "process": app.NewClient(m.host.Connect)} {
		port := app.Port(len(name))
		p := bind(t, client, port)
		read := make(chan error, 1)
		go func() {
			_, _, err := p.ReadFrom(make([]byte, 10))
			read <- err
		}()
		time.Sleep(10 * time.Millisecond) // most likely it reads by now; if not, it is told the same
		if err := p.Close(); err != nil {
			t.Errorf("%s: closing: %v", name, err)
		}
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: reading: %v", name, err)
		}
		if _, err := p.WriteTo(nil, app.Addr{Key: m.key, Port: 1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: writing: %v", name, err)
		}
		for { // the port is free again, in a moment
			p, err := client.ListenPacket(within(t), port)
			if err == nil {
				p.Close()
				break
			}
			if !errors.Is(err, &app.Refused{Code: wire.CodeBusy}) {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func TestHostileDatagrams(t *testing.T) {
	c, m, addr := start(t)
	for name, body := range map[string][]byte{
		"short": {2, 3}, "bad key": make([]byte, 40), "not a key": bytes.Repeat([]byte{0xff}, 40),
	} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		nc.Write(app.AppendFrame(nil, app.ListenPacket, app.Request{Kind: app.ListenPacket}.AppendBody(nil)))
		r := app.NewReader(nc)
		if k, _, err := r.Next(); k != app.OK || err != nil {
			t.Fatalf("answer %d, %v", k, err)
		}
		nc.Write(app.AppendFrame(nil, app.Datagram, body))
		if k, _, err := r.Next(); k != app.Err || err != nil {
			t.Errorf("%s: answer %d, %v", name, k, err)
		}
		if _, _, err := r.Next(); err == nil || isTimeout(err) {
			t.Errorf("%s: the connection goes on: %v", name, err)
		}
		nc.Close()
	}
	m.host.Datagram(m.key, 53, 7, "", make([]byte, 1<<20))
	if _, err := c.Node(within(t)); err != nil {
		t.Error("after that:", err)
	}
}

func TestAppsInTheProcess(t *testing.T) {
	_, m, _ := start(t)
	c := app.NewClient(m.host.Connect)
	ctx := within(t)
	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(ctx); err == nil {
			conn.Confirm()
			conn.WriteTo(conn)
			conn.Close()
		}
	}()
	conn, err := c.Dial(ctx, m.key, 7, app.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	want := bytes.Repeat([]byte("mesh"), 100_000)
	go func() {
		conn.Write(want)
		conn.CloseWrite()
	}()
	var got bytes.Buffer
	if _, err := conn.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d of %d bytes came back, %v", got.Len(), len(want), err)
	}
}
