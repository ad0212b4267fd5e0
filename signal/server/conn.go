//go:build linux

package server

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"golang.org/x/time/rate"
)

// How much an app may say a second, and at once; above that its words are dropped.
const (
	saidPerSecond = 200
	saidAtOnce    = 1000
)

// role is what a connection has turned out to be.
type role int

const (
	stranger role = iota // nothing valid has come yet
	client               // said hello: it will never be an operator
	operator
)

// conn is one connection.
type conn struct {
	server *Server
	net    net.Conn
	frames *signal.Frames
	peer   *signal.Peer
	since  time.Time
	words  *rate.Limiter
	gone   chan struct{} // closed when it is over
	told   chan struct{} // closed when the answer to register was written: before it the app is asked nothing

	mu        sync.Mutex // guards the following
	role      role
	app       *app // of a client: that of its hello
	run       *run
	mine      []byte // nonces of the hello
	their     []byte
	entry     bool     // registered
	streaming bool     // of an operator: a streaming request is under way
	viewing   *viewing // of an operator that is attached
	window    Window   // of an operator that is one
	dropped   uint64   // lines of log since the last that was written
}

// admit starts serving a connection. On the Unix socket the folder and the mode of the
// socket keep other users out; both kinds are checked with the kernel all the same.
func (s *Server) admit(ctx context.Context, nc net.Conn) {
	c := &conn{
		server: s, net: nc, frames: signal.NewFrames(nc), since: time.Now(),
		words: rate.NewLimiter(saidPerSecond, saidAtOnce), gone: make(chan struct{}), told: make(chan struct{}),
	}
	if !c.sameUser() || !s.gate.enter(c) {
		nc.Close()
		return
	}
	c.frames.SetLimit(signal.MaxGreeting)
	c.frames.SetWriteTimeout(s.cfg.Limits.Write)
	_ = c.frames.SetReadDeadline(c.since.Add(s.cfg.Limits.Greeting))
	c.peer = signal.NewPeer(c.frames, signal.PeerOptions{
		Handle: c.handle, Notify: c.notify, Requests: s.cfg.Limits.Requests,
	})
	s.work.Go(func() {
		err := c.peer.Run(ctx)
		s.gate.leave(c)
		s.disconnected(c)
		s.log.Debug("connection ended", "addr", nc.RemoteAddr().String(), "err", err)
	})
}

func (c *conn) sameUser() bool {
	switch nc := c.net.(type) {
	case *net.UnixConn:
		cred, ok := c.credentials()
		return ok && cred.UID == os.Getuid()
	case *net.TCPConn:
		owner, err := peerSocket(nc)
		return err == nil && owner.uid == os.Getuid()
	}
	return false
}

// credentials are the kernel's word on who connected to the Unix socket.
func (c *conn) credentials() (signal.Credentials, bool) {
	nc, ok := c.net.(*net.UnixConn)
	if !ok {
		return signal.Credentials{}, false
	}
	cred, err := signal.PeerCredentials(nc)
	return cred, err == nil
}

// isFrom asks the kernel whether the other end is a process of the run's tree.
func (c *conn) isFrom(r *run) bool {
	switch nc := c.net.(type) {
	case *net.UnixConn:
		cred, ok := c.credentials()
		return ok && r.proc.Contains(cred.Pid)
	case *net.TCPConn:
		owner, err := peerSocket(nc)
		return err == nil && owner.established && owner.inode != 0 && r.proc.HasSocket(owner.inode)
	}
	return false
}

// handle answers a request. What a connection may ask follows from what it asked first.
func (c *conn) handle(ctx context.Context, method string, params json.RawMessage) (any, error) {
	switch method {
	case signal.MethodHello:
		return c.hello(params)
	case signal.MethodRegister:
		return c.register(params)
	case signal.MethodReady, signal.MethodStatus, signal.MethodEvent, signal.MethodLog:
		if !c.registered() {
			return nil, signal.NoMethod(method)
		}
		return struct{}{}, c.say(method, params)
	}
	if !isOperatorMethod(method) {
		return nil, signal.NoMethod(method)
	}
	return c.answerOperator(ctx, method, params)
}

func (c *conn) registered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entry
}

// becomeOperator is for the Unix socket only, and not for who said hello.
func (c *conn) becomeOperator() bool {
	if _, ok := c.net.(*net.UnixConn); !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role == stranger && c.server.gate.known(c, true) {
		c.role = operator
		c.frames.SetLimit(signal.MaxFrame)
		// Its output may go to a pager that waits for a key; the connection's end ends it.
		c.frames.SetWriteTimeout(0)
		_ = c.frames.SetReadDeadline(time.Time{})
	}
	return c.role == operator
}
