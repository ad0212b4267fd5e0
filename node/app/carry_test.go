package app

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func carryDial(t testing.TB) CarryDialing {
	return CarryDialing{ID: 5, Hello: []byte("hi"), Dial: Request{Kind: Dial, Key: testKey(t), Port: 1080, Target: "t:80", First: []byte("GET")}}
}

// carryWords is one word of each kind.
func carryWords() map[Kind]CarryWord {
	sum := Tally{Up: 1, Down: 2, Code: CodeGone}
	return map[Kind]CarryWord{
		CarryOn: {ID: 1}, CarryEnd: {ID: 2, Code: CodeDenied}, Carrying: {ID: 3}, CarryCount: {ID: 4, Tally: sum},
		CarryDone: {ID: 5, Tally: sum, Text: "gone"},
	}
}

func TestCarryWordsRoundTrip(t *testing.T) {
	for k, w := range carryWords() {
		b := AppendCarryWord(nil, k, w)
		if got, err := ParseCarryWord(k, b); err != nil || got != w {
			t.Errorf("kind %d: %+v came back as %+v, %v", k, w, got, err)
		}
		for n := range b {
			if _, err := ParseCarryWord(k, b[:n]); !errors.Is(err, ErrFrame) {
				t.Errorf("kind %d: %d of %d bytes were taken: %v", k, n, len(b), err)
			}
		}
		if _, err := ParseCarryWord(k, append(b, 0)); !errors.Is(err, ErrFrame) {
			t.Errorf("kind %d: a byte left over was taken: %v", k, err)
		}
	}
	if _, err := ParseCarryWord(Data, make([]byte, 8)); !errors.Is(err, ErrFrame) {
		t.Errorf("another kind was taken: %v", err)
	}
	d := carryDial(t)
	b := AppendCarryDial(nil, d)
	got, err := ParseCarryDial(b)
	if err != nil || got.ID != d.ID || string(got.Hello) != "hi" || got.Dial.Target != "t:80" || string(got.Dial.First) != "GET" {
		t.Errorf("%+v came back as %+v, %v", d, got, err)
	}
	for n := range len(b) - len(d.Dial.First) {
		if _, err := ParseCarryDial(b[:n]); !errors.Is(err, ErrFrame) {
			t.Errorf("%d of %d bytes of CARRYDIAL were taken: %v", n, len(b), err)
		}
	}
	d.Hello = make([]byte, MaxHello+1)
	if _, err := ParseCarryDial(AppendCarryDial(nil, d)); !errors.Is(err, ErrFrame) {
		t.Errorf("a hello beyond the limit was taken: %v", err)
	}
}

func TestGoldenCarry(t *testing.T) {
	for k, want := range map[Kind]string{
		CarryOn:    "38000008" + "0000000000000001",
		CarryEnd:   "3900000a" + "0000000000000002" + "0005",
		Carrying:   "3a000008" + "0000000000000003",
		CarryCount: "3b00001a" + "0000000000000004" + "0000000000000001" + "0000000000000002" + "GONE",
		CarryDone:  "3c000020" + "0000000000000005" + "0000000000000001" + "0000000000000002" + "GONE" + "0004" + "676f6e65",
	} {
		w := carryWords()[k]
		want = string(bytes.ReplaceAll([]byte(want), []byte("GONE"), hexCode(CodeGone)))
		if got := hex.EncodeToString(AppendFrame(nil, k, AppendCarryWord(nil, k, w))); got != want {
			t.Errorf("kind %d is %s, want %s", k, got, want)
		}
	}
	want := "37000039" + "0000000000000005" + "0002" + "6869" + "01" + testKey(t).String() + "0438" + "0004" + "743a3830" + "474554"
	if got := hex.EncodeToString(AppendFrame(nil, CarryDial, AppendCarryDial(nil, carryDial(t)))); got != want {
		t.Errorf("CARRYDIAL is %s, want %s", got, want)
	}
}

func hexCode(c Code) []byte { return hex.AppendEncode(nil, []byte{byte(c >> 8), byte(c)}) }

func FuzzCarry(f *testing.F) {
	for k, w := range carryWords() {
		f.Add(byte(k), AppendCarryWord(nil, k, w))
	}
	f.Add(byte(CarryDial), AppendCarryDial(nil, carryDial(f)))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		if w, err := ParseCarryWord(Kind(kind), b); err == nil && !bytes.Equal(AppendCarryWord(nil, Kind(kind), w), b) {
			t.Errorf("%x is a second encoding of %+v", b, w)
		}
		if d, err := ParseCarryDial(b); err == nil && !bytes.Equal(AppendCarryDial(nil, d), b) {
			t.Errorf("%x is a second encoding of %+v", b, d)
		}
	})
}
