package portmap

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testNonce  = nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	testPublic = netip.MustParseAddr("203.0.113.9")
)

// answerPCP is what a router says to a MAP request.
func answerPCP(request []byte, code byte, external uint16, life uint32) []byte {
	b := append([]byte(nil), request...)
	b[1] |= answerBit
	b[3] = code
	binary.BigEndian.PutUint32(b[4:], life)
	binary.BigEndian.PutUint16(b[pcpHeadLen+18:], external)
	ip := testPublic.As16()
	copy(b[pcpHeadLen+20:], ip[:])
	return b
}

func TestRequests(t *testing.T) {
	from := netip.MustParseAddr("192.168.1.2")
	for what, got := range map[string][]byte{
		"0201000000000e10" + "00000000000000000000ffffc0a80102" + "0102030405060708090a0b0c" + "11000000" + "13881388" + "00000000000000000000ffff00000000": appendPCP(nil, from, testNonce, 5000, time.Hour),
		"0000":                     appendPMPAddr(nil),
		"000100001388138800000e10": appendPMP(nil, 5000, time.Hour),
	} {
		if hex.EncodeToString(got) != what {
			t.Errorf("%x, want %s", got, what)
		}
	}
}

func TestAnswers(t *testing.T) {
	request := appendPCP(nil, netip.MustParseAddr("192.168.1.2"), testNonce, 5000, time.Hour)
	good := answerPCP(request, 0, 6000, 3600)
	m, ours, err := parsePCP(good, testNonce, 5000)
	if err != nil || !ours || m.External.String() != "203.0.113.9:6000" || m.Life != time.Hour {
		t.Errorf("%+v, %t, %v", m, ours, err)
	}
	for n := range good {
		if _, ours, err := parsePCP(good[:n], testNonce, 5000); ours && err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
	if _, ours, _ := parsePCP(good, nonce{}, 5000); ours {
		t.Error("another nonce is ours")
	}
	if _, ours, _ := parsePCP(request, testNonce, 5000); ours {
		t.Error("the request is an answer")
	}
	if _, ours, err := parsePCP(answerPCP(request, 2, 0, 0), testNonce, 5000); !ours || !errors.As(err, &refused{}) {
		t.Errorf("refused: %t, %v", ours, err)
	}
	if _, ours, err := parsePCP([]byte{0, 0x81, 0, 1, 0, 0, 0, 0}, testNonce, 5000); !ours || !errors.Is(err, errVersion) {
		t.Errorf("the answer of a router that knows NAT-PMP only: %t, %v", ours, err)
	}
	if ip, ours, err := parsePMPAddr([]byte{0, 0x80, 0, 0, 0, 0, 0, 1, 203, 0, 113, 9}); err != nil || !ours || ip != testPublic {
		t.Errorf("%v, %t, %v", ip, ours, err)
	}
	port, life, ours, err := parsePMP([]byte{0, 0x81, 0, 0, 0, 0, 0, 1, 0x13, 0x88, 0x17, 0x70, 0, 0, 0, 60}, 5000)
	if err != nil || !ours || port != 6000 || life != time.Minute {
		t.Errorf("%d, %v, %t, %v", port, life, ours, err)
	}
	if _, _, ours, err := parsePMP([]byte{0, 0x81, 0, 2}, 5000); !ours || !errors.As(err, &refused{}) {
		t.Errorf("refused: %t, %v", ours, err)
	}
}

// router answers as told; its address is on loopback.
func router(t *testing.T, answer func(b []byte) []byte) netip.AddrPort {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { pc.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := answer(buf[:n]); a != nil {
				pc.WriteTo([]byte("noise"), from)
				pc.WriteTo(a, from)
			}
		}
	}()
	return netip.MustParseAddrPort(pc.LocalAddr().String())
}

func TestAskPCP(t *testing.T) {
	at := router(t, func(b []byte) []byte {
		if b[0] != versionPCP {
			return nil
		}
		return answerPCP(b, 0, 6000, 7200)
	})
	m, err := Ask(t.Context(), at, 5000, time.Hour)
	if err != nil || m.External.String() != "203.0.113.9:6000" || m.Protocol != "PCP" || m.Renew() != time.Hour {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAskNATPMP(t *testing.T) {
	at := router(t, func(b []byte) []byte {
		switch {
		case b[0] != versionPMP:
			return []byte{0, 0x80 | b[1], 0, 1, 0, 0, 0, 1}
		case b[1] == opAnnounce:
			return []byte{0, 0x80, 0, 0, 0, 0, 0, 1, 203, 0, 113, 9}
		default:
			return append([]byte{0, 0x81, 0, 0, 0, 0, 0, 1, b[4], b[5], 0x17, 0x70}, b[8:12]...)
		}
	})
	m, err := Ask(t.Context(), at, 5000, time.Hour)
	if err != nil || m.External.String() != "203.0.113.9:6000" || m.Protocol != "NAT-PMP" || m.Life != time.Hour {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAskNobody(t *testing.T) {
	at := router(t, func([]byte) []byte { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, at, 5000, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestAskTooLate: whenever the time is over, the error says so.
func TestAskTooLate(t *testing.T) {
	nc, err := net.Dial("udp", router(t, func([]byte) []byte { return nil }).String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	nc.SetDeadline(time.Unix(1, 0)) // as Ask does when ctx ends, here before the first word
	if err := (asker{ctx, nc}).ask([]byte{0}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(answerPCP(appendPCP(nil, testPublic, testNonce, 5000, time.Hour), 0, 6000, 3600))
	f.Add([]byte{0, 0x80, 0, 0, 0, 0, 0, 1, 203, 0, 113, 9})
	f.Add([]byte{0, 0x81, 0, 0, 0, 0, 0, 1, 0x13, 0x88, 0x17, 0x70, 0, 0, 0, 60})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ours, err := parsePCP(b, testNonce, 5000); ours && err == nil && (m.External.Port() == 0 || m.Life <= 0 || m.Life > maxLife) {
			t.Errorf("%x: %+v", b, m)
		}
		parsePMPAddr(b)
		parsePMP(b, 5000)
	})
}
