package speed

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// moved counts what a server moves of measurements.
type moved struct {
	net.Listener
	sent, received atomic.Int64
}

func (m *moved) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	return counting{c, m}, err
}

type counting struct {
	net.Conn
	m *moved
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.received.Add(int64(n))
	return n, err
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.sent.Add(int64(n))
	return n, err
}

func start(t *testing.T) (netip.AddrPort, *moved) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &moved{Listener: tcp}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- new(Server).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return netip.MustParseAddrPort(ln.Addr().String()), ln
}

// A measurement lasts a second or more, but not longer than the call, so both bounds follow from what was moved. The few bytes beside
// the zeros are in it: the call lasts for two measurements.
func TestMeasure(t *testing.T) {
	addr, m := start(t)
	began := time.Now()
	r, err := Measure(t.Context(), addr, time.Second)
	took := time.Since(began).Seconds()
	if err != nil || r.Setup <= 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for what, x := range map[string]struct {
		rate  float64
		moved int64
	}{"down": {r.Down, m.sent.Load()}, "up": {r.Up, m.received.Load()}} {
		if x.moved < bufLen || x.rate > float64(x.moved) || x.rate < float64(x.moved)/took {
			t.Errorf("%s: %.0f bytes a second, of %d moved in a call of %.3f s", what, x.rate, x.moved, took)
		}
	}
}

func TestStrangeRequestsEnd(t *testing.T) {
	addr, _ := start(t)
	for _, ask := range []string{"d\x00", "d\x0b", "u\xff", "x\x01", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write([]byte(ask))
		if n, err := c.Read(make([]byte, 10)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: answered %d bytes, %v", ask, n, err)
		}
		c.Close()
	}
}

func TestTestsAreBounded(t *testing.T) {
	s := new(Server)
	a := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
	for i, want := range []bool{true, true, false} {
		if got := s.take(a(1)); got != want {
			t.Errorf("test %d of one client: %v", i, got)
		}
	}
	if !s.take(a(2)) || !s.take(a(3)) || s.take(a(4)) {
		t.Error("not bounded")
	}
	for _, n := range []byte{1, 1, 2, 3} {
		s.release(a(n))
	}
	if len(s.clients) != 0 || s.total != 0 {
		t.Errorf("%+v", s)
	}
}
