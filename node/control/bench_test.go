package control

import (
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// manyLinks is a report of n links to different peers.
func manyLinks(t testing.TB, n int) Report {
	m := Report{Node: testNode(t)}
	for range n {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		m.Links = append(m.Links, LinkReport{Peer: k.Public(), RTT: time.Millisecond, Up: testTime, Carrier: "tcp"})
	}
	return m
}

func BenchmarkParseReport(b *testing.B) {
	body := manyLinks(b, MaxLinks).Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseReport(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHop(b *testing.B) {
	k, h := testKey(b, 9), testHop(b)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			h = SignHop(k, "net", h)
		}
	})
	body := h.Append(nil)
	b.Run("parse and verify", func(b *testing.B) {
		for b.Loop() {
			got, err := ParseHop(body)
			if err != nil || got.Verify("net", k.Public()) != nil {
				b.Fatal(err)
			}
		}
	})
}
