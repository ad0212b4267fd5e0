package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is far longer than anything here takes.
const wait = time.Minute

// memConn is one end of a pipe of messages in memory; a write waits for the reader.
type memConn struct {
	in, out chan []byte
	end     chan struct{} // of both ends
	once    *sync.Once

	mu       sync.Mutex
	deadline time.Time // of reads
}

func memPipe() (a, b *memConn) {
	x, y, end, once := make(chan []byte), make(chan []byte), make(chan struct{}), new(sync.Once)
	return &memConn{in: x, out: y, end: end, once: once}, &memConn{in: y, out: x, end: end, once: once}
}

func (c *memConn) ReadMsg() ([]byte, error) {
	c.mu.Lock()
	d := c.deadline
	c.mu.Unlock()
	var late <-chan time.Time
	if !d.IsZero() {
		t := time.NewTimer(time.Until(d))
		defer t.Stop()
		late = t.C
	}
	select {
	case b := <-c.in:
		return b, nil
	case <-late:
		return nil, os.ErrDeadlineExceeded
	case <-c.end:
		return nil, io.EOF
	}
}

func (c *memConn) WriteMsg(b []byte) error {
	select {
	case c.out <- append([]byte(nil), b...):
		return nil
	case <-c.end:
		return io.ErrClosedPipe
	}
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memConn) Remote() identity.PubKey          { return identity.PubKey{2, 1} }
func (c *memConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memConn) Close() error                     { c.once.Do(func() { close(c.end) }); return nil }

