package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const slack = 60 * time.Second // what a loaded machine may take for anything

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), slack)
	t.Cleanup(cancel)
	return ctx
}

// pair connects two ends and runs them until the test ends.
func pair(t testing.TB, a, b PeerOptions) (*Peer, *Peer) {
	left, right := net.Pipe()
	pa, pb := NewPeer(NewFrames(left), a), NewPeer(NewFrames(right), b)
	var wg sync.WaitGroup
	for _, p := range []*Peer{pa, pb} {
		wg.Go(func() { p.Run(context.Background()) })
	}
	t.Cleanup(func() {
		pa.Close()
		pb.Close()
		wg.Wait()
	})
	return pa, pb
}

// raw runs one end and gives the test the bytes of the other.
func raw(t testing.TB, o PeerOptions) (*Peer, *Frames, <-chan error) {
	left, right := net.Pipe()
	p := NewPeer(NewFrames(left), o)
	p.parting = slack
	ended := make(chan error, 1)
	go func() { ended <- p.Run(context.Background()) }()
	t.Cleanup(func() {
		p.Close()
		right.Close()
		<-p.Done()
	})
	return p, NewFrames(right), ended
}

func echo(_ context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case "echo":
		return params, nil
	case "fail":
		return nil, Errorf(CodeCommand, "it failed")
	}
	return nil, NoMethod(method)
}

func TestPeerCallsBothWays(t *testing.T) {
	a, b := pair(t, PeerOptions{Handle: echo}, PeerOptions{Handle: echo, Requests: 100})
	var wg sync.WaitGroup
	for i := range 50 {
		for _, p := range []*Peer{a, b} {
			wg.Go(func() {
				var got []int
				if err := p.Call(within(t), "echo", []int{i}, &got); CodeOf(err) == CodeBusy {
					return
				} else if err != nil || len(got) != 1 || got[0] != i {
					t.Errorf("got %v, %v, want %d: answers were swapped", got, err, i)
				}
			})
		}
	}
	wg.Wait()
	if err := a.Call(within(t), "fail", nil, nil); CodeOf(err) != CodeCommand || err.Error() != "it failed" {
		t.Errorf("got %v", err)
	}
	if err := a.Call(within(t), "nothing", nil, nil); CodeOf(err) != CodeNoMethod {
		t.Errorf("got %v", err)
	}
}

