package apphost

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/wire"
)

// Pipe is the part of a Stream that is pumped.
type Pipe interface {
	io.Writer
	io.ReaderFrom // nil after the reader's end
	// Moved is how many bytes ReadFrom has sent so far.
	Moved() uint64
	io.WriterTo // nil after the peer's FIN
	CloseWrite() error
	Close() error
	Reset(wire.Code)
}

// tellTimeout bounds telling an app that does not read that its stream is over.
const tellTimeout = 5 * time.Second

// countEvery is how often an app hears of the bytes that its descriptor moved.
const countEvery = 2 * time.Second

// pump joins an app's connection and a stream.
type pump struct {
	nc      net.Conn
	in      *app.Inbox
	r       *app.Reader
	w       *app.Writer
	st      Pipe
	confirm func() // what the app's CONFIRM does; nil: the stream is confirmed already
	down    sync.WaitGroup
	begun   bool
	closed  atomic.Bool // the app has closed in peace: what arrives goes nowhere, and what it wrote still gets there
}

// run pumps until both directions are over.
func (p *pump) run() {
	p.up()
	p.down.Wait()
}

// up moves frames of the app to the stream until the app closes, resets or hangs up.
func (p *pump) up() {
	fin := false
	for {
		kind, body, err := p.r.Next()
		switch {
		case err != nil && fin:
			p.closed.Store(true)
			p.st.Close() // the app said FIN and went: it reads no more either
			return
		case err != nil:
			p.st.Reset(wire.CodeCancelled)
			return
		case kind == app.Confirm && p.confirm != nil:
			p.confirm()
		case kind == app.Begin && !p.begun:
			p.begun = true
			switch tcp, ok, err := p.in.TakeTCP(); {
			case err != nil:
				p.st.Reset(wire.CodeBadRequest)
				p.nc.Close()
				return
			case ok:
				p.relay(tcp)
				return
			default:
				p.down.Go(p.toApp)
			}
		case kind == app.Data && !fin:
			if _, err := p.st.Write(body); err != nil {
				p.over(err)
				return
			}
		case kind == app.Fin && !fin:
			fin = true
			p.st.CloseWrite()
		case kind == app.Reset:
			p.st.Reset(app.ParseErr(body).Code)
			p.nc.Close()
			return
		default:
			p.st.Reset(wire.CodeBadRequest)
			p.nc.Close()
			return
		}
	}
}

// over is the end of a stream that could not be written to. An app that reads hears of it from toApp.
func (p *pump) over(err error) {
	if !p.begun {
		p.tell(err)
	}
}

// toApp moves what arrives to the app until FIN or the stream's end, and tells the app which.
func (p *pump) toApp() {
	_, err := p.st.WriteTo(p.w)
	switch {
	case err == nil:
		p.w.Frame(app.Fin, nil)
	case p.closed.Load():
	default:
		p.tell(err)
	}
}

// tell ends the connection to the app with the reason of the stream's end; another error is the connection's own.
func (p *pump) tell(err error) {
	var refused *wire.Refused
	if !errors.As(err, &refused) {
		p.st.Reset(wire.CodeCancelled)
		p.nc.Close()
		return
	}
	p.nc.SetWriteDeadline(time.Now().Add(tellTimeout))
	p.w.Frame(app.Reset, binary.BigEndian.AppendUint16(nil, uint16(refused.Code)))
	p.nc.Close()
}

// relay moves the stream's bytes between the mesh and a TCP connection that the app handed over.
func (p *pump) relay(tcp *app.TCP) {
	t := &tally{st: p.st, tcp: tcp}
	hungUp := make(chan struct{})
	p.down.Go(func() {
		defer close(hungUp)
		p.r.Next() // the app says nothing more: whatever comes ends the stream
		t.broke(&wire.Refused{Code: wire.CodeCancelled}, wire.CodeCancelled)
	})
	stop := t.report(p.w)
	t.move()
	stop()
	p.nc.SetWriteDeadline(time.Now().Add(tellTimeout))
	p.w.Frame(app.Done, app.AppendTally(nil, t.now()))
	p.nc.Close()
	<-hungUp
}

// tally moves bytes between a stream and a TCP socket, counts them and remembers what broke it first.
type tally struct {
	st   Pipe
	tcp  *app.TCP
	down atomic.Uint64
	once sync.Once
	code atomic.Uint32
}

// move returns when both directions are over, and both sides are closed.
func (t *tally) move() {
	var both sync.WaitGroup
	both.Go(func() {
		_, err := t.st.WriteTo(counted{t.tcp, &t.down})
		if err == nil {
			t.tcp.CloseWrite()
			return
		}
		t.broke(err, wire.CodeCancelled)
	})
	_, err := t.st.ReadFrom(t.tcp)
	if err == nil {
		t.st.CloseWrite()
	} else {
		t.broke(err, wire.CodeCancelled)
	}
	both.Wait()
	t.st.Close()
	t.tcp.Close()
}

// broke resets both sides; only the first reason counts. The far app gets the code.
func (t *tally) broke(err error, far wire.Code) {
	t.once.Do(func() {
		code := wire.CodeCancelled // the TCP side failed
		if refused := (*wire.Refused)(nil); errors.As(err, &refused) {
			code = refused.Code
		}
		t.code.Store(uint32(code))
		t.st.Reset(far)
		t.tcp.Reset()
	})
}

func (t *tally) now() app.Tally {
	return app.Tally{Up: t.st.Moved(), Down: t.down.Load(), Code: wire.Code(t.code.Load())}
}

// report tells the app of the bytes moved, now and then while they move, until the returned function is called.
func (t *tally) report(w *app.Writer) (stop func()) {
	var mu sync.Mutex // guards stopped and last
	stopped, last := false, app.Tally{}
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(countEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		if now := t.now(); !stopped && now != last {
			last = now
			now.Code = 0
			w.Frame(app.Count, app.AppendTally(nil, now))
		}
		if !stopped {
			timer.Reset(countEvery)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// counted is a connection's writing side that counts.
type counted struct {
	*app.TCP
	n *atomic.Uint64
}

// Write implements io.Writer.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.TCP.Write(p)
	c.n.Add(uint64(n))
	return n, err
}
