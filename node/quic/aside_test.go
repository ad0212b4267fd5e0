package quic

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
)

// samples are one aside of each kind.
func samples() []aside {
	nonce := Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	return []aside{
		{head: headAsk, nonce: nonce},
		{head: headAnswer, nonce: nonce, seen: netip.MustParseAddrPort("192.0.2.7:5000")},
		{head: headAnswer, nonce: nonce, seen: netip.MustParseAddrPort("[2001:db8::1]:65535")},
		{head: headPunch, nonce: nonce},
		{head: headHit, nonce: nonce},
	}
}

func TestAsideBytes(t *testing.T) {
	zero := hex.EncodeToString(make([]byte, 40))
	for i, want := range []string{
		"01736b797365656e000102030405060708090a0b0c0d0e0f" + zero,
		"02736b797365656e000102030405060708090a0b0c0d0e0f" + "00010203040506070809f5f4cc0d0c08" + "1389",
		"02736b797365656e000102030405060708090a0b0c0d0e0f" + "20000fbb0405060708090a0b0c0d0e0e" + "fffe",
		"03736b7970756e63000102030405060708090a0b0c0d0e0f",
		"04736b7970756e63000102030405060708090a0b0c0d0e0f",
	} {
		a := samples()[i]
		b := a.append(nil)
		if hex.EncodeToString(b) != want {
			t.Errorf("%d: %x, want %s", i, b, want)
		}
		if b[0]&0xc0 != 0 {
			t.Errorf("%d may be QUIC's", i)
		}
		if got, ok := parseAside(b); !ok || got != a {
			t.Errorf("%d: %+v, %t", i, got, ok)
		}
		for n := range b {
			if _, ok := parseAside(b[:n]); ok && n != punchLen {
				t.Errorf("%d: %d of %d bytes are taken", i, n, len(b))
			}
		}
		if _, ok := parseAside(append(b, 0)); ok {
			t.Errorf("%d: a byte more is taken", i)
		}
	}
	if answerLen >= askLen {
		t.Error("an answer is longer than its question")
	}
}

func FuzzAside(f *testing.F) {
	for _, a := range samples() {
		f.Add(a.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := parseAside(b); ok && a.head != headAnswer && !bytes.Equal(a.append(nil), b) {
			t.Errorf("%x parses to %+v", b, a)
		}
	})
}
