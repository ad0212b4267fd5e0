//go:build linux

package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// Attach shows an app's output on out, beginning with the last 10,000 lines or 1 MiB of it,
// and types what comes from in at its terminal, until ctx ends, which is then the error, or
// the output ends, which is nil. in may be nil; it is read by a goroutine that outlives
// Attach until a Read returns. size tells the terminal its size; of several viewers' the
// last counts. Lines of an app without a terminal end as a terminal would end them, with CR LF.
func (s *Server) Attach(ctx context.Context, id signal.ID, in io.Reader, out io.Writer, size <-chan signal.WindowSize) error {
	a, r, err := s.current(id)
	if err != nil {
		return err
	}
	custody, why := r.proc.Custody()
	switch custody {
	case process.Over:
		return s.notAttachable(a)
	case process.Lost:
		return signal.Errorf(signal.CodeUnavailable, "app %d (%s) runs without its keeper, which was killed: its output is lost", id, a.name())
	case process.Unverified:
		return signal.Errorf(signal.CodeUnavailable, "app %d (%s) cannot be verified: %s", id, a.name(), why)
	}
	if !r.proc.Record().Pty {
		out = &lineEnds{out: out}
	}
	err = r.proc.Attach(ctx, in, out, size)
	if errors.Is(err, process.ErrNoKeeper) && ctx.Err() == nil {
		return s.notAttachable(a)
	}
	return err
}

// lineEnds puts the CR before each LF that a terminal would put there (ONLCR of termios(3)). Lines that have one stay as they are.
type lineEnds struct {
	out  io.Writer
	last byte
	buf  []byte
}

// Write implements io.Writer.
func (l *lineEnds) Write(p []byte) (int, error) {
	l.buf = l.buf[:0]
	for _, c := range p {
		if c == '\n' && l.last != '\r' {
			l.buf = append(l.buf, '\r')
		}
		l.buf, l.last = append(l.buf, c), c
	}
	if _, err := l.out.Write(l.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *Server) notAttachable(a *app) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.run.alive() {
		return signal.Errorf(signal.CodeUnavailable, "app %d (%s): its keeper does not answer", a.id, a.name())
	}
	return notRunning(a.view())
}

// viewing is an operator's connection that is attached to an app.
type viewing struct {
	terminal bool // there is one to type at
	typed    *io.PipeWriter
	sizes    chan signal.WindowSize // capacity 1: the last one counts
}

// attach serves app.attach.
func (c *conn) attach(ctx context.Context, p signal.AttachParams) error {
	_, r, err := c.server.current(p.ID)
	if err != nil {
		return err
	}
	in, typed := io.Pipe()
	v := &viewing{terminal: r.proc.Record().Pty, typed: typed, sizes: make(chan signal.WindowSize, 1)}
	v.sizes <- p.WindowSize
	c.setViewing(v)
	defer c.setViewing(nil)
	defer in.Close() // ends who types, on both sides
	return c.server.Attach(ctx, p.ID, in, c.output(ctx, signal.Stdout), v.sizes)
}

func (c *conn) setViewing(v *viewing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewing = v
}

func (c *conn) viewed() *viewing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.viewing
}

// input serves app.input, at the pace of the app.
func (c *conn) input(ctx context.Context, data []byte) error {
	v := c.viewed()
	switch {
	case v == nil:
		return signal.Errorf(signal.CodeRequest, "app.input comes while app.attach is under way")
	case !v.terminal:
		return signal.Errorf(signal.CodeUnavailable, "the app has no terminal: it was not started with pty: true or start -a")
	case len(data) > signal.MaxOutput:
		return signal.Errorf(signal.CodeTooLarge, "%d bytes typed at once, limit %d", len(data), signal.MaxOutput)
	}
	stop := context.AfterFunc(ctx, func() { v.typed.CloseWithError(ctx.Err()) })
	defer stop()
	_, err := v.typed.Write(data)
	return err
}

// resize takes app.size. It runs on the goroutine that reads the connection.
func (c *conn) resize(params json.RawMessage) {
	var size signal.WindowSize
	v := c.viewed()
	if v == nil || signal.DecodeParams(params, &size) != nil {
		return
	}
	for {
		select {
		case v.sizes <- size:
			return
		default:
		}
		select {
		case <-v.sizes: // an older one that nobody has taken
		default:
		}
	}
}
