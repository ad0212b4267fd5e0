package speed

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- new(Server).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return netip.MustParseAddrPort(ln.Addr().String())
}

func TestMeasure(t *testing.T) {
	r, err := Measure(t.Context(), start(t), time.Second)
	if err != nil || r.Down < 1e6 || r.Up < 1e6 || r.Setup <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestStrangeRequestsEnd(t *testing.T) {
	addr := start(t)
	for _, ask := range []string{"d\x00", "d\x0b", "u\xff", "x\x01", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = c.Write([]byte(ask))
		if n, err := c.Read(make([]byte, 10)); err == nil {
			t.Errorf("%q: answered %d bytes", ask, n)
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
