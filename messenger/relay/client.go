package relay

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/wire"
)

// Client is one connection. It implements link.Receiver and link.Evicter.
type Client struct {
	s      *Server
	key    identity.PubKey
	prefix netip.Prefix
	l      *link.Link
	limits *limits
	since  time.Time
	route  wire.RouteID // of what it sends, in the queues of the others
	active atomic.Bool  // something crossed since the last look

	// of the reading goroutine
	to   *Client // to whom span goes; nil when it is empty
	span []byte

	sent, received, dropped atomic.Uint64 // bytes relayed from and to it; records

	// Watch is the Service's.
	Watch any
}

// Key is the client's.
func (c *Client) Key() identity.PubKey { return c.key }

// Say sends a word of the messenger. It does not block; a client that does not read loses its connection.
func (c *Client) Say(k relay.Kind, body []byte) { c.say(k, body) }

// Allow spends n tokens of the client's requests; false when there are none.
func (c *Client) Allow(n int) bool { return c.limits.requests.AllowN(time.Now(), n) }

// AllowKey spends what it takes to bring another key into the book; false when the client's prefix has brought too many.
func (c *Client) AllowKey() bool { return c.limits.share.keys.Allow() }

func (c *Client) say(k relay.Kind, body []byte) {
	c.answer(append(relay.AppendMessage(nil, 0, k), body...))
}

func (c *Client) answer(payload []byte) {
	if c.l.Send(relay.AppendRecord(nil, relay.TypeService, relay.ServiceRoute, payload)) != 0 {
		c.l.Close(errAbuse)
	}
}

// Record implements link.Receiver.
func (c *Client) Record(rec []byte) {
	t, _, _, payload := wire.ParseHeader(rec[wire.LenLen : len(rec)-wire.TagLen])
	switch t {
	case relay.TypeData, relay.TypeWord:
		c.pass(t, rec, payload)
	case relay.TypeService:
		c.Flush()
		c.request(payload)
	}
}

// pass sends a record on to the client it is for.
func (c *Client) pass(t wire.Type, rec, payload []byte) {
	key, num, rest, ok := relay.SplitHead(payload)
	if !ok || t == relay.TypeData && len(rest) > relay.MaxPiece {
		return
	}
	to := c.to
	if to == nil || string(to.key[:]) != string(key) {
		c.Flush()
		if to = c.s.client(key); to == nil {
			c.refuse(t, identity.PubKey(key), num, rest, relay.ResetNotHere)
			return
		}
	}
	if t == relay.TypeWord && len(rest) > 0 && relay.Word(rest[0]) == relay.WordOpen {
		c.s.total.opens.Add(1)
		if !c.s.quotas.mayOpen(c.limits, to.limits) {
			c.refuse(t, identity.PubKey(key), num, rest, relay.ResetQuota)
			return
		}
	}
	if !c.active.Load() {
		c.active.Store(true)
	}
	c.limits.spend(len(payload))
	copy(payload, c.key[:])
	wire.PutHeader(rec[wire.LenLen:], t, rec[wire.LenLen]&wire.Congested, c.route)
	if c.to != to || !adjoins(c.span, rec) {
		c.Flush()
		c.to, c.span = to, rec
		return
	}
	c.span = c.span[:len(c.span)+len(rec)]
}

// adjoins reports whether rec lies right behind span in memory.
func adjoins(span, rec []byte) bool {
	return cap(span)-len(span) >= len(rec) && cap(rec) == cap(span)-len(span)
}

// refuse tells the client that its word or bytes went nowhere. Resets are not answered.
func (c *Client) refuse(t wire.Type, key identity.PubKey, num relay.Circuit, rest []byte, why relay.Reset) {
	if t == relay.TypeWord && (len(rest) == 0 || relay.Word(rest[0]) == relay.WordReset) {
		return
	}
	c.s.total.refused.Add(1)
	c.reset(key, num.Other(), why)
}

// reset says a reset in the name of key.
func (c *Client) reset(key identity.PubKey, num relay.Circuit, why relay.Reset) {
	payload := relay.AppendWord(nil, key, num, relay.WordReset, uint64(why))
	c.l.Send(relay.AppendRecord(nil, relay.TypeWord, relay.ServiceRoute, payload))
}

// Flush implements link.Receiver: it sends the span.
func (c *Client) Flush() {
	to, span := c.to, c.span
	if to == nil {
		return
	}
	c.to, c.span = nil, nil
	n := uint64(len(span))
	c.sent.Add(n)
	to.received.Add(n)
	c.s.total.bytes.Add(n)
	c.s.total.records.Add(1)
	if !to.active.Load() {
		to.active.Store(true)
	}
	if overflow := to.l.Send(span); overflow != 0 {
		to.Evicted(overflow)
	}
}

// Evicted implements link.Evicter: what waited for this client of the sender with that route is gone. All circuits between
// the two are over.
func (c *Client) Evicted(route wire.RouteID) {
	from := c.s.byRoute(route)
	c.dropped.Add(1)
	c.s.total.dropped.Add(1)
	if from == nil {
		return
	}
	c.reset(from.key, 0, relay.ResetDropped)
	from.reset(c.key, 0, relay.ResetDropped)
}

// Closed implements link.Receiver.
func (c *Client) Closed(error) {}

// request answers one request.
func (c *Client) request(payload []byte) {
	id, k, body, err := relay.ParseMessage(payload)
	if err != nil || id == 0 {
		return
	}
	answer, err := c.serve(k, body)
	if err != nil {
		f := new(relay.Failure)
		switch {
		case errors.As(err, &f):
		case errors.Is(err, wire.ErrMalformed):
			f = relay.Failed(relay.CodeBadRequest, "%s", err)
		default:
			c.s.cfg.Log.Error("request failed", "peer", c.key.Short(), "err", err)
			f = relay.Failed(relay.CodeInternal, "")
		}
		c.answer(f.Append(relay.AppendMessage(nil, id, relay.KindFailure)))
		return
	}
	c.answer(append(relay.AppendMessage(nil, id, k|relay.AnswerBit), answer...))
}

func (c *Client) serve(k relay.Kind, body []byte) ([]byte, error) {
	if !c.Allow(1) {
		return nil, relay.Failed(relay.CodeBusy, "too many requests")
	}
	return c.s.cfg.Service.Serve(c, k, body)
}
