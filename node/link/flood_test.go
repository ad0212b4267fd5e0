package link

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

// flow is a Receiver that counts bytes.
type flow struct{ bytes atomic.Uint64 }

func (f *flow) Record(rec []byte) { f.bytes.Add(uint64(len(rec))) }
func (f *flow) Flush()            {}
func (f *flow) Closed(error)      {}

// stream keeps a link full until stop is closed.
func stream(l *Link, stop <-chan struct{}) {
	rec := record(1, 0, 32<<10)
	for {
		select {
		case <-stop:
			return
		case <-l.Done():
			return
		default:
		}
		if l.Queued() > 1<<20 {
			time.Sleep(time.Millisecond)
			continue
		}
		l.SendKept(rec)
	}
}

// rate is how fast f grows, in MB/s.
func (f *flow) rate(d time.Duration) float64 {
	before := f.bytes.Load()
	time.Sleep(d)
	return float64(f.bytes.Load()-before) / d.Seconds() / 1e6
}

// door is a carrier that counts whom it let in: who has been read from, and neither failed nor was closed.
type door struct {
	still
	inside, most atomic.Int64
}

func (d *door) Listen(ctx context.Context, at string) (net.Listener, error) {
	ln, err := d.still.Listen(ctx, at)
	return &doorway{ln, d}, err
}

type doorway struct {
	net.Listener
	d *door
}

func (w *doorway) Accept() (net.Conn, error) {
	nc, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guest{TCPConn: nc.(*net.TCPConn), d: w.d}, nil
}

type guest struct {
	*net.TCPConn
	d       *door
	in, out sync.Once
}

func (g *guest) Read(b []byte) (int, error) {
	g.in.Do(func() {
		n := g.d.inside.Add(1)
		for m := g.d.most.Load(); n > m && !g.d.most.CompareAndSwap(m, n); m = g.d.most.Load() {
		}
	})
	n, err := g.TCPConn.Read(b)
	if err != nil {
		g.leave()
	}
	return n, err
}

func (g *guest) Close() error {
	g.leave()
	return g.TCPConn.Close()
}

func (g *guest) leave() {
	g.in.Do(func() { g.d.inside.Add(1) }) // it never was
	g.out.Do(func() { g.d.inside.Add(-1) })
}

func memory() (heap, stack uint64, goroutines int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.StackInuse, runtime.NumGoroutine()
}

// TestFlood holds as many connections to a station's port as a machine can, none of which ends its handshake: some silent, some
// with half a message, some with garbage of the right length. Memory stays bounded and a link goes on.
func TestFlood(t *testing.T) {
	const flood, dialers = 10000, 50
	var in flow
	var counted door
	b := newStation(t, true, func(c *Config) { c.Carrier, c.Receive = &counted, func(*Link) Receiver { return &in } })
	a := newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.Link(a.key.Public()) != nil })
	l := a.Link(b.key.Public())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { stream(l, stop) })
	defer func() { close(stop); wg.Wait() }()

	quiet := in.rate(700 * time.Millisecond)
	heap, stack, routines := memory()
	var mu sync.Mutex
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	garbage := make([]byte, 2000)
	rand.Read(garbage)
	const first = 1249 // bytes of the first message
	garbage[0], garbage[1] = first>>8, first&0xff
	began := time.Now()
	var dialing sync.WaitGroup
	for i := range dialers {
		dialing.Go(func() {
			for j := range flood / dialers {
				d := net.Dialer{Timeout: longEnough}
				c, err := d.DialContext(context.Background(), "tcp", b.Addr().String())
				if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
					return
				}
				if err != nil {
					continue
				}
				switch (i + j) % 3 {
				case 0:
					c.Write(garbage[:600])
				case 1:
					c.Write(garbage)
				}
				mu.Lock()
				held = append(held, c)
				mu.Unlock()
			}
		})
	}
	during := in.rate(500 * time.Millisecond)
	dialing.Wait()
	took := time.Since(began)
	after := in.rate(700 * time.Millisecond)
	heap2, stack2, routines2 := memory()
	t.Logf("%d connections in %v; link %.0f MB/s before, %.0f while they came, %.0f with them there; heap %+d KiB, stacks %+d KiB, goroutines %+d",
		len(held), took.Round(time.Millisecond), quiet, during, after,
		(int64(heap2)-int64(heap))>>10, (int64(stack2)-int64(stack))>>10, routines2-routines)
	// the rates are for people: on a machine that others use they tell of those
	mark := in.bytes.Load()
	eventually(t, "the link to go on", func() bool { return in.bytes.Load() > mark+8<<20 })
	if err := l.Err(); err != nil {
		t.Errorf("the link ended: %v", err)
	}
	// 512 half-open connections of this machine, and some that are about to be closed
	if n := counted.most.Load(); n > 700 {
		t.Errorf("%d strangers were read from at once", n)
	}
	// the dialing ends of all 10,000 live in this process too; who is refused may still be on the way out
	eventually(t, "few goroutines", func() bool { return runtime.NumGoroutine() <= routines+700 })
	eventually(t, "little memory", func() bool { now, _, _ := memory(); return now <= heap+48<<20 })
	if l.SendKept(record(1, 0, 100)) != wire.RouteID(0) {
		t.Error("overflow")
	}
}
