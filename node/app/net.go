package app

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/skycoin/viscript/node/identity"
)

// Lookup returns the key of HOST, which is a key in hex or a node's name, with or without the network's domain.
func (c *Client) Lookup(ctx context.Context, host string) (identity.PubKey, error) {
	if key, err := identity.ParseHex(host); err == nil {
		return key, nil
	}
	return c.Resolve(ctx, host)
}

// DialContext opens a stream to "HOST:PORT", HOST being what Lookup takes. It fits where a function that dials is
// asked for, such as http.Transport.DialContext; the network is "tcp" there, and not looked at.
func (c *Client) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("app: dialing %q: want KEY:PORT or NAME:PORT: %w", addr, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("app: dialing %q: want a port from 1 to 65535", addr)
	}
	key, err := c.Lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("app: dialing %q: %w", addr, err)
	}
	conn, err := c.Dial(ctx, key, Port(port), DialOptions{})
	if err != nil {
		return nil, fmt.Errorf("app: dialing %q: %w", addr, err)
	}
	return conn, nil
}

// Net returns l as a net.Listener for programs that serve everybody: Accept confirms each stream.
func (l *Listener) Net() net.Listener { return netListener{l} }

type netListener struct{ l *Listener }

// Accept implements net.Listener; its connections are *Conn. It has no context: Close ends it.
func (n netListener) Accept() (net.Conn, error) {
	for {
		conn, err := n.l.Accept(context.Background())
		if err != nil {
			return nil, &net.OpError{Op: "accept", Net: Addr{}.Network(), Addr: n.Addr(), Err: err}
		}
		if conn.Confirm() == nil {
			return conn, nil
		}
		conn.Close() // the dialer gave up meanwhile
	}
}

// Close implements net.Listener.
func (n netListener) Close() error { return n.l.Close() }

// Addr implements net.Listener: the port, without our key.
func (n netListener) Addr() net.Addr { return Addr{Port: n.l.port} }
