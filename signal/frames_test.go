package signal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// framed is a frame as Send writes it.
func framed(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)
}

// received feeds bytes to a Frames and returns what Recv makes of them before they end.
func received(t testing.TB, input []byte, limit int) ([][]byte, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		theirs.Write(input)
		theirs.Close()
	}()
	f := NewFrames(ours)
	f.SetLimit(limit)
	var all [][]byte
	for {
		msg, err := f.Recv()
		if err != nil {
			return all, err
		}
		all = append(all, msg)
	}
}

func TestFrameGolden(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		f := NewFrames(ours)
		f.Send([]byte(`{"a":1}`))
		f.Send([]byte("x"))
		f.Close()
	}()
	got, err := io.ReadAll(theirs)
	if err != nil {
		t.Fatal(err)
	}
	const want = "000000077b2261223a317d" + "0000000178"
	if hex.EncodeToString(got) != want {
		t.Fatalf("got %x, want %s", got, want)
	}
	msgs, err := received(t, got, MaxFrame)
	if err != io.EOF || len(msgs) != 2 || string(msgs[0]) != `{"a":1}` || string(msgs[1]) != "x" {
		t.Fatalf("got %q, %v", msgs, err)
	}
}

func TestFrameTruncated(t *testing.T) {
	whole := framed([]byte(`{"jsonrpc":"2.0"}`))
	for n := range whole {
		msgs, err := received(t, whole[:n], MaxFrame)
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if len(msgs) != 0 || err != want {
			t.Fatalf("first %d bytes: got %q, %v, want %v", n, msgs, err, want)
		}
	}
}

func TestFrameSizes(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     uint32
		limit int
		fits  bool
	}{
		{"empty", 0, MaxFrame, false},
		{"one", 1, MaxFrame, true},
		{"first allocation", firstAlloc, MaxFrame, true},
		{"one more", firstAlloc + 1, MaxFrame, true},
		{"largest", MaxFrame, MaxFrame, true},
		{"too large", MaxFrame + 1, MaxFrame, false},
		{"a gigabyte", 1 << 30, MaxFrame, false},
		{"all ones", 1<<32 - 1, MaxFrame, false},
		{"greeting", MaxGreeting, MaxGreeting, true},
		{"above greeting", MaxGreeting + 1, MaxGreeting, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := binary.BigEndian.AppendUint32(nil, c.n)
			if c.fits {
				input = append(input, bytes.Repeat([]byte{'x'}, int(c.n))...)
			}
			msgs, err := received(t, input, c.limit)
			if c.fits && (err != io.EOF || len(msgs) != 1 || len(msgs[0]) != int(c.n)) {
				t.Fatalf("got %d messages, %v", len(msgs), err)
			}
			if !c.fits && !errors.Is(err, ErrFrameSize) {
				t.Fatalf("got %d messages, %v, want ErrFrameSize", len(msgs), err)
			}
		})
	}
}

// A length is a claim: it must not make us hold a megabyte that never arrives.
func TestFrameAllocatesAsItArrives(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	f := NewFrames(ours)
	done := make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		_, err := f.Recv()
		done <- err
	}()
	theirs.Write(binary.BigEndian.AppendUint32(nil, MaxFrame))
	theirs.Write([]byte("only this"))
	theirs.Close()
	if err := <-done; err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > MaxFrame/2 {
		t.Fatalf("a bare length allocated %d bytes", grown)
	}
}

func TestFrameSendRefuses(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	f := NewFrames(ours)
	defer f.Close()
	for _, n := range []int{0, MaxFrame + 1} {
		if err := f.Send(make([]byte, n)); !errors.Is(err, ErrFrameSize) {
			t.Fatalf("sending %d bytes: %v", n, err)
		}
	}
}

func TestFrameReadDeadline(t *testing.T) {
	for _, part := range []int{0, 1, 6} { // nothing, inside the length, inside the message
		ours, theirs := net.Pipe()
		f := NewFrames(ours)
		f.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		go theirs.Write(framed([]byte("slow, slow, slow"))[:part])
		if _, err := f.Recv(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %d bytes: %v, want a deadline error", part, err)
		}
		ours.Close()
		theirs.Close()
	}
}

// A frame that trickles in ends by itself, also when the deadline for it is lifted meanwhile.
func TestFrameTrickles(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	f := NewFrames(ours)
	f.frameTime = 100 * time.Millisecond
	f.SetReadDeadline(time.Now().Add(time.Hour))
	go func() {
		for _, b := range framed(bytes.Repeat([]byte("x"), 10_000)) {
			if _, err := theirs.Write([]byte{b}); err != nil {
				return
			}
			f.SetReadDeadline(time.Time{})
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := f.Recv(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// The deadline for a whole frame goes when the frame is complete.
func TestFrameDeadlineEnds(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	f := NewFrames(ours)
	defer f.Close()
	go func() {
		theirs.Write(framed([]byte("a")))
		time.Sleep(100 * time.Millisecond)
		theirs.Write(framed([]byte("b")))
	}()
	f.SetReadDeadline(time.Now().Add(time.Minute))
	for _, want := range []string{"a", "b"} {
		if got, err := f.Recv(); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
		f.SetReadDeadline(time.Time{})
	}
}

func TestFrameWriteTimeoutCloses(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	f := NewFrames(ours)
	f.SetWriteTimeout(50 * time.Millisecond)
	if err := f.Send([]byte("nobody reads this")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := f.Send([]byte("x")); err == nil {
		t.Fatal("a connection with half a frame on it went on")
	}
}

func FuzzFrames(f *testing.F) {
	hello, _ := request(1, MethodHello, HelloParams{Protocol: 1, ID: 7, Nonce: make([]byte, NonceLen)})
	ready, _ := request(0, MethodReady, nil)
	f.Add(framed(hello))
	f.Add(append(framed(hello), framed(ready)...))
	f.Add(framed(answer([]byte("1"), struct{}{}, nil)))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, input []byte) {
		msgs, _ := received(t, input, MaxGreeting)
		var again []byte
		for _, msg := range msgs {
			again = append(again, framed(msg)...)
		}
		if !bytes.HasPrefix(input, again) {
			t.Fatalf("%x was read as %x", input, again)
		}
	})
}
