package forward

import (
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// Receiver returns what takes the records of one link; give it to link.Config.Receive.
func (t *Table) Receiver(l *link.Link) link.Receiver { return &transit{t: t, in: l} }

// transit is the forwarding of one inbound link, on its reading goroutine. span collects
// consecutive records for the same outbound link; they lie back to back in the reader's buffer.
type transit struct {
	t    *Table
	in   *link.Link
	out  *link.Link // where span goes; nil when it is empty
	span []byte
}

// Record implements link.Receiver.
func (x *transit) Record(rec []byte) {
	t, flags, id, payload := wire.ParseHeader(rec[wire.LenLen : len(rec)-wire.TagLen])
	x.t.mu.RLock()
	d := x.t.rules[number{x.in, id}]
	x.t.mu.RUnlock()
	if d == nil {
		return
	}
	switch {
	case t == wire.RouteDown || t == wire.RouteBye:
		x.Flush()
		x.t.end(d.r, x.in, reasonOf(t, payload))
		return
	case !endToEnd(t):
		return
	}
	d.count(x.t, len(payload))
	if d.out.Link == nil {
		d.r.Upper.Receive(t, flags, payload)
		return
	}
	wire.PutHeader(rec[wire.LenLen:], t, flags, d.out.Out)
	x.add(d.out.Link, rec)
}

// endToEnd reports whether records of a type pass along routes.
func endToEnd(t wire.Type) bool {
	switch t {
	case wire.Data, wire.Datagram, wire.Handshake, wire.Control, wire.Join:
		return true
	}
	return false
}

// reasonOf reads what a neighbour says of a route's end.
func reasonOf(t wire.Type, payload []byte) Reason {
	if t == wire.RouteBye {
		return ReasonBye
	}
	if len(payload) == 1 {
		return Reason(payload[0])
	}
	return ReasonLink
}

func (d *rule) count(t *Table, n int) {
	d.records.Add(1)
	d.bytes.Add(uint64(n))
	d.r.last.Store(t.clock.Load())
}

// add lengthens the span by rec, sending what it held first if that goes elsewhere.
func (x *transit) add(out *link.Link, rec []byte) {
	if x.out == out && cap(x.span)-len(x.span) == cap(rec) { // rec begins where the span ends
		x.span = x.span[:len(x.span)+len(rec)]
		return
	}
	x.Flush()
	x.out, x.span = out, rec
}

// Flush implements link.Receiver.
func (x *transit) Flush() {
	if x.out == nil {
		return
	}
	out, span := x.out, x.span
	x.out, x.span = nil, nil
	if id := out.Send(span); id != 0 {
		x.t.overflow(out, id)
	}
}

// Closed implements link.Receiver.
func (x *transit) Closed(error) { x.t.closed(x.in) }

// overflow ends the route that is number id on the way out of l.
func (t *Table) overflow(l *link.Link, id wire.RouteID) {
	t.mu.RLock()
	var over *route
	for _, r := range t.routes {
		if r.Prev.Link == l && r.Prev.Out == id || r.Next.Link == l && r.Next.Out == id {
			over = r
			break
		}
	}
	t.mu.RUnlock()
	if over != nil {
		t.end(over, nil, ReasonOverload)
	}
}
