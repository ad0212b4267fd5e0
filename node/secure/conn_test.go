package secure

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// results are the two ends of a handshake that needed none.
func results(t testing.TB) (a, b Result) {
	a = Result{Send: [32]byte{1}, Recv: [32]byte{2}, Remote: keyOf(t, 2).Public()}
	return a, Result{Send: a.Recv, Recv: a.Send, Remote: keyOf(t, 1).Public()}
}

func connPair(t testing.TB) (a, b *Conn) {
	t.Helper()
	left, right := net.Pipe()
	ra, rb := results(t)
	a, b = NewConn(left, ra), NewConn(right, rb)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// feed is a Conn that reads the given bytes and then the end.
func feed(t testing.TB, stream []byte) *Conn {
	_, rb := results(t)
	return NewConn(reading{bytes.NewReader(stream)}, rb)
}

// reading is the read half of a net.Conn.
type reading struct{ io.Reader }

func (reading) Write(b []byte) (int, error)      { return len(b), nil }
func (reading) Close() error                     { return nil }
func (reading) LocalAddr() net.Addr              { return nil }
func (reading) RemoteAddr() net.Addr             { return nil }
func (reading) SetDeadline(time.Time) error      { return nil }
func (reading) SetReadDeadline(time.Time) error  { return nil }
func (reading) SetWriteDeadline(time.Time) error { return nil }

// writing collects what is written.
type writing struct {
	reading
	bytes.Buffer
}

func (w *writing) Read(b []byte) (int, error)  { return w.Buffer.Read(b) }
func (w *writing) Write(b []byte) (int, error) { return w.Buffer.Write(b) }

// stream is what a peer of feed's Conn writes for msgs.
func stream(t testing.TB, msgs ...[]byte) []byte {
	t.Helper()
	ra, _ := results(t)
	w := &writing{}
	c := NewConn(w, ra)
	for _, m := range msgs {
		if err := c.WriteMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	return w.Bytes()
}

func TestConn(t *testing.T) {
	a, b := connPair(t)
	sizes := []int{0, 1, 100, keepBuf, 5, MaxMsg, 0, MaxMsg - 1, 7}
	go func() {
		for n, size := range sizes {
			if err := a.WriteMsg(bytes.Repeat([]byte{byte(n)}, size)); err != nil {
				t.Error(err)
			}
		}
	}()
	for n, size := range sizes {
		msg, err := b.ReadMsg()
		if err != nil || !bytes.Equal(msg, bytes.Repeat([]byte{byte(n)}, size)) {
			t.Fatalf("message %d: %d bytes, %v, want %d", n, len(msg), err, size)
		}
	}
	if a.Remote() != keyOf(t, 2).Public() || a.RemoteAddr() == nil {
		t.Errorf("remote %v at %v", a.Remote(), a.RemoteAddr())
	}
	if cap(b.buf) > keepBuf {
		t.Errorf("a buffer of %d bytes is kept after a small message", cap(b.buf))
	}
	a.Close()
	a.Close()
	if _, err := b.ReadMsg(); err != io.EOF {
		t.Errorf("after Close: %v, want io.EOF", err)
	}
	if err := a.WriteMsg(nil); err == nil {
		t.Error("a write after Close went well")
	}
}

func TestConnGolden(t *testing.T) {
	got := hex.EncodeToString(stream(t, []byte("hello"), nil))
	sealer := NewSealer([32]byte{1})
	want := "000015" + hex.EncodeToString(sealer.Seal(nil, []byte("hello"), []byte{0, 0, 0x15})) +
		"000010" + hex.EncodeToString(sealer.Seal(nil, nil, []byte{0, 0, 0x10}))
	if got != want {
		t.Errorf("stream %s, want %s", got, want)
	}
}

func TestConnTooLong(t *testing.T) {
	w := &writing{}
	ra, _ := results(t)
	c := NewConn(w, ra)
	if err := c.WriteMsg(make([]byte, MaxMsg+1)); !errors.Is(err, ErrTooLong) {
		t.Fatalf("%v, want ErrTooLong", err)
	}
	if w.Len() != 0 {
		t.Errorf("%d bytes of it were sent", w.Len())
	}
	if err := c.WriteMsg([]byte("next")); err != nil {
		t.Fatal(err)
	}
	if msg, err := feed(t, w.Bytes()).ReadMsg(); err != nil || string(msg) != "next" {
		t.Errorf("the next message: %q, %v", msg, err)
	}
}

func TestConnManyWriters(t *testing.T) {
	a, b := connPair(t)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if err := a.WriteMsg(fmt.Appendf(nil, "%d %d", w, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var last [writers]int
	for range writers * each {
		msg, err := b.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		var w, n int
		if _, err := fmt.Sscanf(string(msg), "%d %d", &w, &n); err != nil || n != last[w] {
			t.Fatalf("message %q, want number %d of its writer", msg, last[w])
		}
		last[w]++
	}
	wg.Wait()
}

func TestConnRefuses(t *testing.T) {
	one, two := stream(t, []byte("one")), stream(t, []byte("one"), []byte("two"))
	second := two[len(one):]
	flip := func(n int) []byte {
		b := bytes.Clone(one)
		b[n] ^= 1
		return b
	}
	tests := []struct {
		name   string
		stream []byte
		want   error
	}{
		{"nothing", nil, io.EOF},
		{"length changed", flip(2), ErrOpen},
		{"body changed", flip(5), ErrOpen},
		{"tag changed", flip(len(one) - 1), ErrOpen},
		{"second first", append(bytes.Clone(second), one...), ErrOpen},
		{"shorter than a tag", append([]byte{0, 0, 15}, make([]byte, 15)...), ErrOpen},
		{"length zero", make([]byte, 100), ErrOpen},
		{"too long", append([]byte{1, 0, 17}, make([]byte, 100)...), ErrTooLong},
		{"longest length", bytes.Repeat([]byte{0xff}, 100), ErrTooLong},
	}
	for _, tt := range tests {
		c := feed(t, tt.stream)
		for range 2 { // the first error stays
			if msg, err := c.ReadMsg(); !errors.Is(err, tt.want) || msg != nil {
				t.Errorf("%s: %q, %v, want %v", tt.name, msg, err, tt.want)
			}
		}
		if cap(c.buf) > MaxMsg+Overhead {
			t.Errorf("%s: allocated %d bytes", tt.name, cap(c.buf))
		}
	}
	c := feed(t, append(bytes.Clone(one), one...))
	if msg, err := c.ReadMsg(); err != nil || string(msg) != "one" {
		t.Fatal(err)
	}
	if _, err := c.ReadMsg(); !errors.Is(err, ErrOpen) {
		t.Errorf("a repeated message: %v, want ErrOpen", err)
	}
}

func TestConnTruncated(t *testing.T) {
	all := stream(t, []byte("one"), []byte("two"))
	for n := range all {
		c := feed(t, all[:n])
		var err error
		got := 0
		for err == nil {
			if _, err = c.ReadMsg(); err == nil {
				got++
			}
		}
		want := io.ErrUnexpectedEOF
		if n == 0 || n == len(all)/2 {
			want = io.EOF
		}
		if err != want || got != n/(len(all)/2) {
			t.Errorf("%d bytes: %d messages, %v, want %v", n, got, err, want)
		}
	}
}

func TestConnDeadlines(t *testing.T) {
	a, b := connPair(t)
	if err := b.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadMsg(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	if err := a.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	first := a.WriteMsg([]byte("x"))
	if !errors.Is(first, os.ErrDeadlineExceeded) {
		t.Errorf("write: %v", first)
	}
	_ = a.SetWriteDeadline(time.Time{})
	if err := a.WriteMsg([]byte("x")); err != first {
		t.Errorf("a write after a failed one: %v, want %v", err, first)
	}
}

func TestCloseWakesReaderAndWriter(t *testing.T) {
	a, _ := connPair(t)
	errs := make(chan error, 2)
	go func() {
		_, err := a.ReadMsg()
		errs <- err
	}()
	go func() { errs <- a.WriteMsg([]byte("nobody reads")) }()
	time.Sleep(10 * time.Millisecond)
	a.Close()
	for range 2 {
		select {
		case err := <-errs:
			if err == nil {
				t.Error("no error after Close")
			}
		case <-time.After(patience):
			t.Fatal("Close left a call blocked")
		}
	}
}

// Both ends over a real handshake and TCP.
func TestConnOverTCP(t *testing.T) {
	a, b := newKey(t), newKey(t)
	var seen identity.PubKey
	var mu sync.Mutex
	addr := listen(t, func(nc net.Conn) {
		r, err := Accept(t.Context(), nc, linkConfig(b), NewGuard(GuardConfig{}))
		if err != nil {
			t.Error(err)
			return
		}
		c := NewConn(nc, r)
		mu.Lock()
		seen = c.Remote()
		mu.Unlock()
		for {
			msg, err := c.ReadMsg()
			if err != nil {
				return
			}
			_ = c.WriteMsg(msg)
		}
	})
	nc := dial(t, addr)
	r, err := Dial(t.Context(), nc, linkConfig(a), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(nc, r)
	for _, size := range []int{1, MaxMsg} {
		want := bytes.Repeat([]byte{1}, size)
		if err := c.WriteMsg(want); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReadMsg(); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("echo of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if seen != a.Public() || c.Remote() != b.Public() {
		t.Errorf("remotes %v and %v", seen, c.Remote())
	}
}
