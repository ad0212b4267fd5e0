package quic

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	quicgo "github.com/quic-go/quic-go"
)

// exporter is the label of the value that binds the handshake inside to the connection (RFC 8446 section 7.5).
const exporter = "EXPORTER-skymesh-link"

// BindingLen is the length of a binding in bytes.
const BindingLen = 32

// conn is the one stream of a connection.
type conn struct {
	p       *port
	c       *quicgo.Conn
	st      *quicgo.Stream
	binding []byte
	once    sync.Once
	closed  chan struct{} // closed by Close

	wmu sync.Mutex // held while writing; the stream must not be closed meanwhile
}

func (p *port) newConn(c *quicgo.Conn, st *quicgo.Stream) (*conn, error) {
	tls := c.ConnectionState().TLS
	binding, err := tls.ExportKeyingMaterial(exporter, nil, BindingLen)
	if err != nil {
		return nil, err
	}
	nc := &conn{p: p, c: c, st: st, binding: binding, closed: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return nil, net.ErrClosed
	}
	p.conns[nc] = struct{}{}
	p.wg.Add(1)
	return nc, nil
}

// Binding is the connection's TLS exporter, for the prologue of a handshake.
func (c *conn) Binding() []byte { return c.binding }

// Carrier is the name of what carries the connection.
func (c *conn) Carrier() string { return "quic" }

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.st.Read(b)
	return n, c.plain(err)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	n, err := c.st.Write(b)
	return n, c.plain(err)
}

// plain turns an error of QUIC into what users of a net.Conn know.
func (c *conn) plain(err error) error {
	var timeout net.Error
	var app *quicgo.ApplicationError
	var reset *quicgo.StreamError
	switch {
	case err == nil:
		return nil
	case c.isClosed(), errors.As(err, &app) && app.ErrorCode == 0, errors.As(err, &reset):
		return net.ErrClosed
	case context.Cause(c.c.Context()) == nil && errors.As(err, &timeout) && timeout.Timeout():
		return os.ErrDeadlineExceeded
	}
	return err
}

func (c *conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Close implements net.Conn. It does not wait: what was written goes on its way for a third of a second, or until the other end
// closes.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		past := time.Unix(1, 0)
		c.st.SetDeadline(past) // wakes who reads or writes
		c.wmu.Lock()
		c.st.Close()
		c.wmu.Unlock()
		c.st.CancelRead(0)
		go c.part()
	})
	return nil
}

// part ends the connection.
func (c *conn) part() {
	defer c.p.wg.Done()
	select {
	case <-c.c.Context().Done():
	case <-c.p.s.after(linger):
	}
	c.c.CloseWithError(0, "")
	c.p.mu.Lock()
	delete(c.p.conns, c)
	c.p.mu.Unlock()
}

// LocalAddr implements net.Conn; its address may be the unspecified one.
func (c *conn) LocalAddr() net.Addr { return c.c.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.c.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.deadline(c.st.SetDeadline(t)) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.deadline(c.st.SetReadDeadline(t)) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.deadline(c.st.SetWriteDeadline(t)) }

func (c *conn) deadline(err error) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	return err
}
