package quic

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const longEnough = time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), longEnough)
	t.Cleanup(cancel)
	return ctx
}

// open makes a socket on loopback and its listener, which the test closes. What was written has until then to arrive: a third of a second
// is not enough where the other end waits for a processor.
func open(t testing.TB) (*Socket, net.Listener) {
	t.Helper()
	s := New(Config{})
	over := make(chan time.Time)
	s.after = func(time.Duration) <-chan time.Time { return over }
	ln, err := s.Listen(within(t), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(over); ln.Close() })
	return s, ln
}

// connect makes one connection and lets both ends see it.
func connect(t testing.TB) (near, far net.Conn) {
	t.Helper()
	a, _ := open(t)
	_, ln := open(t)
	ctx := within(t)
	near, err := a.Dial(ctx, Scheme+ln.Addr().String())
	for err != nil && ctx.Err() == nil { // a machine that stood still for the handshake's three seconds
		near, err = a.Dial(ctx, Scheme+ln.Addr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("hello")); err != nil { // a stream is seen when something comes
		t.Fatal(err)
	}
	far, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(far, b); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	return near, far
}

func TestBytesArriveAndTheEndIsSeen(t *testing.T) {
	near, far := connect(t)
	want := make([]byte, 3<<20)
	rand.Read(want)
	done := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(far)
		done <- got
	}()
	if _, err := near.Write(want); err != nil {
		t.Fatal(err)
	}
	near.Close()
	if got := <-done; !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d", len(got), len(want))
	}
	if _, err := near.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
	far.Close()
}

func TestBothEndsHaveOneBinding(t *testing.T) {
	a, b := connect(t)
	c, _ := connect(t)
	x, y := a.(*conn).Binding(), b.(*conn).Binding()
	if len(x) != BindingLen || !bytes.Equal(x, y) || bytes.Equal(x, c.(*conn).Binding()) {
		t.Errorf("%x and %x", x, y)
	}
}

func TestDeadlinesAndCloseWake(t *testing.T) {
	near, far := connect(t)
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading past the deadline: %v", err)
	}
	near.SetDeadline(time.Time{})
	begun := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(far, make([]byte, 1))
		near.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		begun <- err
	}()
	if n, err := near.Write(make([]byte, 32<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		t.Errorf("wrote %d to who does not read on: %v", n, err)
	}
	if err := <-begun; err != nil {
		t.Error(err)
	}
	near.SetDeadline(time.Time{})
	woken := make(chan error, 2)
	go func() { _, err := near.Read(make([]byte, 1)); woken <- err }()
	go func() { _, err := near.Write(make([]byte, 32<<20)); woken <- err }()
	time.Sleep(20 * time.Millisecond) // most likely both wait by now; if not, they are told the same
	near.Close()
	for range 2 {
		select {
		case err := <-woken:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("woken with %v", err)
			}
		case <-time.After(longEnough):
			t.Fatal("Close wakes nobody")
		}
	}
	far.Close()
}

func TestClosedSocket(t *testing.T) {
	s, ln := open(t)
	accepted := make(chan error, 1)
	go func() { _, err := ln.Accept(); accepted <- err }()
	ln.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if _, err := s.Dial(within(t), "127.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s, _ := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Dial(ctx, "127.0.0.1:9"); err == nil {
		t.Error("connected to nobody")
	}
}

func TestObserved(t *testing.T) {
	a, aln := open(t)
	_, bln := open(t)
	seen, err := a.Observed(within(t), bln.Addr().String())
	if err != nil || seen.String() != aln.Addr().String() {
		t.Errorf("seen as %v, %v; is %v", seen, err, aln.Addr())
	}
}

func TestPunch(t *testing.T) {
	a, aln := open(t)
	b, bln := open(t)
	at := func(ln net.Listener) []netip.AddrPort {
		dead := netip.MustParseAddrPort("127.0.0.1:9")
		return []netip.AddrPort{dead, netip.MustParseAddrPort(ln.Addr().String())}
	}
	nonce := Nonce{1, 2, 3}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	passive := make(chan error, 1)
	go func() {
		_, err := b.Punch(ctx, nonce, at(aln), false)
		passive <- err
	}()
	nc, err := a.Punch(ctx, nonce, at(bln), true)
	if err != nil {
		t.Fatal(err)
	}
	if nc.RemoteAddr().String() != bln.Addr().String() {
		t.Errorf("connected to %v", nc.RemoteAddr())
	}
	nc.Write([]byte("x"))
	far, err := bln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-passive; !errors.Is(err, context.Canceled) {
		t.Errorf("the passive end: %v", err)
	}
	nc.Close()
	far.Close()
}

func TestPunchWithoutThePeer(t *testing.T) {
	a, _ := open(t)
	_, bln := open(t) // hears punches, but knows nothing of the nonce
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.Punch(ctx, Nonce{9}, []netip.AddrPort{netip.MustParseAddrPort(bln.Addr().String())}, true); err == nil {
		t.Error("punched through to who was not asked")
	}
}
