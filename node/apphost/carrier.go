package apphost

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

const (
	// tellAfter is how long a word to an app about a carried stream may wait for others, so that many streams cost one write and wake
	// the app once. What went wrong is told at once.
	tellAfter = 10 * time.Millisecond
	// maxUntold is how many bytes of words wait at most for an app that does not read; then it is hung up on.
	maxUntold = 1 << 20
	// carryTimeout is how long an app may take to answer the offer of a stream that it may have carried: it connects first.
	carryTimeout = 60 * time.Second
)

// carrier is an app's standing connection, over which it has streams carried: their bytes go between the mesh and TCP sockets
// that the app hands over.
type carrier struct {
	h *Host
	m Mesh      // where its streams go: the routes that the app asks for
	p *pump     // for its connection, reader, writer and descriptors
	l *listener // nil: the app dials

	mu       sync.Mutex // guards the following
	carried  map[uint64]*carried
	ended    bool
	counting bool // a timer tells of bytes now and then
	untold   []byte
	telling  *time.Timer // nil: nothing waits
	flushing bool
	wg       sync.WaitGroup
}

// carried is one stream.
type carried struct {
	id     uint64
	tcp    *app.TCP
	cancel context.CancelFunc // ends the dial; nil: there is none

	mu   sync.Mutex // guards the following
	t    *tally     // nil: not yet
	code wire.Code  // it was broken with before that; 0: it was not
	last app.Tally  // told of
}

func newCarrier(h *Host, m Mesh, p *pump, l *listener) *carrier {
	return &carrier{h: h, m: m, p: p, l: l, carried: map[uint64]*carried{}}
}

var errNoCarry = &wire.Refused{Code: wire.CodeBadRequest, Text: "streams are carried over a Unix socket only"}

// canCarry: descriptors pass over a connection.
func canCarry(nc net.Conn) bool {
	_, ok := nc.(*net.UnixConn)
	return ok && havePairs
}

// carry serves a standing connection until the app hangs up.
func (h *Host) carry(ctx context.Context, p *pump, q app.Request) error {
	if !canCarry(p.nc) {
		return errNoCarry
	}
	m, err := h.over(q)
	if err != nil {
		return err
	}
	if err := p.w.Frame(app.OK, nil); err != nil {
		return nil
	}
	k := newCarrier(h, m, p, nil)
	defer k.end()
	return k.read(ctx)
}

// read acts on what the app says, until it hangs up (nil) or breaks the protocol.
func (k *carrier) read(ctx context.Context) error {
	for {
		kind, body, err := k.p.r.Next()
		if err != nil {
			return nil
		}
		if err = k.take(ctx, kind, body); err != nil {
			return &wire.Refused{Code: wire.CodeBadRequest, Text: err.Error()}
		}
	}
}

// take acts on a word of the app.
func (k *carrier) take(ctx context.Context, kind app.Kind, body []byte) error {
	if kind == app.CarryDial && k.l == nil {
		d, err := app.ParseCarryDial(body)
		if err != nil {
			return err
		}
		d.Dial.First = append([]byte(nil), d.Dial.First...) // the frame's bytes go with the next one
		return k.begin(ctx, d.ID, nil, func(ctx context.Context, c *carried) { k.dial(ctx, c, d) })
	}
	w, err := app.ParseCarryWord(kind, body)
	switch {
	case err != nil:
		return err
	case kind == app.CarryOn && k.l != nil:
		st := k.h.unpendOf(k.l, w.ID)
		return k.begin(ctx, w.ID, st, func(_ context.Context, c *carried) { k.accept(c, st) })
	case kind == app.CarryEnd:
		k.broken(w.ID, w.Code)
		return nil
	}
	return app.ErrFrame
}

// begin takes the descriptor that came along and enters a stream, for which run is called on a goroutine of its own; st, if not nil, is
// reset where that cannot be.
func (k *carrier) begin(ctx context.Context, id uint64, st Stream, run func(context.Context, *carried)) error {
	tcp, ok, err := k.p.in.TakeTCP()
	if err == nil && ok {
		ok, err = k.enter(ctx, &carried{id: id, tcp: tcp}, run)
	}
	if err == nil && ok {
		return nil
	}
	if tcp != nil {
		tcp.Close()
	}
	if st != nil {
		st.Reset(wire.CodeBusy)
	}
	if err == nil {
		k.tell(app.CarryDone, app.CarryWord{ID: id, Tally: app.Tally{Code: wire.CodeBusy}, Text: "the node has too many streams"})
	}
	return err
}

// enter enters a stream and starts its goroutine; ok is false when there are too many.
func (k *carrier) enter(ctx context.Context, c *carried, run func(context.Context, *carried)) (ok bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended || c.id == 0 || k.carried[c.id] != nil {
		return false, app.ErrFrame
	}
	if !k.h.roomToCarry() {
		return false, nil
	}
	ctx, c.cancel = context.WithTimeout(ctx, dialTimeout)
	k.carried[c.id] = c
	k.countLocked()
	k.wg.Go(func() {
		defer c.cancel()
		defer k.h.carriedOne()
		run(ctx, c)
	})
	return true, nil
}

// dial opens a stream and carries it.
func (k *carrier) dial(ctx context.Context, c *carried, d app.CarryDialing) {
	st, err := k.m.Dial(ctx, d.Dial.Key, uint16(d.Dial.Port), d.Dial.Target, d.Dial.First)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &wire.Refused{Code: wire.CodeTimeout, Text: "the far node did not answer"}
	}
	if err != nil {
		c.tcp.Close()
		k.over(c, app.Tally{}, err)
		return
	}
	k.join(c, st, d.Hello)
}

