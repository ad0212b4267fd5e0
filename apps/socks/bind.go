package socks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"
)

// BIND (RFC 1928 section 4): the exit listens for one connection from the target's host. On the stream, which it has confirmed, it
// says two places, as udp.go has them: where it listens, and, when the connection is there, where that came from. Behind
// the second one are the bytes of the connection. A stream that is reset instead carries the reason.

const (
	bindTimeout = 2 * time.Minute // for the connection to come
	bindSlack   = 30 * time.Second
	bindTries   = 64 // ports of the range that are tried
)

// PortRange is a range of ports, both ends in it. The zero value is empty.
type PortRange struct{ From, To uint16 }

// readPlace reads a place from a stream, byte by byte where it must so that nothing behind it is taken.
func readPlace(r io.Reader) (Target, error) {
	var b [1 + 1 + 255 + 2]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return Target{}, err
	}
	n, err := placeLen(b[:])
	if err != nil {
		return Target{}, err
	}
	if _, err := io.ReadFull(r, b[2:n]); err != nil {
		return Target{}, err
	}
	t, _, err := parsePlace(b[:n])
	return t, err
}

// bind has the exit listen, and answers the program twice.
func (c *Client) bind(ctx context.Context, n *negotiation, t Target, e *entry) error {
	stop := context.AfterFunc(ctx, func() { resetTCP(n.conn) })
	defer stop()
	e.is(kindBind, t.String())
	if t.onMesh() {
		err := because(Denied, "nobody on the mesh connects to an exit")
		c.refuse(n, err)
		return err
	}
	stream, err := c.dialMesh(ctx, errand{kind: kindBind, target: t}.String(), nil)
	if err != nil {
		c.refuse(n, err)
		return err
	}
	stopMesh := context.AfterFunc(ctx, func() { stream.Reset(Gone.Code()) })
	defer stopMesh()
	if err := c.bothAnswers(n, stream); err != nil {
		stream.Reset(Gone.Code())
		stream.Close()
		c.refuse(n, err)
		return err
	}
	first := n.early()
	if _, err := stream.Write(first); err != nil {
		return c.left(n, stream, err)
	}
	e.up.Add(uint64(len(first)))
	if !stop() || !stopMesh() {
		return c.left(n, stream, context.Cause(ctx))
	}
	c.giveBack(n)
	c.table.establish(e)
	up, down := e.halves()
	return pipe(ctx, n.conn, stream, up, down, &c.buffers)
}

// bothAnswers passes on where the exit listens and who came.
func (c *Client) bothAnswers(n *negotiation, stream Stream) error {
	for _, patience := range []time.Duration{exitTimeout, bindTimeout + bindSlack} {
		_ = stream.SetReadDeadline(time.Now().Add(patience))
		watched := n.watch(func() { stream.Reset(Gone.Code()) })
		place, err := readPlace(stream)
		if gone := watched(); gone != nil {
			return silently(gone)
		}
		if err != nil {
			return &Error{Reason: meshReason(context.Background(), err), Err: fmt.Errorf("hearing from the exit: %w", err)}
		}
		_ = n.conn.SetDeadline(time.Now().Add(n.limit))
		if _, err := n.conn.Write(n.granted(netip.AddrPortFrom(place.Addr, place.Port))); err != nil {
			return silently(lost(err))
		}
	}
	_ = stream.SetReadDeadline(time.Time{})
	return n.conn.SetDeadline(time.Time{})
}

// watch reads ahead, as far as there is room, and calls gone when the program hangs up. The function that it returns ends that
// and tells whether the program did.
func (n *negotiation) watch(gone func()) (stop func() error) {
	_ = n.conn.SetReadDeadline(time.Time{})
	done := make(chan error, 1)
	go func() {
		for n.to < len(n.buf) {
			if err := n.more(); err != nil {
				if ReasonOf(err) == TimedOut { // by stop
					err = nil
				} else {
					gone()
				}
				done <- err
				return
			}
		}
		done <- nil
	}()
	return func() error {
		_ = n.conn.SetReadDeadline(time.Unix(1, 0))
		err := <-done
		_ = n.conn.SetReadDeadline(time.Time{})
		return err
	}
}

