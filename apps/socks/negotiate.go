package socks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
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
	firstPatience      = 10 * time.Millisecond  // for data behind an early reply
)

// protocol is what a program speaks; its first byte tells.
type protocol uint8

const (
	protoSOCKS5 protocol = iota
	protoSOCKS4
	protoHTTP
)

// negotiation is the beginning of one connection: bytes that came and are not yet used.
type negotiation struct {
	conn  *net.TCPConn
	users users                  // nil: no authentication
	own   func(user string) bool // the connection is this user's; false: he may have no more
	limit time.Duration          // of the whole negotiation, and of each answer
	proto protocol
	buf   []byte // what is unread lies in buf[from:to]
	from  int
	to    int
}

// request is what a program wants.
type request struct {
	cmd    byte // cmdConnect, cmdBind, cmdAssociate or cmdWeb
	target Target
}

// cmdWeb is no command of SOCKS: requests of HTTP, beginning with the one that is unread.
const cmdWeb = 0xff

// negotiate finds out what the program wants. After an error, which is counted, the connection is closed.
func (c *Client) negotiate(ctx context.Context, conn *net.TCPConn, e *entry) (n *negotiation, q request, err error) {
	stop := context.AfterFunc(ctx, func() { resetTCP(conn) })
	defer stop()
	if err := c.checkUser(conn); err != nil {
		c.table.refuse(ForeignUser)
		resetTCP(conn)
		return nil, q, err
	}
	buf, ok := c.opening.Get().(*[negotiationBuffer]byte)
	if !ok {
		buf = new([negotiationBuffer]byte)
	}
	n = &negotiation{conn: conn, users: c.users, limit: c.cfg.Limits.negotiation, buf: buf[:], own: func(user string) bool {
		_, ok := c.table.own(e, user)
		return ok
	}}
	_ = conn.SetDeadline(time.Now().Add(n.limit)) // fails on a closed connection only, as the read will
	if q, err = n.request(ctx); err != nil {
		c.refuse(n, err)
		c.giveBack(n)
		return nil, q, err
	}
	return n, q, nil
}

// giveBack returns the buffer of a negotiation, once.
func (c *Client) giveBack(n *negotiation) {
	if n.buf != nil {
		c.opening.Put((*[negotiationBuffer]byte)(n.buf))
		n.buf, n.from, n.to = nil, 0, 0
	}
}

// dial opens the stream with the early data and tells the program the outcome, after which the connection is closed or
// the stream's.
func (c *Client) dial(ctx context.Context, n *negotiation, target string, e *entry) (Stream, error) {
	stop := context.AfterFunc(ctx, func() { resetTCP(n.conn) })
	defer stop()
	if c.cfg.EarlyReply {
		if _, err := n.conn.Write(n.granted(netip.AddrPort{})); err != nil {
			return nil, c.left(n, nil, err)
		}
		n.awaitFirst()
	}
	first := n.early()
	stream, err := c.dialMesh(ctx, target, first)
	if err != nil && c.cfg.EarlyReply { // it was told the contrary
		c.table.refuse(ReasonOf(err))
		resetTCP(n.conn)
		return nil, err
	}
	if err != nil {
		c.refuse(n, err)
		return nil, err
	}
	e.up.Add(uint64(len(first)))
	_ = n.conn.SetDeadline(time.Now().Add(n.limit))
	if !c.cfg.EarlyReply {
		_, err = n.conn.Write(n.granted(netip.AddrPort{}))
	}
	if err != nil || ctx.Err() != nil {
		return nil, c.left(n, stream, errors.Join(err, ctx.Err()))
	}
	_ = n.conn.SetDeadline(time.Time{})
	return stream, nil
}

// dialMesh opens a stream within the time for it. Errors are *Error.
func (c *Client) dialMesh(ctx context.Context, target string, first []byte) (Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Limits.MeshTimeout)
	defer cancel()
	stream, err := c.cfg.Dial.DialMesh(ctx, target, first)
	if err != nil {
		return nil, &Error{Reason: meshReason(ctx, err), Err: err}
	}
	return stream, nil
}

