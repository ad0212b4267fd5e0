package messenger_test

import (
	"io"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger"
	room "github.com/skycoin/viscript/messenger/relay"
	"github.com/skycoin/viscript/node/relay"
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

// BenchmarkLookup asks for records from 8 clients without quotas, hundreds at a time; all ends are in this process. Who asks does
// not verify the answers.
func BenchmarkLookup(b *testing.B) {
	s := newServer(b, func(c *messenger.Config) {
		c.Quota = room.Quota{Requests: 1e9, RequestsBurst: 1e9, PrefixRequests: 1e9}
	})
	c := newClient(b, nil, s)
	eventually(b, "the record", func() bool { return len(s.m.Records()) == 2 })
	var all []*raw
	for range 8 {
		all = append(all, newRaw(b, s))
	}
	key := c.key.Public()
	i := 0
	wait := func() {
		eventually(b, "the answers", func() bool {
			n := 0
			for _, x := range all {
				n += x.kind(relay.KindLookup | relay.AnswerBit)
			}
			return n == i
		})
	}
	for b.Loop() {
		all[i%8].ask(uint32(i+1), relay.KindLookup, key[:])
		if i++; i%2000 == 0 {
			wait()
		}
	}
	wait()
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "lookups/s")
}

// BenchmarkFind asks who offers a service.
func BenchmarkFind(b *testing.B) {
	s := newServer(b, func(c *messenger.Config) {
		c.Quota = room.Quota{Requests: 1e9, RequestsBurst: 1e9, PrefixRequests: 1e9}
	})
	c := newClient(b, func(c *relay.Config) {
		c.Self = func() relay.Record {
			return relay.Record{Services: []relay.Service{{Type: "socks-server", Name: "exit", Port: 1080}}}
		}
	}, s)
	eventually(b, "the record", func() bool { return len(s.m.Records()) == 2 })
	for b.Loop() {
		if _, err := c.Find(b.Context(), relay.Query{Type: "socks-server", Limit: relay.MaxFound}); err != nil {
			b.Fatal(err)
		}
	}
}