// runPeers connects two peers until the test ends.
func runPeers(t *testing.T, a, b PeerConfig) (*Peer, *Peer) {
	t.Helper()
	a.Conn, b.Conn = func() (Conn, Conn) { x, y := memPipe(); return x, y }()
	p, q := NewPeer(a), NewPeer(b)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	wg.Go(func() { q.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p, q
}

func echo(_ context.Context, t Type, body []byte) ([]byte, error) {
	if t == TypeRemove {
		return nil, Errorf(CodeQuota, "%s", body)
	}
	return append([]byte{byte(t)}, body...), nil
}

func TestCallsBothWays(t *testing.T) {
	a, b := runPeers(t, PeerConfig{Serve: echo}, PeerConfig{Serve: echo})
	var wg sync.WaitGroup
	for i := range 100 {
		for _, p := range []*Peer{a, b} {
			wg.Go(func() {
				text := fmt.Sprint(i)
				got, err := p.Call(t.Context(), TypeName, []byte(text))
				if err != nil || string(got) != "\x05"+text {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
	}
	wg.Wait()
	if _, err := a.Call(t.Context(), TypeRemove, []byte("why")); err == nil || err.Error() != "quota reached: why" {
		t.Errorf("refusal: %v", err)
	}
}

func TestSlowRequestDelaysNoOther(t *testing.T) {
	hold := make(chan struct{})
	a, _ := runPeers(t, PeerConfig{Serve: echo}, PeerConfig{Serve: func(ctx context.Context, typ Type, b []byte) ([]byte, error) {
		if typ == TypeRoute {
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		return nil, nil
	}})
	slow := make(chan error, 1)
	go func() { _, err := a.Call(context.Background(), TypeRoute, nil); slow <- err }()
	for range 10 {
		if _, err := a.Call(t.Context(), TypeName, nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-slow:
		t.Fatalf("the slow one ended first: %v", err)
	default:
	}
	close(hold)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
}

func TestOneWorkerKeepsOrder(t *testing.T) {
	var got []byte
	hold := make(chan struct{})
	a, b := memPipe()
	p := NewPeer(PeerConfig{Conn: b, Workers: 1, Serve: func(_ context.Context, _ Type, body []byte) ([]byte, error) {
		<-hold
		got = append(got, body[0]) // one worker: no lock needed, the race detector checks
		return nil, nil
	}})
	done := make(chan error, 1)
	go func() { done <- p.Run(context.Background()) }()
	for i := range 20 {
		if err := a.WriteMsg(append(appendHeader(nil, TypeInstall, uint32(i)), byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	for range 20 {
		if _, err := a.ReadMsg(); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	<-done
	if len(got) != 20 || !slices.IsSorted(got) {
		t.Fatalf("carried out in the order %v", got)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	hold := make(chan struct{})
	a, b := memPipe()
	p := NewPeer(PeerConfig{Conn: b, Workers: 2, Serve: func(ctx context.Context, _ Type, _ []byte) ([]byte, error) {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return nil, nil
	}})
	done := make(chan error, 1)
	go func() { done <- p.Run(context.Background()) }()
	const taken = 2 + maxHeld
	for i := range taken + 1 {
		a.WriteMsg(appendHeader(nil, TypeName, uint32(i)))
	}
	m, err := a.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	if typ, id, body, _ := parseHeader(m); typ != typeError || id != taken || CodeOf(parseFailure(body)) != CodeBusy {
		t.Fatalf("one too many was answered %d %d %x", typ, id, body)
	}
	// And a peer that never reads its refusals is cut off rather than buffered for.
	for i := taken + 1; ; i++ {
		if a.WriteMsg(appendHeader(nil, TypeName, uint32(i))) != nil {
			break
		}
		if i > taken+10*maxQueued {
			t.Fatal("requests without end were taken")
		}
	}
	if err := <-done; err == nil {
		t.Error("Run did not say why")
	}
	close(hold)
}

func TestLargeRequestsAreBounded(t *testing.T) {
	p := NewPeer(PeerConfig{Workers: 1})
	big := request{body: make([]byte, MaxMessage)}
	n := 0
	for ; n < 100; n++ {
		if _, ok := p.admit(big); !ok {
			break
		}
	}
	if n != maxHeldBytes/MaxMessage {
		t.Fatalf("%d large requests were taken", n)
	}
	for q, more := big, true; more; q, more = p.next(q) {
	}
	if p.bytes != 0 || p.running != 0 {
		t.Errorf("left: %d bytes, %d workers", p.bytes, p.running)
	}
}

func TestClosedConnectionEndsCalls(t *testing.T) {
	asked := make(chan struct{}, 1)
	hold := func(ctx context.Context, _ Type, _ []byte) ([]byte, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a, b := runPeers(t, PeerConfig{Serve: echo}, PeerConfig{Serve: hold})
	ended := make(chan error, 1)
	go func() { _, err := a.Call(context.Background(), TypeName, nil); ended <- err }()
	<-asked
	b.Close()
	b.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
	if _, err := a.Call(t.Context(), TypeName, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a call afterwards: %v", err)
	}
}

func TestCallHonoursContext(t *testing.T) {
	hold := func(ctx context.Context, typ Type, _ []byte) ([]byte, error) {
		if typ == TypeRoute {
			<-ctx.Done()
		}
		return nil, nil
	}
	a, _ := runPeers(t, PeerConfig{Serve: echo}, PeerConfig{Serve: hold})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Call(ctx, TypeRoute, nil); !errors.Is(err, context.DeadlineExceeded) { // it may not even have left
		t.Fatalf("%v", err)
	}
	if _, err := a.Call(t.Context(), TypeName, nil); err != nil {
		t.Fatalf("the next call: %v", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) != 0 {
		t.Errorf("%d calls are still noted", len(a.calls))
	}
}

func TestSilenceEndsConnection(t *testing.T) {
	a, b := memPipe()
	defer a.Close()
	p := NewPeer(PeerConfig{Conn: b, Serve: echo, Silence: 20 * time.Millisecond})
	if err := p.Run(t.Context()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v", err)
	}
}

func TestBrokenMessagesEndConnection(t *testing.T) {
	for name, m := range map[string][]byte{
		"empty":           {},
		"short":           {1, 5, 0, 0, 0},
		"another version": {2, 5, 0, 0, 0, 0},
		"type 0":          {1, 0, 0, 0, 0, 0},
		"type 127":        {1, 127, 0, 0, 0, 0},
		"type 128":        {1, 128, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := memPipe()
			done := make(chan error, 1)
			p := NewPeer(PeerConfig{Conn: b, Serve: echo})
			go func() { done <- p.Run(context.Background()) }()
			a.WriteMsg(m)
			select {
			case err := <-done:
				if err == nil {
					t.Fatal("no reason given")
				}
			case <-time.After(wait):
				t.Fatal("the connection lives on")
			}
		})
	}
}

func TestAnswersOutOfPlace(t *testing.T) {
	a, b := memPipe()
	p := NewPeer(PeerConfig{Conn: b, Serve: echo})
	done := make(chan error, 1)
	go func() { done <- p.Run(context.Background()) }()
	ended := make(chan error, 1)
	go func() { _, err := p.Call(context.Background(), TypeName, nil); ended <- err }()
	m, err := a.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	_, id, _, _ := parseHeader(m)
	a.WriteMsg(appendHeader(nil, TypeName|answerBit, id+1)) // nobody waits for it
	a.WriteMsg(appendHeader(nil, TypeInstall|answerBit, id))
	if err := <-ended; err == nil {
		t.Error("an answer of another type was taken")
	}
	a.Close()
	<-done
}

// FuzzPeer feeds a connection with foreign messages: it must end or go on, never panic
// or hang.
func FuzzPeer(f *testing.F) {
	f.Add(appendHeader(nil, TypeName, 1), appendHeader(nil, TypeName|answerBit, 1))
	f.Add(failure(1, &Error{Code: CodeBusy, Text: "x"}), []byte{1})
	f.Fuzz(func(t *testing.T, m1, m2 []byte) {
		a, b := memPipe()
		p := NewPeer(PeerConfig{Conn: b, Serve: echo})
		done := make(chan struct{})
		go func() { p.Run(context.Background()); close(done) }()
		go func() { p.Call(context.Background(), TypeName, nil) }()
		go func() {
			for {
				if _, err := a.ReadMsg(); err != nil {
					return
				}
			}
		}()
		a.WriteMsg(m1)
		a.WriteMsg(m2)
		a.Close()
		<-done
	})
}
