package websocket

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	ws "github.com/coder/websocket"
)

const (
	exporter      = "EXPORTER-skymesh-link"
	exporterCheck = "EXPORTER-skymesh-check"
	bindingHeader = "Skymesh-Binding"
	bindingLen    = 32
)

// What the client's first message says.
const (
	unbound = 0
	bound   = 1
)

// conn is a WebSocket as a pipe of bytes.
type conn struct {
	net.Conn      // of package ws; its addresses are not those of a dialed connection
	ws            *ws.Conn
	local, remote net.Addr
	binding       []byte // nil: somebody is in the middle
	cancel        context.CancelFunc
	once          sync.Once
	closed        chan struct{} // closed by Close
}

func newConn(w *ws.Conn, local, remote net.Addr, binding []byte) *conn {
	ctx, cancel := context.WithCancel(context.Background()) // ends with Close
	return &conn{
		Conn: ws.NetConn(ctx, w, ws.MessageBinary), ws: w, local: local, remote: remote, binding: binding, cancel: cancel,
		closed: make(chan struct{}),
	}
}

// Binding is the connection's TLS exporter, nil where TLS ends in the middle.
func (c *conn) Binding() []byte { return c.binding }

// Carrier is the name of what carries the connection.
func (c *conn) Carrier() string { return "websocket" }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Read implements net.Conn. A deadline that passes while it waits ends the connection.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.plain(err)
}

// Write implements net.Conn. A deadline that passes while it waits ends the connection.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.plain(err)
}

// plain turns an error into what users of a net.Conn know.
func (c *conn) plain(err error) error {
	select {
	case <-c.closed:
		if err != nil {
			return net.ErrClosed
		}
	default:
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return os.ErrDeadlineExceeded
	case errors.Is(err, io.EOF), ws.CloseStatus(err) != -1:
		return io.EOF
	}
	return err
}

// Close implements net.Conn: TLS and TCP end, without a word of WebSocket.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.ws.CloseNow()
		c.cancel()
		c.Conn.Close()
	})
	return nil
}

// bindings are the two values of a TLS connection, empty without TLS.
func bindings(s *tls.ConnectionState) (link []byte, check string) {
	if s == nil {
		return nil, ""
	}
	link, err := s.ExportKeyingMaterial(exporter, nil, bindingLen)
	if err != nil {
		return nil, ""
	}
	b, err := s.ExportKeyingMaterial(exporterCheck, nil, bindingLen)
	if err != nil {
		return nil, ""
	}
	return link, hex.EncodeToString(b)
}
