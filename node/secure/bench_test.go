package secure

import (
	"fmt"
	"net"
	"testing"
)

// BenchmarkHandshake is both sides in one goroutine: CPU per handshake.
func BenchmarkHandshake(b *testing.B) {
	x, y := newKey(b), newKey(b)
	b.ReportAllocs()
	for b.Loop() {
		i, r := pair(b, x, y)
		next(b, r, next(b, i, next(b, r, start(b, i))))
		if i.Result().Send != r.Result().Recv {
			b.Fatal("the ends disagree")
		}
	}
}

// BenchmarkRefuseMac is what a stranger without our key costs.
func BenchmarkRefuseMac(b *testing.B) {
	_, r := pair(b, newKey(b), newKey(b))
	msg := make([]byte, msg1Len)
	b.ReportAllocs()
	for b.Loop() {
		if r.authentic(msg) {
			b.Fatal("zeros are authentic")
		}
	}
}

// BenchmarkRefuseInside is what somebody with our key but a bad message 1 costs.
func BenchmarkRefuseInside(b *testing.B) {
	x, y := newKey(b), newKey(b)
	i, r := pair(b, x, y)
	msg := start(b, i)
	msg[100] ^= 1
	msg = remac(r, msg)
	b.ReportAllocs()
	for b.Loop() {
		_, r := pair(b, x, y)
		if _, _, err := r.Next(msg); err == nil {
			b.Fatal("taken")
		}
	}
}

var sizes = []int{1 << 10, 16 << 10, 64 << 10}

func BenchmarkSeal(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := NewSealer(testKey)
			buf := make([]byte, 3+size+Overhead)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.Seal(buf[3:3], buf[3:3+size], buf[:3])
			}
		})
	}
}

// BenchmarkOpen opens in place, so each round first copies the sealed bytes back.
func BenchmarkOpen(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			o := NewOpener(testKey)
			sealed := NewSealer(testKey).SealAt(7, nil, make([]byte, size), nil)
			buf := make([]byte, len(sealed))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, sealed)
				if _, err := o.OpenAt(7, buf[:0], buf, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConn is an echo of 256 bytes over TCP on loopback.
func BenchmarkConn(b *testing.B) {
	ra, rb := results(b)
	addr := listen(b, func(nc net.Conn) {
		c := NewConn(nc, rb)
		for {
			msg, err := c.ReadMsg()
			if err != nil {
				return
			}
			_ = c.WriteMsg(msg)
		}
	})
	c := NewConn(dial(b, addr), ra)
	msg := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.WriteMsg(msg); err != nil {
			b.Fatal(err)
		}
		if _, err := c.ReadMsg(); err != nil {
			b.Fatal(err)
		}
	}
}
