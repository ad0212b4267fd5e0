package wire

import (
	"bytes"
	"testing"
)

func TestRecordGolden(t *testing.T) {
	b := make([]byte, LenLen+HeaderLen)
	PutLen(b, 0x010203)
	PutHeader(b[LenLen:], Datagram, Congested|0x40, 0x0a0b0c0d)
	want := []byte{1, 2, 3, 0xc2, 0x0a, 0x0b, 0x0c, 0x0d}
	if !bytes.Equal(b, want) {
		t.Errorf("bytes %x, want %x", b, want)
	}
	typ, flags, route, payload := ParseHeader(append(b[LenLen:], "payload"...))
	if typ != Datagram || flags != Congested|0x40 || route != 0x0a0b0c0d || string(payload) != "payload" {
		t.Errorf("ParseHeader = %v, %x, %v, %q", typ, flags, route, payload)
	}
}

func TestLenLimits(t *testing.T) {
	for _, tt := range []struct {
		n  int
		ok bool
	}{{0, false}, {MinSealed - 1, false}, {MinSealed, true}, {MaxSealed, true}, {MaxSealed + 1, false}, {1<<24 - 1, false}} {
		var b [LenLen]byte
		PutLen(b[:], tt.n)
		if n, ok := Len(b[:]); n != tt.n || ok != tt.ok {
			t.Errorf("Len of %d = %d, %v, want %v", tt.n, n, ok, tt.ok)
		}
	}
	if Overhead != 24 || MaxRecord != MaxPayload+Overhead {
		t.Errorf("overhead %d, longest record %d", Overhead, MaxRecord)
	}
}

func FuzzRecordHeader(f *testing.F) {
	b := make([]byte, LenLen+HeaderLen, 32)
	PutLen(b, MinSealed)
	PutHeader(b[LenLen:], Data, Congested, 7)
	f.Add(b)
	f.Add(append(b, "payload"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < LenLen+HeaderLen {
			return
		}
		n, ok := Len(b)
		if ok != (n >= MinSealed && n <= MaxSealed) {
			t.Fatalf("Len = %d, %v", n, ok)
		}
		typ, flags, route, payload := ParseHeader(b[LenLen:])
		again := make([]byte, LenLen+HeaderLen)
		PutLen(again, n)
		PutHeader(again[LenLen:], typ, flags, route)
		if again = append(again, payload...); !bytes.Equal(again, b) {
			t.Fatalf("read %x, put gives %x", b, again)
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	rec := make([]byte, LenLen+HeaderLen+64)
	b.ReportAllocs()
	for b.Loop() {
		PutLen(rec, MinSealed+64)
		PutHeader(rec[LenLen:], Data, 0, 9)
		_, _ = Len(rec)
		_, _, _, _ = ParseHeader(rec[LenLen:])
	}
}
