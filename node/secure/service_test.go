package secure

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

// service is a loopback port that echoes one message, under a key that can be changed.
type service struct {
	key   atomic.Pointer[identity.Key]
	conns atomic.Int32
	addr  Addr
}

func newService(t *testing.T, key *identity.Key) *service {
	s := &service{}
	s.key.Store(key)
	g := NewGuard(GuardConfig{})
	s.addr.HostPort = listen(t, func(nc net.Conn) {
		s.conns.Add(1)
		r, err := AcceptService(context.Background(), nc, controlConfig(s.key.Load()), g)
		if err != nil {
			return
		}
		c := NewConn(nc, r)
		if msg, err := c.ReadMsg(); err == nil {
			_ = c.WriteMsg(msg)
		}
	})
	return s
}

func echo(t *testing.T, c *Conn) {
	t.Helper()
	defer c.Close()
	if err := c.WriteMsg([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if msg, err := c.ReadMsg(); err != nil || string(msg) != "hello" {
		t.Fatalf("echo %q, %v", msg, err)
	}
}

func TestDialService(t *testing.T) {
	first, second := newKey(t), newKey(t)
	s := newService(t, first)
	path := filepath.Join(t.TempDir(), "pins")
	p := openPins(t, path)
	cfg := controlConfig(newKey(t))

	// first contact: WHO, handshake, pin
	c, err := p.DialService(t.Context(), s.addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c.Remote() != first.Public() {
		t.Errorf("remote %v, want %v", c.Remote(), first)
	}
	echo(t, c)
	if k, ok := p.Lookup(s.addr.HostPort); !ok || k != first.Public() {
		t.Fatalf("pinned %v, %v", k, ok)
	}
	if n := s.conns.Load(); n != 2 {
		t.Errorf("first contact took %d connections, want 2", n)
	}

	// from the pin, also in the next run
	p = openPins(t, path)
	if c, err = p.DialService(t.Context(), s.addr, cfg); err != nil {
		t.Fatal(err)
	}
	echo(t, c)
	if n := s.conns.Load(); n != 3 {
		t.Errorf("a pinned service took %d connections, want 1", n-2)
	}

	// a changed key is refused, and says how to accept it
	s.key.Store(second)
	var changed *PinChanged
	if _, err = p.DialService(t.Context(), s.addr, cfg); !errors.As(err, &changed) {
		t.Fatalf("a changed key: %v, want *PinChanged", err)
	}
	if changed.Pinned != first.Public() || changed.Offered != second.Public() {
		t.Errorf("%+v", changed)
	}
	for _, want := range []string{s.addr.HostPort, first.Public().String(), second.Public().String() + "@" + s.addr.HostPort, path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell %q", err, want)
		}
	}

	// with the key given it connects, and the pin stays as it was
	withKey := Addr{Key: second.Public(), HostPort: s.addr.HostPort}
	if c, err = p.DialService(t.Context(), withKey, cfg); err != nil {
		t.Fatal(err)
	}
	echo(t, c)
	if k, _ := p.Lookup(s.addr.HostPort); k != first.Public() {
		t.Errorf("a key given by hand changed the pin to %v", k)
	}

	// with the line deleted it is first contact again
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = p.DialService(t.Context(), s.addr, cfg); err != nil {
		t.Fatal(err)
	}
	echo(t, c)
	if k, _ := p.Lookup(s.addr.HostPort); k != second.Public() {
		t.Errorf("pinned %v, want the new key", k)
	}
}

func TestDialServiceGivenKeyIsWrong(t *testing.T) {
	s := newService(t, newKey(t))
	p := openPins(t, filepath.Join(t.TempDir(), "pins"))
	a := Addr{Key: newKey(t).Public(), HostPort: s.addr.HostPort}
	_, err := p.DialService(t.Context(), a, controlConfig(newKey(t)))
	if !errors.Is(err, ErrHandshake) || !strings.Contains(err.Error(), s.addr.HostPort) {
		t.Errorf("%v, want ErrHandshake with the address", err)
	}
	if len(p.keys) != 0 {
		t.Error("something was pinned")
	}
}

// A pinned service that refuses us for another reason than its key is no changed key, and
// neither kind nor network mismatch pins anything.
func TestDialServiceOtherKind(t *testing.T) {
	key := newKey(t)
	s := newService(t, key)
	p := openPins(t, filepath.Join(t.TempDir(), "pins"))
	wrong := Config{Local: newKey(t), Kind: KindTracker, limit: patience}
	var changed *PinChanged
	for _, pinned := range []bool{false, true} {
		if _, err := p.DialService(t.Context(), s.addr, wrong); !errors.Is(err, ErrHandshake) || errors.As(err, &changed) {
			t.Errorf("pinned %v: %v, want ErrHandshake", pinned, err)
		}
		if _, ok := p.Lookup(s.addr.HostPort); ok != pinned {
			t.Errorf("pinned %v: the pin is there: %v", pinned, ok)
		}
		if err := p.Pin(s.addr.HostPort, key.Public()); err != nil {
			t.Fatal(err)
		}
	}
}

// Who answers WHO with a key that he does not hold gets nothing pinned.
func TestDialServiceLiar(t *testing.T) {
	honest := newKey(t)
	real := newService(t, honest)
	var n atomic.Int32
	liar := listen(t, func(nc net.Conn) {
		if n.Add(1) > 1 {
			_, _ = io.ReadFull(nc, make([]byte, frameLen+msg1Len))
			_, _ = nc.Write(frameOf(make([]byte, msg2Len)))
			return
		}
		up, err := net.Dial("tcp", real.addr.HostPort)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		_, _ = io.CopyN(up, nc, frameLen+whoLen)
		_, _ = io.CopyN(nc, up, frameLen+whoReplyLen)
	})
	p := openPins(t, filepath.Join(t.TempDir(), "pins"))
	_, err := p.DialService(t.Context(), Addr{HostPort: liar}, controlConfig(newKey(t)))
	if !errors.Is(err, ErrHandshake) {
		t.Errorf("%v, want ErrHandshake", err)
	}
	if _, ok := p.Lookup(liar); ok {
		t.Error("the liar's address is pinned")
	}
}

// With a damaged file of pins nobody is trusted at first sight.
func TestDialServiceDamagedPins(t *testing.T) {
	s := newService(t, newKey(t))
	path := filepath.Join(t.TempDir(), "pins")
	p := openPins(t, path)
	if err := os.WriteFile(path, []byte("damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := p.DialService(t.Context(), s.addr, controlConfig(newKey(t)))
	if err == nil || !strings.Contains(err.Error(), path) || s.conns.Load() != 0 {
		t.Errorf("%v after %d connections, want an error before any", err, s.conns.Load())
	}
}

func TestDialServiceNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := dial(t, l.Addr().String()).LocalAddr().String() // a port that is in use, so nobody else comes to listen on it
	p := openPins(t, filepath.Join(t.TempDir(), "pins"))
	for _, key := range []identity.PubKey{{}, newKey(t).Public()} {
		_, err := p.DialService(t.Context(), Addr{Key: key, HostPort: addr}, controlConfig(newKey(t)))
		if err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%v, want an error with the address", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.DialService(ctx, Addr{HostPort: addr}, controlConfig(newKey(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}
