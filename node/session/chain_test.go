package session_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what takes milliseconds on a quiet machine.
const patience = 20 * time.Second

// still is TCP that does not watch this host: other tests change its network.
type still struct{}

func (still) Name() string { return link.TCP{}.Name() }

func (still) Dial(ctx context.Context, at string) (net.Conn, error) { return link.TCP{}.Dial(ctx, at) }

func (still) Listen(ctx context.Context, at string) (net.Listener, error) {
	return link.TCP{}.Listen(ctx, at)
}

// host is one node of a chain: links, rules and sessions, without a manager.
type host struct {
	key    *identity.Key
	links  *link.Neighbours
	table  *forward.Table
	sess   *session.Host
	accept chan *session.Stream
	next   *session.Path // what Lay returns, once
}

// chain is a line of nodes over loopback TCP, each linked to the next, with one route from the first to the last.
type chain struct {
	t     testing.TB
	hosts []*host
	ctx   context.Context
}

func newChain(t testing.TB, n int) *chain { return newChainThat(t, n, 0) }

// newChainThat is newChain whose sessions live so long without a route; 0: as usual.
func newChainThat(t testing.TB, n int, outage time.Duration) *chain {
	ctx, cancel := context.WithCancel(context.Background())
	c := &chain{t: t, ctx: ctx}
	var wg sync.WaitGroup
	for range n {
		c.hosts = append(c.hosts, newHost(t, ctx, &wg, outage))
	}
	t.Cleanup(func() {
		for _, h := range c.hosts {
			h.sess.Close()
		}
		cancel()
		wg.Wait()
	})
	for i := range n - 1 {
		far := c.hosts[i+1]
		c.hosts[i].links.AddPeer(secure.Addr{Key: far.key.Public(), HostPort: far.links.Addr().String()})
	}
	for i := range n - 1 {
		c.link(i, i+1)
		c.link(i+1, i)
	}
	return c
}

func newHost(t testing.TB, ctx context.Context, wg *sync.WaitGroup, outage time.Duration) *host {
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	h := &host{key: key, table: forward.New(), accept: make(chan *session.Stream, 1024)}
	h.sess = session.NewHost(session.Config{
		Key: key,
		Lay: func(context.Context, session.Want) (session.Laid, error) {
			p := h.next
			if h.next = nil; p == nil {
				return session.Laid{}, errors.New("there is but one route")
			}
			return session.Laid{Path: p}, nil
		},
		Outage: outage,
		Accept: func(st *session.Stream) { h.accept <- st },
	})
	h.sess.Calm()
	h.links, err = link.Listen(ctx, link.Config{
		Key: key, Carrier: still{}, Listen: "127.0.0.1:0", Guard: secure.NewGuard(secure.GuardConfig{}), Receive: h.table.Receiver,
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { h.links.Run(ctx) })
	return h
}

// link waits for the link from host i to host j.
func (c *chain) link(i, j int) *link.Link {
	c.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if l := c.hosts[i].links.Link(c.hosts[j].key.Public()); l != nil {
			return l
		}
	}
	c.t.Fatalf("no link from host %d to host %d", i, j)
	return nil
}

// lay installs a route over the whole chain, the way the manager does.
func (c *chain) lay() {
	c.t.Helper()
	var key forward.Key
	rand.Read(key[:])
	last := len(c.hosts) - 1
	num := func(i int, back bool) wire.RouteID { // of the link between i and i+1
		if back {
			return wire.RouteID(1000*int(key[0]) + 2*i + 2)
		}
		return wire.RouteID(1000*int(key[0]) + 2*i + 1)
	}
	for i := last; i >= 0; i-- {
		h := c.hosts[i]
		r := forward.Route{Key: key, Idle: time.Minute}
		if i > 0 {
			r.Prev = forward.Side{Link: c.link(i, i-1), In: num(i-1, false), Out: num(i-1, true)}
		}
		if i < last {
			r.Next = forward.Side{Link: c.link(i, i+1), In: num(i, true), Out: num(i, false)}
		}
		var p *session.Path
		if i == 0 || i == last {
			remote := c.hosts[last-i].key.Public()
			var err error
			if p, err = h.sess.New(remote, key, i == 0); err != nil {
				c.t.Fatal(err)
			}
			r.Upper = p
			h.next = p
		}
		end, err := h.table.Install(r)
		if err != nil {
			c.t.Fatal(err)
		}
		if p != nil {
			h.sess.Attach(c.ctx, p, end)
		}
	}
}

