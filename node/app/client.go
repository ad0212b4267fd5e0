package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/wire"
)

// Client talks to the node on this host. It holds no connection of its own, each call makes one, but the one that DialCarried
// needs. Safe for concurrent use.
type Client struct {
	dial   func(context.Context) (net.Conn, error)
	routes route.Terms // of all that it opens

	standing     sync.Mutex // guards the following, and is held while the connection is made
	carries      *carrier   // nil, or has ended: made when needed
	noCarryUntil time.Time  // the node cannot carry
}

// Connect makes a client of the node whose app port is addr. It does not dial: a node that is
// not up yet is an error of the first call.
func Connect(addr string) (*Client, error) {
	port, err := ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	return NewClient(func(ctx context.Context) (net.Conn, error) { return connect(ctx, port) }), nil
}

// NewClient makes a client of a node that dial connects to, for a node in the same process.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client { return &Client{dial: dial} }

// Over returns a client whose streams, PacketConns and Tuns go over routes that meet t, and what c asks for already, or are
// refused. Its standing connection is its own. A PacketConn or Tun of it hears nothing that came another way. Error: no route can meet that.
func (c *Client) Over(t route.Terms) (*Client, error) {
	if err := t.Check(); err != nil {
		return nil, &Refused{Code: wire.CodeBadRequest, Text: err.Error()}
	}
	all, err := route.Join(c.routes, t)
	if err != nil {
		return nil, &Refused{Code: wire.CodeBadRequest, Text: err.Error()}
	}
	return &Client{dial: c.dial, routes: all}, nil
}

// ask sends one request and returns the answer's body and the connection, whose deadline follows ctx
// until release is called. An ERR answer is a *Refused.
func (c *Client) ask(ctx context.Context, q Request) (*answered, []byte, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	in := NewInbox(nc)
	r := NewReader(in)
	body, err := exchange(nc, r, q)
	err = tooOld(err, q)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return &answered{nc, in, r}, body, nil
}

// answered is a connection to the node whose request was granted.
type answered struct {
	net.Conn
	in *Inbox
	r  *Reader
}

// tooOld says in other words that a node does not know OVER.
func tooOld(err error, q Request) error {
	var r *Refused
	if q.Routes.None() || !errors.As(err, &r) || r.Code != wire.CodeBadRequest || r.Text != ErrFrame.Error() {
		return err
	}
	return &Refused{Code: wire.CodeBadRequest, Text: "this node is older than conditions of single apps: start it anew, or give them to it (node --hops and so on)"}
}

// exchange writes a request and reads the answer.
func exchange(nc net.Conn, r *Reader, q Request) ([]byte, error) {
	if _, err := nc.Write(q.AppendFrames(nil)); err != nil {
		return nil, fmt.Errorf("app: asking the node: %w", err)
	}
	return readAnswer(r)
}

func readAnswer(r *Reader) ([]byte, error) {
	kind, body, err := r.Next()
	switch {
	case err != nil:
		return nil, fmt.Errorf("app: asking the node: %w", err)
	case kind == Err:
		return nil, ParseErr(body)
	case kind < OK || kind > Node:
		return nil, ErrFrame
	}
	return body, nil
}

// NodeInfo is what the node says of itself or of another node.
type NodeInfo struct {
	Key  identity.PubKey `json:"key"`
	Name string          `json:"name"`
	// Ports are the TCP ports that our own node listens on; an app that connects to addresses for others keeps
	// away from them. Empty for another node.
	Ports []Port `json:"ports,omitempty"`
}

// maxPorts bounds NodeInfo.Ports.
const maxPorts = 16

// AppendNode and ParseNode are the body of NODE.
func AppendNode(b []byte, n NodeInfo) []byte {
	b = wire.AppendString(append(b, n.Key[:]...), n.Name)
	b = binary.BigEndian.AppendUint16(b, uint16(len(n.Ports)))
	for _, p := range n.Ports {
		b = binary.BigEndian.AppendUint16(b, uint16(p))
	}
	return b
}

