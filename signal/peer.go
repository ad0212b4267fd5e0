package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	defaultRequests = 16              // requests of the other side that are worked on at once
	outgoingQueue   = 16              // frames waiting for the writer; callers wait when it is full
	partingTime     = 1 * time.Second // for the error that tells the other side why it is cut off
)

// PeerOptions is what one end of a connection does with what the other end asks.
type PeerOptions struct {
	// Handle answers a request, on a goroutine of its own. ctx ends with the connection. A
	// *Error in the chain of the error gives its code, any other error is CodeInternal. nil: CodeNoMethod.
	Handle func(ctx context.Context, method string, params json.RawMessage) (any, error)
	// Notify takes a notification. It is called in the order of arrival on the goroutine that
	// reads, so it holds up everything that follows, which is the flow control. nil: ignored.
	Notify func(method string, params json.RawMessage)
	// Requests is how many requests may be under way; one more is answered CodeBusy. 0: 16.
	Requests int
}

// Peer is one end of a connection of JSON-RPC 2.0 in both directions.
//
// The reader (Run) hands answers to the callers that wait for them, calls Notify, and starts
// Handle; a writer goroutine sends what Call, Notify and Handle queued. An answer that
// nobody waits for is ignored. A frame that is no message is answered with an error of id
// null and ends the connection. Call, Notify, Flush and Close are safe for concurrent use.
type Peer struct {
	frames  *Frames
	options PeerOptions
	parting time.Duration // partingTime
	slots   chan struct{} // one token per request under way
	out     chan outgoing // never closed
	done    chan struct{} // closed when the connection is over

	mu      sync.Mutex // guards the following
	last    uint64     // id of the last call
	pending map[uint64]chan *message
	cause   error // why done is closed
}

// outgoing is a frame for the writer; sent, if any, is called when it was written or given up.
type outgoing struct {
	frame []byte // nil: only call sent
	sent  func()
}

// answered is a result of Handle with a function to call when the answer was written or given up.
type answered struct {
	result any
	err    error
	sent   func()
}

// AfterAnswer is a result of Handle that has sent called when the answer was written or given up.
func AfterAnswer(result any, sent func()) any { return answered{result: result, sent: sent} }

// AfterAnswerOr is AfterAnswer for a handler that may have failed: with err, which Handle then does not return, the answer is that.
func AfterAnswerOr(result any, err error, sent func()) any {
	return answered{result: result, err: err, sent: sent}
}

// NewPeer returns an end over frames, which it closes when Run returns.
func NewPeer(frames *Frames, o PeerOptions) *Peer {
	if o.Requests <= 0 {
		o.Requests = defaultRequests
	}
	return &Peer{
		frames:  frames,
		options: o,
		parting: partingTime,
		slots:   make(chan struct{}, o.Requests),
		out:     make(chan outgoing, outgoingQueue),
		done:    make(chan struct{}),
		pending: make(map[uint64]chan *message),
	}
}

// Run serves the connection until it ends, Close is called or ctx ends, and returns when all
// that it started has returned, Handle included. nil after Close, ctx or a clean end by
// the other side; otherwise why it ended. Call it once.
func (p *Peer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(p.write)
	err := p.read(ctx, &wg)
	p.end(err)
	cancel()
	wg.Wait()
	p.abandon()
	return p.outcome()
}

// Close ends the connection without sending what is queued. Idempotent; Run returns soon after.
func (p *Peer) Close() error {
	p.end(nil)
	return nil
}

// Done is closed when the connection is over.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Call asks the other side and waits for its answer, decoded into result unless that is nil.
// A *Error is the other side's; ErrClosed in the chain means that the connection ended;
// an error of ctx that it ended first: a late answer is then ignored.
func (p *Peer) Call(ctx context.Context, method string, params, result any) error {
	id, reply := p.expect()
	defer p.forget(id)
	frame, err := request(id, method, params)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", method, err)
	}
	if err := p.queue(ctx, outgoing{frame: frame}); err != nil {
		return err
	}
	select {
	case m := <-reply:
		return decodeAnswer(m, method, result)
	case <-ctx.Done():
		return fmt.Errorf("waiting for the answer to %s: %w", method, context.Cause(ctx))
	case <-p.done:
	}
	select { // it may have arrived just before the end
	case m := <-reply:
		return decodeAnswer(m, method, result)
	default:
		return p.closed()
	}
}

// Notify queues a notification; it waits while the queue is full.
func (p *Peer) Notify(ctx context.Context, method string, params any) error {
	frame, err := request(0, method, params)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", method, err)
	}
	return p.queue(ctx, outgoing{frame: frame})
}

// Flush waits until all that was queued before is written, or the connection is over.
func (p *Peer) Flush(ctx context.Context) error {
	written := make(chan struct{})
	if err := p.queue(ctx, outgoing{sent: func() { close(written) }}); err != nil {
		return err
	}
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.done:
		return p.closed()
	}
}

