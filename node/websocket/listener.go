package websocket

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	ws "github.com/coder/websocket"

	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/secure"
)

const (
	headerTimeout = 5 * time.Second // of strangers, from TCP to the first message
	maxRequest    = 8 << 10         // of headers, in bytes
	maxAccepted   = 64              // connections that wait for Accept; more are closed
)

// listener is a web server that takes WebSockets.
type listener struct {
	ln       net.Listener
	srv      *http.Server
	accepted chan net.Conn // never closed
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu   sync.Mutex // guards the following
	done bool
}

// Listen implements link.Carrier: hostport is HOST:PORT, with a /PATH if only requests for that are to be taken. Others, and
// requests that are no WebSocket, get an error of HTTP.
func (c *Carrier) Listen(ctx context.Context, hostport string) (net.Listener, error) {
	hostport, path, _ := strings.Cut(hostport, "/")
	cert, err := c.certificate()
	if err != nil {
		return nil, err
	}
	tcp, err := link.TCP{}.Listen(ctx, hostport)
	if err != nil {
		return nil, err
	}
	l := &listener{ln: tcp, accepted: make(chan net.Conn, maxAccepted)}
	l.ctx, l.cancel = context.WithCancel(context.Background()) // ends with Close
	only := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+path {
			http.NotFound(w, r)
			return
		}
		l.serve(w, r)
	}
	l.srv = &http.Server{
		Handler: http.HandlerFunc(only), ReadHeaderTimeout: headerTimeout, IdleTimeout: headerTimeout, MaxHeaderBytes: maxRequest,
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context { return context.WithValue(ctx, inside{}, nc) },
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{cert}}
	l.wg.Go(func() { l.srv.Serve(tls.NewListener(&guarded{tcp, c.cfg.Guard}, config)) })
	return l, nil
}

// certificate is that of the files, or a new one.
func (c *Carrier) certificate() (tls.Certificate, error) {
	if c.cfg.Cert == "" {
		return secure.Throwaway()
	}
	cert, err := tls.LoadX509KeyPair(c.cfg.Cert, c.cfg.Key)
	if err != nil {
		return cert, fmt.Errorf("websocket: certificate: %w", err)
	}
	return cert, nil
}

// inside is the key of the connection in a request's context.
type inside struct{}

// guarded counts strangers from when they connect.
type guarded struct {
	net.Listener
	guard *secure.Guard
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		nc, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := g.guard.Admit(nc.RemoteAddr())
		if err == nil {
			return &stranger{nc, leave}, nil
		}
		nc.Close()
	}
}

// stranger is half open until leave is called.
type stranger struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (s *stranger) Close() error {
	s.leave()
	return s.Conn.Close()
}

// serve takes one WebSocket.
func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return
	}
	l.wg.Add(1)
	l.mu.Unlock()
	defer l.wg.Done()
	binding, check := bindings(r.TLS)
	w.Header().Set(bindingHeader, check)
	c, err := ws.Accept(w, r, &ws.AcceptOptions{CompressionMode: ws.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	tlsConn := r.Context().Value(inside{}).(*tls.Conn)
	ctx, cancel := context.WithTimeout(l.ctx, headerTimeout)
	kind, first, err := c.Read(ctx)
	cancel()
	if err != nil || kind != ws.MessageBinary || len(first) != 1 || first[0] > bound {
		c.CloseNow()
		return
	}
	if first[0] == unbound {
		binding = nil
	}
	if s, ok := tlsConn.NetConn().(*stranger); ok {
		s.leave()
	}
	nc := newConn(c, tlsConn.LocalAddr(), tlsConn.RemoteAddr(), binding)
	select {
	case l.accepted <- nc:
	default:
		nc.Close()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	if l.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	select {
	case nc := <-l.accepted:
		return nc, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.ln.Addr() }

// Close implements net.Listener. Connections that were accepted live on.
func (l *listener) Close() error {
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	l.cancel()
	err := l.srv.Close()
	l.wg.Wait()
	for {
		select {
		case nc := <-l.accepted:
			nc.Close()
		default:
			return err
		}
	}
}