// dial opens a stream from the first host to the last and returns both ends.
func (c *chain) dial(target string, first []byte) (near, far *session.Stream) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	got := make(chan *session.Stream, 1)
	go func() {
		select {
		case st := <-c.hosts[len(c.hosts)-1].accept:
			st.Confirm()
			got <- st
		case <-ctx.Done():
			got <- nil
		}
	}()
	near, err := c.hosts[0].sess.Dial(ctx, c.hosts[len(c.hosts)-1].key.Public(), "", 7, target, first)
	if err != nil {
		c.t.Fatal("dialing over the chain:", err)
	}
	return near, <-got
}

func TestStreamOverChain(t *testing.T) {
	for _, n := range []int{2, 3, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := newChain(t, n)
			c.lay()
			near, far := c.dial("example.test:80", []byte("first "))
			if far.Target() != "example.test:80" || far.Port() != 7 || far.Remote() != c.hosts[0].key.Public() {
				t.Errorf("far end sees target %q port %d from %s", far.Target(), far.Port(), far.Remote())
			}
			near.Write([]byte("second"))
			near.CloseWrite()
			if b, err := io.ReadAll(far); err != nil || string(b) != "first second" {
				t.Fatalf("far end read %q, %v", b, err)
			}
			far.Write([]byte("answer"))
			far.CloseWrite()
			if b, err := io.ReadAll(near); err != nil || string(b) != "answer" {
				t.Fatalf("near end read %q, %v", b, err)
			}
			s := c.hosts[0].sess.Sessions() // who reads the end hears of it a moment before the session counts it
			for end := time.Now().Add(patience); time.Now().Before(end) && len(s) == 1 && s[0].Streams > 0; s = c.hosts[0].sess.Sessions() {
				time.Sleep(time.Millisecond)
			}
			if len(s) != 1 || s[0].Streams != 0 {
				t.Errorf("after both halves closed: %+v", s)
			}
		})
	}
}

func TestBulkBothWaysAtOnce(t *testing.T) {
	c := newChain(t, 3)
	c.lay()
	var wg sync.WaitGroup
	for i := range 8 {
		near, far := c.dial(fmt.Sprint(i), nil)
		wg.Go(func() { transfer(t, near, far, 3<<20) })
		wg.Go(func() { transfer(t, far, near, 2<<20) })
	}
	wg.Wait()
	middle := c.hosts[1].table.Routes()
	if len(middle) != 1 || middle[0].Forward.Bytes < 24<<20 || middle[0].Back.Bytes < 16<<20 {
		t.Errorf("the middle node counted %+v", middle)
	}
}

// transfer sends n random bytes and compares what arrives.
func transfer(t *testing.T, from, to *session.Stream, n int) {
	sent, got := sha256.New(), sha256.New()
	go func() {
		io.CopyN(io.MultiWriter(from, sent), rand.Reader, int64(n))
		from.CloseWrite()
	}()
	m, err := to.WriteTo(got)
	if err != nil || m != int64(n) || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Errorf("received %d of %d bytes, err %v, same %t", m, n, err, bytes.Equal(sent.Sum(nil), got.Sum(nil)))
	}
}

func TestLazyStreamStopsOnlyItself(t *testing.T) {
	c := newChain(t, 3)
	c.lay()
	lazy, lazyFar := c.dial("lazy", nil)
	stuck := make(chan error, 1)
	go func() {
		_, err := lazy.Write(make([]byte, 32<<20))
		stuck <- err
	}()
	near, far := c.dial("busy", nil)
	transfer(t, near, far, 16<<20)
	select {
	case err := <-stuck:
		t.Fatalf("a write that nobody reads ended: %v", err)
	default:
	}
	lazyFar.Reset(wire.CodeRefused)
	if err := <-stuck; !errors.Is(err, &wire.Refused{Code: wire.CodeRefused}) {
		t.Errorf("the writer of a reset stream got %v, want the code of the reset", err)
	}
	if _, err := lazyFar.Read(make([]byte, 1)); err == nil {
		t.Error("read from a stream that we reset")
	}
}

func TestRefusedStream(t *testing.T) {
	c := newChain(t, 2)
	c.lay()
	go func() { (<-c.hosts[1].accept).Reset(wire.CodeNoListener) }()
	_, err := c.hosts[0].sess.Dial(c.ctx, c.hosts[1].key.Public(), "", 9, "", nil)
	if !errors.Is(err, &wire.Refused{Code: wire.CodeNoListener}) {
		t.Fatalf("got %v", err)
	}
}

