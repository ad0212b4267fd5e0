package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Buffer sizes, in bytes. A half that waits for data holds a small buffer, one that carries
// bulk a large one: 4,096 idle connections then cost 32 MiB, not 512.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
	shortRead   = 16 << 10 // a large read that brings less goes back to the small buffer
)

// buffers lends copy buffers. The zero value is ready; safe for concurrent use.
type buffers struct {
	small, large sync.Pool // of *[smallBuffer]byte, *[largeBuffer]byte
}

// loan is one borrowed buffer.
type loan struct {
	from  *buffers
	small *[smallBuffer]byte
	large *[largeBuffer]byte
}

// bytes returns the buffer, borrowing a small one if there is none.
func (l *loan) bytes() []byte {
	if l.large != nil {
		return l.large[:]
	}
	if l.small == nil {
		l.small, _ = l.from.small.Get().(*[smallBuffer]byte)
		if l.small == nil {
			l.small = new([smallBuffer]byte)
		}
	}
	return l.small[:]
}

// fit picks the size of the next buffer by what the last read brought.
func (l *loan) fit(n int) {
	switch {
	case l.large == nil && n == smallBuffer:
		l.giveBack()
		l.large, _ = l.from.large.Get().(*[largeBuffer]byte)
		if l.large == nil {
			l.large = new([largeBuffer]byte)
		}
	case l.large != nil && n < shortRead:
		l.giveBack()
	}
}

func (l *loan) giveBack() {
	if l.small != nil {
		l.from.small.Put(l.small)
		l.small = nil
	}
	if l.large != nil {
		l.from.large.Put(l.large)
		l.large = nil
	}
}

// copyHalf moves bytes until src ends (nil) or either side fails, and counts what dst took.
// It allocates nothing per read. bulk, if not nil, is dst as an io.ReaderFrom, which then
// takes over while much comes at a time.
func copyHalf(dst io.Writer, src io.Reader, count *atomic.Uint64, from *buffers, bulk io.ReaderFrom) error {
	l := loan{from: from}
	defer l.giveBack()
	for {
		b := l.bytes()
		n, err := src.Read(b)
		if n > 0 {
			m, werr := dst.Write(b[:n])
			count.Add(uint64(max(m, 0)))
			if werr != nil {
				return werr
			}
			if m < n {
				return io.ErrShortWrite
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if bulk != nil && n == smallBuffer {
			l.giveBack()
			if ended, err := takeOver(bulk, src, count); ended || err != nil {
				return err
			}
			continue
		}
		l.fit(n)
	}
}

// takeOver lets dst read src itself for one burst; ended tells that src came to its end.
func takeOver(dst io.ReaderFrom, src io.Reader, count *atomic.Uint64) (ended bool, err error) {
	b := burst{src: src, count: count}
	if _, err := dst.ReadFrom(&b); err != nil {
		return false, err
	}
	if errors.Is(b.err, io.EOF) {
		return true, nil
	}
	return false, b.err
}

// counted is a writer that counts what it took.
type counted struct {
	io.Writer
	count *atomic.Uint64
}

// Write implements io.Writer.
func (c counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.count.Add(uint64(max(n, 0)))
	return n, err
}

// burst is what an io.ReaderFrom reads: src, as long as it gives much at a time. After a
// short read it feigns an end, so that the taker's large buffer is free while src is idle.
type burst struct {
	src   io.Reader
	count *atomic.Uint64
	over  bool
	err   error // of src
}

// Read implements io.Reader.
func (b *burst) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	n, err := b.src.Read(p)
	b.count.Add(uint64(n))
	b.err = err
	b.over = err != nil || n < shortRead
	if n == 0 && b.over {
		return 0, io.EOF
	}
	return n, nil
}

// half is one direction of a junction: what it counts, and the rate that it is held to, if any.
type half struct {
	count *atomic.Uint64
	limit *rate.Limiter
}

// junction joins a TCP connection and a mesh stream.
type junction struct {
	tcp  *net.TCPConn
	mesh Stream
	wake context.CancelFunc // wakes a half that waits for its rate

	once sync.Once // guards the breaking
	err  error     // what broke it; read after both halves ended
}

// pipe carries bytes both ways until both ends closed their halves (nil) or one side
// breaks or ctx ends; what breaks on one side is reset on the other. fromTCP counts what
// the mesh took of tcp's bytes, fromMesh the other way. Both sides are closed on return.
func pipe(ctx context.Context, tcp *net.TCPConn, mesh Stream, fromTCP, fromMesh half, from *buffers) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j := &junction{tcp: tcp, mesh: mesh, wake: cancel}
	stop := context.AfterFunc(ctx, func() { j.abort(context.Cause(ctx)) })
	if fromTCP.limit != nil || fromMesh.limit != nil || !j.relay(fromTCP.count, fromMesh.count) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			j.end(tcp, j.toTCP(ctx, fromMesh, from))
		}()
		j.end(mesh, j.toMesh(ctx, fromTCP, from))
		<-done
	}
	if !stop() {
		j.abort(context.Cause(ctx))
	}
	j.once.Do(func() {
		tcp.Close()
		mesh.Close()
	})
	return j.err
}

// relay has the stream move the bytes itself, where it can; it reports whether it did.
func (j *junction) relay(fromTCP, fromMesh *atomic.Uint64) bool {
	r, ok := j.mesh.(Relayer)
	if !ok {
		return false
	}
	up, down := fromTCP.Load(), fromMesh.Load()
	err := r.Relay(j.tcp, func(u, d uint64) {
		fromTCP.Store(up + u)
		fromMesh.Store(down + d)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	if err != nil {
		j.abort(err)
	}
	return true
}

// toTCP carries the half from the mesh.
func (j *junction) toTCP(ctx context.Context, h half, from *buffers) error {
	if h.limit != nil {
		return copyHalf(j.tcp, limited{ctx, j.mesh, h.limit}, h.count, from, nil)
	}
	if w, ok := j.mesh.(io.WriterTo); ok {
		_, err := w.WriteTo(counted{j.tcp, h.count})
		return err
	}
	return copyHalf(j.tcp, j.mesh, h.count, from, nil)
}

// toMesh carries the half to the mesh.
func (j *junction) toMesh(ctx context.Context, h half, from *buffers) error {
	if h.limit != nil {
		return copyHalf(j.mesh, limited{ctx, j.tcp, h.limit}, h.count, from, nil)
	}
	bulk, _ := j.mesh.(io.ReaderFrom)
	return copyHalf(j.mesh, j.tcp, h.count, from, bulk)
}

// end passes the end of a half on to the side it went to.
func (j *junction) end(dst interface{ CloseWrite() error }, err error) {
	if err != nil {
		j.abort(err)
		return
	}
	// An error here means that the far side is already gone, with nothing left to deliver;
	// breaking the junction could destroy what the other half still has under way.
	_ = dst.CloseWrite()
}

// abort resets both sides, once.
func (j *junction) abort(err error) {
	j.once.Do(func() {
		j.err = err
		j.wake()
		resetTCP(j.tcp)
		j.mesh.Reset(Gone.Code())
		j.mesh.Close()
	})
}

// resetTCP closes with RST instead of FIN and discards what was not yet sent.
func resetTCP(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}
