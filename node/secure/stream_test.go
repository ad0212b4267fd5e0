package secure

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

type outcome struct {
	r   Result
	err error
}

// accepting runs accept on nc in the background.
func accepting(ctx context.Context, nc net.Conn, cfg Config, g *Guard, service bool) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		r, err := accept(ctx, nc, cfg, g, service)
		done <- outcome{r, err}
	}()
	return done
}

func TestDialAccept(t *testing.T) {
	for _, service := range []bool{false, true} {
		a, b := newKey(t), newKey(t)
		left, right := net.Pipe()
		defer left.Close()
		defer right.Close()
		done := accepting(t.Context(), right, linkConfig(b), NewGuard(GuardConfig{}), service)
		ri, err := Dial(t.Context(), left, linkConfig(a), b.Public())
		if err != nil {
			t.Fatal(err)
		}
		rr := <-done
		if rr.err != nil {
			t.Fatal(rr.err)
		}
		if ri.Send != rr.r.Recv || ri.Recv != rr.r.Send || ri.Transcript != rr.r.Transcript || rr.r.Remote != a.Public() {
			t.Errorf("the ends disagree: %+v and %+v", ri, rr.r)
		}
	}
}

// Records may follow message 3 at once: Accept reads not a byte of them.
func TestAcceptReadsNoFurther(t *testing.T) {
	a, b := newKey(t), newKey(t)
	addr := listen(t, func(nc net.Conn) {
		r, err := Accept(t.Context(), nc, linkConfig(b), nil)
		if err != nil {
			t.Error(err)
			return
		}
		c := NewConn(nc, r)
		msg, err := c.ReadMsg()
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.WriteMsg(append([]byte("got "), msg...))
	})
	nc := dial(t, addr)
	i, err := NewInitiator(linkConfig(a), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	_ = writeFrame(nc, start(t, i))
	msg2, err := readFrame(nc, msg2Len)
	if err != nil {
		t.Fatal(err)
	}
	var burst bytes.Buffer
	_ = writeFrame(&burst, next(t, i, msg2))
	sealed := NewSealer(i.Result().Send).Seal(nil, []byte("early"), []byte{0, 0, 21})
	burst.Write(append([]byte{0, 0, 21}, sealed...))
	if _, err := nc.Write(burst.Bytes()); err != nil {
		t.Fatal(err)
	}
	if msg, err := NewConn(nc, i.Result()).ReadMsg(); err != nil || string(msg) != "got early" {
		t.Fatalf("answer %q, %v", msg, err)
	}
}

func TestDeadlinesCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newKey(t), newKey(t)
		left, right := net.Pipe()
		left.SetDeadline(time.Now().Add(time.Second))
		right.SetDeadline(time.Now().Add(time.Second))
		done := accepting(t.Context(), right, linkConfig(b), nil, false)
		if _, err := Dial(t.Context(), left, linkConfig(a), b.Public()); err != nil {
			t.Fatal(err)
		}
		<-done
		time.Sleep(time.Hour)
		go left.Write([]byte("x"))
		if _, err := right.Read(make([]byte, 1)); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		left.Close()
		right.Close()
	})
}

