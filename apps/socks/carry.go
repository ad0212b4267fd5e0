package socks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/skycoin/viscript/node/wire"
)

// Carried is a stream whose bytes the mesh moves by itself between it and a TCP socket, half closes and resets included.
type Carried interface {
	// Wait returns when both directions came to their end (nil) or the stream broke. progress is told now and then, and at the
	// end, of the bytes moved to the mesh and from it.
	Wait(progress func(toMesh, fromMesh uint64)) error
	// Reset breaks the stream and tells the far end why; Wait then returns.
	Reset(wire.Code)
}

// CarryDialer is a Dialer that can have streams carried.
type CarryDialer interface {
	Dialer
	// Carries reports whether DialCarried works here and now.
	Carries(ctx context.Context) bool
	// DialCarried is DialMesh for a stream that is carried: hello is written to the socket when the exit has connected. After
	// an error nothing was written, and the socket is the caller's again.
	DialCarried(ctx context.Context, target string, first, hello []byte, socket *Socket) (Carried, error)
}

// CarryIncoming is an Incoming that can be carried, in place of Confirm.
type CarryIncoming interface {
	Incoming
	// CarryOn confirms the stream and has it carried. errors.ErrUnsupported: it cannot be; nothing has happened.
	CarryOn(socket *Socket) (Carried, error)
}

// carry has a connection carried; done is false when that cannot be, and nothing has happened.
func (c *Client) carry(ctx context.Context, n *negotiation, target string, e *entry) (done bool, err error) {
	d, ok := c.cfg.Dial.(CarryDialer)
	up, down := e.halves()
	if !ok || c.cfg.EarlyReply || up.limit != nil || down.limit != nil || !d.Carries(ctx) {
		return false, nil
	}
	first := n.early()
	s, err := detach(n.conn)
	if err != nil {
		return false, nil // an ordinary dial meets the same shortage, if it is one
	}
	defer s.Close()
	carried, err := c.dialCarried(ctx, d, target, first, n, s)
	if err != nil {
		return true, c.refuseDetached(n, s, err)
	}
	e.up.Add(uint64(len(first)))
	c.giveBack(n)
	c.table.establish(e)
	return true, carried.end(ctx, s, up.count, down.count)
}

// dialCarried is dialMesh for a stream that is carried.
func (c *Client) dialCarried(ctx context.Context, d CarryDialer, target string, first []byte, n *negotiation, s *Socket) (*carriage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limits.MeshTimeout)
	defer cancel()
	carried, err := d.DialCarried(ctx, target, first, n.granted(netip.AddrPort{}), s)
	if err != nil {
		return nil, &Error{Reason: meshReason(ctx, err), Err: err}
	}
	return &carriage{carried}, nil
}

// refuseDetached tells a program whose socket was detached that its stream cannot be.
func (c *Client) refuseDetached(n *negotiation, s *Socket, err error) error {
	conn, bad := s.attach()
	if bad != nil {
		c.table.refuse(ReasonOf(err))
		return errors.Join(err, bad)
	}
	n.conn = conn
	c.refuse(n, err)
	return err
}

// carry has an accepted stream carried; done is false when that cannot be, and nothing has happened.
func (s *Server) carry(ctx context.Context, in Incoming, conn *net.TCPConn, e *entry) (done bool, err error) {
	ci, ok := in.(CarryIncoming)
	up, down := e.halves()
	if !ok || up.limit != nil || down.limit != nil {
		return false, nil
	}
	socket, err := dup(conn)
	if err != nil {
		return false, nil
	}
	defer socket.Close()
	carried, err := ci.CarryOn(socket)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	conn.Close() // the socket lives on
	if err != nil {
		s.table.refuse(Gone)
		socket.Reset()
		in.Close()
		return true, nil
	}
	s.table.establish(e)
	return true, (&carriage{carried}).end(ctx, socket, down.count, up.count)
}

// carriage is a stream under way.
type carriage struct{ Carried }

// end waits for the stream's end, and breaks it when ctx ends. fromTCP and fromMesh count on.
func (c *carriage) end(ctx context.Context, s *Socket, fromTCP, fromMesh *atomic.Uint64) error {
	stop := context.AfterFunc(ctx, func() { c.Reset(Gone.Code()) })
	defer stop()
	up, down := fromTCP.Load(), fromMesh.Load()
	err := c.Wait(func(u, d uint64) {
		fromTCP.Store(up + u)
		fromMesh.Store(down + d)
	})
	if err != nil {
		s.Reset()
	}
	return err
}
