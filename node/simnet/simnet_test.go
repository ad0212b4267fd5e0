package simnet_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/simnet"
)

var (
	_ link.Carrier   = (*simnet.Host)(nil)
	_ control.Net    = (*simnet.Host)(nil)
	_ net.PacketConn = (*simnet.PacketConn)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const seed = 1

// two is a network of two hosts, the second one with a listener.
func two(t testing.TB, p simnet.Path) (n *simnet.Network, a, b *simnet.Host, ln net.Listener) {
	t.Helper()
	n = simnet.New(seed)
	a, b = n.Host("10.0.1.1", "fd00::1"), n.Host("10.0.2.1", "fd00::2")
	n.SetPath(a, b, p)
	ln, err := b.Listen(context.Background(), "10.0.2.1:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return n, a, b, ln
}

// connect dials ln from h and returns both ends.
func connect(t testing.TB, h *simnet.Host, ln net.Listener) (near, far net.Conn) {
	t.Helper()
	near, err := h.Dial(context.Background(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestConnIsANetConn(t *testing.T) {
	for name, p := range map[string]simnet.Path{
		"at once": {},
		"slow":    {Latency: time.Millisecond, Jitter: time.Millisecond, Bandwidth: 20 << 20, Loss: 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				_, a, _, ln := two(t, p)
				c1, c2 = connect(t, a, ln)
				return c1, c2, func() { c1.Close(); c2.Close(); ln.Close() }, nil
			})
		})
	}
}

func TestDialTakesARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _, ln := two(t, simnet.Path{Latency: 30 * time.Millisecond})
		began := time.Now()
		near, far := connect(t, a, ln)
		if took := time.Since(began); took != 60*time.Millisecond {
			t.Errorf("connecting took %s", took)
		}
		if near.RemoteAddr().String() != "10.0.2.1:80" || far.RemoteAddr().String() != near.LocalAddr().String() {
			t.Errorf("near has %s, far sees %s", near.LocalAddr(), far.RemoteAddr())
		}
		began = time.Now()
		near.Write([]byte("x"))
		far.Read(make([]byte, 1))
		if took := time.Since(began); took != 30*time.Millisecond {
			t.Errorf("a byte took %s", took)
		}
	})
}

func TestDialFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, _ := two(t, simnet.Path{Latency: 30 * time.Millisecond})
		ctx := context.Background()
		began := time.Now()
		if _, err := a.Dial(ctx, "10.0.2.1:81"); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(began) != 60*time.Millisecond {
			t.Errorf("nobody listens: %v after %s", err, time.Since(began))
		}
		began = time.Now()
		if _, err := a.Dial(ctx, "10.9.9.9:80"); !errors.Is(err, syscall.ETIMEDOUT) || time.Since(began) != 127*time.Second {
			t.Errorf("no such host: %v after %s", err, time.Since(began))
		}
		n.Partition(a, b)
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if _, err := a.Dial(short, "10.0.2.1:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("partitioned: %v", err)
		}
		time.AfterFunc(2*time.Second, func() { n.Heal(a, b) })
		began = time.Now()
		c, err := a.Dial(ctx, "10.0.2.1:80")
		if err != nil || time.Since(began) != 3*time.Second+60*time.Millisecond { // tried at 0, 1 and 3 s
			t.Fatalf("healed: %v after %s", err, time.Since(began))
		}
		c.Close()
		for _, bad := range []string{"", "10.0.2.1", "host:80", "10.0.2.1:http", "10.0.2.1:99999"} {
			if _, err := a.Dial(ctx, bad); err == nil {
				t.Errorf("%q was dialed", bad)
			}
		}
		if _, err := b.Listen(ctx, "10.0.2.1:80"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listening twice: %v", err)
		}
		if _, err := b.Listen(ctx, "10.0.1.1:80"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("listening at another's address: %v", err)
		}
	})
}

