package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// answerWithin bounds the node's last word on a stream that we broke.
const answerWithin = 5 * time.Second

var errSilent = errors.New("app: the node does not answer")

// Descriptor is a connected TCP socket, as its descriptor; a syscall.RawConn is one.
type Descriptor interface {
	Control(f func(fd uintptr)) error
}

// carrier is a standing connection to the node, for many streams whose bytes the node moves itself.
type carrier struct {
	nc *net.UnixConn
	in *Inbox
	r  *Reader
	w  *Writer

	mu      sync.Mutex // guards the following
	carried map[uint64]*Carried
	lastID  uint64
	err     error // why it ended; stays
}

func newCarrier(a *answered) (*carrier, bool) {
	unix, ok := a.Conn.(*net.UnixConn)
	if !ok || runtime.GOOS == "windows" {
		return nil, false
	}
	return &carrier{nc: unix, in: a.in, r: a.r, w: NewWriter(unix), carried: map[uint64]*Carried{}}, true
}

// Carried is a stream whose bytes the node moves between the mesh and a TCP socket. Safe for concurrent use.
type Carried struct {
	c  *carrier
	id uint64

	settled chan struct{} // closed when it is carried, or over
	over    chan struct{} // closed after err is set

	mu       sync.Mutex // guards the following
	up, down uint64
	told     func(up, down uint64) // nil: nobody waits
	carrying bool
	broken   bool // by us
	ended    bool
	err      error
}

// Carries reports whether DialCarried works here: the node is new enough, and is reached over a Unix socket. It may connect to
// the node; while that fails, it is false.
func (c *Client) Carries(ctx context.Context) bool {
	_, err := c.carrier(ctx)
	return err == nil
}

// Close ends the standing connection that DialCarried made, and with it every stream that it carries. The Client goes on working.
func (c *Client) Close() error {
	c.standing.Lock()
	k := c.carries
	c.carries = nil
	c.standing.Unlock()
	if k != nil {
		k.end(net.ErrClosed)
	}
	return nil
}

// carrier is the standing connection. ErrNoRelay: there can be none.
func (c *Client) carrier(ctx context.Context) (*carrier, error) {
	c.standing.Lock()
	defer c.standing.Unlock()
	switch {
	case c.carries != nil && c.carries.ended() == nil:
		return c.carries, nil
	case time.Now().Before(c.noCarryUntil):
		return nil, ErrNoRelay
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout) // others wait for us
	defer cancel()
	a, _, err := c.ask(ctx, Request{Kind: Carry, Routes: c.routes})
	if errors.Is(err, &Refused{Code: wire.CodeBadRequest}) { // an older node, or one that is not reached over a Unix socket
		c.noCarryUntil = time.Now().Add(noCarryFor)
		return nil, ErrNoRelay
	}
	if err != nil {
		c.noCarryUntil = time.Now().Add(awayFor)
		return nil, err
	}
	k, ok := newCarrier(a)
	if !ok {
		a.Close()
		c.noCarryUntil = time.Now().Add(noCarryFor)
		return nil, ErrNoRelay
	}
	c.carries = k
	go k.read()
	return k, nil
}

const (
	// noCarryFor is how long a node that cannot carry is not asked again: a newer one may take its place.
	noCarryFor = time.Minute
	// awayFor is how long one that did not answer is not asked again.
	awayFor = time.Second
)

// DialCarried is Dial for a stream whose bytes the node moves between the mesh and socket, over one standing connection for all of
// them: neither end of it costs a connection of its own. The node writes hello, at most MaxHello bytes, to the socket when the far app has confirmed,
// and then moves all that follows, half closes and resets included. The descriptor stays the caller's to close, but not to use, unless the
// error says that nothing was written to it.
//
// Errors: those of Dial, and ErrNoRelay when the node cannot do this, or o.Routes asks for what this stream alone needs; nothing was
// written then. When it is not known whether
// hello was written, because the node went away, there is no error, but Wait has one.
func (c *Client) DialCarried(ctx context.Context, to identity.PubKey, port Port, o DialOptions, socket Descriptor, hello []byte) (*Carried, error) {
	if len(o.Target) > MaxTarget || len(o.First) > MaxFirst || len(hello) > MaxHello {
		return nil, &Refused{Code: wire.CodeBadRequest, Text: "target, first data or hello too long"}
	}
	if !o.Routes.None() {
		return nil, ErrNoRelay
	}
	k, err := c.carrier(ctx)
	if err != nil {
		return nil, err
	}
	d, err := k.enter(0)
	if err != nil {
		return nil, err
	}
	q := CarryDialing{ID: d.id, Hello: hello, Dial: Request{Kind: Dial, Key: to, Port: port, Target: o.Target, First: o.First}}
	if err := k.passWithin(ctx, AppendFrame(nil, CarryDial, AppendCarryDial(nil, q)), socket); err != nil {
		k.leave(d)
		return nil, fmt.Errorf("app: asking the node: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { d.Reset(CodeCancelled) })
	defer stop()
	<-d.settled
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := new(Refused); d.carrying || !errors.As(d.err, &r) {
		return d, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, d.err
}

// enter gives a stream its number, or enters it under the node's.
func (k *carrier) enter(id uint64) (*Carried, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return nil, k.err
	}
	if id == 0 {
		k.lastID++
		id = k.lastID
	}
	d := &Carried{c: k, id: id, settled: make(chan struct{}), over: make(chan struct{})}
	k.carried[id] = d
	return d, nil
}

func (k *carrier) leave(d *Carried) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.carried[d.id] == d {
		delete(k.carried, d.id)
	}
}

// pass writes a frame with a descriptor.
func (k *carrier) pass(frame []byte, socket Descriptor) error {
	var sent error
	err := socket.Control(func(fd uintptr) { sent = k.w.pass(k.nc, frame, int(fd)) })
	return errors.Join(err, sent)
}

// passWithin is pass; a node that reads nothing for a while after ctx has ended is given up.
func (k *carrier) passWithin(ctx context.Context, frame []byte, socket Descriptor) error {
	passed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-passed:
		case <-time.After(answerWithin):
			k.end(errSilent)
		}
	})
	defer stop()
	defer close(passed)
	return k.pass(frame, socket)
}