func TestLinkDeathEndsStreams(t *testing.T) {
	c := newChainThat(t, 4, time.Second)
	c.lay()
	near, far := c.dial("x", nil)
	// The link between the third and the fourth host dies, and is not made again.
	cut := c.link(2, 3)
	c.hosts[3].links.Close()
	cut.Abort()
	for name, st := range map[string]*session.Stream{"near": near, "far": far} {
		st.SetReadDeadline(time.Now().Add(patience))
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, &wire.Refused{Code: wire.CodeGone}) {
			t.Errorf("%s end read %v, want that the session is lost", name, err)
		}
	}
	for i, h := range c.hosts {
		for until := time.Now().Add(patience); len(h.table.Routes()) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("host %d keeps %d routes", i, len(h.table.Routes()))
			}
		}
	}
}

func TestReadDeadline(t *testing.T) {
	c := newChain(t, 2)
	c.lay()
	near, far := c.dial("", nil)
	near.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := near.Read(make([]byte, 1)); err == nil {
		t.Fatal("read past its deadline")
	}
	near.SetReadDeadline(time.Time{})
	far.Write([]byte("x"))
	if n, err := near.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatalf("after the deadline was lifted: %d, %v", n, err)
	}
}

func BenchmarkStream(b *testing.B) {
	for _, n := range []int{2, 3, 4} {
		b.Run(fmt.Sprintf("links=%d", n-1), func(b *testing.B) {
			c := newChain(b, n)
			c.lay()
			near, far := c.dial("bench", nil)
			done := make(chan int64)
			go func() {
				m, _ := far.WriteTo(io.Discard)
				done <- m
			}()
			buf := make([]byte, 64<<10)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				near.Write(buf)
			}
			near.CloseWrite()
			<-done
		})
	}
}

func TestStreamToOurOwnNode(t *testing.T) {
	c := newChain(t, 1)
	near, far := c.dial("self", []byte("hello"))
	go func() {
		far.WriteTo(far)
		far.CloseWrite()
	}()
	go func() {
		near.Write(make([]byte, 3<<20))
		near.CloseWrite()
	}()
	if b, err := io.ReadAll(near); err != nil || len(b) != 5+(3<<20) {
		t.Fatalf("%d bytes came back, %v", len(b), err)
	}
}

func TestReadFromDescriptorAndReader(t *testing.T) {
	c := newChain(t, 3)
	c.lay()
	want := make([]byte, 5<<20+12345)
	rand.Read(want)
	for name, src := range map[string]func() io.Reader{
		"descriptor": func() io.Reader { return pipeOf(t, want) },
		"reader":     func() io.Reader { return bytes.NewReader(want) },
	} {
		near, far := c.dial(name, nil)
		go func() {
			if n, err := near.ReadFrom(src()); err != nil || n != int64(len(want)) {
				t.Errorf("%s: sent %d bytes, %v", name, n, err)
			}
			near.CloseWrite()
		}()
		if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes arrived, %v", name, len(got), err)
		}
	}
	near, far := c.dial("reset meanwhile", nil)
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	go far.Reset(wire.CodeDenied)
	go func() { // until the reset is noticed, which takes something to send
		for {
			if _, err := w.Write(make([]byte, 100)); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := near.ReadFrom(r); !errors.Is(err, &wire.Refused{Code: wire.CodeDenied}) {
		t.Errorf("after a reset: %v", err)
	}
}

// pipeOf is a descriptor from which b can be read, in uneven pieces.
func pipeOf(t *testing.T, b []byte) io.Reader {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	go func() {
		for i := 1; len(b) > 0; i++ {
			n := min(len(b), i*7919%100000)
			w.Write(b[:n])
			b = b[n:]
		}
		w.Close()
	}()
	return r
}

func BenchmarkReadFrom(b *testing.B) {
	c := newChain(b, 3)
	c.lay()
	near, far := c.dial("bench", nil)
	go far.WriteTo(io.Discard)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	near.ReadFrom(&endless{left: b.N})
}

// endless gives 64 KiB left times.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left--; e.left < 0 {
		return 0, io.EOF
	}
	return len(p), nil
}

func TestIdleSessionHasNothingInFlight(t *testing.T) {
	c := newChain(t, 3)
	c.lay()
	for range 3 {
		near, far := c.dial("x", []byte("some data"))
		near.CloseWrite()
		io.ReadAll(far)
		go func() { // more than is taken before somebody reads
			far.Write(make([]byte, 100000))
			far.CloseWrite()
		}()
		io.ReadAll(near)
		for who, h := range map[string]*host{"near": c.hosts[0], "far": c.hosts[2]} {
			for until := time.Now().Add(patience); h.sess.Sessions()[0].InFlight > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("the %s end has %d bytes in flight for ever", who, h.sess.Sessions()[0].InFlight)
				}
			}
		}
	}
}