// ParseNode is the inverse of AppendNode.
func ParseNode(body []byte) (n NodeInfo, err error) {
	r := wire.NewReader(body)
	n.Key, n.Name = r.Key(), r.String(MaxText)
	for range r.Count(maxPorts, 2) {
		n.Ports = append(n.Ports, Port(r.U16()))
	}
	return n, r.Done()
}

// Node returns the key and name of our node.
func (c *Client) Node(ctx context.Context) (NodeInfo, error) {
	return c.nodeInfo(ctx, Request{Kind: Info})
}

// Resolve returns the key of the node of that name, with or without the network's domain.
func (c *Client) Resolve(ctx context.Context, name string) (identity.PubKey, error) {
	n, err := c.nodeInfo(ctx, Request{Kind: Resolve, Name: name})
	return n.Key, err
}

func (c *Client) nodeInfo(ctx context.Context, q Request) (NodeInfo, error) {
	nc, body, err := c.ask(ctx, q)
	if err != nil {
		return NodeInfo{}, err
	}
	nc.Close()
	return ParseNode(body)
}

// Query asks for apps; zero fields match all.
type Query struct {
	Name, Type string
	Node       identity.PubKey
}

// Find asks the tracker for apps, through the node and its manager. The node has verified the
// records' signatures. At most MaxApps are returned.
func (c *Client) Find(ctx context.Context, q Query) ([]App, error) {
	nc, body, err := c.ask(ctx, Request{Kind: Find, Name: q.Name, Type: q.Type, Key: q.Node})
	if err != nil {
		return nil, err
	}
	nc.Close()
	return ParseApps(body)
}

// DialOptions are the optional parts of Dial.
type DialOptions struct {
	Target string      // for the far app: at most MaxTarget bytes
	First  []byte      // data that travels with the request: at most MaxFirst bytes
	Routes route.Terms // what the stream's routes must meet, beside what Client.Over says
}

// Dial opens a stream to the app on that port of that node and waits until the app confirmed it.
// Errors: *Refused, what ctx says, or that our own node is not there.
func (c *Client) Dial(ctx context.Context, to identity.PubKey, port Port, o DialOptions) (*Conn, error) {
	if len(o.Target) > MaxTarget || len(o.First) > MaxFirst {
		return nil, &Refused{Code: wire.CodeBadRequest, Text: "target or first data too long"}
	}
	if !o.Routes.None() {
		var err error
		if c, err = c.Over(o.Routes); err != nil {
			return nil, err
		}
	}
	nc, _, err := c.ask(ctx, Request{Kind: Dial, Key: to, Port: port, Target: o.Target, First: o.First, Routes: c.routes})
	if err != nil {
		return nil, err
	}
	return newConn(nc.Conn, nc.r, Addr{}, Addr{Key: to, Port: port, Target: o.Target}), nil
}

// ListenOptions say what to listen as.
type ListenOptions struct {
	Port Port   // 0: the node picks one
	Name string // in the tracker; "" keeps the app out of it
	Type string
	// Carry has streams come as offers, which cost no connection as long as the node can move their bytes itself: see Listener.Offer.
	Carry bool
}

// maxWaiting bounds the streams that wait for Accept; the node refuses more after a while.
const maxWaiting = 256

// Listener takes streams that others open to our port.
type Listener struct {
	c    *Client
	nc   *answered
	k    *carrier // nil: the node does not carry
	port Port
	in   chan incoming
	done chan struct{} // closed after err is set
	err  error
	once sync.Once
}

type incoming struct {
	nc     net.Conn // nil: to be asked for, by id
	id     uint64
	peer   identity.PubKey
	target string
}

