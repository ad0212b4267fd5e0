package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of one connection to a messenger.
const (
	maxCircuits  = 1024
	maxCalls     = 16
	callTimeout  = 5 * time.Second
	welcomeTime  = 5 * time.Second
	spanRecords  = writeMost/MaxPiece + 1
	recordOver   = wire.Overhead + HeadLen
	spanCapacity = writeMost + spanRecords*recordOver
)

// errLost is what circuits and requests get whose connection ended.
var errLost = errors.New("relay: the connection to the messenger ended")

var spans = sync.Pool{New: func() any { b := make([]byte, 0, spanCapacity); return &b }}

// hop is one connection to a messenger. It implements link.Receiver and link.Evicter.
type hop struct {
	c    *Client
	addr secure.Addr // with the key that was proved
	l    *link.Link

	welcomed chan struct{} // closed when the messenger's first word is there
	welcome  Welcome       // written before that
	slots    chan struct{} // one taken per call in flight

	mu       sync.Mutex // guards the following
	circuits map[end]*conn
	routes   map[wire.RouteID]*conn
	calls    map[uint32]chan reply
	lastID   uint32
	next     wire.RouteID
	unknown  end       // whose bytes were answered with reset last
	used     time.Time // when the last circuit ended, or the hop began
	lost     bool
}

// end names one end of a circuit.
type end struct {
	peer identity.PubKey
	num  Circuit // as we send it
}

type reply struct {
	kind Kind
	body []byte
}

// newHop makes the hop of a connection whose handshake is done.
func (c *Client) newHop(a secure.Addr, l *link.Link) *hop {
	return &hop{
		c: c, addr: a, l: l, welcomed: make(chan struct{}), slots: make(chan struct{}, maxCalls),
		circuits: map[end]*conn{}, routes: map[wire.RouteID]*conn{}, calls: map[uint32]chan reply{}, next: FirstRoute, used: time.Now(),
	}
}

func (h *hop) self() identity.PubKey { return h.c.cfg.Key.Public() }

// share is the largest window of one circuit now.
func (h *hop) share() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return share(len(h.circuits))
}

// Record implements link.Receiver.
func (h *hop) Record(rec []byte) {
	t, flags, _, payload := wire.ParseHeader(rec[wire.LenLen : len(rec)-wire.TagLen])
	if t == TypeService {
		h.message(payload)
		return
	}
	key, num, rest, ok := SplitHead(payload)
	if !ok || t != TypeData && t != TypeWord {
		return
	}
	e := end{identity.PubKey(key), num.Other()}
	if t == TypeData {
		h.bytes(e, rest, flags&wire.Congested != 0)
		return
	}
	if w, value, err := ParseWord(rest); err == nil {
		h.heard(e, w, value)
	}
}

// Flush implements link.Receiver: nothing of the reader's memory is kept.
func (h *hop) Flush() {}

// Closed implements link.Receiver.
func (h *hop) Closed(err error) {
	h.mu.Lock()
	h.lost = true
	list := make([]*conn, 0, len(h.circuits))
	for _, c := range h.circuits {
		list = append(list, c)
	}
	calls := h.calls
	h.calls = nil
	h.mu.Unlock()
	for _, c := range list {
		c.fail(fmt.Errorf("%w: %w", errLost, err))
	}
	for _, ch := range calls {
		close(ch)
	}
}

// Evicted implements link.Evicter: what a circuit had waiting here is gone.
func (h *hop) Evicted(route wire.RouteID) {
	h.mu.Lock()
	c := h.routes[route]
	h.mu.Unlock()
	if c != nil && c.fail(ResetDropped) {
		h.word(c.route, c.peer, c.num, WordReset, uint64(ResetDropped))
	}
}

// bytes takes bytes of a circuit.
func (h *hop) bytes(e end, b []byte, marked bool) {
	h.mu.Lock()
	c := h.circuits[e]
	again := c == nil && h.unknown == e
	if c == nil {
		h.unknown = e
	}
	h.mu.Unlock()
	switch {
	case again:
	case c == nil:
		h.word(ServiceRoute, e.peer, e.num, WordReset, uint64(ResetClosed))
	case !c.deliver(b, marked):
		c.fail(ResetCredit)
		h.word(c.route, c.peer, c.num, WordReset, uint64(ResetCredit))
	}
}

// heard takes a word of a circuit.
func (h *hop) heard(e end, w Word, value uint64) {
	if w == WordReset && e.num&^fromAcceptor == 0 {
		h.resetAll(e.peer, Reset(value))
		return
	}
	h.mu.Lock()
	c := h.circuits[e]
	h.mu.Unlock()
	switch {
	case w == WordOpen:
		if c == nil {
			h.incoming(e, value)
		}
	case c == nil:
	case w == WordReset:
		if r := Reset(value); r == ResetClosed {
			c.fail(io.EOF)
		} else {
			c.fail(r)
		}
	default:
		c.allow(value)
	}
}

// resetAll ends all circuits with a key.
func (h *hop) resetAll(peer identity.PubKey, r Reset) {
	h.mu.Lock()
	var list []*conn
	for e, c := range h.circuits {
		if e.peer == peer {
			list = append(list, c)
		}
	}
	h.mu.Unlock()
	for _, c := range list {
		c.fail(r)
	}
}

