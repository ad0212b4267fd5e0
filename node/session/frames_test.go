package session

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/wire"
)

// golden are the frames' bytes as doc.go specifies them.
var golden = []struct {
	name    string
	f       frame
	control bool
	hex     string
}{
	{"open", frame{kind: frameOpen, sid: 1, port: 1080, credit: 262144, data: []byte("a:80")}, false, "01000000010438000400000004613a3830"},
	{"opened", frame{kind: frameOpened, sid: 1, credit: 16384}, false, "020000000100004000"},
	{"data", frame{kind: frameData, sid: 0xa0b0c0d0, data: []byte("hi")}, false, "03a0b0c0d000026869"},
	{"fin", frame{kind: frameFin, sid: 7}, false, "0400000007"},
	{"ack", frame{kind: frameAck, a: 3, b: 70000, ce: 5}, true, "10000000000000000300000000000111700000000000000005"},
	{"credit", frame{kind: frameCredit, sid: 9, a: 1 << 33}, true, "11000000090000000200000000"},
	{"ping", frame{kind: framePing, a: 255}, true, "1200000000000000ff"},
	{"pong", frame{kind: framePong, a: 255}, true, "1300000000000000ff"},
	{"reset", frame{kind: frameReset, sid: 2, code: wire.CodeDenied}, true, "14000000020005"},
	{"reset ack", frame{kind: frameResetAck, sid: 2}, true, "1500000002"},
	{"resume", frame{kind: frameResume, a: 2, b: 9}, true, "1600000000000000020000000000000009"},
	{"join", frame{kind: frameJoin, route: forward.Key{1, 15: 2}, a: 255}, true, "170100000000000000000000000000000200000000000000ff"},
	{"close", frame{kind: frameClose, code: wire.CodeGone}, true, "18000b"},
	{"apart", frame{kind: frameApart}, true, "19"},
}

func TestFrameGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			b := appendFrame(nil, g.f)
			if hex.EncodeToString(b) != g.hex {
				t.Fatalf("bytes %x, want %s", b, g.hex)
			}
			r := wire.NewReader(b)
			f, err := parseFrame(r, g.control)
			if err != nil || r.Done() != nil || !bytes.Equal(appendFrame(nil, f), b) {
				t.Fatalf("parsed %+v, %v", f, err)
			}
			if _, err := parseFrame(wire.NewReader(b), !g.control); err == nil {
				t.Error("the frame was taken in the wrong kind of record")
			}
			for n := range b {
				if _, err := parseFrame(wire.NewReader(b[:n]), g.control); err == nil {
					t.Errorf("the first %d bytes were taken for a whole frame", n)
				}
			}
		})
	}
}

func TestFrameLimits(t *testing.T) {
	for name, f := range map[string]frame{
		"target": {kind: frameOpen, data: make([]byte, maxTarget+1)},
		"data":   {kind: frameData, data: make([]byte, maxData+1)},
		"kind":   {kind: 9},
	} {
		if _, err := parseFrame(wire.NewReader(appendFrame(nil, f)), false); err == nil {
			t.Errorf("a frame beyond the limit of its %s was taken", name)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, g := range golden {
		f.Add(appendFrame(nil, g.f), g.control)
	}
	f.Fuzz(func(t *testing.T, b []byte, control bool) {
		for r := wire.NewReader(b); r.Len() > 0; {
			before := r.Len()
			fr, err := parseFrame(r, control)
			if err != nil {
				return
			}
			if again := appendFrame(nil, fr); !bytes.Equal(again, b[len(b)-before:len(b)-r.Len()]) {
				t.Fatalf("%x is another encoding of %x", b, again)
			}
		}
	})
}

func TestBuffer(t *testing.T) {
	var q buffer
	var want bytes.Buffer
	for i := range 200 {
		piece := bytes.Repeat([]byte{byte(i)}, i*i%9000)
		q.write(piece)
		want.Write(piece)
		if i%3 == 0 {
			got, exp := make([]byte, i*37), make([]byte, i*37)
			n := q.read(got)
			m, _ := want.Read(exp[:n])
			if n != m || !bytes.Equal(got[:n], exp[:m]) {
				t.Fatalf("round %d: read %d bytes that differ", i, n)
			}
		}
		if i%7 == 0 && q.head != nil {
			c := q.take()
			exp := make([]byte, len(c.bytes()))
			want.Read(exp)
			if !bytes.Equal(c.bytes(), exp) {
				t.Fatalf("round %d: a chunk differs", i)
			}
			release(c)
		}
		if q.n != want.Len() {
			t.Fatalf("round %d: %d bytes held, want %d", i, q.n, want.Len())
		}
	}
	q.clear()
	if q.n != 0 || q.head != nil {
		t.Error("clear left something")
	}
}