// Listen takes a port of the node until the Listener is closed. The node publishes the name in the
// background; if the name belongs to somebody else the Listener fails with CodeDenied.
func (c *Client) Listen(ctx context.Context, o ListenOptions) (*Listener, error) {
	if len(o.Name) > MaxName || len(o.Type) > MaxName {
		return nil, &Refused{Code: wire.CodeBadRequest, Text: fmt.Sprintf("name or type longer than %d bytes", MaxName)}
	}
	q := Request{Kind: Listen, Port: o.Port, Name: o.Name, Type: o.Type}
	if o.Carry {
		q.Kind = ListenCarry
	}
	nc, body, err := c.ask(ctx, q)
	if o.Carry && errors.Is(err, &Refused{Code: wire.CodeBadRequest}) { // an older node, or one that is not reached over a Unix socket
		q.Kind = Listen
		nc, body, err = c.ask(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	if len(body) != 2 {
		nc.Close()
		return nil, ErrFrame
	}
	l := &Listener{c: c, nc: nc, port: Port(binary.BigEndian.Uint16(body)), in: make(chan incoming, maxWaiting), done: make(chan struct{})}
	if q.Kind == ListenCarry {
		var ok bool
		if l.k, ok = newCarrier(nc); !ok {
			nc.Close()
			return nil, ErrFrame
		}
	}
	go l.read()
	return l, nil
}

// Port is the port that was taken.
func (l *Listener) Port() Port { return l.port }

// Close gives the port back. Streams that were accepted live on.
func (l *Listener) Close() error {
	l.end(net.ErrClosed)
	return nil
}

// Done is closed when the listener has ended; Err says why.
func (l *Listener) Done() <-chan struct{} { return l.done }

// Err returns why the listener ended, nil while it has not.
func (l *Listener) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

func (l *Listener) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
		l.nc.Close()
		if l.k != nil {
			l.k.end(err)
		}
	})
}

func (l *Listener) read() {
	defer l.nc.in.Close()
	for {
		in, err := l.next()
		if err != nil {
			l.end(err)
			l.drain()
			return
		}
		select {
		case l.in <- in:
		case <-l.done:
			in.refuse()
			l.drain()
			return
		}
	}
}

// next reads one INCOMING, and what the node says of streams that it carries.
func (l *Listener) next() (in incoming, err error) {
	kind, body, err := l.nc.r.Next()
	for err == nil && l.k != nil && kind >= Carrying && kind <= CarryDone {
		if err = l.k.take(kind, body); err == nil {
			kind, body, err = l.nc.r.Next()
		}
	}
	switch {
	case err != nil:
		return in, fmt.Errorf("app: the node is gone: %w", err)
	case kind == Err:
		return in, ParseErr(body)
	}
	in.id, in.peer, in.target, err = ParseIncoming(body)
	if kind != Incoming || err != nil {
		return in, ErrFrame
	}
	if in.id == 0 {
		if in.nc = l.nc.in.TakeConn(); in.nc == nil {
			return in, ErrFrame
		}
	}
	return in, nil
}

// drain refuses the streams that nobody accepted.
func (l *Listener) drain() {
	for {
		select {
		case in := <-l.in:
			in.refuse()
		default:
			return
		}
	}
}

func (in incoming) refuse() {
	if in.nc != nil {
		in.nc.Close() // without a word: a reset
	}
}

// Accept waits for the next stream. The caller then calls Confirm or Reject. Errors: what ended the listener,
// or ctx's.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	for {
		in, err := l.wait(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := l.take(ctx, in)
		if errors.As(err, new(*Refused)) {
			continue // the dialer gave up meanwhile
		}
		return conn, err
	}
}

func (l *Listener) wait(ctx context.Context) (in incoming, err error) {
	select {
	case <-ctx.Done():
		return in, ctx.Err()
	case <-l.done:
		return in, l.err
	case in = <-l.in:
		return in, nil
	}
}

// take makes a stream of ours of one that came.
func (l *Listener) take(ctx context.Context, in incoming) (*Conn, error) {
	if in.nc != nil {
		return newConn(in.nc, NewReader(in.nc), Addr{Port: l.port}, Addr{Key: in.peer, Target: in.target}), nil
	}
	nc, _, err := l.c.ask(ctx, Request{Kind: Accept, ID: in.id})
	if err != nil {
		return nil, err
	}
	return newConn(nc.Conn, nc.r, Addr{Port: l.port}, Addr{Key: in.peer, Target: in.target}), nil
}
