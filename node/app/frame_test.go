package app

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

func testKey(t testing.TB) identity.PubKey {
	k, err := identity.FromSecret(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

func requests(t testing.TB) []Request {
	k := testKey(t)
	return []Request{
		{Kind: Dial, Key: k, Port: 1080, Target: "example.test:80", First: []byte("GET /")},
		{Kind: Listen, Port: 7, Name: "echo", Type: "echo"},
		{Kind: Accept, ID: 1 << 40},
		{Kind: Find, Name: "exit", Type: "socks-server"},
		{Kind: Find, Key: k},
		{Kind: Info},
		{Kind: ListenPacket, Port: 53},
		{Kind: Resolve, Name: "node0.mysterious.network"},
		{Kind: Over, Routes: route.Terms{MinHops: 2, MaxHops: 4, Via: []identity.PubKey{k}}},
		{Kind: Over, Routes: route.Terms{Avoid: []identity.PubKey{k}}},
		{Kind: Carry},
		{Kind: ListenCarry, Port: 7, Name: "exit", Type: "socks-server"},
	}
}

func TestRequestsRoundTrip(t *testing.T) {
	for _, q := range requests(t) {
		b := q.AppendBody(nil)
		got, err := ParseRequest(q.Kind, b)
		if err != nil || !bytes.Equal(got.AppendBody(nil), b) {
			t.Errorf("%+v came back as %+v, %v", q, got, err)
		}
		fixed := len(b) - len(q.First) // every shorter prefix breaks a field
		for n := range fixed {
			if _, err := ParseRequest(q.Kind, b[:n]); !errors.Is(err, ErrFrame) {
				t.Errorf("kind %d: %d of %d bytes were taken: %v", q.Kind, n, len(b), err)
			}
		}
	}
	if _, err := ParseRequest(Info, []byte{Version + 1}); err == nil {
		t.Error("another version was taken")
	}
	if _, err := ParseRequest(Info, []byte{Version, 0}); err == nil {
		t.Error("bytes left over were taken")
	}
	long := Request{Kind: Dial, Key: testKey(t), First: make([]byte, MaxFirst+1)}
	if _, err := ParseRequest(Dial, long.AppendBody(nil)); err == nil {
		t.Error("first data beyond the limit was taken")
	}
}

func TestGoldenFrames(t *testing.T) {
	got := hex.EncodeToString(AppendFrame(nil, Listen, Request{Kind: Listen, Port: 7, Name: "echo", Type: "t"}.AppendBody(nil)))
	if want := "0200000c" + "01" + "0007" + "0004" + "6563686f" + "0001" + "74"; got != want {
		t.Errorf("LISTEN is %s, want %s", got, want)
	}
	over := Request{Kind: ListenPacket, Port: 53, Routes: route.Terms{MinHops: 2, MaxHops: 2, Avoid: []identity.PubKey{testKey(t)}}}
	if got, want := hex.EncodeToString(over.AppendFrames(nil)), "09000026"+"01"+"0202"+"00"+"01"+testKey(t).String()+"07000003"+"01"+"0035"; got != want {
		t.Errorf("OVER and LISTENPACKET are %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(AppendFrame(nil, Fin, nil)), "21000000"; got != want {
		t.Errorf("FIN is %s, want %s", got, want)
	}
}

func TestReaderSplitsAndLimits(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 100, 4092, 4093, 9000, MaxBody, 3, MaxBody - 1}
	for i, n := range sizes {
		stream = AppendFrame(stream, Data, bytes.Repeat([]byte{byte(i)}, n))
	}
	for name, src := range map[string]io.Reader{
		"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves": iotest.HalfReader(bytes.NewReader(stream)), "error with data": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := NewReader(src)
		for i, n := range sizes {
			k, body, err := r.Next()
			if err != nil || k != Data || len(body) != n || n > 0 && body[n-1] != byte(i) {
				t.Fatalf("%s: frame %d: kind %d, %d bytes, %v", name, i, k, len(body), err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: after the last frame: %v", name, err)
		}
	}
	for n := 1; n < 300; n++ {
		r := NewReader(bytes.NewReader(stream[4+5+104 : 4+5+104+n])) // within the fourth frame
		if _, _, err := r.Next(); err != io.ErrUnexpectedEOF {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
	if _, _, err := NewReader(bytes.NewReader([]byte{32, 0xff, 0xff, 0xff})).Next(); !errors.Is(err, ErrFrame) {
		t.Errorf("16 MiB: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	k := testKey(t)
	apps := []App{{Name: "a", Type: "b", Node: k, Port: 3}, {Name: "c", Type: "d", Node: k, Port: 4}}
	b := AppendApps(nil, apps)
	if got, err := ParseApps(b); err != nil || len(got) != 2 || got[1] != apps[1] {
		t.Errorf("apps: %+v, %v", got, err)
	}
	for n := range b {
		if _, err := ParseApps(b[:n]); err == nil {
			t.Errorf("%d of %d bytes of APPS were taken", n, len(b))
		}
	}
	if _, err := ParseApps([]byte{0xff, 0xff}); err == nil {
		t.Error("65535 apps in two bytes were taken")
	}
	p := Packet{Key: k, Port: 53, Data: []byte("x")}
	if got, err := ParsePacket(AppendPacket(nil, p)); err != nil || got.Key != k || got.Port != 53 || string(got.Data) != "x" {
		t.Errorf("packet: %+v, %v", got, err)
	}
	for n := range packetHeader {
		if _, err := ParsePacket(AppendPacket(nil, p)[:n]); !errors.Is(err, ErrFrame) {
			t.Errorf("%d bytes of DATAGRAM were taken: %v", n, err)
		}
	}
	if got, want := hex.EncodeToString(AppendFrame(nil, Datagram, AppendPacket(nil, p))), "31000024"+k.String()+"0035"+"78"; got != want {
		t.Errorf("DATAGRAM is %s, want %s", got, want)
	}
	n := NodeInfo{Key: k, Name: "node0", Ports: []Port{1, 2}}
	if got, err := ParseNode(AppendNode(nil, n)); err != nil || got.Name != n.Name || got.Key != k || len(got.Ports) != 2 {
		t.Errorf("node: %+v, %v", got, err)
	}
	if e := ParseErr([]byte{0, 5, 0, 2, 'n', 'o'}); e.Code != wire.CodeDenied || e.Text != "no" {
		t.Errorf("err: %+v", e)
	}
	if e := ParseErr([]byte{1}); e.Code != wire.CodeInternal {
		t.Errorf("malformed err: %+v", e)
	}
}

func FuzzRequest(f *testing.F) {
	for _, q := range requests(f) {
		f.Add(byte(q.Kind), q.AppendBody(nil))
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		q, err := ParseRequest(Kind(kind), b)
		if err == nil && !bytes.Equal(q.AppendBody(nil), b) {
			t.Errorf("%x is a second encoding of %+v", b, q)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(AppendApps(nil, []App{{Name: "a", Type: "b", Node: testKey(f), Port: 3}}))
	f.Add(AppendNode(nil, NodeInfo{Key: testKey(f), Name: "n", Ports: []Port{9}}))
	f.Add(AppendIncoming(nil, 1, testKey(f), "x:1"))
	f.Add(AppendPacket(nil, Packet{Key: testKey(f), Port: 53, Data: []byte("x")}))
	f.Add(AppendFrame(nil, Data, []byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseApps(b)
		ParseNode(b)
		ParseIncoming(b)
		if p, err := ParsePacket(b); err == nil && !bytes.Equal(AppendPacket(nil, p), b) {
			t.Errorf("%x is a second encoding of a packet", b)
		}
		ParseErr(b)
		for r := NewReader(bytes.NewReader(b)); ; {
			if _, _, err := r.Next(); err != nil {
				break
			}
		}
	})
}

func TestParseAddr(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:15000": true, "localhost:1": true, ":15000": true, "[::1]:9": true, "0.0.0.0:9": true,
		"198.51.100.7:9000": false, "127.0.0.1": false, "127.0.0.1:0": false, "127.0.0.1:x": false, "127.0.0.1:70000": false, "": false,
		"example.test:9000": false,
	} {
		if _, err := ParseAddr(addr); (err == nil) != ok {
			t.Errorf("%q: %v, want ok %t", addr, err, ok)
		}
	}
}
