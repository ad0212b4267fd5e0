package secure

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func tcpAddr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// textAddr is the address of a carrier without IP.
type textAddr string

func (a textAddr) Network() string { return "relay" }
func (a textAddr) String() string  { return string(a) }

func TestGuardSlots(t *testing.T) {
	g := NewGuard(GuardConfig{})
	same := func(a, b net.Addr, want bool) {
		t.Helper()
		if got := g.slotOf(a) == g.slotOf(b); got != want {
			t.Errorf("%v and %v share a bucket: %v, want %v", a, b, got, want)
		}
	}
	same(tcpAddr("203.0.113.1:1"), tcpAddr("203.0.113.254:2"), true)
	same(tcpAddr("203.0.113.1:1"), tcpAddr("[::ffff:203.0.113.9]:2"), true)
	same(tcpAddr("[2001:db8:1:1::1]:1"), tcpAddr("[2001:db8:1:ff::2]:2"), true)
	same(tcpAddr("[fe80::1%eth0]:1"), tcpAddr("[fe80::2%eth1]:1"), true)
	same(textAddr("aaa"), textAddr("aaa"), true)
	local := &net.UnixAddr{Net: "unix", Name: "x"}
	for _, a := range []net.Addr{tcpAddr("127.0.0.1:1"), tcpAddr("127.9.9.9:1"), tcpAddr("[::1]:1"), tcpAddr("[::ffff:127.0.0.1]:1"), nil} {
		same(a, local, true)
	}
	for _, a := range []net.Addr{tcpAddr("203.0.113.1:1"), tcpAddr("[2001:db8::1]:1"), textAddr("127.0.0.1"), textAddr("")} {
		same(a, local, false)
	}
	differ := 0
	for i := range 100 { // buckets are shared by chance, about 1 in 4096
		a := netip.AddrFrom4([4]byte{198, 51, byte(i), 1})
		if g.slotOf(tcpAddr("203.0.113.1:1")) != g.slotOf(net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 1))) {
			differ++
		}
	}
	if differ < 95 {
		t.Errorf("only %d of 100 other networks have another bucket", differ)
	}
}

func takes(g *Guard, slot, tries int) (n int) {
	for range tries {
		if g.take(slot) == nil {
			n++
		}
	}
	return n
}

func TestGuardBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(GuardConfig{Rate: 2, Burst: 10, LocalRate: 100, LocalBurst: 500})
		if n := takes(g, 1, 100); n != 10 {
			t.Errorf("a full bucket gave %d tokens, want 10", n)
		}
		if n := takes(g, 2, 100); n != 10 {
			t.Errorf("the neighbour's bucket gave %d tokens, want 10", n)
		}
		if n := takes(g, localSlot, 1000); n != 500 {
			t.Errorf("this machine's bucket gave %d tokens, want 500", n)
		}
		time.Sleep(3 * time.Second)
		if n := takes(g, 1, 100); n != 6 {
			t.Errorf("after 3 s at 2 a second: %d tokens, want 6", n)
		}
		time.Sleep(time.Hour)
		if n := takes(g, 1, 100); n != 10 {
			t.Errorf("after an hour: %d tokens, want 10", n)
		}
		if err := g.take(1); !errors.Is(err, ErrBusy) {
			t.Errorf("an empty bucket: %v", err)
		}
	})
}

func TestGuardHalfOpen(t *testing.T) {
	g := NewGuard(GuardConfig{HalfOpen: 16})
	enter := func(a string) (int, error) { return g.enter(tcpAddr(a)) }
	var held []int
	for range 2 { // a share of one network
		slot, err := enter("203.0.113.1:1")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, slot)
	}
	if _, err := enter("203.0.113.2:1"); !errors.Is(err, ErrBusy) {
		t.Errorf("a third from one network: %v, want ErrBusy", err)
	}
	for range 8 { // this machine's share
		slot, err := enter("127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, slot)
	}
	if _, err := enter("127.0.0.1:1"); !errors.Is(err, ErrBusy) {
		t.Errorf("a ninth from this machine: %v, want ErrBusy", err)
	}
	for i := 0; len(held) < 16; i++ {
		slot, err := g.enter(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i), 1}), 1)))
		if err == nil {
			held = append(held, slot)
		}
	}
	if _, err := enter("192.0.2.1:1"); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than all: %v, want ErrBusy", err)
	}
	for _, slot := range held {
		g.leave(slot)
	}
	if g.open != 0 {
		t.Errorf("%d half-open after all left", g.open)
	}
	for i, b := range g.slots {
		if b.open != 0 {
			t.Errorf("bucket %d: %d half-open after all left", i, b.open)
		}
	}
	if _, err := enter("203.0.113.1:1"); err != nil {
		t.Error(err)
	}
}