func TestFamiliesAndWildcards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, _ := two(t, simnet.Path{})
		ctx := context.Background()
		ln, err := b.Listen(ctx, ":7")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		for _, to := range []string{"10.0.2.1:7", "[fd00::2]:7"} {
			c, err := a.Dial(ctx, to)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if c, err := b.Dial(ctx, "127.0.0.1:7"); err != nil {
			t.Error("to itself:", err)
		} else {
			c.Close()
		}
		if _, err := a.Dial(ctx, "127.0.0.1:7"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("loopback leads to another host:", err)
		}
	})
}

// TestBandwidth compares with arithmetic: bytes over bandwidth, and a latency.
func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, bandwidth = 10 << 20, 1 << 20
		_, a, _, ln := two(t, simnet.Path{Latency: 20 * time.Millisecond, Bandwidth: bandwidth})
		near, far := connect(t, a, ln)
		near2, far2 := connect(t, a, ln)
		began := time.Now()
		go func() {
			near.Write(make([]byte, size/2))
			near.Close()
		}()
		go func() {
			near2.Write(make([]byte, size/2))
			near2.Close()
		}()
		done := make(chan int64)
		for _, c := range []net.Conn{far, far2} {
			go func() {
				n, _ := io.Copy(io.Discard, c)
				done <- n
			}()
		}
		if n := <-done + <-done; n != size {
			t.Errorf("%d bytes came", n)
		}
		want := 10*time.Second + 20*time.Millisecond
		if took := time.Since(began); took < want || took > want+want/100 {
			t.Errorf("two streams took %s, want %s", took, want)
		}
	})
}

// TestWindowBoundsWhatIsUnderWay: without bandwidth, a long path moves one buffer per round trip.
func TestWindowBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, _, ln := two(t, simnet.Path{Latency: 50 * time.Millisecond})
		n.Buffer = 100_000
		near, far := connect(t, a, ln)
		wrote := make(chan int)
		go func() {
			near.SetWriteDeadline(time.Now().Add(10 * time.Second))
			n, _ := near.Write(make([]byte, 1<<20))
			wrote <- n
		}()
		if n := <-wrote; n != 100_000 {
			t.Errorf("%d bytes were taken from a writer whose reader sleeps", n)
		}
		near.SetWriteDeadline(time.Time{})
		go func() {
			near.Write(make([]byte, 900_000))
			near.Close()
		}()
		began := time.Now()
		got, _ := io.Copy(io.Discard, far)
		if took := time.Since(began); got != 1_000_000 || took < 900*time.Millisecond || took > time.Second {
			t.Errorf("%d bytes in %s", got, took)
		}
	})
}

func TestLossCostsTimeNotBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 20 << 20
		took := func(loss float64) time.Duration {
			_, a, _, ln := two(t, simnet.Path{Latency: 20 * time.Millisecond, Bandwidth: 10 << 20, Loss: loss})
			near, far := connect(t, a, ln)
			began := time.Now()
			go func() {
				near.Write(pattern(size))
				near.Close()
			}()
			got, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(got, pattern(size)) {
				t.Errorf("%d bytes came, %v", len(got), err)
			}
			return time.Since(began)
		}
		clean, lossy := took(0), took(0.02)
		if lossy <= clean || lossy > 4*clean {
			t.Errorf("%s without loss, %s with", clean, lossy)
		}
	})
}

// pattern is n bytes that tell their place.
func pattern(n int) []byte {
	b := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		binary.BigEndian.PutUint64(b[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
	return b[:n]
}

func TestPartitionIsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, ln := two(t, simnet.Path{Latency: 10 * time.Millisecond})
		near, far := connect(t, a, ln)
		n.Partition(a, b)
		near.Write([]byte("late"))
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("read across a partition:", err)
		}
		far.SetReadDeadline(time.Time{})
		n.Heal(a, b)
		healed := time.Now()
		got := make([]byte, 8)
		k, err := far.Read(got)
		if took := time.Since(healed); err != nil || string(got[:k]) != "late" || took != 210*time.Millisecond {
			t.Errorf("%q, %v, %s after healing", got[:k], err, took)
		}
		n.Isolate(b)
		near.Close()
		n.Rejoin(b)
		if _, err := far.Read(got); err != io.EOF {
			t.Error("end of a stream closed during a partition:", err)
		}
	})
}

func TestCutResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, ln := two(t, simnet.Path{Latency: 10 * time.Millisecond})
		near, far := connect(t, a, ln)
		near.Write([]byte("arrived"))
		time.Sleep(time.Second)
		near.Write([]byte("under way"))
		n.Cut(a, b)
		if got, err := io.ReadAll(far); !errors.Is(err, syscall.ECONNRESET) || string(got) != "arrived" {
			t.Errorf("far read %q, %v", got, err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("near wrote:", err)
		}
		near2, far2 := connect(t, b, mustListen(t, a, "10.0.1.1:80"))
		near2.Close()
		if _, err := io.ReadAll(far2); err != nil {
			t.Error("after the cut:", err)
		}
	})
}

func mustListen(t testing.TB, h *simnet.Host, at string) net.Listener {
	t.Helper()
	ln, err := h.Listen(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestCloseWithUnreadBytesResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _, ln := two(t, simnet.Path{Latency: 10 * time.Millisecond})
		near, far := connect(t, a, ln)
		near.Write([]byte("never read"))
		time.Sleep(time.Second)
		far.Close()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("near read:", err)
		}
		near, far = connect(t, a, ln)
		far.Close()
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Error("near read:", err)
		}
		near.Write([]byte("to nobody"))
		time.Sleep(time.Second)
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("near wrote:", err)
		}
	})
}

// TestBytesAreConserved: whatever is cut, partitioned and healed, a reader gets a beginning of what was written, and all of it
// unless the stream was reset.
func TestBytesAreConserved(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 1))
		resets := 0
		for range 200 {
			n := simnet.New(rng.Uint64())
			n.Buffer = 1 << (10 + rng.IntN(10))
			a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
			path := simnet.Path{
				Latency: time.Duration(rng.IntN(50)) * time.Millisecond, Jitter: time.Duration(rng.IntN(20)) * time.Millisecond,
				Bandwidth: rng.IntN(2) * (100_000 + rng.IntN(1_000_000)), Loss: rng.Float64() * 0.1,
			}
			if !conserved(t, n, a, b, path, rng) {
				resets++
			}
		}
		if resets == 0 || resets == 200 {
			t.Errorf("%d of 200 streams were reset", resets)
		}
	})
}

// conserved sends both ways over path while faults happen; whole says that all arrived.
func conserved(t *testing.T, n *simnet.Network, a, b *simnet.Host, path simnet.Path, rng *rand.Rand) (whole bool) {
	near, far := connect(t, a, mustListen(t, b, "10.0.0.2:80")) // of many dials on a path with losses one would fail one day
	n.SetPath(a, b, path)
	size := rng.IntN(300_000)
	stop := make(chan struct{})
	faults := make(chan struct{})
	go func() {
		defer close(faults)
		for {
			select {
			case <-stop:
				n.Heal(a, b)
				return
			case <-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond):
			}
			switch rng.IntN(13) {
			case 0, 1:
				n.Cut(a, b)
			case 2, 3, 4:
				n.Partition(a, b)
			default:
				n.Heal(a, b)
			}
		}
	}()
	results := make(chan error, 2)
	for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			ends[0].Write(pattern(size))
			ends[0].(interface{ CloseWrite() error }).CloseWrite()
		}()
		go func() {
			got, err := io.ReadAll(ends[1])
			if !bytes.Equal(got, pattern(size)[:len(got)]) || err == nil && len(got) != size {
				t.Errorf("%d bytes of %d came, %v", len(got), size, err)
			}
			results <- err
		}()
	}
	err := errors.Join(<-results, <-results)
	close(stop)
	<-faults
	near.Close()
	far.Close()
	return err == nil
}

func TestListenerCloseResetsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _, ln := two(t, simnet.Path{})
		c, err := a.Dial(context.Background(), "10.0.2.1:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ln.Close()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Error("read:", err)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("accept:", err)
		}
		if _, err := a.Dial(context.Background(), "10.0.2.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("dial:", err)
		}
	})
}

