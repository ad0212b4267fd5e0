package messenger_test

import (
	"io"
	"testing"
	"time"
)

// BenchmarkCircuit moves bytes over one circuit; all three ends are in this process.
func BenchmarkCircuit(b *testing.B) {
	s := newServer(b, nil)
	x, y := newClient(b, nil, s), newClient(b, nil, s)
	nc := x.dial(b, y.key.Public())
	far, err := y.ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	got := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, far)
		got <- n
	}()
	buf := make([]byte, 128<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	nc.Close()
	far.Close()
	<-got
}

// BenchmarkCircuitRoundTrip is what an echo of 64 bytes takes through the messenger.
func BenchmarkCircuitRoundTrip(b *testing.B) {
	s := newServer(b, nil)
	x, y := newClient(b, nil, s), newClient(b, nil, s)
	go y.echo()
	nc := x.dial(b, y.key.Public())
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 64)
	for b.Loop() {
		nc.Write(buf)
		if _, err := io.ReadFull(nc, buf); err != nil {
			b.Fatal(err)
		}
	}
}
