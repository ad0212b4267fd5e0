package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Attach shows an app's output on out, beginning with the last 10,000 lines or 1 MiB of it,
// and types what comes from in at its terminal, until ctx ends, which is then the error, or
// the output ends, which is nil. in may be nil; it is read by a goroutine that outlives
// Attach until a Read returns. size tells the terminal its size; of several viewers' the
// last counts.
func (o *Operator) Attach(ctx context.Context, id ID, in io.Reader, out io.Writer, size <-chan WindowSize) error {
	frames, err := o.dial(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	peer := NewPeer(frames, PeerOptions{Notify: func(method string, params json.RawMessage) {
		if err := writeOutput(method, params, out, out); err != nil {
			cancel(err)
		}
	}})
	var work sync.WaitGroup
	work.Go(func() { _ = peer.Run(ctx) })
	if size != nil {
		work.Go(func() { sendSizes(ctx, peer, size) })
	}
	if in != nil {
		go sendInput(ctx, peer, in, cancel)
	}
	err = peer.Call(ctx, MethodAppAttach, AttachParams{ID: id, WindowSize: firstSize(size)}, nil)
	cause := context.Cause(ctx)
	cancel(nil)
	work.Wait()
	if err != nil && cause != nil {
		return cause
	}
	if errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w while attached to app %d", ErrClosed, id)
	}
	return err
}

// firstSize is the size there is already, if any.
func firstSize(size <-chan WindowSize) WindowSize {
	select {
	case s := <-size:
		return s
	default:
		return WindowSize{}
	}
}

func sendSizes(ctx context.Context, peer *Peer, size <-chan WindowSize) {
	for {
		select {
		case s, ok := <-size:
			if !ok {
				return
			}
			_ = peer.Notify(ctx, MethodAppSize, s)
		case <-ctx.Done():
			return
		}
	}
}

// sendInput sends one piece after the other, at the pace of the app.
func sendInput(ctx context.Context, peer *Peer, in io.Reader, fail func(error)) {
	buf := make([]byte, MaxOutput)
	for ctx.Err() == nil {
		n, err := in.Read(buf)
		if n > 0 {
			err := peer.Call(ctx, MethodAppInput, InputParams{Data: buf[:n]}, nil)
			switch CodeOf(err) {
			case 0, CodeBusy: // what an app does not read is dropped
			case CodeUnavailable: // it has no terminal: there is nothing to type at
				return
			default:
				fail(err)
				return
			}
		}
		if err != nil {
			return
		}
	}
}