func TestGuardCores(t *testing.T) {
	g := NewGuard(GuardConfig{Concurrent: 2})
	var now, most atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_ = g.compute(t.Context(), func() error {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Millisecond)
				now.Add(-1)
				return nil
			})
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d computed at once, want at most 2", most.Load())
	}
}

func TestGuardWaitEndsWithContext(t *testing.T) {
	g := NewGuard(GuardConfig{Concurrent: 1})
	reason := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := g.compute(t.Context(), func() error {
		cancel(reason)
		return g.compute(ctx, func() error { return nil })
	})
	if !errors.Is(err, reason) {
		t.Errorf("%v, want the cause of the context", err)
	}
}

func TestNilGuard(t *testing.T) {
	var g *Guard
	slot, err := g.enter(tcpAddr("203.0.113.1:1"))
	if err != nil || g.take(slot) != nil || g.compute(t.Context(), func() error { return nil }) != nil {
		t.Error("a nil guard refused")
	}
	g.leave(slot)
}

// Connections that send nothing, or everything but the last byte, hold no core: with one
// core and many of them, an honest handshake goes through.
func TestSlowSendersHoldNoCore(t *testing.T) {
	a, b := newKey(t), newKey(t)
	g := NewGuard(GuardConfig{Concurrent: 1})
	addr := listen(t, func(nc net.Conn) {
		if _, err := Accept(t.Context(), nc, linkConfig(b), g); err == nil {
			_, _ = nc.Write([]byte("in"))
		}
	})
	i, err := NewInitiator(linkConfig(a), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	msg1 := frameOf(start(t, i))
	var slow []net.Conn
	for n := range 30 {
		nc := dial(t, addr)
		_, _ = nc.Write(msg1[:len(msg1)-n%2]) // every second one has message 2 coming and stays silent then
		slow = append(slow, nc)
	}
	nc := dial(t, addr)
	if _, err := Dial(t.Context(), nc, linkConfig(a), b.Public()); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := nc.Read(make([]byte, 2)); err != nil {
		t.Error(err)
	}
	for _, nc := range slow {
		nc.Close()
	}
}

// A network that has spent its tokens gets no answer, not even with the right key.
func TestSpentBucketAnswersNothing(t *testing.T) {
	a, b := newKey(t), newKey(t)
	g := NewGuard(GuardConfig{LocalRate: 1e-9, LocalBurst: 2})
	results := make(chan error, 10)
	addr := listen(t, func(nc net.Conn) {
		_, err := AcceptService(t.Context(), nc, linkConfig(b), g)
		results <- err
	})
	if k, err := askWithin(t.Context(), dial(t, addr), patience); err != nil || k != b.Public() {
		t.Fatalf("WHO: %v, %v", k, err)
	}
	if _, err := Dial(t.Context(), dial(t, addr), linkConfig(a), b.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), dial(t, addr), linkConfig(a), b.Public()); err == nil {
		t.Error("a third one was answered")
	}
	if _, err := askWithin(t.Context(), dial(t, addr), patience); err == nil {
		t.Error("a WHO was answered by a spent bucket")
	}
	busy := 0
	for range 4 {
		if errors.Is(<-results, ErrBusy) {
			busy++
		}
	}
	if busy != 2 {
		t.Errorf("%d of 4 were busy, want 2", busy)
	}
}
