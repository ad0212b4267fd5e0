package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Limits of one connection. What the other end may have in flight fits into what this end
// takes, so that CodeBusy meets only those who break the limit or give up on many answers.
const (
	callTimeout  = 10 * time.Second // for one request, at both ends
	writeTimeout = 10 * time.Second // for one message; then the connection ends
	maxCalls     = 64               // requests of ours in flight; more wait
	maxQueued    = 32               // messages waiting to be written; more wait
	maxWorkers   = 32               // requests of the peer in work, unless the service says less
	maxHeld      = maxCalls         // requests of the peer waiting for that
	maxHeldBytes = 256 << 10        // of requests in work or waiting, beyond the first
)

// ErrClosed is what a call gets whose connection ended before the answer.
var ErrClosed = errors.New("control: connection closed")

// Conn is the pipe of messages below a Peer: secure.Conn, or one in memory. A message
// that ReadMsg returned is valid until the next ReadMsg.
type Conn interface {
	ReadMsg() ([]byte, error)
	WriteMsg([]byte) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Remote() identity.PubKey
	RemoteAddr() net.Addr
	Close() error
}

// Serve carries out one request of the peer and returns the body of the answer. An
// *Error goes to the peer as it is, bytes that do not parse as CodeBadRequest, everything
// else as a bare CodeInternal. The body belongs to Serve.
type Serve func(ctx context.Context, t Type, body []byte) ([]byte, error)

// PeerConfig says how one end of a connection behaves.
type PeerConfig struct {
	Conn    Conn // the Peer closes it
	Serve   Serve
	Workers int           // requests of the peer carried out at once; 0: 32; 1: in the order of arrival
	Silence time.Duration // the connection ends after that long without a message; 0: never
	Log     *slog.Logger  // of requests that failed through our fault; nil: nothing is logged
}

// Peer is one end of a control connection: requests run both ways over it, and a slow
// request or answer delays no other. Run must be running for Call to return.
//
// Three parties: the reader (Run's goroutine) sorts messages, workers carry out requests,
// the writer alone writes. The reader never waits for the other two: requests beyond the
// limits are refused, and a peer that asks without reading its answers is cut off.
type Peer struct {
	cfg   PeerConfig
	out   chan []byte   // to the writer; never closed
	gone  chan struct{} // closed when the connection is over
	slots chan struct{} // one taken per call in flight

	mu      sync.Mutex // guards the following
	calls   map[uint32]*call
	lastID  uint32
	running int       // workers
	held    []request // waiting for a worker, at most maxHeld
	bytes   int       // of requests in work or waiting
	over    bool
}

// call is a request of ours in flight.
type call struct {
	t    Type
	done chan answer // one send, buffered
}

type answer struct {
	body []byte
	err  error
}

type request struct {
	t    Type
	id   uint32
	body []byte
}

// NewPeer prepares one end; Run starts it.
func NewPeer(cfg PeerConfig) *Peer {
	if cfg.Workers == 0 {
		cfg.Workers = maxWorkers
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Peer{
		cfg:   cfg,
		out:   make(chan []byte, maxQueued),
		gone:  make(chan struct{}),
		slots: make(chan struct{}, maxCalls),
		calls: make(map[uint32]*call),
	}
}

// Remote is the key at the other end.
func (p *Peer) Remote() identity.PubKey { return p.cfg.Conn.Remote() }

// RemoteAddr is the address at the other end.
func (p *Peer) RemoteAddr() net.Addr { return p.cfg.Conn.RemoteAddr() }

// Done is closed when the connection is over.
func (p *Peer) Done() <-chan struct{} { return p.gone }

// Close ends the connection without waiting; Run then returns. Idempotent.
func (p *Peer) Close() {
	p.mu.Lock()
	over := p.over
	p.over = true
	p.mu.Unlock()
	if over {
		return
	}
	close(p.gone)
	p.cfg.Conn.Close()
}

// Run reads until the connection or ctx ends, and returns when everything it started has
// returned; nil when ctx ended or Close was called.
func (p *Peer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, p.Close)()
	var wg sync.WaitGroup
	wg.Go(p.write)
	err := p.read(ctx, &wg)
	p.mu.Lock()
	asked := p.over
	p.mu.Unlock()
	p.Close()
	cancel()
	wg.Wait()
	if asked {
		return nil
	}
	return err
}

func (p *Peer) write() {
	for {
		select {
		case b := <-p.out:
			p.cfg.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if p.cfg.Conn.WriteMsg(b) != nil {
				p.Close()
				return
			}
		case <-p.gone:
			return
		}
	}
}

