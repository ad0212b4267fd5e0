//go:build linux

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/quic"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/websocket"
	"github.com/skycoin/viscript/node/wire"
)

// tally is a link.Receiver that counts bytes.
type tally struct{ got *atomic.Int64 }

func (c tally) Record(rec []byte) { c.got.Add(int64(len(rec))) }
func (tally) Flush()              {}
func (tally) Closed(error)        {}

// station runs the links of one node over a carrier at a free port.
func station(b *testing.B, c link.Carrier, got *atomic.Int64) (*link.Neighbours, identity.PubKey) {
	b.Helper()
	key, err := identity.Generate()
	if err != nil {
		b.Fatal(err)
	}
	n, err := link.Listen(b.Context(), link.Config{Key: key, Carrier: c, Listen: "127.0.0.1:0", Receive: func(*link.Link) link.Receiver { return tally{got} }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	return n, key.Public()
}

// processTime is what this process has used.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCarrier sends records of 16 KiB over one link on loopback, both ends in this process.
func BenchmarkCarrier(b *testing.B) {
	for name, c := range map[string]struct {
		scheme string
		make   func() link.Carrier
	}{
		"tcp":       {"", func() link.Carrier { return link.TCP{} }},
		"quic":      {quic.Scheme, func() link.Carrier { return quic.New(quic.Config{}) }},
		"websocket": {websocket.Scheme, func() link.Carrier { return websocket.New(websocket.Config{}) }},
	} {
		b.Run(name, func(b *testing.B) {
			var got atomic.Int64
			near, _ := station(b, c.make(), &got)
			far, key := station(b, c.make(), &got)
			near.AddPeer(secure.Addr{Key: key, HostPort: c.scheme + far.Addr().String()})
			var l *link.Link
			eventuallyTrue(b, "a link", func() error {
				if l = near.Link(key); l == nil {
					return fmt.Errorf("%+v", near.Peers())
				}
				return nil
			})
			rec := make([]byte, wire.LenLen+wire.HeaderLen+16<<10+wire.TagLen)
			b.SetBytes(int64(len(rec)))
			used := processTime(b)
			for b.Loop() {
				wire.PutLen(rec, len(rec)-wire.LenLen)
				wire.PutHeader(rec[wire.LenLen:], wire.Data, 0, 1)
				for l.Queued() > 2<<20 {
					time.Sleep(200 * time.Microsecond)
				}
				l.Send(rec)
			}
			for want := int64(b.N) * int64(len(rec)); got.Load() < want && l.Err() == nil; {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric((processTime(b)-used).Seconds()/(float64(b.N)*float64(len(rec))/1e9), "cpu-s/GB")
		})
	}
}