// read runs until the connection ends.
func (p *Peer) read(ctx context.Context, wg *sync.WaitGroup) error {
	for {
		frame, err := p.frames.Recv()
		if err != nil {
			return err
		}
		m, wrong := parseMessage(frame)
		if wrong != nil {
			p.part(ctx, wrong)
			return wrong
		}
		switch {
		case m.Method == "":
			p.deliver(m)
		case m.ID != nil:
			p.serve(ctx, wg, m)
		case p.options.Notify != nil:
			p.options.Notify(m.Method, m.Params)
		}
	}
}

// serve starts the handler of a request, unless too many are under way.
func (p *Peer) serve(ctx context.Context, wg *sync.WaitGroup, m *message) {
	select {
	case p.slots <- struct{}{}:
	default:
		busy := Errorf(CodeBusy, "%d requests are under way", cap(p.slots))
		p.queue(ctx, outgoing{frame: answer(m.ID, nil, busy)})
		return
	}
	wg.Go(func() {
		defer func() { <-p.slots }()
		result, err := p.handle(ctx, m)
		out := outgoing{}
		if a, ok := result.(answered); ok {
			result, err, out.sent = a.result, a.err, a.sent
		}
		out.frame = answer(m.ID, result, err)
		p.queue(ctx, out)
	})
}

func (p *Peer) handle(ctx context.Context, m *message) (any, error) {
	if p.options.Handle == nil {
		return nil, NoMethod(m.Method)
	}
	return p.options.Handle(ctx, m.Method, m.Params)
}

// NoMethod is the answer to a method that is unknown or not for this connection.
func NoMethod(method string) *Error {
	return Errorf(CodeNoMethod, "no method %q here", method)
}

// deliver hands an answer to its caller.
func (p *Peer) deliver(m *message) {
	id, err := strconv.ParseUint(string(m.ID), 10, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	reply := p.pending[id]
	delete(p.pending, id)
	p.mu.Unlock()
	if reply != nil {
		reply <- m // buffered, and only one answer finds it
	}
}

// part tells the other side why it is cut off, if it listens.
func (p *Peer) part(ctx context.Context, why *Error) {
	ctx, cancel := context.WithTimeout(ctx, p.parting)
	defer cancel()
	if p.queue(ctx, outgoing{frame: answer(json.RawMessage("null"), nil, why)}) == nil {
		p.Flush(ctx)
	}
}

// queue gives o to the writer. Whatever happens, o.sent will be called.
func (p *Peer) queue(ctx context.Context, o outgoing) error {
	err := p.enqueue(ctx, o)
	if err != nil && o.sent != nil {
		o.sent()
	}
	return err
}

func (p *Peer) enqueue(ctx context.Context, o outgoing) error {
	if len(o.frame) > MaxFrame {
		return Errorf(CodeTooLarge, "message of %d bytes, a frame holds %d", len(o.frame), MaxFrame)
	}
	select {
	case <-p.done:
		return p.closed()
	default:
	}
	select {
	case p.out <- o:
		select {
		case <-p.done: // perhaps after the writer's last look
			p.abandon()
		default:
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting to send: %w", context.Cause(ctx))
	case <-p.done:
		return p.closed()
	}
}

// write is the writer: it ends with the connection, and ends it when a write fails.
func (p *Peer) write() {
	for {
		select {
		case o := <-p.out:
			if o.frame != nil {
				if err := p.frames.Send(o.frame); err != nil {
					p.end(err)
				}
			}
			if o.sent != nil {
				o.sent()
			}
		case <-p.done:
			return
		}
	}
}

// abandon empties the queue after the end.
func (p *Peer) abandon() {
	for {
		select {
		case o := <-p.out:
			if o.sent != nil {
				o.sent()
			}
		default:
			return
		}
	}
}

// end marks the connection as over, once, and closes it.
func (p *Peer) end(cause error) {
	p.mu.Lock()
	select {
	case <-p.done:
	default:
		p.cause = cause
		close(p.done)
	}
	p.mu.Unlock()
	p.frames.Close()
}

func (p *Peer) expect() (uint64, chan *message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	reply := make(chan *message, 1)
	p.pending[p.last] = reply
	return p.last, reply
}

func (p *Peer) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, id)
}

// outcome is Run's result.
func (p *Peer) outcome() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.cause, io.EOF) {
		return nil
	}
	return p.cause
}

// closed is the error of whoever still wanted something of the connection.
func (p *Peer) closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrClosed, p.cause)
}

func decodeAnswer(m *message, method string, result any) error {
	if m.Error != nil {
		m.Error.Message = cut(m.Error.Message, maxErrorText)
		return m.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return fmt.Errorf("decoding the answer to %s: %w", method, err)
	}
	return nil
}
