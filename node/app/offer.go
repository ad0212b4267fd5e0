package app

import (
	"context"
	"net"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Offer is a stream that somebody opened to our port, and that waits for our word: exactly one of Confirm, Carry and Reject, which the
// goroutine that has the Offer calls. It is the stream itself once it is confirmed, and a closed one before and otherwise.
type Offer struct {
	*Conn
	l     *Listener
	in    incoming
	ready bool // Conn is the stream
	said  bool // it is refused, or carried
}

// Offer waits for the next stream. Errors: what ended the listener, or ctx's.
func (l *Listener) Offer(ctx context.Context) (*Offer, error) {
	if l.k == nil {
		conn, err := l.Accept(ctx)
		if err != nil {
			return nil, err
		}
		return &Offer{Conn: conn, in: incoming{peer: conn.Peer(), target: conn.Target()}, ready: true}, nil
	}
	in, err := l.wait(ctx)
	if err != nil {
		return nil, err
	}
	return &Offer{Conn: closedConn(Addr{Port: l.port}, Addr{Key: in.peer, Target: in.target}), l: l, in: in}, nil
}

// closedConn is a stream that is over.
func closedConn(local, remote Addr) *Conn {
	near, far := net.Pipe()
	far.Close()
	c := newConn(near, NewReader(near), local, remote)
	c.fin.Store(true)
	c.Close()
	return c
}

// Peer is Conn's.
func (o *Offer) Peer() identity.PubKey { return o.in.peer }

// Target is Conn's.
func (o *Offer) Target() string { return o.in.target }

// Confirm tells the dialer that the stream is served, and makes it one of ours, over a connection of its own.
func (o *Offer) Confirm() error {
	if !o.ready && !o.said {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout) // the node is on this host
		defer cancel()
		conn, err := o.l.take(ctx, o.in)
		if err != nil {
			return err
		}
		o.Conn, o.ready = conn, true
	}
	return o.Conn.Confirm()
}

// Carry tells the dialer that the stream is served, and has the node move its bytes between the mesh and socket, half closes and resets
// included. The descriptor stays the caller's to close, but not to use. ErrNoRelay: the node cannot, nothing has happened.
func (o *Offer) Carry(socket Descriptor) (*Carried, error) {
	if o.ready || o.said {
		return nil, ErrNoRelay
	}
	d, err := o.l.k.enter(o.in.id)
	if err != nil {
		return nil, err
	}
	o.said = true
	if err := o.l.k.pass(AppendFrame(nil, CarryOn, AppendCarryWord(nil, CarryOn, CarryWord{ID: d.id})), socket); err != nil {
		o.l.k.leave(d)
		o.refuse(wire.CodeInternal)
		return nil, err
	}
	return d, nil
}

// Reject refuses the stream; the dialer's Dial fails with the code.
func (o *Offer) Reject(code Code) { o.Reset(code) }

// Reset implements Conn's, also of a stream that is not confirmed.
func (o *Offer) Reset(code Code) {
	if o.ready {
		o.Conn.Reset(code)
	} else if !o.said {
		o.said = true
		o.refuse(code)
	}
}

// Close implements Conn's; a stream that was not confirmed is refused.
func (o *Offer) Close() error {
	if o.ready {
		return o.Conn.Close()
	}
	o.Reset(CodeGone)
	return nil
}

func (o *Offer) refuse(code Code) {
	o.l.k.w.Frame(CarryEnd, AppendCarryWord(nil, CarryEnd, CarryWord{ID: o.in.id, Code: code}))
}
