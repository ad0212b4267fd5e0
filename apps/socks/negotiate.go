package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/wire"
)

const (
	// negotiationBuffer holds a program's messages and what it sent behind them.
	negotiationBuffer = MaxFirst

	wrongPasswordPause = 500 * time.Millisecond // slows guessing down
	refusalLinger      = time.Second            // for a refused program to read the reply and close
	maxDrained         = 64 << 10               // bytes read away meanwhile
)

// negotiation is the beginning of one connection: bytes that came and are not yet used.
type negotiation struct {
	conn *net.TCPConn
	auth *Credentials
	buf  []byte // what is unread lies in buf[from:to]
	from int
	to   int
}

// open negotiates with the program and opens the stream. After an error, which is counted,
// the connection is closed. negotiated is called when the program has had its say.
func (c *Client) open(ctx context.Context, conn *net.TCPConn, e *entry, negotiated func()) (Stream, error) {
	stop := context.AfterFunc(ctx, func() { resetTCP(conn) })
	defer stop()
	if err := c.checkUser(conn); err != nil {
		c.table.refuse(ForeignUser)
		resetTCP(conn)
		return nil, err
	}
	buf, ok := c.opening.Get().(*[negotiationBuffer]byte)
	if !ok {
		buf = new([negotiationBuffer]byte)
	}
	defer c.opening.Put(buf)
	n := &negotiation{conn: conn, auth: c.cfg.Auth, buf: buf[:]}
	_ = conn.SetDeadline(time.Now().Add(negotiationTimeout)) // fails on a closed connection only, as the read will
	target, err := n.request(ctx)
	negotiated()
	if err != nil {
		c.refuse(n, err)
		return nil, err
	}
	text := target.String()
	e.target.Store(&text)
	return c.dial(ctx, n, text, e)
}

// dial opens the stream with the early data and tells the program the outcome.
func (c *Client) dial(ctx context.Context, n *negotiation, target string, e *entry) (Stream, error) {
	first := n.early()
	dialCtx, cancel := context.WithTimeout(ctx, c.cfg.Limits.MeshTimeout)
	defer cancel()
	stream, err := c.cfg.Dial.DialMesh(dialCtx, target, first)
	if err != nil {
		err = &Error{Reason: meshReason(dialCtx, err), Err: err}
		c.refuse(n, err)
		return nil, err
	}
	e.up.Add(uint64(len(first)))
	_ = n.conn.SetDeadline(time.Now().Add(negotiationTimeout))
	_, err = n.conn.Write(appendReply(nil, replySucceeded))
	if err != nil || ctx.Err() != nil {
		c.table.refuse(Gone)
		stream.Reset(Gone.Code())
		stream.Close()
		resetTCP(n.conn)
		return nil, because(Gone, "the program left: %w", errors.Join(err, ctx.Err()))
	}
	_ = n.conn.SetDeadline(time.Time{})
	return stream, nil
}

// meshReason finds the reason of a failed DialMesh. Errnos do not count: they are those of
// the socket to our own node, not of the target.
func meshReason(ctx context.Context, err error) Reason {
	switch {
	case errors.As(err, new(*Error)), errors.As(err, new(*wire.Refused)):
		return ReasonOf(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return TimedOut
	default:
		return Internal
	}
}

// refuse counts a refusal and tells the program.
func (c *Client) refuse(n *negotiation, err error) {
	c.table.refuse(ReasonOf(err))
	n.refuse(err)
}

// request goes through method, authentication and request.
func (n *negotiation) request(ctx context.Context) (Target, error) {
	if err := n.method(); err != nil {
		return Target{}, err
	}
	if n.auth != nil {
		if err := n.password(ctx); err != nil {
			return Target{}, err
		}
	}
	for {
		target, used, err := parseRequest(n.buf[n.from:n.to])
		n.from += used
		if !errors.Is(err, errShort) {
			return target, err
		}
		if err := n.more(); err != nil {
			return Target{}, err
		}
	}
}

// method picks none, or user and password when we want one.
func (n *negotiation) method() error {
	for {
		methods, used, err := parseGreeting(n.buf[n.from:n.to])
		if errors.Is(err, errShort) {
			if err := n.more(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return silently(err)
		}
		n.from += used
		want := byte(methodNone)
		if n.auth != nil {
			want = methodPassword
		}
		if !slices.Contains(methods, want) {
			return n.say(because(BadAuth, "methods % x offered", methods), version, methodUnacceptable)
		}
		return n.say(nil, version, want)
	}
}

// password checks the sub-negotiation of RFC 1929.
func (n *negotiation) password(ctx context.Context) error {
	for {
		user, password, used, err := parseAuth(n.buf[n.from:n.to])
		if errors.Is(err, errShort) {
			if err := n.more(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return silently(err)
		}
		n.from += used
		if n.auth.match(user, password) {
			return n.say(nil, authVersion, 0)
		}
		select {
		case <-time.After(wrongPasswordPause):
		case <-ctx.Done():
		}
		return n.say(because(BadAuth, "wrong user or password"), authVersion, 1)
	}
}

// quiet marks a failure that is not answered with a reply: either the answer was given in
// the terms of an earlier step, or the other end does not speak SOCKS5.
type quiet struct{ error }

func (q quiet) Unwrap() error { return q.error }

func silently(err error) error { return quiet{err} }

// say writes an answer of two bytes; failure, if any, is then passed on as said.
func (n *negotiation) say(failure error, answer ...byte) error {
	if _, err := n.conn.Write(answer); err != nil {
		return silently(lost(err))
	}
	if failure != nil {
		return silently(failure)
	}
	return nil
}

// more reads what has come. The buffer never fills before a message is complete: the
// longest ones fit together.
func (n *negotiation) more() error {
	if n.to == len(n.buf) {
		return silently(because(Malformed, "more than %d bytes before the request", len(n.buf)))
	}
	got, err := n.conn.Read(n.buf[n.to:])
	n.to += got
	if got > 0 || err == nil {
		return nil
	}
	return silently(lost(err))
}

// lost gives a failed read or write during the negotiation its reason.
func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return because(Gone, "closed during the negotiation")
	}
	if r := ReasonOf(err); r != Internal {
		return &Error{Reason: r, Err: err}
	}
	return &Error{Reason: Gone, Err: err}
}

// early returns what the program sent behind its request, also what still lies in the kernel.
func (n *negotiation) early() []byte {
	if n.to < len(n.buf) {
		n.to += readNow(n.conn, n.buf[n.to:])
	}
	return n.buf[n.from:n.to]
}

// refuse tells the program the reason, unless it was said already, and closes in a way that
// lets the answer arrive: a close with unread bytes would overtake it with a reset.
func (n *negotiation) refuse(err error) {
	defer n.conn.Close()
	_ = n.conn.SetDeadline(time.Now().Add(refusalLinger))
	if !errors.As(err, new(quiet)) {
		if _, err := n.conn.Write(appendReply(nil, ReasonOf(err).Reply())); err != nil {
			return
		}
	}
	if n.conn.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, n.conn, maxDrained)
	}
}