// bind listens for the one connection of a BIND and carries it. Errors before Confirm are the caller's to tell.
func (s *Server) bind(ctx context.Context, in Incoming, t Target, e *entry) error {
	e.is(kindBind, t.String())
	release, ok := s.table.claim(e, kindBind, s.cfg.Limits.MaxBinds, s.cfg.Limits.MaxBindsPerKey)
	if !ok {
		return because(Busy, "too many listening ports")
	}
	defer release()
	peers, err := s.resolve(ctx, t, e)
	if err != nil {
		return err
	}
	ln, err := s.listenFor(peers[0])
	if err != nil {
		return err
	}
	defer ln.Close()
	if err := in.Confirm(); err != nil {
		s.table.refuse(Gone)
		in.Reset(Gone.Code())
		in.Close()
		return nil
	}
	conn, err := s.oneFrom(ctx, ln, peers, in)
	if err == nil {
		_, err = in.Write(appendPlace(nil, addrPort(conn.RemoteAddr())))
		if err != nil {
			resetTCP(conn)
		}
	}
	if err != nil {
		s.table.refuse(ReasonOf(err))
		in.Reset(ReasonOf(err).Code())
		in.Close()
		return nil
	}
	s.table.establish(e)
	up, down := e.halves()
	return pipe(ctx, conn, in, down, up, &s.buffers)
}

// resolve waits its turn and returns the addresses of a target that the policy admits.
func (s *Server) resolve(ctx context.Context, t Target, e *entry) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.DialTimeout)
	defer cancel()
	done, err := s.turn(ctx, e.share.Load())
	if err != nil {
		return nil, err
	}
	defer done()
	return s.connect.allowed(ctx, t)
}

// listenFor listens at the address that the peer would see us connect from, at a port of the range.
func (s *Server) listenFor(peer netip.AddrPort) (*net.TCPListener, error) {
	r := s.cfg.BindPorts
	if r.From == 0 || r.To < r.From {
		return nil, because(Denied, "this exit listens for nobody")
	}
	own, err := ourAddress(peer)
	if err != nil {
		return nil, err
	}
	size := int(r.To-r.From) + 1
	at := rand.IntN(size)
	for range min(size, bindTries) {
		port := r.From + uint16(at)
		at = (at + 1) % size
		var ln *net.TCPListener
		if ln, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(own, port))); err == nil {
			return ln, nil
		}
	}
	return nil, because(Busy, "no port from %d to %d is free: %w", r.From, r.To, err)
}

// ourAddress is the address that this machine has towards a peer. No packet is sent.
func ourAddress(peer netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding our address towards %s: %w", peer, err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// oneFrom says where we listen and waits for a connection from one of the peers, while the opener is there. Whoever else connects
// is reset.
func (s *Server) oneFrom(ctx context.Context, ln *net.TCPListener, peers []netip.AddrPort, in Incoming) (*net.TCPConn, error) {
	told := addrPort(ln.Addr())
	if s.cfg.BindAddr.IsValid() {
		told = netip.AddrPortFrom(s.cfg.BindAddr, told.Port())
	}
	if _, err := in.Write(appendPlace(nil, told)); err != nil {
		return nil, because(Gone, "the opener left: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	_ = ln.SetDeadline(time.Now().Add(bindTimeout))
	left := watchOpener(in, func() { ln.Close() })
	conn, err := acceptFrom(ln, peers)
	if gone := left(); gone != nil {
		if err == nil {
			resetTCP(conn)
		}
		return nil, gone
	}
	return conn, err
}

// watchOpener calls gone when an opener that has nothing to say yet hangs up or says something. The function that it returns ends
// that and tells which.
func watchOpener(in Incoming, gone func()) (stop func() error) {
	done := make(chan error, 1)
	go func() {
		var b [1]byte
		n, err := in.Read(b[:])
		timeout := net.Error(nil)
		switch {
		case n > 0:
			err = because(Malformed, "data before the connection")
		case errors.As(err, &timeout) && timeout.Timeout(): // by stop
			err = nil
		default:
			err = because(Gone, "the opener left: %w", err)
		}
		if err != nil {
			gone()
		}
		done <- err
	}()
	return func() error {
		_ = in.SetReadDeadline(time.Unix(1, 0))
		err := <-done
		_ = in.SetReadDeadline(time.Time{})
		return err
	}
}

// acceptFrom accepts until the connection is from one of the peers' addresses; their ports do not count.
func acceptFrom(ln *net.TCPListener, peers []netip.AddrPort) (*net.TCPConn, error) {
	for {
		conn, err := ln.AcceptTCP()
		if err != nil {
			return nil, err
		}
		from := addrPort(conn.RemoteAddr()).Addr().WithZone("")
		if slices.ContainsFunc(peers, func(p netip.AddrPort) bool { return p.Addr() == from }) {
			return conn, nil
		}
		resetTCP(conn)
	}
}