// incoming answers who wants a circuit.
func (h *hop) incoming(e end, credit uint64) {
	if e.num&fromAcceptor == 0 { // it says that it accepted what nobody opened
		return
	}
	c := h.enter(e)
	if c == nil {
		h.word(ServiceRoute, e.peer, e.num, WordReset, uint64(ResetBusy))
		return
	}
	c.allow(credit)
	h.word(c.route, e.peer, e.num, WordAccept, c.win.granted)
	if !h.c.offer(c) {
		c.fail(ResetBusy)
		h.word(c.route, e.peer, e.num, WordReset, uint64(ResetBusy))
		h.forget(c)
	}
}

// enter makes an end of a circuit; nil: there are too many, or the hop is lost.
func (h *hop) enter(e end) *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost || len(h.circuits) >= maxCircuits || h.circuits[e] != nil {
		return nil
	}
	for h.next < FirstRoute || h.routes[h.next] != nil {
		h.next++
	}
	c := newConn(h, e.peer, e.num, h.next, share(len(h.circuits)+1))
	h.next++
	h.circuits[e], h.routes[c.route] = c, c
	return c
}

// forget lets go of a circuit that is over.
func (h *hop) forget(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := end{c.peer, c.num}
	if h.circuits[e] != c {
		return
	}
	delete(h.circuits, e)
	delete(h.routes, c.route)
	h.used = time.Now()
}

// idle reports since when the hop carries nothing; ok is false while it does.
func (h *hop) idle() (since time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used, len(h.circuits) == 0
}

// open asks for a circuit to a key, and waits for the answer until the time.
func (h *hop) open(peer identity.PubKey, by time.Time) (*conn, error) {
	c := h.enter(end{peer, Circuit(1 + rand.N(uint32(fromAcceptor)-1))})
	if c == nil {
		return nil, ResetBusy
	}
	h.word(c.route, peer, c.num, WordOpen, c.win.granted)
	if err := c.await(by); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// word sends a word of a circuit.
func (h *hop) word(route wire.RouteID, peer identity.PubKey, num Circuit, w Word, value uint64) {
	var b [HeadLen + 1 + 8]byte
	h.l.Send(AppendRecord(nil, TypeWord, route, AppendWord(b[:0], peer, num, w, value)))
}

// data sends bytes of a circuit, writeMost at most.
func (h *hop) data(c *conn, b []byte) {
	buf := spans.Get().(*[]byte)
	span := (*buf)[:0]
	for len(b) > 0 {
		n := min(len(b), MaxPiece)
		span = appendData(span, c, b[:n])
		b = b[n:]
	}
	overflow := h.l.Send(span)
	*buf = span[:0]
	spans.Put(buf)
	if overflow != 0 {
		h.Evicted(overflow)
	}
}

func appendData(dst []byte, c *conn, b []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, wire.LenLen+wire.HeaderLen)...)
	wire.PutHeader(dst[start+wire.LenLen:], TypeData, 0, c.route)
	dst = append(AppendHead(dst, c.peer, c.num), b...)
	dst = append(dst, make([]byte, wire.TagLen)...)
	link.PutRecordLen(dst[start:])
	return dst
}

// message takes an answer, or a word of the messenger.
func (h *hop) message(payload []byte) {
	id, k, body, err := ParseMessage(payload)
	switch {
	case err != nil:
	case id != 0:
		h.mu.Lock()
		ch := h.calls[id]
		delete(h.calls, id)
		h.mu.Unlock()
		if ch != nil {
			ch <- reply{k, append([]byte(nil), body...)}
		}
	case k == KindWelcome:
		h.welcomedWith(body)
	case k == KindChanged:
		if rec, err := ParseRecord(body); err == nil {
			h.c.changed(rec)
		}
	}
}

func (h *hop) welcomedWith(body []byte) {
	w, err := ParseWelcome(body)
	select {
	case <-h.welcomed:
		return
	default:
	}
	if err == nil {
		h.welcome = w
		close(h.welcomed)
	}
}

// call asks the messenger and waits for the answer: until ctx ends, 5 s, or the connection's end. A refusal is a *Failure.
func (h *hop) call(ctx context.Context, k Kind, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	id, ch := h.expect()
	if ch == nil {
		return nil, errLost
	}
	h.l.Send(AppendRecord(nil, TypeService, ServiceRoute, append(AppendMessage(nil, id, k), body...)))
	select {
	case r, ok := <-ch:
		switch {
		case !ok:
			return nil, errLost
		case r.kind == k|AnswerBit:
			return r.body, nil
		case r.kind == KindFailure:
			f, err := ParseFailure(r.body)
			if err == nil {
				return nil, f
			}
		}
		return nil, malformed("answer %d to request %d", r.kind, k)
	case <-ctx.Done():
		h.mu.Lock()
		delete(h.calls, id)
		h.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (h *hop) expect() (uint32, chan reply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost {
		return 0, nil
	}
	for h.lastID++; h.lastID == 0 || h.calls[h.lastID] != nil; h.lastID++ {
	}
	ch := make(chan reply, 1)
	h.calls[h.lastID] = ch
	return h.lastID, ch
}