func frameOf(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// hostile is what strangers send first.
func hostile(t testing.TB, local identity.PubKey) map[string][]byte {
	i, err := NewInitiator(linkConfig(newKey(t)), newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	otherKey := start(t, i)
	i, err = NewInitiator(linkConfig(newKey(t)), local)
	if err != nil {
		t.Fatal(err)
	}
	good := start(t, i)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	inside := bytes.Clone(good)
	inside[40] ^= 1
	_, r := pair(t, newKey(t), newKey(t))
	r.macKey = macKey(local)
	who, _ := appendWho(nil)
	badWho := bytes.Clone(who)
	badWho[whoLen-1] = 1
	return map[string][]byte{
		"http":             []byte("GET / HTTP/1.1\r\nHost: node\r\n\r\n"),
		"tls":              append([]byte{0x16, 0x03, 0x01, 0x02, 0x00}, make([]byte, 512)...),
		"zeros":            make([]byte, 4096),
		"ones":             bytes.Repeat([]byte{0xff}, 70_000),
		"empty frame":      {0, 0},
		"oversized":        append([]byte{0xff, 0xff}, make([]byte, 65535)...),
		"just beyond":      frameOf(make([]byte, MaxHandshakeMsg+1)),
		"right length":     frameOf(make([]byte, msg1Len)),
		"for another key":  frameOf(otherKey),
		"wrong mac":        frameOf(flipped),
		"wrong inside":     frameOf(remac(r, inside)),
		"message 2 length": frameOf(make([]byte, msg2Len)),
		"who, bad padding": frameOf(badWho),
		"who, bad magic":   frameOf(append([]byte("skywho/2"), who[8:]...)),
		"who, short":       frameOf(who[:whoLen-1]),
	}
}

// Whatever a stranger sends, he gets not one byte back.
func TestNothingAnswered(t *testing.T) {
	b := newKey(t)
	for _, service := range []bool{false, true} {
		g := NewGuard(GuardConfig{})
		errs := make(chan error, 100)
		addr := listen(t, func(nc net.Conn) {
			_, err := accept(t.Context(), nc, linkConfig(b), g, service)
			errs <- err
		})
		for name, first := range hostile(t, b.Public()) {
			nc := dial(t, addr)
			_, _ = nc.Write(first)
			nc.SetReadDeadline(time.Now().Add(patience))
			got, err := io.ReadAll(nc)
			if len(got) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s (service %v): got %d bytes back, %v", name, service, len(got), err)
			}
			if err := <-errs; !errors.Is(err, ErrHandshake) {
				t.Errorf("%s (service %v): %v, want ErrHandshake", name, service, err)
			}
		}
	}
	who, _ := appendWho(nil)
	addr := listen(t, func(nc net.Conn) { _, _ = Accept(t.Context(), nc, linkConfig(b), nil) })
	nc := dial(t, addr)
	_, _ = nc.Write(frameOf(who))
	if got, _ := io.ReadAll(nc); len(got) != 0 {
		t.Errorf("a port that is no service answered a WHO with %d bytes", len(got))
	}
}

// Slow and half-open connections end after five seconds, whatever they sent, with nothing
// written to them before message 1 was complete and right.
func TestSlowConnections(t *testing.T) {
	b := newKey(t)
	i, err := NewInitiator(linkConfig(newKey(t)), b.Public())
	if err != nil {
		t.Fatal(err)
	}
	msg1 := frameOf(start(t, i))
	for name, first := range map[string][]byte{
		"silent": nil, "one byte": msg1[:1], "length only": msg1[:2], "all but one": msg1[:len(msg1)-1], "no message 3": msg1,
	} {
		synctest.Test(t, func(t *testing.T) {
			left, right := net.Pipe()
			done := accepting(t.Context(), right, hasty(linkConfig(b)), NewGuard(GuardConfig{}), false)
			begin := time.Now()
			var got bytes.Buffer
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				_, _ = io.Copy(&got, left)
			}()
			for n := range first { // a byte at a time does not extend the limit
				if n < 4 {
					time.Sleep(time.Second)
				}
				_, _ = left.Write(first[n : n+1])
			}
			out := <-done
			if !errors.Is(out.err, ErrTimeout) || time.Since(begin) != handshakeTime {
				t.Errorf("%s: %v after %v, want ErrTimeout after 5s", name, out.err, time.Since(begin))
			}
			right.Close()
			<-copied
			left.Close()
			if want := map[bool]int{true: frameLen + msg2Len}[len(first) == len(msg1)]; got.Len() != want {
				t.Errorf("%s: %d bytes came back, want %d", name, got.Len(), want)
			}
		})
	}
}

func TestSilentResponder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := net.Pipe()
		go io.Copy(io.Discard, right)
		begin := time.Now()
		_, err := Dial(t.Context(), left, hasty(linkConfig(newKey(t))), newKey(t).Public())
		if !errors.Is(err, ErrTimeout) || time.Since(begin) != handshakeTime {
			t.Errorf("%v after %v, want ErrTimeout after 5s", err, time.Since(begin))
		}
		left.Close()
		right.Close()
	})
}

func TestContextEndsHandshake(t *testing.T) {
	reason := errors.New("the reason")
	synctest.Test(t, func(t *testing.T) {
		left, right := net.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		done := accepting(ctx, right, linkConfig(newKey(t)), nil, false)
		time.Sleep(time.Second)
		cancel(reason)
		if out := <-done; !errors.Is(out.err, reason) {
			t.Errorf("Accept: %v, want the cause of its context", out.err)
		}
		if _, err := Dial(ctx, left, linkConfig(newKey(t)), newKey(t).Public()); !errors.Is(err, reason) {
			t.Errorf("Dial: %v, want the cause of its context", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		begin := time.Now()
		_, err := Accept(ctx, right, linkConfig(newKey(t)), nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("an earlier deadline: %v after %v", err, time.Since(begin))
		}
		left.Close()
		right.Close()
	})
}

func TestDialTheWrongKey(t *testing.T) {
	b := newKey(t)
	for _, reset := range []bool{false, true} {
		addr := listen(t, func(nc net.Conn) {
			if reset { // closing with bytes unread makes TCP say reset
				_, _ = io.ReadFull(nc, make([]byte, 1))
				return
			}
			_, _ = Accept(t.Context(), nc, linkConfig(b), nil)
		})
		_, err := Dial(t.Context(), dial(t, addr), linkConfig(newKey(t)), newKey(t).Public())
		if !errors.Is(err, ErrHandshake) || !strings.Contains(err.Error(), "hung up") {
			t.Errorf("reset %v: %v, want ErrHandshake and why", reset, err)
		}
	}
}

// A responder that answers garbage is refused, and gets no message 3.
func TestGarbageResponder(t *testing.T) {
	for name, answer := range map[string][]byte{
		"length of message 2": frameOf(make([]byte, msg2Len)), "oversized": {0xff, 0xff}, "empty": {0, 0}, "http": []byte("HTTP/1.1 400\r\n\r\n"),
	} {
		left, right := net.Pipe()
		rest := make(chan int, 1)
		go func() {
			_, _ = io.ReadFull(right, make([]byte, frameLen+msg1Len))
			_, _ = right.Write(answer)
			n, _ := io.Copy(io.Discard, right)
			rest <- int(n)
		}()
		_, err := Dial(t.Context(), left, linkConfig(newKey(t)), newKey(t).Public())
		left.Close()
		if !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v, want ErrHandshake", name, err)
		}
		if n := <-rest; n != 0 {
			t.Errorf("%s: %d bytes of message 3", name, n)
		}
		right.Close()
	}
}