// read takes what the node says of streams that were dialed; it ends with the connection.
func (k *carrier) read() {
	defer k.in.Close()
	for {
		kind, body, err := k.r.Next()
		if err == nil {
			err = k.take(kind, body)
		}
		if err != nil {
			k.end(fmt.Errorf("app: the node is gone: %w", err))
			return
		}
	}
}

// take acts on a word of the node.
func (k *carrier) take(kind Kind, body []byte) error {
	w, err := ParseCarryWord(kind, body)
	if err != nil || kind == CarryOn || kind == CarryEnd {
		return ErrFrame
	}
	k.mu.Lock()
	d := k.carried[w.ID]
	if kind == CarryDone {
		delete(k.carried, w.ID)
	}
	k.mu.Unlock()
	if d != nil {
		d.take(kind, w)
	}
	return nil
}

func (k *carrier) ended() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// end breaks the connection and every stream on it.
func (k *carrier) end(err error) {
	k.mu.Lock()
	if k.err != nil {
		k.mu.Unlock()
		return
	}
	k.err = err
	all := k.carried
	k.carried = nil
	k.mu.Unlock()
	k.nc.Close()
	for _, d := range all {
		d.finish(err)
	}
}

// take acts on a word about this stream.
func (d *Carried) take(kind Kind, w CarryWord) {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return
	}
	if kind != Carrying {
		d.up, d.down = w.Tally.Up, w.Tally.Down
	}
	first := !d.carrying && kind == Carrying
	d.carrying = d.carrying || first
	told := d.told
	d.mu.Unlock()
	switch {
	case first:
		close(d.settled)
	case told != nil:
		told(w.Tally.Up, w.Tally.Down)
	}
	if kind != CarryDone {
		return
	}
	if w.Tally.Code == 0 {
		d.finish(nil)
		return
	}
	d.finish(&Refused{Code: w.Tally.Code, Text: w.Text})
}

// finish is the stream's end, once.
func (d *Carried) finish(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.ended = err, true
	if !d.carrying {
		close(d.settled)
	}
	close(d.over)
}

// Wait waits until both directions came to their end (nil) or the stream broke (*Refused, or that the node is gone).
// progress, if not nil, is told of the bytes moved every few seconds and at the end.
func (d *Carried) Wait(progress func(up, down uint64)) error {
	d.mu.Lock()
	d.told = progress
	d.mu.Unlock()
	<-d.over
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = nil
	if progress != nil {
		progress(d.up, d.down)
	}
	if r := new(Refused); d.err != nil && !errors.As(d.err, &r) {
		return &Refused{Code: wire.CodeGone, Text: d.err.Error()}
	}
	return d.err
}

// Reset breaks the stream, on both sides; the far app gets the code. It does not wait: Wait tells when the node has done so.
func (d *Carried) Reset(code Code) {
	d.mu.Lock()
	again := d.broken
	d.broken = true
	d.mu.Unlock()
	if again {
		return
	}
	late := time.AfterFunc(answerWithin, func() {
		select {
		case <-d.over:
		default:
			d.c.end(errSilent)
		}
	})
	select {
	case <-d.over:
		late.Stop()
		return
	default:
	}
	go func() { // the node may take its time to read
		d.c.w.Frame(CarryEnd, AppendCarryWord(nil, CarryEnd, CarryWord{ID: d.id, Code: code}))
		<-d.over
		late.Stop()
	}()
}