// left ends what was begun for a program that is gone, and counts it.
func (c *Client) left(n *negotiation, stream Stream, err error) error {
	c.table.refuse(Gone)
	if stream != nil {
		stream.Reset(Gone.Code())
		stream.Close()
	}
	resetTCP(n.conn)
	return because(Gone, "the program left: %w", err)
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

// request finds out the protocol and goes through it up to the request.
func (n *negotiation) request(ctx context.Context) (request, error) {
	for n.from == n.to {
		if err := n.more(); err != nil {
			return request{}, err
		}
	}
	switch first := n.buf[n.from]; {
	case first == version4:
		n.proto = protoSOCKS4
		return n.request4(ctx)
	case first >= 'A' && first <= 'Z':
		n.proto = protoHTTP
		return n.requestHTTP(ctx)
	}
	if err := n.method(); err != nil {
		return request{}, err
	}
	if n.users != nil {
		if err := n.password(ctx); err != nil {
			return request{}, err
		}
	} else if !n.own("") {
		return request{}, because(Busy, "too many connections")
	}
	for {
		cmd, target, used, err := parseRequest(n.buf[n.from:n.to])
		n.from += used
		if !errors.Is(err, errShort) {
			return request{cmd, target}, err
		}
		if err := n.more(); err != nil {
			return request{}, err
		}
	}
}

// granted is the answer that what was asked for is there, at the bound address.
func (n *negotiation) granted(bound netip.AddrPort) []byte {
	switch n.proto {
	case protoSOCKS4:
		return appendReply4(nil, granted4, bound)
	case protoHTTP:
		return []byte("HTTP/1.1 200 Connection established\r\n\r\n")
	default:
		return appendReply(nil, replySucceeded, bound)
	}
}

// denied is the answer that it is not.
func (n *negotiation) denied(err error) []byte {
	switch r := ReasonOf(err); n.proto {
	case protoSOCKS4:
		return appendReply4(nil, refused4, netip.AddrPort{})
	case protoHTTP:
		return appendRefusal(nil, r)
	default:
		return appendReply(nil, r.Reply(), netip.AddrPort{})
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
		if n.users != nil {
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
		err = n.login(ctx, user, password)
		if err == nil {
			return n.say(nil, authVersion, 0)
		}
		return n.say(err, authVersion, 1)
	}
}

// login checks user and password, slowly when they are wrong, and whether the user may have one more connection.
func (n *negotiation) login(ctx context.Context, name, password []byte) error {
	u := n.users.find(name, password)
	if u == nil {
		select {
		case <-time.After(wrongPasswordPause):
		case <-ctx.Done():
		}
		return because(BadAuth, "wrong user or password")
	}
	if !n.own(u.Name) {
		return because(Busy, "user %q has too many connections", u.Name)
	}
	return nil
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

// awaitFirst waits a moment for data behind the request.
func (n *negotiation) awaitFirst() {
	if n.from < n.to || n.to == len(n.buf) {
		return
	}
	_ = n.conn.SetReadDeadline(time.Now().Add(firstPatience))
	got, _ := n.conn.Read(n.buf[n.to:]) // an error comes again with the next read
	n.to += got
	_ = n.conn.SetReadDeadline(time.Time{})
}

// refuse tells the program the reason, unless it was said already, and closes in a way that
// lets the answer arrive: a close with unread bytes would overtake it with a reset.
func (n *negotiation) refuse(err error) {
	defer n.conn.Close()
	if !errors.As(err, new(quiet)) {
		_ = n.conn.SetWriteDeadline(time.Now().Add(n.limit))
		if _, err := n.conn.Write(n.denied(err)); err != nil {
			return
		}
	}
	if n.conn.CloseWrite() == nil {
		_ = n.conn.SetReadDeadline(time.Now().Add(refusalLinger))
		_, _ = io.CopyN(io.Discard, n.conn, maxDrained)
	}
}