// packets opens a PacketConn on each host.
func packets(t testing.TB, a, b *simnet.Host) (pa, pb *simnet.PacketConn) {
	t.Helper()
	var err error
	if pa, err = a.ListenPacket(":5000"); err == nil {
		pb, err = b.ListenPacket(":5000")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pa.Close(); pb.Close() })
	return pa, pb
}

func udp(s string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// received reads until nothing has come for a second.
func received(c *simnet.PacketConn) (got []uint32) {
	b := make([]byte, 2000)
	for {
		c.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return got
		}
		if n >= 4 {
			got = append(got, binary.BigEndian.Uint32(b))
		}
	}
}

func TestDatagrams(t *testing.T) {
	const count = 10_000
	for name, c := range map[string]struct {
		path        simnet.Path
		least, most int
		inOrder     bool
	}{
		"plain":    {path: simnet.Path{Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond}, least: count, most: count, inOrder: true},
		"lossy":    {path: simnet.Path{Loss: 0.1}, least: count * 87 / 100, most: count * 93 / 100, inOrder: true},
		"unruly":   {path: simnet.Path{Latency: 20 * time.Millisecond, Reorder: 0.1}, least: count, most: count},
		"too thin": {path: simnet.Path{Bandwidth: 50_000, Queue: 10_000}, least: count * 49 / 100, most: count * 52 / 100, inOrder: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, a, b, _ := two(t, c.path)
				pa, pb := packets(t, a, b)
				go func() {
					for i := range count {
						pa.WriteTo(binary.BigEndian.AppendUint32(make([]byte, 0, 100), uint32(i))[:100], udp("10.0.2.1:5000"))
						time.Sleep(time.Millisecond) // 100,000 bytes a second
					}
				}()
				got := received(pb)
				if len(got) < c.least || len(got) > c.most {
					t.Errorf("%d of %d arrived, want %d to %d", len(got), count, c.least, c.most)
				}
				seen, late := map[uint32]bool{}, 0
				for i, n := range got {
					if seen[n] {
						t.Fatal("a datagram came twice")
					}
					seen[n] = true
					if i > 0 && n < got[i-1] {
						late++
					}
				}
				if (late == 0) != c.inOrder {
					t.Errorf("%d were overtaken", late)
				}
			})
		})
	}
}

func TestSameSeedSameFate(t *testing.T) {
	run := func() (got []uint32) {
		synctest.Test(t, func(t *testing.T) {
			_, a, b, _ := two(t, simnet.Path{Latency: 5 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.2, Reorder: 0.2})
			pa, pb := packets(t, a, b)
			go func() {
				for i := range 500 {
					pa.WriteTo(binary.BigEndian.AppendUint32(nil, uint32(i)), udp("10.0.2.1:5000"))
					time.Sleep(time.Millisecond)
				}
			}()
			got = received(pb)
		})
		return got
	}
	a, b := run(), run()
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%d and %d datagrams", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("datagram %d differs", i)
		}
	}
}

func TestDatagramBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, _ := two(t, simnet.Path{})
		pa, pb := packets(t, a, b)
		for range 100 {
			pa.WriteTo(make([]byte, 10_000), udp("10.0.2.1:5000"))
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if got := received(pb); len(got) != 26 { // of 10,000 bytes in 256 KiB
			t.Errorf("%d datagrams waited for a sleeping reader", len(got))
		}
		if _, err := pa.WriteTo(make([]byte, 70_000), udp("10.0.2.1:5000")); !errors.Is(err, syscall.EMSGSIZE) {
			t.Error("too long a datagram:", err)
		}
		n.Partition(a, b)
		pa.WriteTo([]byte("lost"), udp("10.0.2.1:5000"))
		n.Heal(a, b)
		if got := received(pb); len(got) != 0 {
			t.Errorf("%d datagrams crossed a partition", len(got))
		}
		pb.Close()
		if _, _, err := pb.ReadFrom(nil); !errors.Is(err, net.ErrClosed) {
			t.Error("after Close:", err)
		}
	})
}