func (p *Peer) read(ctx context.Context, wg *sync.WaitGroup) error {
	for {
		if p.cfg.Silence > 0 {
			p.cfg.Conn.SetReadDeadline(time.Now().Add(p.cfg.Silence))
		}
		b, err := p.cfg.Conn.ReadMsg()
		if err != nil {
			return err
		}
		t, id, body, err := parseHeader(b)
		if err != nil {
			return err
		}
		body = append([]byte(nil), body...)
		if t.isAnswer() {
			p.deliver(t, id, body)
			continue
		}
		if err := p.accept(ctx, wg, request{t, id, body}); err != nil {
			return err
		}
	}
}

// deliver hands an answer to the call that waits for it, if one does.
func (p *Peer) deliver(t Type, id uint32, body []byte) {
	p.mu.Lock()
	c := p.calls[id]
	delete(p.calls, id)
	p.mu.Unlock()
	switch {
	case c == nil:
	case t == c.t|answerBit:
		c.done <- answer{body: body}
	case t == typeError:
		c.done <- answer{err: parseFailure(body)}
	default:
		c.done <- answer{err: malformed("answer %d to request %d", t, c.t)}
	}
}

func parseFailure(body []byte) error {
	e, err := parseError(body)
	if err != nil {
		return err
	}
	return e
}

// accept gives a request to a worker, starts one, or refuses it.
func (p *Peer) accept(ctx context.Context, wg *sync.WaitGroup, q request) error {
	start, ok := p.admit(q)
	if start {
		wg.Go(func() { p.work(ctx, q) })
	}
	if ok {
		return nil
	}
	select {
	case p.out <- failure(q.id, &Error{Code: CodeBusy}):
		return nil
	default:
		return malformed("requests without end, answers not read")
	}
}

// admit counts a request: for a new worker, or on hold, if it is within the limits.
func (p *Peer) admit(q request) (start, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes > 0 && p.bytes+len(q.body) > maxHeldBytes {
		return false, false
	}
	switch {
	case p.running < p.cfg.Workers:
		p.running++
		start = true
	case len(p.held) < maxHeld:
		p.held = append(p.held, q)
	default:
		return false, false
	}
	p.bytes += len(q.body)
	return start, true
}

// work carries out q and then what is on hold, until nothing is.
func (p *Peer) work(ctx context.Context, q request) {
	for more := true; more; q, more = p.next(q) {
		select {
		case p.out <- p.carryOut(ctx, q):
		case <-p.gone:
		}
	}
}

// next ends the count of a request and returns the one that waited longest; more is false,
// and the worker gone, when none does.
func (p *Peer) next(done request) (q request, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes -= len(done.body)
	if len(p.held) == 0 || p.over {
		p.running--
		return request{}, false
	}
	q, p.held[0] = p.held[0], request{}
	p.held = p.held[1:]
	return q, true
}

func (p *Peer) carryOut(ctx context.Context, q request) []byte {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := p.cfg.Serve(ctx, q.t, q.body)
	if err != nil {
		e := asError(err)
		if e.Code == CodeInternal {
			p.cfg.Log.Error("request failed", "type", int(q.t), "err", err)
		}
		return failure(q.id, e)
	}
	return append(appendHeader(make([]byte, 0, headerLen+len(body)), q.t|answerBit, q.id), body...)
}

func failure(id uint32, e *Error) []byte {
	return e.append(appendHeader(nil, typeError, id))
}

// Call sends a request and waits for the answer: until ctx ends, the connection ends
// (ErrClosed) or ten seconds passed (context.DeadlineExceeded). A refusal is an *Error.
// Any number of goroutines may call; the answer's body belongs to the caller.
func (p *Peer) Call(ctx context.Context, t Type, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.gone:
		return nil, ErrClosed
	}
	id, c := p.expect(t)
	defer p.forget(id, c)
	b := append(appendHeader(make([]byte, 0, headerLen+len(body)), t, id), body...)
	select {
	case p.out <- b:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.gone:
		return nil, ErrClosed
	}
	select {
	case a := <-c.done:
		return a.body, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.gone:
		return nil, ErrClosed
	}
}

// expect picks a number no call in flight has.
func (p *Peer) expect(t Type) (uint32, *call) {
	c := &call{t: t, done: make(chan answer, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.lastID++; p.calls[p.lastID] != nil; p.lastID++ {
	}
	p.calls[p.lastID] = c
	return p.lastID, c
}

func (p *Peer) forget(id uint32, c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[id] == c {
		delete(p.calls, id)
	}
}
