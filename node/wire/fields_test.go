package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

const (
	maxName = 16
	maxBlob = 300
	maxList = 5
)

// sample uses each field once, so that one round trip covers them all.
type sample struct {
	a      uint8
	flag   bool
	b      uint16
	c      uint32
	d      uint64
	fixed  [4]byte
	blob   []byte
	name   string
	list   []uint32
	key    identity.PubKey
	opt    identity.PubKey
	sig    identity.Sig
	suffix []byte
}

func (s sample) append(dst []byte) []byte {
	dst = AppendBool(append(dst, s.a), s.flag)
	dst = binary.BigEndian.AppendUint16(dst, s.b)
	dst = binary.BigEndian.AppendUint32(dst, s.c)
	dst = binary.BigEndian.AppendUint64(dst, s.d)
	dst = append(dst, s.fixed[:]...)
	dst = AppendString(AppendBytes(dst, s.blob), s.name)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.list)))
	for _, v := range s.list {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	dst = append(append(append(dst, s.key[:]...), s.opt[:]...), s.sig[:]...)
	return append(dst, s.suffix...)
}

func readSample(r *Reader) (s sample) {
	s.a, s.flag, s.b, s.c, s.d = r.U8(), r.Bool(), r.U16(), r.U32(), r.U64()
	r.Fixed(s.fixed[:])
	s.blob, s.name = r.Bytes(maxBlob), r.String(maxName)
	n := r.Count(maxList, 4)
	for range n {
		s.list = append(s.list, r.U32())
	}
	s.key, s.opt, s.sig = r.Key(), r.OptionalKey(), r.Sig()
	return s
}

func newSample(t testing.TB) sample {
	t.Helper()
	k, err := identity.FromSecret(bytes.Repeat([]byte{0x11}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sample{
		a: 7, flag: true, b: 0x0102, c: 0x03040506, d: 0x0708090a0b0c0d0e, fixed: [4]byte{1, 2, 3, 4},
		blob: []byte("blob"), name: "name", list: []uint32{1, 2}, key: k.Public(), sig: k.Sign("tag", nil),
	}
}

func TestFieldsGolden(t *testing.T) {
	s := newSample(t)
	got := hex.EncodeToString(s.append(nil))
	want := "07" + "01" + "0102" + "03040506" + "0708090a0b0c0d0e" + "01020304" +
		"0004" + hex.EncodeToString([]byte("blob")) + "0004" + hex.EncodeToString([]byte("name")) +
		"0002" + "0000000100000002" +
		"034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa" + strings.Repeat("00", 33) +
		hex.EncodeToString(s.sig[:])
	if got != want {
		t.Errorf("bytes\n%s, want\n%s", got, want)
	}
}

func TestFieldsRoundTripAndTruncation(t *testing.T) {
	s := newSample(t)
	b := s.append(nil)
	r := NewReader(b)
	back := readSample(r)
	if err := r.Done(); err != nil || !bytes.Equal(back.append(nil), b) {
		t.Fatalf("there and back: %+v, %v", back, err)
	}
	for n := range b {
		r := NewReader(b[:n:n])
		readSample(r)
		if err := r.Done(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d of %d bytes: %v, want ErrMalformed", n, len(b), err)
		}
	}
	r = NewReader(append(b, 0))
	readSample(r)
	if r.Err() != nil || r.Len() != 1 || !errors.Is(r.Done(), ErrMalformed) {
		t.Errorf("a byte too many: Err %v, Len %d", r.Err(), r.Len())
	}
}

func TestReaderRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		read func(*Reader)
	}{
		{"bool 2", []byte{2}, func(r *Reader) { r.Bool() }},
		{"bytes beyond the limit", AppendBytes(nil, make([]byte, 9)), func(r *Reader) { r.Bytes(8) }},
		{"bytes beyond the message", []byte{0, 9, 1}, func(r *Reader) { r.Bytes(100) }},
		{"string beyond the limit", AppendString(nil, "123456789"), func(r *Reader) { _ = r.String(8) }},
		{"count beyond the limit", []byte{0, 6, 0, 0, 0, 0, 0, 0}, func(r *Reader) { r.Count(5, 1) }},
		{"count beyond the message", []byte{0, 3, 0, 0, 0, 0, 0}, func(r *Reader) { r.Count(5, 2) }},
		{"count 65535", []byte{0xff, 0xff}, func(r *Reader) { r.Count(1<<16, 1<<10) }},
		{"key off the curve", bytes.Repeat([]byte{0xff}, 33), func(r *Reader) { r.Key() }},
		{"key that panics cipher", append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...), func(r *Reader) { r.Key() }},
		{"zero key", make([]byte, 33), func(r *Reader) { r.Key() }},
		{"optional key off the curve", append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...), func(r *Reader) { r.OptionalKey() }},
		{"short zero key", make([]byte, 32), func(r *Reader) { r.OptionalKey() }},
	}
	for _, tt := range tests {
		r := NewReader(tt.in)
		tt.read(r)
		if !errors.Is(r.Err(), ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", tt.name, r.Err())
		}
	}
}

func TestReaderFailureSticks(t *testing.T) {
	r := NewReader([]byte{2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	r.Bool()
	fixed := [2]byte{9, 9}
	r.Fixed(fixed[:])
	if r.U8() != 0 || r.U16() != 0 || r.U32() != 0 || r.U64() != 0 || r.Bool() || r.Len() != 0 ||
		len(r.Bytes(10)) != 0 || r.String(10) != "" || r.Count(10, 1) != 0 || len(r.Rest()) != 0 ||
		!r.Key().IsZero() || !r.OptionalKey().IsZero() || r.Sig() != (identity.Sig{}) || fixed != [2]byte{9, 9} {
		t.Error("a read after the failure returned something")
	}
	if !errors.Is(r.Done(), ErrMalformed) {
		t.Errorf("Done() = %v", r.Done())
	}
}

func TestReaderRestAndAliases(t *testing.T) {
	msg := append(AppendBytes(nil, []byte("ab")), "rest"...)
	r := NewReader(msg)
	head := r.Bytes(2)
	_ = append(head, 'X') // must not reach the bytes behind
	if rest := r.Rest(); string(rest) != "rest" || r.Done() != nil {
		t.Errorf("Rest() = %q, %v", rest, r.Done())
	}
	if err := NewReader(nil).Done(); err != nil {
		t.Errorf("Done of an empty message: %v", err)
	}
}

func TestReaderAllocates(t *testing.T) {
	s := newSample(t)
	s.list, s.name = nil, ""
	b := s.append(nil)
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	if n := testing.AllocsPerRun(100, func() {
		var r Reader
		r = Reader{b: huge}
		r.Bytes(1 << 16)
		r = Reader{b: huge}
		r.Count(1<<16, 1)
		r = Reader{b: b}
		r.U64()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzReader(f *testing.F) {
	s := newSample(f)
	f.Add(s.append(nil))
	s.opt, s.list, s.blob = s.key, nil, nil
	f.Add(s.append(nil))
	f.Add(bytes.Repeat([]byte{0xff}, 300))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		s := readSample(r)
		if r.Err() != nil {
			if r.Len() != 0 {
				t.Fatal("bytes left after a failure")
			}
			return
		}
		s.suffix = r.Rest()
		if len(s.blob) > maxBlob || len(s.name) > maxName || len(s.list) > maxList {
			t.Fatalf("a limit was passed: %+v", s)
		}
		if got := s.append(nil); !bytes.Equal(got, b) {
			t.Fatalf("read %x, append gives %x", b, got)
		}
	})
}