// accept confirms a stream and carries it. nil: it waits no more.
func (k *carrier) accept(c *carried, st Stream) {
	if st == nil {
		c.tcp.Close()
		k.over(c, app.Tally{}, &wire.Refused{Code: wire.CodeGone, Text: "that stream waits no more"})
		return
	}
	st.Confirm()
	k.join(c, st, nil)
}

// join moves the bytes between a stream and a socket, hello first, until both directions are over.
func (k *carrier) join(c *carried, st Stream, hello []byte) {
	t := &tally{st: st, tcp: c.tcp}
	if code := c.on(t); code != 0 {
		st.Reset(code)
		c.tcp.Close()
		k.over(c, app.Tally{}, &wire.Refused{Code: code, Text: "broken by the app"})
		return
	}
	k.tell(app.Carrying, app.CarryWord{ID: c.id})
	if len(hello) > 0 {
		if _, err := c.tcp.Write(hello); err != nil {
			t.broke(err, wire.CodeCancelled)
		}
	}
	t.move()
	k.over(c, t.now(), nil)
}

// on notes that bytes are about to move; code is not 0 when the app broke the stream before.
func (c *carried) on(t *tally) (code wire.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.t = t
	}
	return c.code
}

// broken breaks a stream, or refuses one that waits, for the app.
func (k *carrier) broken(id uint64, code wire.Code) {
	if code == 0 {
		code = wire.CodeCancelled
	}
	k.mu.Lock()
	c := k.carried[id]
	k.mu.Unlock()
	if c != nil {
		c.breakOff(code)
		return
	}
	if k.l == nil {
		return // it is over
	}
	if st := k.h.unpendOf(k.l, id); st != nil {
		st.Reset(code)
	}
}

func (c *carried) breakOff(code wire.Code) {
	c.mu.Lock()
	t := c.t
	c.code = code
	c.mu.Unlock()
	if t == nil {
		c.cancel()
	} else {
		t.broke(&wire.Refused{Code: code}, code)
	}
}

// over takes a stream out and tells the app of its end.
func (k *carrier) over(c *carried, t app.Tally, err error) {
	w := app.CarryWord{ID: c.id, Tally: t}
	if err != nil {
		w.Tally.Code, w.Text = wire.CodeInternal, err.Error()
		if r := new(wire.Refused); errors.As(err, &r) {
			w.Tally.Code, w.Text = r.Code, r.Text
		}
		w.Text = w.Text[:min(len(w.Text), app.MaxText)]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.carried, c.id)
	k.tellLocked(app.CarryDone, w)
}

func (k *carrier) tell(kind app.Kind, w app.CarryWord) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tellLocked(kind, w)
}

// tellLocked has a word told to the app: soon, or now if it is of something that went wrong.
func (k *carrier) tellLocked(kind app.Kind, w app.CarryWord) {
	if k.ended {
		return
	}
	k.untold = app.AppendFrame(k.untold, kind, app.AppendCarryWord(nil, kind, w))
	now, wait := w.Tally.Code != 0, tellAfter
	if now {
		wait = 0
	}
	switch {
	case len(k.untold) > maxUntold:
		k.p.nc.Close()
	case k.telling == nil:
		k.telling = time.AfterFunc(wait, k.flush)
	case now && !k.flushing && k.telling.Stop():
		k.telling.Reset(0)
	}
}

// flush writes what was to be told, until there is no more.
func (k *carrier) flush() {
	k.mu.Lock()
	k.flushing = true
	for len(k.untold) > 0 && !k.ended {
		b := k.untold
		k.untold = nil
		k.mu.Unlock()
		err := k.p.w.Frames(b)
		k.mu.Lock()
		if err != nil {
			k.untold = nil // the connection is over; read hears of it
		}
	}
	k.flushing, k.telling = false, nil
	k.mu.Unlock()
}

// countLocked has the app told of the bytes of its streams, now and then while there are any.
func (k *carrier) countLocked() {
	if k.counting || k.ended {
		return
	}
	k.counting = true
	time.AfterFunc(countEvery, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.counting = false
		if len(k.carried) == 0 || k.ended {
			return
		}
		for id, c := range k.carried {
			if t, news := c.news(); news {
				k.tellLocked(app.CarryCount, app.CarryWord{ID: id, Tally: t})
			}
		}
		k.countLocked()
	})
}

// news returns the bytes moved, if they are more than before.
func (c *carried) news() (t app.Tally, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t == nil {
		return t, false
	}
	t = c.t.now()
	t.Code = 0
	ok = t != c.last
	c.last = t
	return t, ok
}

// end breaks every stream and waits for them.
func (k *carrier) end() {
	k.mu.Lock()
	k.ended = true
	all := make([]*carried, 0, len(k.carried))
	for _, c := range k.carried {
		all = append(all, c)
	}
	if k.telling != nil {
		k.telling.Stop()
	}
	k.mu.Unlock()
	for _, c := range all {
		c.breakOff(wire.CodeCancelled)
	}
	k.wg.Wait()
}

// roomToCarry counts one more carried stream, if there may be one; carriedOne gives it back.
func (h *Host) roomToCarry() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.conns)+h.carries >= maxConns {
		return false
	}
	h.carries++
	return true
}

func (h *Host) carriedOne() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.carries--
}
