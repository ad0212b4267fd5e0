//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/skycoin/viscript/signal"
)

// ErrNoKeeper is returned for what only a keeper can do.
var ErrNoKeeper = errors.New("process: it runs without its keeper")

// Attach shows the child's output, beginning with the last 10,000 lines or 1 MiB of it, on
// out, and types what comes from in at its terminal, until ctx ends, which is then the
// error, or the output ends, which is nil. in may be nil. It is read by a goroutine that
// outlives Attach until a Read returns. size tells the terminal its size; the last
// viewer's counts.
func (p *Process) Attach(ctx context.Context, in io.Reader, out io.Writer, size <-chan signal.WindowSize) error {
	conn, err := signal.DialSocket(ctx, p.at.path(socketExt))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoKeeper, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	peer := signal.NewPeer(signal.NewFrames(conn), signal.PeerOptions{Notify: func(method string, params json.RawMessage) {
		switch method {
		case methodOutput:
			var o outputParams
			if err := signal.DecodeParams(params, &o); err != nil {
				cancel(err)
			} else if _, err := out.Write(o.Data); err != nil {
				cancel(err)
			}
		case methodOver:
			cancel(errOutputEnded)
		}
	}})
	var work sync.WaitGroup
	work.Go(func() { _ = peer.Run(ctx) })
	work.Go(func() { resizes(ctx, peer, size) })
	if in != nil {
		go typing(ctx, peer, in, cancel)
	}
	err = peer.Call(ctx, methodAttach, firstSize(size), nil)
	cause := context.Cause(ctx)
	cancel(nil)
	work.Wait()
	switch {
	case err == nil || errors.Is(cause, errOutputEnded):
		return nil
	case cause != nil:
		return cause
	}
	return err
}

var errOutputEnded = errors.New("process: the output has ended")

// firstSize is the size there is already, if any.
func firstSize(size <-chan signal.WindowSize) signal.WindowSize {
	select {
	case s := <-size:
		return s
	default:
		return signal.WindowSize{}
	}
}

func resizes(ctx context.Context, peer *signal.Peer, size <-chan signal.WindowSize) {
	for size != nil {
		select {
		case s, ok := <-size:
			if !ok {
				return
			}
			_ = peer.Notify(ctx, methodSize, s)
		case <-ctx.Done():
			return
		}
	}
}

// typing sends what is typed, one piece after the other, at the pace of the child.
func typing(ctx context.Context, peer *signal.Peer, in io.Reader, fail func(error)) {
	buf := make([]byte, signal.MaxOutput)
	for ctx.Err() == nil {
		n, err := in.Read(buf)
		if n > 0 {
			switch err := peer.Call(ctx, methodInput, outputParams{buf[:n]}, nil); signal.CodeOf(err) {
			case signal.CodeUnavailable: // no terminal: there is nothing to type at
				return
			case signal.CodeInternal:
				fail(err)
				return
			}
		}
		if err != nil {
			return
		}
	}
}
