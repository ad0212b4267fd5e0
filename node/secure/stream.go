package secure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// handshakeTime is how long a whole handshake may take.
const handshakeTime = 5 * time.Second

// frameLen is the u16 in front of each message on a stream.
const frameLen = 2

// ErrTimeout: the handshake took longer than 5 seconds.
var ErrTimeout = errors.New("secure: handshake not finished within 5s")

// ErrWho is returned by AcceptService after it answered a WHO: there is no channel, and the
// caller closes the connection.
var ErrWho = errors.New("secure: answered a WHO")

// Dial runs the initiator's side over a stream, within 5 seconds or until ctx ends, and
// clears the deadlines of nc. When it returns, the responder has proved to hold remote, and
// has not yet told whether it wants us. On error the caller closes nc.
func Dial(ctx context.Context, nc net.Conn, cfg Config, remote identity.PubKey) (Result, error) {
	h, err := NewInitiator(cfg.boundTo(nc), remote)
	if err != nil {
		return Result{}, err
	}
	err = within(ctx, nc, cfg.time(), func(context.Context) error { return initiate(nc, h) })
	if err != nil {
		return Result{}, fmt.Errorf("handshake with %s: %w", remote.Short(), err)
	}
	return h.Result(), nil
}

func initiate(nc net.Conn, h *Handshake) error {
	msg, err := h.Start()
	if err != nil {
		return err
	}
	err = writeFrame(nc, msg)
	if err == nil {
		msg, err = readFrame(nc, msg2Len)
	}
	if hungUp(err) {
		return fmt.Errorf("%w: it hung up without an answer: it has another key, network or kind, or is busy: %w", ErrHandshake, err)
	}
	if err != nil {
		return err
	}
	if msg, _, err = h.Next(msg); err != nil {
		return err
	}
	return writeFrame(nc, msg)
}

// hungUp tells the end of a stream from other troubles: a responder that refuses us closes
// without a word, and TCP may tell that as a reset.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// Accept runs the responder's side over a stream, within 5 seconds or until ctx ends, and
// clears the deadlines of nc. Nothing is written to nc before message 1 proved that its
// sender knows our key. On error the caller closes nc. Errors wrap ErrHandshake, ErrBusy,
// ErrTimeout, the cause of ctx, or come from nc.
func Accept(ctx context.Context, nc net.Conn, cfg Config, g *Guard) (Result, error) {
	return accept(ctx, nc, cfg, g, false)
}

// AcceptService is Accept for a port whose key clients may ask for: it answers a WHO with
// our key and returns ErrWho.
func AcceptService(ctx context.Context, nc net.Conn, cfg Config, g *Guard) (Result, error) {
	return accept(ctx, nc, cfg, g, true)
}

func accept(ctx context.Context, nc net.Conn, cfg Config, g *Guard, service bool) (Result, error) {
	slot, err := g.enter(nc.RemoteAddr())
	if err != nil {
		return Result{}, err
	}
	defer g.leave(slot)
	h, err := NewResponder(cfg.boundTo(nc))
	if err != nil {
		return Result{}, err
	}
	err = within(ctx, nc, cfg.time(), func(ctx context.Context) error {
		msg, err := readFirst(nc, service)
		if err != nil {
			return err
		}
		if len(msg) == whoLen {
			return answerWho(ctx, nc, cfg.Local, g, slot, msg)
		}
		return respond(ctx, nc, h, g, slot, msg)
	})
	if err != nil {
		return Result{}, err
	}
	return h.Result(), nil
}

// readFirst reads message 1, or, on a service, message 1 or WHO.
func readFirst(nc net.Conn, service bool) ([]byte, error) {
	if service {
		return readFrame(nc, msg1Len, whoLen)
	}
	return readFrame(nc, msg1Len)
}

// respond goes on from a complete message 1. The guard's cores are held only while we
// compute, never while we wait for the peer.
func respond(ctx context.Context, nc net.Conn, h *Handshake, g *Guard, slot int, msg []byte) error {
	if !h.authentic(msg) {
		return refused(1, errNoMac)
	}
	if err := g.take(slot); err != nil {
		return err
	}
	reply, err := g.next(ctx, h, msg)
	if err != nil {
		return err
	}
	if err := writeFrame(nc, reply); err != nil {
		return err
	}
	if msg, err = readFrame(nc, msg3Len); err != nil {
		return err
	}
	_, err = g.next(ctx, h, msg)
	return err
}

// next is h.Next when the guard has a core for it.
func (g *Guard) next(ctx context.Context, h *Handshake, msg []byte) (reply []byte, err error) {
	err = g.compute(ctx, func() error {
		reply, _, err = h.Next(msg)
		return err
	})
	return reply, err
}

// within runs fn with a time limit on nc; when the limit or ctx ends it, the error is the cause.
// Afterwards nc has no deadline, unless there was an error.
func within(ctx context.Context, nc net.Conn, limit time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return err
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = nc.SetDeadline(time.Unix(1, 0)) // long past: wakes a blocked Read or Write
	})
	err := fn(ctx)
	if stop() {
		return err
	}
	<-fired
	return context.Cause(ctx)
}

func writeFrame(w io.Writer, msg []byte) error {
	frame := make([]byte, frameLen, frameLen+len(msg))
	binary.BigEndian.PutUint16(frame, uint16(len(msg)))
	_, err := w.Write(append(frame, msg...))
	return err
}

// readFrame reads one frame and not a byte more. Its length must be one of want, which are
// all within MaxHandshakeMsg; that is checked before anything is allocated.
func readFrame(r io.Reader, want ...int) ([]byte, error) {
	var head [frameLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	for _, w := range want {
		if n == w {
			msg := make([]byte, n)
			_, err := io.ReadFull(r, msg)
			return msg, err
		}
	}
	return nil, fmt.Errorf("%w: a frame of %d bytes", ErrHandshake, n)
}
