package session

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/wire"
)

// loopback makes the session of a node with itself, for two apps on one node: the same
// handshake and records as over a route, handed across in memory. It returns the initiator.
func (h *Host) loopback(ctx context.Context) (*Session, error) {
	var near, far forward.Key
	rand.Read(near[:])
	rand.Read(far[:])
	us := h.cfg.Key.Public()
	pa, err := h.New(us, near, true)
	if err != nil {
		return nil, err
	}
	pb, err := h.New(us, far, false)
	if err != nil {
		h.Abandon(pa)
		return nil, err
	}
	ab, ba := newLoop(pb), newLoop(pa)
	h.attach(ctx, pa, ab)
	h.attach(ctx, pb, ba)
	h.spawn(ab.run)
	h.spawn(ba.run)
	s, err := h.found(pa, "")
	if err != nil {
		pa.close()
		pb.close()
		return nil, err
	}
	s.local = true
	pa.start(s)
	return s, nil
}

// loop is one direction of a session in memory. What waits is bounded by the session's window.
type loop struct {
	to *Path

	mu     sync.Mutex // guards the following
	more   sync.Cond
	spans  [][]byte
	closed bool
}

func newLoop(to *Path) *loop {
	l := &loop{to: to}
	l.more.L = &l.mu
	return l
}

// Number implements end.
func (l *loop) Number() wire.RouteID { return 1 }

// Send implements end.
func (l *loop) Send(span []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.spans = append(l.spans, slices.Clone(span))
		l.more.Signal()
	}
}

// SendKept implements end.
func (l *loop) SendKept(span []byte) { l.Send(span) }

// Close implements end: the other path hears of it after what was sent.
func (l *loop) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Signal()
}

// run hands records over until Close; then the other direction ends too.
func (l *loop) run() {
	for {
		l.mu.Lock()
		for len(l.spans) == 0 && !l.closed {
			l.more.Wait()
		}
		spans := l.spans
		l.spans = nil
		l.mu.Unlock()
		if len(spans) == 0 {
			l.to.Down(forward.ReasonBye)
			l.to.end.Close() // a path that is down does not close its end, and the way back is over too
			return
		}
		for _, span := range spans {
			l.deliver(span)
		}
	}
}

func (l *loop) deliver(span []byte) {
	for len(span) > 0 {
		n, _ := wire.Len(span)
		t, flags, _, payload := wire.ParseHeader(span[wire.LenLen : wire.LenLen+n-wire.TagLen])
		span = span[wire.LenLen+n:]
		l.to.Receive(t, flags, payload)
	}
}