func TestPeerNotificationsInOrder(t *testing.T) {
	const n = 1000
	var got []string
	done := make(chan struct{})
	a, _ := pair(t, PeerOptions{}, PeerOptions{Notify: func(method string, _ json.RawMessage) {
		if got = append(got, method); len(got) == n {
			close(done)
		}
	}})
	for i := range n {
		if err := a.Notify(within(t), fmt.Sprint("n", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	for i, method := range got {
		if method != fmt.Sprint("n", i) {
			t.Fatalf("number %d is %s", i, method)
		}
	}
}

// A peer that does not answer costs its caller the deadline, and its late answer nothing.
func TestPeerLateAnswerIgnored(t *testing.T) {
	p, other, ended := raw(t, PeerOptions{Handle: echo})
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	asked := make(chan []byte, 1)
	go func() {
		frame, _ := other.Recv()
		asked <- frame
		cancel(context.DeadlineExceeded) // the question was asked: not before
	}()
	if err := p.Call(ctx, "ping", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	m, wrong := parseMessage(<-asked)
	if wrong != nil {
		t.Fatal(wrong)
	}
	for _, late := range [][]byte{
		answer(m.ID, struct{}{}, nil), answer(m.ID, struct{}{}, nil), // late, and twice
		answer([]byte("999"), nil, nil), answer([]byte(`"x"`), nil, nil), answer([]byte("-1.5"), nil, nil),
	} {
		if err := other.Send(late); err != nil {
			t.Fatal(err)
		}
	}
	other.Send([]byte(`{"jsonrpc":"2.0","id":5,"method":"echo","params":{"a":1}}`))
	got, err := other.Recv()
	if err != nil || string(got) != `{"jsonrpc":"2.0","id":5,"result":{"a":1}}` {
		t.Fatalf("got %s, %v", got, err)
	}
	other.Close()
	if err := <-ended; err != nil {
		t.Fatalf("Run after a clean end: %v", err)
	}
}

func TestPeerConnectionLostDuringCall(t *testing.T) {
	p, other, _ := raw(t, PeerOptions{})
	go func() {
		other.Recv()
		other.Close()
	}()
	if err := p.Call(within(t), "ping", nil, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if err := p.Call(within(t), "ping", nil, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("after the end: %v", err)
	}
	if err := p.Notify(within(t), "x", nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("after the end: %v", err)
	}
}

func TestPeerGarbageIsToldAndCutOff(t *testing.T) {
	for _, c := range []struct {
		input string
		code  Code
	}{
		{"\x00\x01\x02", CodeParse},
		{`[{"jsonrpc":"2.0","method":"a"}]`, CodeParse},
		{`{"jsonrpc":"3.0","method":"a"}`, CodeRequest},
	} {
		_, other, ended := raw(t, PeerOptions{Handle: echo})
		go other.Send([]byte(c.input))
		frame, err := other.Recv()
		if err != nil {
			t.Fatal(err)
		}
		m, wrong := parseMessage(frame)
		if wrong != nil || m.Error == nil || m.Error.Code != c.code {
			t.Fatalf("%q: got %s", c.input, frame)
		}
		if _, err := other.Recv(); err == nil {
			t.Fatalf("%q: the connection goes on", c.input)
		}
		if err := <-ended; CodeOf(err) != c.code {
			t.Fatalf("%q: Run returned %v", c.input, err)
		}
	}
}

func TestPeerOversizeFrameEndsIt(t *testing.T) {
	p, other, ended := raw(t, PeerOptions{})
	go other.Conn().Write([]byte{0x7f, 0xff, 0xff, 0xff})
	if err := <-ended; !errors.Is(err, ErrFrameSize) {
		t.Fatalf("got %v", err)
	}
	<-p.Done()
}

func TestPeerTooManyRequests(t *testing.T) {
	release := make(chan struct{})
	_, other, _ := raw(t, PeerOptions{Requests: 2, Handle: func(ctx context.Context, _ string, _ json.RawMessage) (any, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return "done", nil
	}})
	for i := 1; i <= 3; i++ {
		frame, _ := request(uint64(i), "wait", nil)
		if err := other.Send(frame); err != nil {
			t.Fatal(err)
		}
	}
	frame, err := other.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := parseMessage(frame); m == nil || string(m.ID) != "3" || m.Error == nil || m.Error.Code != CodeBusy {
		t.Fatalf("got %s", frame)
	}
	close(release)
	for range 2 {
		if frame, err = other.Recv(); err != nil || !strings.Contains(string(frame), "done") {
			t.Fatalf("got %s, %v", frame, err)
		}
	}
}

// A handler is told when its connection is gone, and Run waits for it.
func TestPeerHandlerEndsWithConnection(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	p, other, run := raw(t, PeerOptions{Handle: func(ctx context.Context, _ string, _ json.RawMessage) (any, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	frame, _ := request(1, "wait", nil)
	other.Send(frame)
	<-began
	other.Close()
	<-run
	select {
	case <-ended:
	default:
		t.Fatal("Run returned before the handler")
	}
	<-p.Done()
}

func TestPeerTooLargeToSend(t *testing.T) {
	a, _ := pair(t, PeerOptions{}, PeerOptions{Handle: func(context.Context, string, json.RawMessage) (any, error) {
		return strings.Repeat("x", MaxFrame), nil
	}})
	if err := a.Call(within(t), "big", nil, nil); CodeOf(err) != CodeTooLarge {
		t.Fatalf("answer: %v", err)
	}
	if err := a.Notify(within(t), "big", []string{strings.Repeat("x", MaxFrame)}); CodeOf(err) != CodeTooLarge {
		t.Fatalf("notification: %v", err)
	}
}

// A reader that stands still holds up the sender, not memory, and the sender's deadline counts.
func TestPeerSenderWaits(t *testing.T) {
	p, _, _ := raw(t, PeerOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	sent := 0
	for ; sent < 10*outgoingQueue; sent++ {
		if err := p.Notify(ctx, "log", LogParams{Line: "x"}); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
	}
	if sent > outgoingQueue+1 {
		t.Fatalf("%d notifications were queued for a reader that stands still", sent)
	}
}

// Whoever waits for an answer to have left hears of it, also when it never could.
func TestPeerSentIsAlwaysCalled(t *testing.T) {
	for _, lost := range []bool{false, true} {
		sent := make(chan struct{})
		_, other, run := raw(t, PeerOptions{Handle: func(context.Context, string, json.RawMessage) (any, error) {
			return answered{result: 1, sent: func() { close(sent) }}, nil
		}})
		frame, _ := request(1, "x", nil)
		other.Send(frame)
		if lost {
			other.Close()
			<-run
		} else if got, err := other.Recv(); err != nil || string(got) != `{"jsonrpc":"2.0","id":1,"result":1}` {
			t.Fatalf("got %s, %v", got, err)
		}
		<-sent
	}
}

func FuzzPeer(f *testing.F) {
	call, _ := request(1, "echo", []int{1})
	f.Add(framed(call))
	f.Add(append(framed(call), framed(answer([]byte("1"), 1, nil))...))
	f.Add(framed([]byte(`{"jsonrpc":"2.0","id":null,"method":"x"}`)))
	f.Fuzz(func(t *testing.T, input []byte) {
		ours, theirs := net.Pipe()
		p := NewPeer(NewFrames(ours), PeerOptions{Handle: echo, Notify: func(string, json.RawMessage) {}})
		go func() {
			theirs.SetDeadline(time.Now().Add(slack))
			theirs.Write(input)
			theirs.Close()
		}()
		go func() {
			for buf := make([]byte, 4096); ; {
				if _, err := theirs.Read(buf); err != nil {
					return
				}
			}
		}()
		p.Run(context.Background())
	})
}
